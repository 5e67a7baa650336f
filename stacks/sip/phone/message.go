package phone

import (
	"errors"
	"fmt"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Message is one that a phone got or sent.
type Message struct {
	phone  *Phone
	raw    []byte
	m      msg.Message
	ts     int64 // when it came
	copies int   // how often it came again
	sent   bool  // by this phone
	tag    string
}

// message makes a message of bytes, which it copies.
func (p *Phone) message(raw []byte) (*Message, error) {
	m := &Message{phone: p, raw: append([]byte(nil), raw...)}
	if err := m.m.Parse(m.raw, p.board.limits); err != nil {
		return nil, err
	}
	return m, nil
}

// Reply is what a phone answers.
type Reply struct {
	Code    int
	Reason  string // the RFC's where it is empty
	Tag     string // the phone's own where it is empty
	Headers []event.KV
	Body    string
	Type    string
}

// Reply answers a request that came. What makes a dialog has the phone's Contact.
func (m *Message) Reply(r Reply) error {
	switch {
	case m.sent || !m.m.IsRequest() || m.m.Method() == msg.Ack:
		return fmt.Errorf("%s is not answered", title(&m.m))
	case r.Code < 100 || r.Code > 699:
		return fmt.Errorf("%d is no status", r.Code)
	}
	if r.Tag != "" {
		m.tag = r.Tag
	} else if m.tag == "" {
		m.tag = m.phone.tag(m.phone.board.number())
	}
	if r.Reason == "" {
		r.Reason = msg.ReasonOf(r.Code)
	}
	h := head{}
	if r.Code > 100 && r.Code < 300 && (m.m.Method() == msg.Invite || m.m.Method() == msg.Subscribe) {
		h.set("Contact", "<"+m.phone.uri()+">")
	}
	if err := h.add(r.Headers); err != nil {
		return err
	}
	h.describe(r.Body, r.Type)
	reply := msg.Reply{Code: r.Code, Reason: r.Reason, Fields: h.lines(), Body: []byte(r.Body)}
	if r.Code > 100 {
		reply.Tag = []byte(m.tag)
	}
	return m.phone.board.deliver(m.phone, msg.AppendReply(nil, &m.m, &reply))
}

// Cancel cancels an INVITE that this phone sent (RFC 3261, 9.1).
func (m *Message) Cancel() (*Message, error) {
	if !m.sent || m.m.Method() != msg.Invite {
		return nil, errors.New("what this phone sent as INVITE can be cancelled, and nothing else")
	}
	return m.phone.send(msg.AppendCancel(nil, &m.m, nil), nil)
}

// request finds what a reply answers.
func (m *Message) request() (*Message, error) {
	via, err := m.m.Via()
	if err != nil || m.m.IsRequest() {
		return nil, errors.New("a reply expected")
	}
	r := m.phone.sent[string(via.Branch())]
	if r == nil {
		return nil, errors.New("it answers nothing that this phone sent")
	}
	return r, nil
}

// Ack acknowledges the final reply to an INVITE: of its own hop where it is negative
// (RFC 3261, 17.1.1.3), by the dialog's route where it is a 2xx (13.2.2.4).
func (m *Message) Ack() (*Message, error) {
	r, err := m.request()
	if err != nil {
		return nil, err
	}
	if r.m.Method() != msg.Invite || m.m.Status() < 200 {
		return nil, fmt.Errorf("%s to %s is not acknowledged", title(&m.m), title(&r.m))
	}
	if m.m.Status() >= 300 {
		return m.phone.send(msg.AppendAck(nil, &r.m, &m.m), nil)
	}
	raw := msg.AppendAck2xx(nil, &r.m, &m.m)
	if raw == nil {
		return nil, errors.New("the 2xx has no Contact")
	}
	return m.phone.inDialog(raw)
}

// Send sends a request inside the dialog that the message is of: a reply with a tag to
// what this phone sent, or a request that it answered.
func (m *Message) Send(r Request) (*Message, error) {
	d, err := m.dialog()
	if err != nil {
		return nil, err
	}
	p := m.phone
	h := newHead(r.Method, d.target)
	h.set("Max-Forwards", "70")
	h.set("Route", d.route...)
	h.set("From", d.local)
	h.set("To", d.remote)
	h.set("Call-ID", string(m.m.CallID()))
	h.set("CSeq", fmt.Sprintf("%d %s", p.seq[string(m.m.CallID())]+1, r.Method))
	h.set("Contact", "<"+p.uri()+">")
	if err := h.add(r.Headers); err != nil {
		return nil, err
	}
	return p.inDialog(h.text(r.Body, r.Type))
}

// inDialog sends a request that lacks nothing but its Via by its Route, or to its URI.
func (p *Phone) inDialog(raw []byte) (*Message, error) {
	var m msg.Message
	if err := m.Parse(raw, p.board.limits); err != nil {
		return nil, err
	}
	var e msg.Edits
	e.Reset(&m)
	if err := e.Before(msg.ViaName, "Via", []byte(p.via(p.board.number()))); err != nil {
		return nil, err
	}
	to := m.RequestURI()
	if m.Has(msg.Route) {
		first, err := m.Address(msg.Route)
		if err != nil {
			return nil, err
		}
		to = first.URI
	}
	return p.send(e.AppendTo(nil), append([]byte(nil), to...))
}

// dialog is what requests of a dialog say.
type dialog struct {
	target, local, remote string
	route                 []string
}

// dialog reads the dialog that the message makes, as the phone sees it (RFC 3261, 12.1).
func (m *Message) dialog() (dialog, error) {
	var d dialog
	from, _ := m.m.Get(msg.From)
	to, _ := m.m.Get(msg.To)
	for v := m.m.Values(msg.RecordRoute); v.Next(); {
		d.route = append(d.route, string(v.Value()))
	}
	if contact, err := m.m.Address(msg.Contact); err == nil {
		d.target = string(contact.URI)
	}
	switch {
	case m.sent || d.target == "":
		return d, fmt.Errorf("%s makes no dialog: a message with a Contact that came to the phone expected", title(&m.m))
	case m.m.IsRequest():
		d.local, d.remote = string(to), string(from)
		if m.tag != "" {
			d.local += ";tag=" + m.tag
		}
		return d, nil
	}
	for i, j := 0, len(d.route)-1; i < j; i, j = i+1, j-1 {
		d.route[i], d.route[j] = d.route[j], d.route[i]
	}
	d.local, d.remote = string(from), string(to)
	return d, nil
}
