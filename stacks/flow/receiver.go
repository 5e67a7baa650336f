package flow

import (
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// receive advances the receiver's stack as if it had just got the segment.
func (s *Stack) receive(st *step) {
	x, y := st.x, st.y
	if st.p.TCPFlags.Has(packet.RST) {
		if st.resets {
			y.shut(&st.rcv)
		}
		return
	}
	if st.ignored {
		return
	}
	if st.p.TCPFlags.Has(packet.SYN) {
		st.receiveSYN()
	}
	if st.acks {
		y.apply(recvACK, &st.rcv)
	}
	if st.endedBefore {
		y.apply(sendFIN, &st.rcv)
	}
	if y.sent.finAcked() {
		y.apply(recvFINACK, &st.rcv)
	}
	if st.usable {
		s.receiveBytes(st)
	}
	if x.sent.finArrived() {
		y.apply(recvFIN, &st.rcv)
	}
	if st.arrived && st.kind != flowev.RexmitKindKeepalive && st.kind != flowev.RexmitKindProbe {
		x.rexmits++
	}
}

// receiveSYN takes a SYN or SYN/ACK.
func (st *step) receiveSYN() {
	x, y := st.x, st.y
	if st.p.TCPFlags.Has(packet.ACK) {
		st.arrived = st.again && x.synAckGot
		x.synAckGot = true
		return
	}
	if x.synGot {
		st.arrived = st.again
		return
	}
	x.synGot = true
	y.apply(recvSYN, &st.rcv)
	if c := x.conn; x.client && !c.received {
		c.received, st.starts = true, true
	}
}

// receiveBytes takes the segment's bytes into the stream that y gets.
func (s *Stack) receiveBytes(st *step) {
	t := &st.x.sent
	if st.again && st.kind == flowev.RexmitKindFin {
		st.arrived = t.finArrived()
	}
	if ends(st.p) && st.off+int64(st.p.PayloadLen) == t.fin {
		t.finGot = true
	}
	if st.off == st.end {
		return
	}
	if t.seen(st.off, st.end) {
		e := st.x.extras
		givenUp := e != nil && st.end > t.acked && st.off >= t.acked && e.within(st.off, st.end)
		st.arrived = st.arrived || !givenUp
	}
	t.arrive(&s.mem, st.off, st.data, st.end)
	st.from = t.next
	st.fresh, st.n = t.pull(&s.mem, s.wanted(st.y))
}
