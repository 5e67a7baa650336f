package sip

import (
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// receiveReply finds the branch that a reply belongs to (RFC 3261, 17.1.3): its
// topmost Via is one that this stack made.
func (s *Stack) receiveReply(m *Message) {
	via, err := m.Via()
	if err != nil {
		return
	}
	id, ours := s.readBranch(via.Branch())
	if !ours {
		s.stats.Stray++
		return
	}
	t := s.byID[id.tx]
	if t == nil || int(id.index) >= len(t.branches) {
		s.stats.Stray++
		if s.cfg.ForwardStray {
			s.forwardReply(m)
		}
		return
	}
	b := t.branches[id.index]
	seq, err := m.CSeq()
	method := msg.MethodOf(seq.Method)
	ofCancel := method == msg.Cancel && t.method != msg.Cancel
	switch {
	case err != nil, !b.sent, ofCancel && !b.canceled, !ofCancel && method != t.method:
		s.stats.Stray++
	case t.state == given:
		s.forwardReply(m)
	case t.waits != waitsNot:
		t.hold(m)
	default:
		b.receive(m, ofCancel)
	}
}

// receive handles a reply of the branch, in the order of TM's reply_received.
func (b *Branch) receive(m *Message, ofCancel bool) {
	m.open = true
	drop := false
	if b.tx.mine {
		b.tx.raiseLocalResponseIn(m)
	} else {
		drop = b.raiseResponseIn(m).Kind == sipev.VerdictDrop
	}
	m.open = false
	code := m.Status()
	switch {
	case ofCancel:
		if code >= 200 {
			b.tx.stack.stop(&b.cretr)
		}
	case code < 200:
		b.provisional(m, drop)
	case code < 300:
		b.answered(m)
	default:
		b.negative(m)
	}
}

// provisional handles a 1xx.
func (b *Branch) provisional(m *Message, drop bool) {
	t, s := b.tx, b.tx.stack
	if b.final() {
		return
	}
	first := b.state != proceeding
	b.state, b.rang = proceeding, true
	if t.invite() {
		s.stop(&b.retr)
		if b.unwanted {
			b.sendCancel()
			return
		}
		if first || m.Status() > 100 {
			s.arm(&b.fr, t.frInv, b.expire)
		}
	} else if b.retr.Armed() && first {
		b.interval = s.cfg.T2
		s.arm(&b.retr, b.interval, b.resend)
	}
	b.code = m.Status()
	if m.Status() == 100 || drop || t.final() {
		return
	}
	if t.mine {
		t.code = m.Status()
		t.raiseLocalResponseOut(m)
		return
	}
	b.pass(m, m)
	t.push(m, false)
}

// pass raises response_fwded and takes this server's Via off the reply that goes on.
func (b *Branch) pass(cause, picked *Message) {
	b.tx.picked = picked
	if cause == picked {
		cause.open = true
	}
	b.raiseResponseFwded(cause)
	b.tx.picked = nil
	cause.open = false
	popVia(picked)
}

// popVia takes the topmost Via off.
func popVia(m *Message) {
	_ = m.edit(func(e *msg.Edits) error {
		e.Pop(msg.ViaName, 1)
		return nil
	}, func() error { return nil })
}

// answered handles a 2xx: the first ends the search, each further one of an INVITE
// goes to the caller too (RFC 3261, 16.7).
func (b *Branch) answered(m *Message) {
	t := b.tx
	if b.final() && !t.invite() {
		return
	}
	b.stop()
	b.state, b.code, b.by, b.reply = done, m.Status(), sipev.FakedByNone, nil
	b.over(Reached)
	if t.mine {
		b.completedBy(m)
		return
	}
	if !t.invite() {
		if !t.final() {
			b.pass(m, m)
			t.finish(m)
			t.cancelBranches(0)
		}
		return
	}
	fresh := t.note(b, m)
	b.pass(m, m)
	if t.final() {
		t.push(m, fresh)
		return
	}
	t.finish(m)
	t.cancelBranches(200)
	b.out = nil
}

// maxTags bounds how many 2xx with tags of their own one INVITE is known to have.
const maxTags = 64

// note keeps the To tag of a 2xx, and reports whether it is new.
func (t *Tx) note(b *Branch, m *Message) bool {
	to, err := m.Message.Address(msg.To)
	if err != nil {
		return false
	}
	text := to.Tag()
	if t.noted(b, m) >= 0 {
		return false
	}
	if len(t.tags) < maxTags {
		t.tags = append(t.tags, tag{branch: b.index, text: string(text)})
	}
	return true
}

// noted returns the place of the To tag of a 2xx among those that are kept, or -1.
func (t *Tx) noted(b *Branch, m *Message) int {
	to, err := m.Message.Address(msg.To)
	if err != nil {
		return -1
	}
	for i := range t.tags {
		if t.tags[i].branch == b.index && t.tags[i].text == string(to.Tag()) {
			return i
		}
	}
	return -1
}

// negative handles a final reply of 300 or more.
func (b *Branch) negative(m *Message) {
	t := b.tx
	if t.invite() && (b.ack != nil || b.out != nil) {
		b.acknowledge(m)
	}
	if b.final() {
		return
	}
	b.stop()
	t.stack.stop(&b.cretr)
	if m.Status() == 503 && b.elsewhere(503) {
		return
	}
	b.out = nil
	if t.final() {
		b.state, b.code = done, m.Status()
		b.over(Reached)
		return
	}
	t.failed(b, m)
}
