package sip

import (
	"math"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// request handles a request that is no ACK and no CANCEL.
func (o *Observer) request(m *Message, key []byte) {
	own := string(key)
	if l, ok := o.legs[own]; ok && !(l.held && l.tx.waits == waitsNot) {
		o.again(l, m)
		return
	}
	if l, ok := o.before(m); ok {
		o.forwarded(l, m, own)
		return
	}
	if t := o.begin(m, own); t != nil {
		o.admit(t)
	}
}

// again handles a copy.
func (o *Observer) again(l leg, m *Message) {
	switch t := l.tx; {
	case l.beyond || t.waits != waitsNot:
	case l.branch < 0:
		t.raiseReqRetrIn(m)
	default:
		t.branches[l.branch].passes(m, true)
	}
}

// admit raises request_in. What is decided is not done.
func (o *Observer) admit(t *Tx) {
	v := t.view()
	v.open, v.told = true, o.Changed
	t.waits = waitsForRoute
	sipev.OnRequestIn.Await(o.s.shard, &sipev.RequestIn{Tx: t, M: v}, func(d event.Verdict, _ error) {
		t.waits = waitsNot
		if t.state == terminated {
			return
		}
		t.view().open = false
		t.keep()
		o.admitted(t, d)
		o.letOn(t)
		if t.waits == waitsNot {
			t.shut()
		}
	})
}

// admitted tells what follows from there being no decision, or a CANCEL.
func (o *Observer) admitted(t *Tx, d event.Verdict) {
	m := t.view()
	if t.method == msg.Cancel {
		via, err := m.Via()
		if err != nil {
			return
		}
		l, ok := o.legs[string(o.keyOf(&m.Message, &via, invite))]
		if ok && l.branch < 0 && !l.tx.cancel && !l.tx.final() {
			l.tx.cancel = true
			l.tx.raiseE2ecancelIn(m)
		}
		return
	}
	to, err := m.Message.Address(msg.To)
	if d.Kind == event.None && err == nil && to.Tag() == nil {
		t.raiseUnrouted(m)
	}
}

// invite is the method that CANCELs and ACKs belong to.
var invite = []byte("INVITE")

// forwarded handles a request that was seen at the hop before: it is a branch.
func (o *Observer) forwarded(l leg, m *Message, key string) {
	t, s := l.tx, o.s
	switch {
	case l.beyond || l.branch >= 0:
		o.add(key, leg{tx: t, branch: l.branch, beyond: true})
		return
	case o.hold(t, m):
		o.add(key, leg{tx: t, held: true})
		return
	}
	if t.seen.guess {
		t.branches, t.seen.guess = t.branches[:0], false
	}
	if len(t.branches) >= min(s.cfg.MaxBranches, math.MaxUint8) {
		s.stats.NoRoom++
		return
	}
	b := &Branch{tx: t, index: uint8(len(t.branches)), uri: string(m.RequestURI()), state: calling, sent: true}
	t.branches = append(t.branches, b)
	o.add(key, leg{tx: t, branch: int(b.index)})
	m.open = true
	b.raiseRequestFwded(m)
	m.open = false
	b.passes(m, false)
	if sipev.OnRequestOut.Wanted(s.shard) {
		s.ev.requestOut = sipev.RequestOut{Tx: t, M: m, B: b, Branch: b.index}
		sipev.OnRequestOut.Emit(s.shard, &s.ev.requestOut)
	}
}

// passes raises request_sent for a request that was seen on the branch's hop.
func (b *Branch) passes(m *Message, again bool) {
	s := b.tx.stack
	if sipev.OnRequestSent.Wanted(s.shard) {
		s.ev.requestSent = sipev.RequestSent{Tx: b.tx, M: m, B: b, Branch: b.index, Copy: again}
		sipev.OnRequestSent.Emit(s.shard, &s.ev.requestSent)
	}
}

// cancel handles a CANCEL: it has a transaction of its own on the caller's hop, and
// belongs to its branch on another.
func (o *Observer) cancel(m *Message, via *msg.Via) {
	key := string(o.keyOf(&m.Message, via, m.MethodText()))
	if l, ok := o.legs[key]; ok {
		o.again(l, m)
		return
	}
	l, ok := o.legs[string(o.keyOf(&m.Message, via, invite))]
	switch {
	case !ok || l.branch < 0:
		if t := o.begin(m, key); t != nil {
			o.admit(t)
		}
	case l.beyond || o.hold(l.tx, m) || l.held:
	default:
		b := l.tx.branches[l.branch]
		b.unwanted, b.canceled = true, true
		o.add(key, leg{tx: l.tx, branch: l.branch, cancel: true})
		b.passes(m, false)
	}
}

// ack handles an ACK: of a negative reply on its hop, or of a 2xx.
func (o *Observer) ack(m *Message, via *msg.Via) {
	if l, ok := o.legs[string(o.keyOf(&m.Message, via, invite))]; ok {
		o.ackOfHop(l, m)
		return
	}
	t := o.s.dialogs[string(o.s.dialogKey(&m.Message))]
	to, err := m.Message.Address(msg.To)
	if t == nil || err != nil {
		o.s.stats.Stray++
		return
	}
	if o.hold(t, m) {
		return
	}
	for i := range t.tags {
		if t.tags[i].text == string(to.Tag()) {
			o.ackOfDialog(t, i, m, string(via.Branch()))
			return
		}
	}
	o.s.stats.Stray++
}

// ackOfHop handles the ACK of a negative reply.
func (o *Observer) ackOfHop(l leg, m *Message) {
	t := l.tx
	switch {
	case l.beyond || o.hold(t, m) || l.held:
	case l.branch >= 0:
		b := t.branches[l.branch]
		b.passes(m, b.ack != nil)
		b.ack = []byte{}
	case t.state == completed || t.state == confirmed:
		t.raiseAckNegIn(m)
		t.state = confirmed
	default:
		o.s.stats.Stray++
	}
}

// ackOfDialog handles the ACK of a 2xx. The same one behind the next hop is not told of.
func (o *Observer) ackOfDialog(t *Tx, i int, m *Message, branch string) {
	v := m.Values(msg.ViaName)
	v.Next()
	if v.Next() {
		if via, err := msg.ParseVia(v.Value()); err == nil {
			for _, told := range t.seen.acks {
				if told == string(via.Branch()) {
					return
				}
			}
		}
	}
	m.open = true
	if !t.tags[i].acked {
		t.tags[i].acked = true
		t.seen.acks = append(t.seen.acks, branch)
		t.raiseE2eackIn(m)
	} else {
		t.raiseE2eackRetrIn(m)
	}
	m.open = false
}
