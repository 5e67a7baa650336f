package sip

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Message is a message as scripts see it: an index over bytes, and whether the hook
// point at hand lets it be changed. A change is made at once, in a buffer of its own,
// so that what is read next is what was written.
type Message struct {
	msg.Message
	home     *Stack // nil: of none
	from     hop
	limits   msg.Limits
	buf      []byte // what the index is over, once it is the message's own
	spare    []byte
	edits    msg.Edits
	open     bool // the hook point at hand lets it be changed
	fakedBy  sipev.FakedBy
	ruri     uriView
	addrs    [3]addressView
	changed  uint32 // counts changes, so that views know that they are stale
	modified bool
	told     func(c *event.Caller, what string) // learns what a script changed; nil: nobody does
}

// which address views there are.
const (
	viewFrom = iota
	viewTo
	viewContact
)

// load makes m the index over raw, which is not copied.
func (m *Message) load(raw []byte, from Hop, lim msg.Limits) error {
	m.from, m.limits, m.fakedBy, m.open, m.modified, m.told = hop{from}, lim, sipev.FakedByNone, false, false, nil
	m.changed++
	return m.Parse(raw, lim)
}

var errReadOnly = errors.New("the message is read-only at this hook point")

// may says whether the message may be changed.
func (m *Message) may() error {
	if !m.open {
		return errReadOnly
	}
	return nil
}

// change applies edits that a script makes. What would be refused if it came is none.
func (m *Message) change(c *event.Caller, do func(e *msg.Edits) error) error {
	if err := m.may(); err != nil {
		return err
	}
	sound := !m.Check().Found()
	old := m.Raw()
	err := m.edit(do, func() error {
		if f := m.Check(); sound && f.Found() {
			return fmt.Errorf("that makes it no valid message: %s", f.Reason)
		}
		return nil
	})
	if err == nil && m.told != nil {
		m.told(c, lineChanges(old, m.Raw()))
	}
	return err
}

// edit applies edits that do makes, if the result is a message and passes check. On an
// error the message stays as it is.
func (m *Message) edit(do func(e *msg.Edits) error, check func() error) error {
	m.edits.Reset(&m.Message)
	if err := do(&m.edits); err != nil {
		return err
	}
	if m.edits.Empty() {
		return nil
	}
	if m.edits.Size() > m.limits.Size {
		return fmt.Errorf("a message has at most %d bytes", m.limits.Size)
	}
	next := m.edits.AppendTo(m.spare[:0])
	old := m.Raw()
	m.changed++
	err := m.Parse(next, m.limits)
	if err == nil {
		err = check()
	}
	if err != nil {
		if again := m.Parse(old, m.limits); again != nil {
			return again
		}
		m.spare = next
		return err
	}
	m.spare, m.buf, m.modified = m.buf[:0], next, true
	return nil
}

// Method implements [sipev.Message].
func (m *Message) Method() string {
	if m.IsRequest() {
		return methodText(m.Message.Method(), m.MethodText())
	}
	seq, err := m.CSeq()
	if err != nil {
		return ""
	}
	return methodText(msg.MethodOf(seq.Method), seq.Method)
}

func methodText(known msg.Method, text []byte) string {
	if known != msg.OtherMethod {
		return known.String()
	}
	return string(text)
}

// Code implements [sipev.Message].
func (m *Message) Code() uint16 { return uint16(m.Status()) }

// RURI implements [sipev.Message].
func (m *Message) RURI() sipev.URI {
	m.ruri.m = m
	return &m.ruri
}

func (m *Message) address(i int, n msg.Name) sipev.Address {
	a := &m.addrs[i]
	if a.m == nil || a.seen != m.changed {
		a.m, a.seen = m, m.changed
		a.addr, _ = m.Message.Address(n)
		a.parts, _ = msg.ParseURI(a.addr.URI)
	}
	return a
}

// From implements [sipev.Message].
func (m *Message) From() sipev.Address { return m.address(viewFrom, msg.From) }

// To implements [sipev.Message].
func (m *Message) To() sipev.Address { return m.address(viewTo, msg.To) }

// Contact implements [sipev.Message].
func (m *Message) Contact() sipev.Address { return m.address(viewContact, msg.Contact) }

// Cseq implements [sipev.Message].
func (m *Message) Cseq() uint32 {
	seq, _ := m.CSeq()
	return seq.Number
}

// MaxForwards implements [sipev.Message].
func (m *Message) MaxForwards() uint8 {
	n, ok, err := m.Message.MaxForwards()
	if !ok || err != nil {
		return 70
	}
	return uint8(n)
}

// Text implements [sipev.Message].
func (m *Message) Text() []byte { return m.Raw() }

// Size implements [sipev.Message].
func (m *Message) Size() uint32 { return uint32(len(m.Raw())) }

// Source implements [sipev.Message].
func (m *Message) Source() sipev.Hop { return &m.from }

// CameTo returns the address of ours that it came to; none where no packet brought it.
func (m *Message) CameTo() netip.AddrPort { return m.from.Local }

// Faked implements [sipev.Message].
func (m *Message) Faked() bool { return m.fakedBy != sipev.FakedByNone }

// FakedBy implements [sipev.Message].
func (m *Message) FakedBy() sipev.FakedBy { return m.fakedBy }

// Header implements [sipev.Message].
func (m *Message) Header(name string) (string, bool) {
	i := m.Index(0, msg.NameOf([]byte(name)), name)
	if i < 0 {
		return "", false
	}
	return string(msg.Unfold(nil, m.Field(i).Value)), true
}

// Headers implements [sipev.Message].
func (m *Message) Headers(name string) []string {
	list := []string{}
	for v := m.ValuesOf(name); v.Next(); {
		list = append(list, string(msg.Unfold(nil, v.Value())))
	}
	return list
}

// framing are fields that say what the bytes are, and stay the stack's.
func framing(name string) error {
	switch msg.NameOf([]byte(name)) {
	case msg.ContentLength:
		return fmt.Errorf("%s follows from the body: use set_body", name)
	case msg.ViaName:
		return fmt.Errorf("%s is how replies find their way: it cannot be changed", name)
	}
	if name == "" {
		return fmt.Errorf("a header field has a name")
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == ':' || c >= 0x7f {
			return fmt.Errorf("%q is no name of a header field", name)
		}
	}
	return nil
}

// SetHeader implements [sipev.Message].
func (m *Message) SetHeader(c *event.Caller, name, value string) error {
	if err := framing(name); err != nil {
		return err
	}
	return m.change(c, func(e *msg.Edits) error {
		id := msg.NameOf([]byte(name))
		i := m.Index(0, id, name)
		if i < 0 {
			return e.Append(name, []byte(value))
		}
		for j := m.Index(i+1, id, name); j >= 0; j = m.Index(j+1, id, name) {
			e.Remove(j)
		}
		return e.SetValue(i, []byte(value))
	})
}

// AddHeader implements [sipev.Message].
func (m *Message) AddHeader(c *event.Caller, name, value string) error {
	if err := framing(name); err != nil {
		return err
	}
	return m.change(c, func(e *msg.Edits) error { return e.Append(name, []byte(value)) })
}

// RemoveHeader implements [sipev.Message].
func (m *Message) RemoveHeader(c *event.Caller, name string) error {
	if err := framing(name); err != nil {
		return err
	}
	id := msg.NameOf([]byte(name))
	switch id {
	case msg.From, msg.To, msg.CallID, msg.CSeqName, msg.MaxForwards:
		return fmt.Errorf("no message is without %s", id)
	}
	return m.change(c, func(e *msg.Edits) error {
		for i := m.Index(0, id, name); i >= 0; i = m.Index(i+1, id, name) {
			e.Remove(i)
		}
		return nil
	})
}

// SetBody implements [sipev.Message].
func (m *Message) SetBody(c *event.Caller, body []byte, media string) error {
	return m.change(c, func(e *msg.Edits) error {
		if media != "" {
			i := m.Index(0, msg.ContentType, "")
			if i < 0 {
				if err := e.Append("Content-Type", []byte(media)); err != nil {
					return err
				}
			} else if err := e.SetValue(i, []byte(media)); err != nil {
				return err
			}
		}
		return e.SetBody(body)
	})
}
