package sip

import (
	"bytes"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// receiveAck handles an ACK: that of a negative reply ends here, hop by hop; that of a
// 2xx goes on to the callee, with or without a transaction that knows of it.
func (s *Stack) receiveAck(m *Message, via *msg.Via) {
	if t := s.servers[string(s.serverKey(&m.Message, via, msg.Invite))]; t != nil {
		t.acknowledged(m)
		return
	}
	if to, err := m.Message.Address(msg.To); err == nil && bytes.Equal(to.Tag(), s.statelessTag(m, via)) {
		return
	}
	t := s.dialogs[string(s.dialogKey(&m.Message))]
	if t != nil && t.answeredHere(m) {
		s.stop(&t.retr)
		return
	}
	known := t != nil && t.endToEnd(m)
	route := s.routes(&m.Message)
	if !known && route.own == 0 {
		s.stats.Stray++
		return
	}
	s.forwardAck(m)
}

// acknowledged takes the ACK of a final reply that was sent here.
func (t *Tx) acknowledged(m *Message) {
	if t.state != completed && t.state != confirmed && (t.state != accepted || !t.local) {
		t.stack.stats.Stray++
		return
	}
	t.raiseAckNegIn(m)
	t.stack.stop(&t.retr)
	if t.state == completed {
		t.state = confirmed
	}
}

// answeredHere reports whether an ACK is that of a 2xx which was made here.
func (t *Tx) answeredHere(m *Message) bool {
	to, err := m.Message.Address(msg.To)
	return err == nil && t.local && t.state == accepted && string(to.Tag()) == string(t.localTag())
}

// endToEnd reports whether an ACK is that of a 2xx which the transaction relayed, and
// tells of it. An ACK that passes a second time, in a spiral, is known but not told of
// again.
func (t *Tx) endToEnd(m *Message) bool {
	to, err := m.Message.Address(msg.To)
	if err != nil {
		return false
	}
	text := string(to.Tag())
	known, first := false, false
	for i := range t.tags {
		if t.tags[i].text == text {
			known, first = true, first || !t.tags[i].acked
			t.tags[i].acked = true
		}
	}
	if !known || t.stack.passed(&m.Message) {
		return known
	}
	m.open = true
	if first {
		t.raiseE2eackIn(m)
	} else {
		t.raiseE2eackRetrIn(m)
	}
	m.open = false
	return true
}

// passed reports whether this server forwarded a request before.
func (s *Stack) passed(m *msg.Message) bool {
	for v := m.Values(msg.ViaName); v.Next(); {
		via, err := msg.ParseVia(v.Value())
		if err != nil {
			continue
		}
		if _, ours := s.readBranch(via.Branch()); ours {
			return true
		}
	}
	return false
}

// forwardAck forwards an ACK without a transaction. Its copies get the same branch.
func (s *Stack) forwardAck(m *Message) {
	if f := m.CheckHop(); f.Found() || s.looped(&m.Message) {
		s.stats.Stray++
		return
	}
	id := branchID{route: s.routeHash(&m.Message)}
	p, err := s.onward(&m.Message, m.RequestURI(), true, &target{})
	if err != nil {
		s.stats.Stray++
		return
	}
	out := append([]byte(nil), p.out...)
	w := &s.trial
	if w.load(out, Hop{}, s.replyLimits()) != nil {
		return
	}
	target := p.next
	if target == nil {
		target = append(target, nextHop(&w.Message, p.strict)...)
	}
	if s.self(target) {
		s.stats.Stray++
		return
	}
	s.out.Find(target, func(hops []Hop, err error) {
		if err != nil {
			s.stats.SendFailed++
			return
		}
		s.sendAlone(out, leaving(hops, p.socket), id)
	})
}
