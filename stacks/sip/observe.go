package sip

import (
	"hash/maphash"
	"strconv"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Observer builds transactions out of messages that pass it, and raises their hook points,
// without a part in them: nothing is sent, nothing is made up, and what rules decide is
// recorded and not done. What they change of a message they see changed themselves, as
// what they would have made of it; what passed stays as it was.
//
// Where the policy stands is the first hop that it sees of a request: the request came in
// there, and a reply on that hop is one that went out to the caller. If the request is
// seen again behind that hop, with its Via below another, it was forwarded: a branch,
// whose replies came in. Where no such hop is seen, a reply is both: it came from a
// branch and went on.
//
// Like a [Stack] it belongs to its shard.
type Observer struct {
	s    *Stack
	legs map[string]leg
	key  []byte
	seed maphash.Seed
	// Changed, where set, is told what a rule changed of a message.
	Changed func(c *event.Caller, what string)
}

// leg is a hop of a transaction.
type leg struct {
	tx     *Tx
	branch int  // -1: the hop that the request came by
	beyond bool // behind a branch: not told of
	cancel bool // of a branch's CANCEL
	held   bool // of a branch that is not told of yet, since a handler waits
}

// seen is what only an observed transaction has.
type seen struct {
	o      *Observer
	legs   []string // its keys in legs
	guess  bool     // its only branch stands for a hop that is not seen
	acks   []string // branch parameters of ACKs that were told of, for each To tag
	answer uint64   // hash of the latest reply that the caller got, as it passed
}

// NewObserver makes the observer of a shard. Of the settings the limits count, and the
// times after which transactions end.
func NewObserver(shard *event.Shard, cfg Config) *Observer {
	o := &Observer{s: New(shard, cfg, nobody{}), legs: map[string]leg{}, seed: maphash.MakeSeed()}
	o.s.looksOn = true
	return o
}

// nobody is the transport of who has no part in what passes.
type nobody struct{}

// Send implements [Transport].
func (nobody) Send(Hop, []byte) error { return errPasses }

// Find implements [Transport].
func (nobody) Find(_ []byte, then func([]Hop, error)) { then(nil, errPasses) }

// Self implements [Transport].
func (nobody) Self([]byte, uint16) bool { return false }

// SentBy implements [Transport].
func (nobody) SentBy(dst []byte, _ Hop) []byte { return dst }

// Stats returns what was counted so far.
func (o *Observer) Stats() Stats { return o.s.Stats() }

// points are those that observers raise.
var points = func() (set event.PointSet) {
	set.Add(
		sipev.OnRequestIn.ID(), sipev.OnRequestFwded.ID(), sipev.OnRequestOut.ID(), sipev.OnRequestSent.ID(), sipev.OnResponseIn.ID(),
		sipev.OnResponseFwded.ID(), sipev.OnOnBranchFailure.ID(), sipev.OnOnFailureRo.ID(), sipev.OnOnFailure.ID(),
		sipev.OnResponseReady.ID(), sipev.OnResponsePreOut.ID(), sipev.OnResponseOut.ID(), sipev.OnResponseSent.ID(),
		sipev.OnE2eackIn.ID(), sipev.OnE2eackRetrIn.ID(), sipev.OnAckNegIn.ID(), sipev.OnReqRetrIn.ID(), sipev.OnE2ecancelIn.ID(),
		sipev.OnUnrouted.ID(), sipev.OnSilent.ID(), sipev.OnDestroy.ID(),
	)
	return set
}()

// Wanted reports whether any rule of a shard is bound where an observer raises something.
func Wanted(sh *event.Shard) bool { return points.Wanted(sh) }

// Pass takes a message that passed: from.Remote sent it to from.Local. raw is not used
// once it returned. The shard's clock stands at the time when it passed.
func (o *Observer) Pass(from Hop, raw []byte) { o.pass(from, raw, true) }

// pass takes a message that passes now, or was held since.
func (o *Observer) pass(from Hop, raw []byte, now bool) {
	s, m := o.s, &o.s.in
	if err := m.load(raw, from, s.cfg.Limits); err != nil {
		s.stats.Malformed++
		return
	}
	switch {
	case !now: // it was counted when it came
	case m.IsRequest():
		s.stats.Requests++
	default:
		s.stats.Replies++
	}
	if now {
		s.note(&from, raw, false)
	}
	fault := m.Check()
	if fault.Found() {
		s.stats.Malformed++
		return
	}
	if !from.stream() {
		m.TrimBody()
	}
	m.told = o.Changed
	via, errVia := m.Via()
	seq, errSeq := m.CSeq()
	switch {
	case errVia != nil || errSeq != nil:
		s.stats.Malformed++
	case !m.IsRequest():
		o.reply(m, o.keyOf(&m.Message, &via, seq.Method))
	case m.Message.Method() == msg.Ack:
		o.ack(m, &via)
	case m.Message.Method() == msg.Cancel:
		o.cancel(m, &via)
	default:
		o.request(m, o.keyOf(&m.Message, &via, seq.Method))
	}
}

// keyOf returns what the messages of one transaction on one hop have in common, requests
// and replies (RFC 3261, 17.1.3, 17.2.3), as if it were of a method. Call-ID and number
// are part of it, for those whose branches are not unique. It is valid until the next one
// is made.
func (o *Observer) keyOf(m *msg.Message, via *msg.Via, method []byte) []byte {
	k := append(append(o.key[:0], method...), 0)
	k = append(append(k, via.Branch()...), 0)
	k = appendLower(k, via.Host)
	port := via.Port
	if port == 0 {
		port = 5060
	}
	k = strconv.AppendUint(append(k, ':'), uint64(port), 10)
	k = append(append(k, 0), m.CallID()...)
	if seq, err := m.CSeq(); err == nil {
		k = strconv.AppendUint(append(k, 0), uint64(seq.Number), 10)
	}
	if !via.Magic() {
		if from, err := m.Address(msg.From); err == nil {
			k = append(append(k, 0), from.Tag()...)
		}
	}
	o.key = k
	return k
}

// before returns the hop that a request took before this one: its second Via names it.
func (o *Observer) before(m *Message) (leg, bool) {
	v := m.Values(msg.ViaName)
	v.Next()
	if !v.Next() {
		return leg{}, false
	}
	via, err := msg.ParseVia(v.Value())
	if err != nil {
		return leg{}, false
	}
	l, ok := o.legs[string(o.keyOf(&m.Message, &via, m.MethodText()))]
	return l, ok
}

// maxLegs bounds how many hops a transaction is known by.
const maxLegs = 64

// add notes a hop of a transaction.
func (o *Observer) add(key string, l leg) {
	if len(l.tx.seen.legs) >= maxLegs {
		o.s.stats.NoRoom++
		return
	}
	o.legs[key] = l
	l.tx.seen.legs = append(l.tx.seen.legs, key)
}

// hold keeps a message until the handler of its transaction has returned; false if none
// waits.
func (o *Observer) hold(t *Tx, m *Message) bool {
	if t.waits == waitsNot {
		return false
	}
	t.hold(m)
	return true
}

// letOn handles what was held.
func (o *Observer) letOn(t *Tx) {
	for len(t.held) != 0 && t.waits == waitsNot {
		h := t.held[0]
		t.held = t.held[1:]
		o.pass(h.from, h.raw, false)
	}
}

// begin begins the transaction of a request.
func (o *Observer) begin(m *Message, key string) *Tx {
	s := o.s
	if len(s.byID) >= s.cfg.MaxTransactions {
		s.stats.NoRoom++
		return nil
	}
	s.lastID++
	s.stats.Began++
	t := &Tx{
		stack: s, id: s.lastID, source: m.from, method: m.Message.Method(), raw: append([]byte(nil), m.Raw()...),
		fr: s.cfg.FR, frInv: s.cfg.FRInv, maxLife: s.cfg.MaxInv, noisy: true, seen: &seen{o: o},
	}
	s.byID[t.id] = t
	if t.invite() {
		t.dialog = string(s.dialogKey(&m.Message))
		s.dialogs[t.dialog] = t
	} else {
		t.maxLife = max(s.cfg.FR*2, s.cfg.Linger)
	}
	o.add(key, leg{tx: t, branch: -1})
	t.arm(t.maxLife, t.over)
	return t
}

// over ends an observed transaction.
func (t *Tx) over(int64) {
	s := t.stack
	s.shard.CancelWaits(t)
	if !t.final() {
		t.state = given
		t.raiseSilent()
	}
	t.gone()
}

// gone raises destroy and forgets the transaction.
func (t *Tx) gone() {
	t.raiseDestroy()
	for _, key := range t.seen.legs {
		delete(t.seen.o.legs, key)
	}
	t.forget()
	t.slots.End()
}

// Close ends the transactions that are left, in the order of their requests: nothing more
// will pass.
func (o *Observer) Close() {
	for id := uint64(1); id <= o.s.lastID && len(o.s.byID) != 0; id++ {
		if t := o.s.byID[id]; t != nil {
			o.s.shard.CancelWaits(t)
			t.gone()
		}
	}
}
