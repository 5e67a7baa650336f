package phone

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// word is a function of specs: plain data and objects in and out.
type word = func(args []any) (any, error)

// Word is the word `phone` of specs: an address, or a table { address, transport, user,
// names } makes a [Phone].
func (b *Switchboard) Word(args []any) (any, error) {
	if len(args) != 1 {
		return nil, errors.New(`one address or table expected, as in phone "192.0.2.1"`)
	}
	cfg := Config{Transport: 1}
	list, isTable := args[0].([]event.KV)
	if !isTable {
		list = []event.KV{{Key: "address", Value: args[0]}}
	}
	for _, o := range list {
		if err := cfg.option(o); err != nil {
			return nil, fmt.Errorf("%s: %w", o.Key, err)
		}
	}
	if !cfg.Addr.IsValid() {
		return nil, errors.New("a phone has an address")
	}
	p, err := b.Phone(cfg)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (c *Config) option(o event.KV) (err error) {
	text, isText := o.Value.(string)
	switch {
	case o.Key == "names":
		c.Names, err = texts(o.Value)
	case !isText:
		err = errors.New("a text expected")
	case o.Key == "address":
		c.Addr, err = address(text)
	case o.Key == "transport":
		c.Transport, err = protoOf(text)
	case o.Key == "user":
		c.User = text
	default:
		err = errors.New("there is no such option; address, transport, user and names are")
	}
	return err
}

// address reads an address, with a port or without one.
func address(text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(a, 5060), nil
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return a, errors.New("an address such as 192.0.2.1:5060 expected")
	}
	return a, nil
}

func texts(v any) ([]string, error) {
	list, several := v.([]any)
	if !several {
		list = []any{v}
	}
	var out []string
	for _, v := range list {
		text, ok := v.(string)
		if !ok {
			return nil, errors.New("a list of texts expected")
		}
		out = append(out, text)
	}
	return out, nil
}

// Kind is what messages call a phone.
func (p *Phone) Kind() string { return "phone" }

// Member returns a field or a method of a phone, as specs see it; nil if there is none.
func (p *Phone) Member(name string) any {
	switch name {
	case "address":
		return p.addr.String()
	case "uri":
		return p.uri()
	case "waiting":
		return word(func([]any) (any, error) { return p.Waiting(), nil })
	case "take":
		return word(func([]any) (any, error) { return message(p.Take(), nil) })
	case "expect":
		return word(p.expect)
	case "send":
		return word(func(args []any) (any, error) {
			r, err := request(args, true)
			if err != nil {
				return nil, err
			}
			return message(p.Send(r))
		})
	case "raw":
		return word(p.rawWord)
	case "down":
		return word(func([]any) (any, error) { p.down = true; return nil, nil })
	case "up":
		return word(func([]any) (any, error) { p.down = false; return nil, nil })
	}
	return nil
}

// message keeps a nil message from becoming an object.
func message(m *Message, err error) (any, error) {
	if m == nil || err != nil {
		return nil, err
	}
	return m, nil
}

// expect is p:expect("INVITE") and p:expect(200).
func (p *Phone) expect(args []any) (any, error) {
	if len(args) == 1 {
		switch v := args[0].(type) {
		case string:
			return message(p.Expect(v, 0))
		case float64:
			return message(p.Expect("", int(v)))
		}
	}
	return nil, errors.New("a method or a status expected")
}

// rawWord is p:raw(text): lines may end as Lua's do.
func (p *Phone) rawWord(args []any) (any, error) {
	text, ok := "", false
	if len(args) == 1 {
		text, ok = args[0].(string)
	}
	if !ok {
		return nil, errors.New("a text expected")
	}
	if !strings.Contains(text, "\r\n") {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return nil, p.Raw([]byte(text))
}

// request reads (METHOD, URI, { headers, body, type }), inside a dialog without the URI.
func request(args []any, outside bool) (Request, error) {
	var r Request
	wrong := errors.New(`a method and perhaps a table expected, as in send("BYE")`)
	if outside {
		wrong = errors.New(`a method, a URI and perhaps a table expected, as in send("INVITE", "sip:bob@example.com")`)
	}
	need := []*string{&r.Method}
	if outside {
		need = append(need, &r.URI)
	}
	if len(args) < len(need) || len(args) > len(need)+1 {
		return r, wrong
	}
	for i, to := range need {
		text, ok := args[i].(string)
		if !ok || text == "" || strings.ContainsAny(text, " \r\n") {
			return r, wrong
		}
		*to = text
	}
	if len(args) == len(need) {
		return r, nil
	}
	err := options(args[len(need)], &r.Headers, map[string]*string{"body": &r.Body, "type": &r.Type})
	return r, err
}

// options reads the table of what is sent.
func options(v any, headers *[]event.KV, known map[string]*string) error {
	list, ok := v.([]event.KV)
	if !ok {
		return errors.New("a table expected")
	}
	for _, o := range list {
		if o.Key == "headers" {
			if *headers, ok = o.Value.([]event.KV); !ok {
				return errors.New(`headers: a table expected, as in { Subject = "lunch" }`)
			}
			continue
		}
		to := known[o.Key]
		if to == nil {
			return fmt.Errorf("there is no option %s", o.Key)
		}
		if *to, ok = o.Value.(string); !ok || o.Key != "body" && strings.ContainsAny(*to, "\r\n") {
			return fmt.Errorf("%s: a text expected", o.Key)
		}
	}
	return nil
}

// Kind is what messages call a message.
func (m *Message) Kind() string { return "message" }

// Member returns a field or a method of a message, as specs see it; nil if there is none.
func (m *Message) Member(name string) any {
	if v, ok := m.field(name); ok {
		return v
	}
	switch name {
	case "header", "headers":
		return word(func(args []any) (any, error) { return m.values(name == "header", args) })
	case "reply":
		return word(m.replyWord)
	case "send":
		return word(func(args []any) (any, error) {
			r, err := request(args, false)
			if err != nil {
				return nil, err
			}
			return message(m.Send(r))
		})
	case "ack":
		return word(func([]any) (any, error) { return message(m.Ack()) })
	case "login":
		return word(m.loginWord)
	case "cancel":
		return word(func([]any) (any, error) { return message(m.Cancel()) })
	case "again":
		return word(func([]any) (any, error) { return nil, m.Again() })
	}
	return nil
}

// field returns what is read of a message.
func (m *Message) field(name string) (any, bool) {
	switch name {
	case "is_request":
		return m.m.IsRequest(), true
	case "method":
		if m.m.IsRequest() {
			return string(m.m.MethodText()), true
		}
		seq, _ := m.m.CSeq()
		return string(seq.Method), true
	case "code":
		return float64(m.m.Status()), true
	case "reason":
		return string(m.m.Reason()), true
	case "uri":
		return string(m.m.RequestURI()), true
	case "call_id":
		return string(m.m.CallID()), true
	case "from_tag", "to_tag":
		n := msg.From
		if name == "to_tag" {
			n = msg.To
		}
		a, _ := m.m.Address(n)
		return string(a.Tag()), true
	case "body":
		return string(m.m.Body()), true
	case "text":
		return string(m.raw), true
	case "ts":
		return float64(m.ts) / 1e9, true
	case "copies":
		return float64(m.copies), true
	}
	return nil, false
}

// values is m:header(name), the first value line, and m:headers(name), all values.
func (m *Message) values(first bool, args []any) (any, error) {
	name, ok := "", false
	if len(args) == 1 {
		name, ok = args[0].(string)
	}
	if !ok {
		return nil, errors.New("the name of a header field expected")
	}
	if first {
		if i := m.m.Index(0, msg.NameOf([]byte(name)), name); i >= 0 {
			return string(msg.Unfold(nil, m.m.Field(i).Value)), nil
		}
		return nil, nil
	}
	list := []any{}
	for v := m.m.ValuesOf(name); v.Next(); {
		list = append(list, string(msg.Unfold(nil, v.Value())))
	}
	return list, nil
}

// replyWord is m:reply(code, { reason, tag, headers, body, type }).
func (m *Message) replyWord(args []any) (any, error) {
	var r Reply
	code, ok := 0.0, false
	if len(args) == 1 || len(args) == 2 {
		code, ok = args[0].(float64)
	}
	if !ok {
		return nil, errors.New("a status and perhaps a table expected, as in reply(200)")
	}
	r.Code = int(code)
	if float64(r.Code) != code {
		return nil, errors.New(strconv.FormatFloat(code, 'g', -1, 64) + " is no status")
	}
	if len(args) == 2 {
		known := map[string]*string{"reason": &r.Reason, "tag": &r.Tag, "body": &r.Body, "type": &r.Type}
		if err := options(args[1], &r.Headers, known); err != nil {
			return nil, err
		}
	}
	return nil, m.Reply(r)
}
