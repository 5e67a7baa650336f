package phone

import (
	"errors"
	"fmt"

	"github.com/hookd/hookd/stacks/sip/digest"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Login sends the request again that a reply challenges, with the credentials it asks for
// (RFC 3261, 22.2): by a new branch and the next number.
func (m *Message) Login(user, password string) (*Message, error) {
	r, err := m.request()
	if err != nil {
		return nil, err
	}
	seq, err := r.m.CSeq()
	if err != nil {
		return nil, err
	}
	var e msg.Edits
	e.Reset(&r.m)
	answers := 0
	for _, f := range [...]struct {
		asks, says msg.Name
	}{{msg.WWWAuthenticate, msg.Authorization}, {msg.ProxyAuthenticate, msg.ProxyAuthorization}} {
		list := digest.Strongest(&m.m, f.asks, "")
		for i := r.m.Index(0, f.says, ""); i >= 0 && len(list) != 0; i = r.m.Index(i+1, f.says, "") {
			e.Remove(i)
		}
		for _, c := range list {
			value, err := c.Answer(user, &digest.Secret{Password: password}, string(r.m.MethodText()), string(r.m.RequestURI()), r.m.Body())
			if err != nil {
				return nil, err
			}
			answers++
			if err := e.Append(f.says.String(), []byte(value)); err != nil {
				return nil, err
			}
		}
	}
	if answers == 0 {
		return nil, errors.New("it asks for no credentials that can be given")
	}
	p := m.phone
	err = errors.Join(
		e.SetValue(r.m.Index(0, msg.ViaName, ""), []byte(p.via(p.board.number()))),
		e.SetValue(r.m.Index(0, msg.CSeqName, ""), fmt.Appendf(nil, "%d %s", seq.Number+1, r.m.MethodText())),
	)
	if err != nil {
		return nil, err
	}
	return p.send(e.AppendTo(nil), nil)
}

// loginWord is m:login(user, password).
func (m *Message) loginWord(args []any) (any, error) {
	if len(args) == 2 {
		user, ok := args[0].(string)
		if password, also := args[1].(string); ok && also {
			return message(m.Login(user, password))
		}
	}
	return nil, errors.New("a user and a password expected")
}
