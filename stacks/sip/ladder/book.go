package ladder

import (
	"bytes"
	"errors"
	"hash/maphash"
	"net/netip"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Limits of a book. What is beyond is counted.
const (
	MaxCalls = 10_000
	MaxSteps = 2_000 // of one call
)

// Step is one message of a call.
type Step struct {
	TS       int64          `json:"ts"` // nanoseconds since the epoch
	CallID   string         `json:"call_id"`
	From     netip.AddrPort `json:"from"`
	To       netip.AddrPort `json:"to"`
	Proto    string         `json:"transport"`
	Method   string         `json:"method"` // of a reply, that which CSeq names
	Code     int            `json:"code,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	CSeq     uint32         `json:"cseq"`
	FromUser string         `json:"from_user,omitempty"`
	ToUser   string         `json:"to_user,omitempty"`
	Body     string         `json:"body,omitempty"`  // its media type
	Copy     bool           `json:"copy,omitempty"`  // the same went the same way before
	Fault    string         `json:"fault,omitempty"` // why it is no sound message
}

// Call is the messages with one Call-ID, in the order in which they came.
type Call struct {
	ID    string `json:"call_id"`
	Steps []Step `json:"steps"`
	Lost  int    `json:"lost,omitempty"` // beyond MaxSteps
	seen  map[uint64]bool
}

// Book collects calls.
type Book struct {
	Calls   []*Call // in the order of their first messages
	Skipped int     // messages of calls beyond MaxCalls
	Bad     int     // messages that cannot be read, or name no call

	wanted func(callID string) bool
	byID   map[string]*Call
	seed   maphash.Seed
	m      msg.Message
}

// NewBook returns an empty book of those calls that are wanted; nil: all.
func NewBook(wanted func(callID string) bool) *Book {
	return &Book{wanted: wanted, byID: map[string]*Call{}, seed: maphash.MakeSeed()}
}

// Add notes a message that went from one address to another. raw is not kept.
func (b *Book) Add(ts int64, from, to netip.AddrPort, proto sipev.Transport, raw []byte) {
	m, fault := &b.m, ""
	err := m.Parse(raw, msg.DefaultLimits())
	if errors.Is(err, msg.ErrNoEnd) {
		// Cut off, perhaps by the capture: what is there can be shown all the same.
		fault = "Header Without End"
		err = m.Parse(append(append([]byte(nil), raw...), "\r\n\r\n"...), msg.DefaultLimits())
	}
	if err != nil || len(m.CallID()) == 0 {
		b.Bad++
		return
	}
	if fault == "" {
		fault = m.Check().Reason
	}
	id := string(m.CallID())
	c := b.byID[id]
	if c == nil {
		if b.wanted != nil && !b.wanted(id) {
			return
		}
		if len(b.Calls) >= MaxCalls {
			b.Skipped++
			return
		}
		c = &Call{ID: id, seen: map[uint64]bool{}}
		b.Calls, b.byID[id] = append(b.Calls, c), c
	}
	if len(c.Steps) >= MaxSteps {
		c.Lost++
		return
	}
	s := Step{TS: ts, CallID: id, From: from, To: to, Proto: proto.String(), Code: m.Status(), Copy: c.again(b.seed, from, to, raw), Fault: fault}
	b.describe(&s)
	c.Steps = append(c.Steps, s)
}

// again reports whether the call had the same message on the same way.
func (c *Call) again(seed maphash.Seed, from, to netip.AddrPort, raw []byte) bool {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.Write(raw) // fails never
	key := h.Sum64() ^ maphash.Comparable(seed, [2]netip.AddrPort{from, to})
	if c.seen[key] {
		return true
	}
	c.seen[key] = true
	return false
}

// describe reads what of the message is shown.
func (b *Book) describe(s *Step) {
	m := &b.m
	seq, _ := m.CSeq()
	s.CSeq, s.Method, s.Reason = seq.Number, string(seq.Method), string(m.Reason())
	if m.IsRequest() {
		s.Method = string(m.MethodText())
	}
	s.FromUser, s.ToUser = user(m, msg.From), user(m, msg.To)
	if len(bytes.TrimSpace(m.Body())) != 0 {
		media, _ := m.Get(msg.ContentType)
		media, _, _ = bytes.Cut(media, []byte(";"))
		s.Body = string(bytes.ToLower(bytes.TrimSpace(media)))
	}
}

// user is the user part of an address, or its host where it has none; of a URI that is no
// SIP's all of it.
func user(m *msg.Message, n msg.Name) string {
	a, err := m.Address(n)
	if err != nil {
		return ""
	}
	u, err := msg.ParseURI(a.URI)
	switch {
	case err == nil && len(u.User) != 0:
		return string(u.User)
	case err == nil && len(u.Host) != 0:
		return string(u.Host)
	default:
		return string(a.URI)
	}
}
