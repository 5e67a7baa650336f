package flow

import (
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// change is one transition of an end's state.
type change struct{ from, to state }

// changes are the transitions that one packet caused at one end.
type changes struct {
	list [5]change
	n    int
}

// step is one segment on its way through both stacks.
type step struct {
	p    *packet.Packet
	x, y *Peer // sender, receiver

	opens   bool // it is the connection's first
	starts  bool // the server gets the connection's first SYN by it
	resets  bool // it is a RST that counts
	ignored bool // it is a SYN that contradicts the connection
	usable  bool // its bytes and FIN count for the receiver
	outside bool // they do not: they lie outside the receiver's window
	// It acknowledges something that y sent.
	acks bool
	// It acknowledges the FIN that y's SYN carried.
	endedBefore bool
	// Its bytes lie at off..end in x's stream; those of data were captured.
	off, end int64
	data     []byte

	again   bool              // x sent some of it before
	arrived bool              // y got some of it before
	kind    flowev.RexmitKind // what again and arrived speak of

	snd, rcv changes
	from     int64 // place of fresh
	n        int   // how many bytes y's stack can read now
	fresh    []byte
}

// opening reports whether the segment is the first of a handshake.
func (st *step) opening() bool { return opening(st.p) }

func opening(p *packet.Packet) bool {
	return p.TCPFlags&(packet.SYN|packet.ACK|packet.RST) == packet.SYN
}

// segment runs one decoded TCP packet through the pipeline: find or make the connection; the sender's
// stack; what handlers see of it; the receiver's stack; what handlers see of that. Where rules'
// verdicts are applied, one before the receiver's stack keeps the packet from it, one behind undoes
// what the packet changed there.
func (s *Stack) segment(p *packet.Packet) {
	c, x, opens := s.find(p)
	if c == nil {
		return
	}
	s.stats.TCP++
	c.last, c.stamp = s.sh.Now(), s.frame
	if !opens && s.predicted(c, x, p) {
		return
	}
	st := &s.step
	st.begin(p, x, opens)
	s.send(st)
	s.raiseSent(st)
	s.giveUpBefore(st)
	if s.changes() {
		s.rewrite(st)
	}
	passed := !s.stopped()
	if passed {
		passed = s.deliver(st)
	}
	if !passed {
		st.lost()
	}
	s.after(st, passed)
	s.report(c, false)
	st.p, st.data, st.fresh = nil, nil, nil
}

// find returns the connection that p belongs to, which of its ends sent it, and whether it was made for p; nil
// if p belongs to none, and all is done with it.
func (s *Stack) find(p *packet.Packet) (c *Conn, x *Peer, opens bool) {
	if c, client := s.recent.find(p); c != nil && c.group != inCut && !p.TCPFlags.Has(packet.SYN) {
		return c, c.peer(client), false
	}
	var k key
	low := k.of(p)
	c, hash, client := s.lookup(&k, low)
	if c != nil && c.group == inCut {
		if s.swallow(c, c.peer(client), p) {
			return nil, nil, false
		}
		c = nil
	}
	if c != nil && p.TCPFlags.Has(packet.SYN) && s.renew(c, p, client) {
		c = nil
		if p.TCPFlags.Has(packet.ACK) { // the answer to a SYN of another connection
			c, _, client = s.lookup(&k, low)
		}
	}
	if c != nil {
		if c.key == k { // not by another name, which may cease to be one
			s.recent.found(c, p, client)
		}
		return c, c.peer(client), false
	}
	switch {
	case opening(p):
		c = s.open(&k, hash, low, p.VLAN)
	case s.cfg.PickUp:
		c = s.adopt(&k, hash, low, p)
	default:
		s.flow(nil, flowev.OrphanReasonNoConnection)
		return nil, nil, false
	}
	return c, c.peer(low == c.clientLow), true
}

// begin makes st the step of a segment that x sends. What has no meaning before it is set is left as it is.
func (st *step) begin(p *packet.Packet, x *Peer, opens bool) {
	st.p, st.x, st.y = p, x, x.other()
	st.opens, st.starts, st.resets, st.ignored = opens, false, false, false
	st.usable, st.outside, st.acks, st.endedBefore = false, false, false, false
	st.again, st.arrived, st.kind = false, false, 0
	st.off, st.end, st.n = 0, 0, 0
	st.snd.n, st.rcv.n = 0, 0
}

// lookup returns the connection that a packet of key k belongs to, nil for none, k's hash, and whether
// its client sent the packet; low says that the source is the lower endpoint.
func (s *Stack) lookup(k *key, low bool) (c *Conn, hash uint64, client bool) {
	if c, hash = s.conns.find(k); c != nil {
		return c, hash, low == c.clientLow
	}
	if a := s.alias.find(k); a != nil {
		if c, ok := a.conn.(*Conn); ok {
			return c, hash, low == a.clientLow
		}
	}
	return nil, hash, false
}

// giveUpBefore gives up what is missing from either stream and will not come, before the segment's
// own bytes do.
func (s *Stack) giveUpBefore(st *step) {
	s.settle(st.x, nowhere, 0, false)
	at, need := int64(nowhere), 0
	if st.usable && st.off < st.end {
		if at = st.off; at <= st.x.sent.wire {
			return // it fills the hole
		}
		need = st.x.sent.cost(at, st.data)
	}
	s.settle(st.y, at, need, false)
}

// deliver takes the segment to the receiver's stack and reports whether it stays there.
func (s *Stack) deliver(st *step) bool {
	if s.applies() {
		s.remember(st)
	}
	s.receive(st)
	floor := s.raiseReceived(st)
	s.rewriteForwarded(st.x.conn, st.x.client)
	if s.stopped() {
		s.undo(st)
		return false
	}
	st.x.sent.commit(&s.mem, floor)
	return true
}

// after does with the connection what the segment, or what rules said of it, leads to.
func (s *Stack) after(st *step, passed bool) {
	c := st.x.conn
	if st.resets && passed {
		c.reset = true
	}
	switch {
	case s.applies() && c.decided >= flowev.VerdictCut:
		s.cut(c, st)
	case c.reset && s.cfg.ResetLinger <= 0:
		s.end(c, flowev.EndReasonRst)
	case !c.reset && s.cfg.TimeWait <= 0 && done(c.client.state) && done(c.server.state):
		s.finish(c)
	default:
		s.touch(c)
	}
}

// raiseSent raises what handlers see behind the sender's stack.
func (s *Stack) raiseSent(st *step) {
	s.raisePktIn(st.x, flowev.OnPktInSnd)
	if st.opens {
		if st.opening() {
			s.raiseStart(st.x, flowev.OnConnStartSnd)
		} else {
			s.raiseAdopted(st.x)
		}
	}
	for _, c := range st.snd.list[:st.snd.n] {
		s.raiseState(st.x, flowev.OnTCPStateChangeSnd, c.from, c.to, true)
	}
	if st.again {
		s.raiseRexmit(st, st.x, flowev.OnRexmitSnd)
	}
}

// raiseReceived raises what handlers see behind the receiver's stack, and returns the place before
// which nothing is kept of the stream.
func (s *Stack) raiseReceived(st *step) (floor int64) {
	x, y := st.x, st.y
	s.raisePktIn(y, flowev.OnPktInRcv)
	if st.starts {
		s.raiseStart(y, flowev.OnConnStartRcv)
	}
	for _, c := range st.rcv.list[:st.rcv.n] {
		s.raiseState(y, flowev.OnTCPStateChangeRcv, c.from, c.to, true)
	}
	if st.arrived {
		s.raiseRexmit(st, y, flowev.OnRexmitRcv)
	}
	if st.outside && st.p.PayloadLen > 0 {
		s.raiseError(y, flowev.ErrorReasonOutOfWindow, int64(st.p.PayloadLen))
	}
	if st.usable && st.off < st.end {
		floor = s.makeRoom(y, &x.sent)
		if st.n > 0 {
			s.raiseData(y, st.from, st.fresh)
		}
		s.flush(y, &x.sent)
	}
	s.closeSide(x)
	if st.endedBefore {
		s.closeSide(y)
	}
	return floor
}

// apply gives an end's state machine one input. After a RST nothing changes a state.
func (p *Peer) apply(in input, list *changes) {
	to := after(p.state, in)
	if to == p.state || p.conn.reset {
		return
	}
	list.list[list.n] = change{p.state, to}
	list.n++
	p.state = to
}

// shut closes an end.
func (p *Peer) shut(list *changes) {
	if p.state != closed {
		list.list[list.n] = change{p.state, closed}
		list.n++
		p.state = closed
	}
}
