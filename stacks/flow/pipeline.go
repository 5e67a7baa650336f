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

	opens  bool // it is the connection's first
	resets bool // it is a RST that counts
	usable bool // its bytes and FIN count for the receiver
	// Its bytes lie at off..end in x's stream; those of data were captured.
	off, end int64
	data     []byte

	again   bool              // x sent some of it before
	arrived bool              // y got some of it before
	kind    flowev.RexmitKind // what again and arrived speak of

	snd, rcv changes
	from     int64  // place of readable
	readable []byte // the bytes that y's stack can read now
}

// segment runs one decoded TCP packet through the pipeline: find or make the connection; the sender's
// stack; what handlers see of it; the receiver's stack; what handlers see of that. Each half notes in
// the step what it did, so that a verdict between the two can keep the packet from the receiver.
func (s *Stack) segment(p *packet.Packet) {
	k, low := keyOf(p)
	c, hash := s.conns.find(&k)
	if c != nil && p.TCPFlags.Has(packet.SYN) && s.renew(c, p, low) {
		c = nil
		if p.TCPFlags.Has(packet.ACK) { // the answer to a SYN of another connection
			c, _ = s.conns.find(&k)
		}
	}
	opens := false
	if c == nil {
		const opening = packet.SYN | packet.ACK | packet.RST | packet.FIN
		if p.TCPFlags&opening != packet.SYN {
			s.orphan()
			return
		}
		c = s.open(&k, hash, low, p.VLAN)
		opens = true
	}
	s.stats.TCP++
	c.last = s.sh.Now()
	st := &s.step
	x := c.peer(low == c.clientLow)
	*st = step{p: p, x: x, y: x.other(), opens: opens}

	s.send(st)
	s.raiseSent(st)
	s.receive(st)
	s.raiseReceived(st)

	if st.resets {
		s.end(c, flowev.EndReasonRst)
		return
	}
	if s.cfg.TimeWait <= 0 && done(c.client.state) && done(c.server.state) {
		s.finish(c)
		return
	}
	s.touch(c)
}

// raiseSent raises what handlers see behind the sender's stack.
func (s *Stack) raiseSent(st *step) {
	s.raisePktIn(st.x, flowev.OnPktInSnd)
	if st.opens {
		s.raiseStart(st.x, flowev.OnConnStartSnd)
	}
	for _, c := range st.snd.list[:st.snd.n] {
		s.raiseState(st.x, flowev.OnTCPStateChangeSnd, c.from, c.to, true)
	}
	if st.again {
		s.raiseRexmit(st.x, flowev.OnRexmitSnd, st.kind)
	}
}

// raiseReceived raises what handlers see behind the receiver's stack.
func (s *Stack) raiseReceived(st *step) {
	s.raisePktIn(st.y, flowev.OnPktInRcv)
	if st.opens {
		s.raiseStart(st.y, flowev.OnConnStartRcv)
	}
	for _, c := range st.rcv.list[:st.rcv.n] {
		s.raiseState(st.y, flowev.OnTCPStateChangeRcv, c.from, c.to, true)
	}
	if st.arrived {
		s.raiseRexmit(st.y, flowev.OnRexmitRcv, st.kind)
	}
	if len(st.readable) != 0 {
		s.raiseData(st.y, st.from, st.readable)
	}
}

// apply gives an end's state machine one input.
func (p *Peer) apply(in input, list *changes) {
	to := after(p.state, in)
	if to == p.state {
		return
	}
	list.list[list.n] = change{p.state, to}
	list.n++
	p.state = to
}

// reset closes an end.
func (p *Peer) reset(list *changes) {
	if p.state != closed {
		list.list[list.n] = change{p.state, closed}
		list.n++
		p.state = closed
	}
}
