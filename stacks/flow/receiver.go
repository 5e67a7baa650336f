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
			y.reset(&st.rcv)
		}
		return
	}
	if st.opens || y.state == synSent && st.p.TCPFlags&(packet.SYN|packet.ACK) == packet.SYN {
		y.apply(recvSYN, &st.rcv)
	}
	if y.sent.known && y.sent.heard {
		y.apply(recvACK, &st.rcv)
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
	if st.arrived && st.kind != flowev.RexmitKindKeepalive {
		x.rexmits++
	}
}

// receiveBytes takes the segment's bytes into the stream that y gets.
func (s *Stack) receiveBytes(st *step) {
	t := &st.x.sent
	if st.off == st.end {
		if st.again && st.kind == flowev.RexmitKindFin {
			st.arrived = t.finArrived()
		}
		return
	}
	st.arrived = st.arrived || t.seen(st.off, st.end)
	st.from = t.next
	st.readable = t.receive(&s.mem, st.off, st.data, st.end)
}
