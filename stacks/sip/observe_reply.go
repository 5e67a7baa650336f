package sip

import (
	"hash/maphash"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// reply handles a reply.
func (o *Observer) reply(m *Message, key []byte) {
	l, ok := o.legs[string(key)]
	switch {
	case !ok:
		o.s.stats.Stray++
	case l.beyond || o.hold(l.tx, m) || l.held: // held: its branch was never seen
	case l.branch < 0:
		o.toCaller(l.tx, m)
	default:
		l.tx.branches[l.branch].came(m, l.cancel)
	}
}

// came handles a reply that came from a branch.
func (b *Branch) came(m *Message, ofCancel bool) {
	t, code := b.tx, m.Status()
	m.open = true
	b.raiseResponseIn(m)
	m.open = false
	if ofCancel || b.final() && code >= 300 {
		return
	}
	if to, err := m.Message.Address(msg.To); err == nil {
		b.tag = string(to.Tag())
	}
	b.code = code
	switch {
	case code < 200:
		b.state = proceeding
	case code < 300:
		b.state = done
	default:
		b.state = done
		b.reply, b.from = append([]byte(nil), m.Raw()...), m.from.Hop
		if sipev.OnOnBranchFailure.Wanted(t.stack.shard) {
			t.picked = t.best().shown(&t.stack.shown)
			b.raiseOnBranchFailure(m)
			t.picked = nil
		}
	}
}

// toCaller handles a reply that went to the caller.
func (o *Observer) toCaller(t *Tx, m *Message) {
	code := m.Status()
	sum := maphash.Bytes(o.seed, m.Raw())
	if !t.fresh(m, sum) {
		t.raiseAnswered(m, true)
		return
	}
	t.seen.answer = sum
	if code == 100 {
		t.code = code
		t.raiseAnswered(m, false)
		return
	}
	var b *Branch
	if t.method != msg.Cancel {
		b = t.sender(m)
	}
	if b != nil && t.seen.guess {
		b.came(m, false)
	}
	if code < 300 || t.final() || !t.failedAll() {
		o.conclude(t, b, m)
		return
	}
	o.failure(t, b, m)
}

// fresh reports whether the caller has not had the reply, whose hash sum is, yet. After its final one only
// another 2xx to an INVITE is (RFC 3261, 16.7).
func (t *Tx) fresh(m *Message, sum uint64) bool {
	if t.seen.answer == sum {
		return false
	}
	if !t.final() {
		return true
	}
	if !t.invite() || m.Status()/100 != 2 {
		return false
	}
	to, err := m.Message.Address(msg.To)
	for i := range t.tags {
		if err != nil || t.tags[i].text == string(to.Tag()) {
			return false
		}
	}
	return true
}

// sender returns the branch that a reply to the caller came from: the one that said the
// same, or, where none was seen, one that stands for what is not. Nil: it was made here.
func (t *Tx) sender(m *Message) *Branch {
	if len(t.branches) == 0 {
		t.branches = append(t.branches, &Branch{tx: t, uri: string(t.view().RequestURI()), state: calling, sent: true})
		t.seen.guess = true
	}
	if t.seen.guess {
		return t.branches[0]
	}
	to, err := m.Message.Address(msg.To)
	if err != nil {
		return nil
	}
	for _, b := range t.branches {
		if b.code == m.Status() && b.tag == string(to.Tag()) {
			return b
		}
	}
	return nil
}

// failedAll reports whether all branches have failed.
func (t *Tx) failedAll() bool {
	for _, b := range t.branches {
		if b.open() || b.code < 300 {
			return false
		}
	}
	return len(t.branches) != 0
}

// failure raises on_failure before a negative reply counts as sent.
func (o *Observer) failure(t *Tx, b *Branch, m *Message) {
	s := o.s
	if !sipev.OnOnFailure.Wanted(s.shard) && !sipev.OnOnFailureRo.Wanted(s.shard) {
		o.conclude(t, b, m)
		return
	}
	v := s.view()
	if v.load(append([]byte(nil), m.Raw()...), m.from.Hop, s.replyLimits()) != nil {
		s.release(v)
		return
	}
	t.picked = v
	t.raiseOnFailureRo(v)
	t.waits = waitsForFailure
	sipev.OnOnFailure.Await(s.shard, &sipev.OnFailure{Tx: t, M: v}, func(event.Verdict, error) {
		t.waits, t.picked = waitsNot, nil
		if t.state != terminated {
			v.told = o.Changed
			o.conclude(t, b, v)
			o.letOn(t)
		}
		s.release(v)
	})
}

// conclude raises what stands around the sending of a reply.
func (o *Observer) conclude(t *Tx, b *Branch, m *Message) {
	s := o.s
	if b != nil {
		t.picked, m.open = m, true
		b.raiseResponseFwded(m)
		t.picked, m.open = nil, false
	}
	code := m.Status()
	first := !t.final()
	t.code = code
	switch {
	case code < 200:
	case code < 300:
		t.state = accepted
		if to, err := m.Message.Address(msg.To); err == nil && t.invite() && len(t.tags) < maxTags {
			t.tags = append(t.tags, tag{text: string(to.Tag())})
		}
	default:
		t.state = completed
	}
	if sipev.OnResponseReady.Wanted(s.shard) {
		s.ev.responseReady = sipev.ResponseReady{Tx: t, M: m}
		sipev.OnResponseReady.Emit(s.shard, &s.ev.responseReady)
	}
	if code >= 200 {
		if sipev.OnResponsePreOut.Wanted(s.shard) {
			s.ev.responsePreOut = sipev.ResponsePreOut{Tx: t, M: m}
			sipev.OnResponsePreOut.Emit(s.shard, &s.ev.responsePreOut)
		}
		if sipev.OnResponseOut.Wanted(s.shard) {
			s.ev.responseOut = sipev.ResponseOut{Tx: t, M: m}
			sipev.OnResponseOut.Emit(s.shard, &s.ev.responseOut)
		}
	}
	t.raiseAnswered(m, false)
	if code >= 200 && first {
		t.arm(s.cfg.Linger, t.over)
		t.lean()
	}
}

// raiseAnswered raises response_sent for a reply that passed.
func (t *Tx) raiseAnswered(m *Message, again bool) {
	s := t.stack
	if sipev.OnResponseSent.Wanted(s.shard) {
		s.ev.responseSent = sipev.ResponseSent{Tx: t, M: m, Copy: again}
		sipev.OnResponseSent.Emit(s.shard, &s.ev.responseSent)
	}
}
