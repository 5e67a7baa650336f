package sip

import (
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// txState is where a transaction is, as its server side sees it.
type txState uint8

const (
	trying    txState = iota // rules decide, or branches are tried
	completed                // a negative final reply was sent and is repeated
	confirmed                // it was acknowledged
	accepted                 // a 2xx was sent (RFC 6026)
	given                    // it ended without a reply: dropped, or silently
	terminated
)

// waitKind says which hook's handler a transaction waits for.
type waitKind uint8

const (
	waitsNot waitKind = iota
	waitsForRoute
	waitsForFailure
)

// Tx is a transaction: one request that came, the branches it was forwarded to, and
// the reply that goes back. It implements [sipev.Tx].
type Tx struct {
	stack  *Stack
	id     uint64
	slots  event.Slots
	key    string // in servers
	dialog string // in dialogs, an INVITE's
	source hop
	back   Hop // where replies go
	method msg.Method
	state  txState

	raw    []byte   // the request as it came, with what a server adds to Via
	req    *Message // view of it, while it is looked at
	picked *Message // what scripts see as such, during some hooks
	route  uint32   // what it is routed by, as a hash

	branches []*Branch
	later    [][]target // steps that are tried when the branches that there are have failed
	code     int        // latest status sent
	last     []byte     // latest reply sent, to be repeated
	tags     []tag      // To tags of 2xx that were relayed

	life, retr event.Timer
	interval   time.Duration
	fr, frInv  time.Duration
	maxLife    time.Duration

	waits  waitKind
	held   []heldMessage
	quit   []byte // the CANCEL that came while a handler waited
	cancel bool   // the caller gave up
	noisy  bool
	local  bool // the final reply was made here
	// recordRoute: branches of this relay stay in the path. inPath: those of each do.
	recordRoute, inPath bool
	routeParams         []byte // of this server's URI in Record-Route
	mine                bool   // the request was made here
	done                func(*Tx, *Message)
	grace               uint8
	seen                *seen // of an [Observer]
}

// tag is a To tag of a 2xx that went to the caller.
type tag struct {
	branch uint8
	acked  bool
	text   string
	ack    []byte // of a 2xx to a request that was made here
	to     Hop
}

// heldMessage waits until a handler of its transaction has returned.
type heldMessage struct {
	from Hop
	raw  []byte
}

// invite reports whether the transaction is an INVITE's.
func (t *Tx) invite() bool { return t.method == msg.Invite }

// final reports whether a final reply was sent, or none will be.
func (t *Tx) final() bool { return t.state != trying }

// newTx begins the transaction of a request, whose bytes it copies.
func (s *Stack) newTx(m *Message, via *msg.Via, key string) *Tx {
	s.lastID++
	s.stats.Began++
	t := &Tx{
		stack: s, id: s.lastID, key: key, source: m.from, back: replyHop(m.from.Hop, via), method: m.Message.Method(),
		fr: s.cfg.FR, frInv: s.cfg.FRInv, maxLife: s.cfg.MaxInv, noisy: !s.cfg.SilentC,
	}
	t.route = s.routeHash(&m.Message)
	t.raw = s.arrived(m, via)
	s.byID[t.id] = t
	s.servers[key] = t
	if t.invite() {
		t.dialog = string(s.dialogKey(&m.Message))
		s.dialogs[t.dialog] = t
	} else {
		t.maxLife = max(s.cfg.FR*2, s.cfg.Linger)
	}
	t.arm(t.maxLife, t.expire)
	return t
}

// arrived copies a request with what a server adds to its topmost Via.
func (s *Stack) arrived(m *Message, via *msg.Via) []byte {
	raw, top := m.Message.Raw(), topVia(m)
	s.text = stamped(s.text[:0], top, via, m.from.Hop)
	at := cap(raw) - cap(top)
	out := append(make([]byte, 0, len(raw)-len(top)+len(s.text)), raw[:at]...)
	return append(append(out, s.text...), raw[at+len(top):]...)
}

// view returns the request as an index, made when it is needed.
func (t *Tx) view() *Message {
	if t.req == nil {
		t.req = t.stack.view()
		if err := t.req.load(t.raw, t.source.Hop, t.stack.replyLimits()); err != nil {
			panic("sip: " + err.Error()) // it was read before
		}
	}
	return t.req
}

// keep takes what scripts made of the request as the request.
func (t *Tx) keep() {
	if t.req != nil && t.req.modified {
		t.raw = append([]byte(nil), t.req.Raw()...)
		t.req.modified = false
	}
}

// shut gives the view of the request back.
func (t *Tx) shut() {
	t.keep()
	t.stack.release(t.req)
	t.req = nil
}

// lean gives back what a transaction needs no more that has its final reply.
func (t *Tx) lean() {
	t.shut()
	for _, b := range t.branches {
		b.reply = nil
	}
}

func (t *Tx) arm(d time.Duration, run func(int64)) { t.stack.arm(&t.life, d, run) }

// localTag is the To tag of what this server answers: the same for each reply to the
// request, and for no other.
func (t *Tx) localTag() []byte {
	var b [8]byte
	for i := range b {
		b[i] = byte(t.id >> (8 * i))
	}
	return strconv.AppendUint([]byte("hk"), t.stack.mac(b[:], []byte("tag")), 36)
}

// linger starts the time that a transaction stays after its final reply, since
// something of it may still be on its way.
func (t *Tx) linger() {
	d := t.stack.cfg.Linger
	if !t.invite() && t.back.Reliable() {
		d = min(d, t.stack.cfg.T4)
	}
	t.arm(d, t.end)
}

// maxGrace bounds how often a transaction outlives its time for a branch that is open.
const maxGrace = 8

// end ends the transaction, or asks again later while something of it is open.
func (t *Tx) end(int64) {
	for _, b := range t.branches {
		if !b.final() && t.grace < maxGrace {
			t.grace++
			t.arm(t.stack.cfg.Linger, t.end)
			return
		}
	}
	t.stack.shard.CancelWaits(t)
	t.raiseDestroy()
	t.forget()
	t.slots.End()
}

// forget takes the transaction out of all tables and stops its timers.
func (t *Tx) forget() {
	s := t.stack
	if s.cfg.Watcher != nil && t.code < 200 && !t.mine {
		s.cfg.Watcher.Gone(t)
	}
	t.state = terminated
	s.stop(&t.life)
	s.stop(&t.retr)
	for _, b := range t.branches {
		b.over(GivenUp)
		b.stop()
		s.stop(&b.cretr)
	}
	delete(s.byID, t.id)
	if s.servers[t.key] == t {
		delete(s.servers, t.key)
	}
	if t.dialog != "" && s.dialogs[t.dialog] == t {
		delete(s.dialogs, t.dialog)
	}
	s.release(t.req)
	t.req, t.held = nil, nil
}
