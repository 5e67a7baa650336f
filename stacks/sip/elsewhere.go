package sip

import (
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Undelivered takes a message back that Send took and that cannot be delivered, since
// there is no connection to where it should go (RFC 3261, 18.4). A request goes to the
// next of its servers, or its branch fails; the ACK of a 2xx goes by UDP, if it was only
// too long for that.
func (s *Stack) Undelivered(to Hop, raw []byte) {
	s.stats.Undelivered++
	m := &s.in
	if m.load(raw, Hop{}, s.replyLimits()) != nil || !m.IsRequest() {
		return
	}
	via, err := m.Via()
	if err != nil {
		return
	}
	id, ours := s.readBranch(via.Branch())
	if ours && id.tx == 0 && to.Stretch {
		s.unstretched(to, m, id)
		return
	}
	t := s.byID[id.tx]
	if !ours || t == nil || int(id.index) >= len(t.branches) || m.Message.Method() != t.method {
		return
	}
	b := t.branches[id.index]
	if b.state != calling || b.to().Remote != to.Remote || t.waits != waitsNot {
		return
	}
	if !b.elsewhere(503) {
		b.fail(sipev.FakedBySend, 503, "Service Unavailable")
	}
}

// elsewhere goes on to the next server of a branch that cannot be reached, is
// overloaded or says nothing (RFC 3263, 4.3), by a branch of its own which rules are not
// asked about again. Its reply takes the place of this one's. false: there is none, or
// the request is not wanted any more.
func (b *Branch) elsewhere(code int) bool {
	t, s := b.tx, b.tx.stack
	if b.hop+1 >= len(b.hops) || b.out == nil || t.final() || t.cancel || b.unwanted || len(t.branches) >= s.cfg.MaxBranches {
		return false
	}
	bare, err := b.bare()
	if err != nil {
		return false
	}
	b.stop()
	b.state, b.code, b.past = done, code, true
	s.stats.Elsewhere++
	next := &Branch{
		tx: t, index: uint8(len(t.branches)), uri: b.uri, recordRoute: b.recordRoute, strict: b.strict, next: b.next, set: b.set, socket: b.socket, watched: b.watched,
		hops: b.hops[b.hop+1:], out: bare,
	}
	b.watched = false // the next one is told of in its place
	t.branches = append(t.branches, next)
	next.try()
	return true
}

// bare returns a copy of the request as it was before print.
func (b *Branch) bare() ([]byte, error) {
	s := b.tx.stack
	m := &s.trial
	if err := m.load(b.out, Hop{}, s.replyLimits()); err != nil {
		return nil, err
	}
	e := &s.edits
	e.Reset(&m.Message)
	e.Pop(msg.ViaName, 1)
	e.Pop(msg.RecordRoute, b.recorded)
	return e.AppendTo(nil), nil
}
