package flow

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// Action is what became of a frame.
type Action uint8

// The actions.
const (
	Forwarded Action = iota // it passes
	Dropped                 // it does not
	Injected                // the stack made it, to be sent
)

// Outcome says what became of one frame. It is lent for the duration of the call that gets it.
type Outcome struct {
	Action Action
	// Verdict is the strictest that rules decided about the frame or, where the connection was cut
	// before, about that. It is not followed in mode Record.
	Verdict event.VerdictKind
	// Conn is the connection, or the UDP or ICMP flow, nil for none; of several packets in the frame, the
	// first that belongs to one has it.
	Conn flowev.Conn
	// Blocked is the prefix that blocked it, see [Blocks]; empty for none.
	Blocked string
	Link    uint16 // LINKTYPE_ number
	Data    []byte // as captured, or as rules changed it
	WireLen int
	TS      int64 // nanoseconds since the epoch

	parted bool // there are several packets in the frame, and it is told of when all are done with
}

// begin makes o that of a frame of which nothing is known yet: field by field, since a literal would be built
// aside and copied.
func (o *Outcome) begin(link uint16, data []byte, wireLen int, ts int64) {
	o.Link, o.Data, o.WireLen, o.TS = link, data, wireLen, ts
	o.Action, o.Verdict, o.Conn, o.parted = Forwarded, event.None, nil, false
	if o.Blocked != "" {
		o.Blocked = ""
	}
}

// decide notes what rules said about the frame at hand and, where it holds for all of it, about c.
func (s *Stack) decide(c *Conn, v event.Verdict) {
	if v.Kind == event.None {
		return
	}
	s.said = max(s.said, v.Kind)
	if v.Kind == flowev.VerdictReplace {
		s.replaces(v)
	}
	if c != nil && v.Kind >= flowev.VerdictCut && v.Kind > c.decided {
		c.decided = v.Kind
	}
}

// stopped reports whether rules decided that the frame at hand does not pass, or changed in a way that
// is not possible, and that is followed.
func (s *Stack) stopped() bool {
	return s.applies() && (s.said >= flowev.VerdictDrop || s.repl.failed)
}

// report tells what became of the frame at hand, or notes it where more packets are in it. What rules say
// about a sample is said of none that passes here.
func (s *Stack) report(c flowev.Conn, swallowed bool) {
	o := &s.outcome
	switch {
	case s.pkt.p.Sampled:
		return
	case o.Action == Dropped: // another packet in it must not pass
	case swallowed:
		o.Action = Dropped
		s.stats.Stopped++
	case s.stopped():
		o.Action = Dropped
		s.stats.Stopped++
		s.stats.Dropped++
	}
	if s.cfg.Forward == nil {
		return
	}
	o.Verdict = max(o.Verdict, s.said)
	if o.Conn == nil {
		o.Conn = c
	}
	if !o.parted {
		s.tell()
	}
}

// tell tells what became of the frame at hand.
func (s *Stack) tell() {
	if s.cfg.Forward != nil {
		s.cfg.Forward(&s.outcome)
		s.outcome.Data = nil
	}
}

// before is what a segment changes at its receiver.
type before struct {
	state      state
	next, wire int64
	missed     int64
	gaps       uint32
	rexmits    uint32
	given      int
	finGot     bool
	synGot     bool
	synAckGot  bool
	received   bool
	sideClosed [2]bool
}

// remember notes what the receiver of st knows, so that undo can go back there.
func (s *Stack) remember(st *step) {
	x, y, t := st.x, st.y, &st.x.sent
	s.before = before{
		state: y.state, next: t.next, wire: t.wire, missed: t.missed, gaps: t.gaps, rexmits: x.rexmits, finGot: t.finGot,
		synGot: x.synGot, synAckGot: x.synAckGot, received: x.conn.received, sideClosed: [2]bool{x.sideClosed, y.sideClosed},
	}
	if x.extras != nil {
		s.before.given = len(x.extras.given)
	}
}

// undo takes from the receiver what it got with st, which a rule then dropped: it never got it. What
// handlers were told stays said.
func (s *Stack) undo(st *step) {
	x, y, t, b := st.x, st.y, &st.x.sent, &s.before
	s.mem.arriving = arriving{}
	y.state = b.state
	t.next, t.wire, t.missed, t.gaps, t.finGot = b.next, b.wire, b.missed, b.gaps, b.finGot
	x.rexmits = b.rexmits
	x.synGot, x.synAckGot, x.conn.received = b.synGot, b.synAckGot, b.received
	x.sideClosed, y.sideClosed = b.sideClosed[0], b.sideClosed[1]
	if e := x.extras; e != nil {
		e.given = e.given[:min(b.given, len(e.given))]
		e.putBack(t.next)
	}
}

// lost notes that st was dropped on its way: its receiver may acknowledge its bytes all the same, if
// the capture was made without the rule.
func (st *step) lost() {
	if st.usable && st.end > st.off {
		st.x.extra().dropped.cover(st.off, st.end)
	}
}

// cut ends c as rules decided: what it sends from now on is swallowed. After a reset both ends, as
// far as they have a connection, are told by a RST that the frame at hand is the occasion for.
func (s *Stack) cut(c *Conn, st *step) {
	why := flowev.EndReasonCut
	if c.decided == flowev.VerdictReset {
		why = flowev.EndReasonReset
		s.resetBoth(st)
	}
	s.stats.Cut++
	s.conclude(c, why)
	s.queues[c.group].remove(c)
	s.enqueue(c, inCut)
}

// swallow takes a packet that x sent in a connection that was cut, and reports whether it is one: a SYN of
// another connection is not.
func (s *Stack) swallow(c *Conn, x *Peer, p *packet.Packet) bool {
	if opening(p) && !(x.sent.known && x.sent.isn == p.Seq) {
		s.release(c)
		return false
	}
	s.stats.Swallowed++
	s.said = c.decided
	c.last, c.stamp = s.sh.Now(), s.frame
	s.touch(c)
	if c.decided == flowev.VerdictReset {
		s.resetAgain(x, p)
	}
	s.report(c, true)
	return true
}
