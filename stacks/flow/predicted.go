package flow

import (
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// predicted takes a segment that is as most are, and reports whether it was one: in a connection that is open
// both ways, it acknowledges what arrived, and its bytes, if it has any, are the next ones. This is Van
// Jacobson's header prediction, for the stacks of both ends at once. All else goes the long way, where such a
// segment would change and raise the same; there is no prediction where verdicts are applied, which may take
// back what a segment did.
func (s *Stack) predicted(c *Conn, x *Peer, p *packet.Packet) bool {
	y := x.other()
	t, u := &x.sent, &y.sent
	if s.cfg.Verdicts == Apply || p.TCPFlags&(packet.SYN|packet.FIN|packet.RST|packet.ACK) != packet.ACK ||
		x.state != established || y.state != established || // so there was no FIN, and no RST
		!t.known || t.floating || !u.known || u.floating || !u.heard || t.acked > t.wire || u.acked > u.wire {
		return false
	}
	at := u.place(p.Ack)
	if at < 0 || at > u.wire || p.PayloadLen > 0 && !x.nextIs(p) {
		return false
	}
	x.pkts++
	u.acked = max(u.acked, at)
	window := x.announce(p.Window, false)
	u.window = max(u.window, window)
	u.right = max(u.right, at+int64(window))
	t.max = max(t.max, t.wire+int64(p.PayloadLen))
	s.raisePktIn(x, flowev.OnPktInSnd)
	if p.PayloadLen > 0 {
		s.extend(y, t, p.Payload())
	} else {
		s.raisePktIn(y, flowev.OnPktInRcv)
	}
	s.touch(c)
	s.report(c, false)
	return true
}

// nextIs reports whether p's bytes are those that the other end of x waits for, the last that x sent so far, and
// all captured.
func (x *Peer) nextIs(p *packet.Packet) bool {
	t := &x.sent
	return p.Seq == t.seq(t.wire) && t.max == t.wire && t.next == t.wire &&
		p.PayloadCap == p.PayloadLen && p.Err == packet.OK && x.inWindow(t.wire, t.wire+int64(p.PayloadLen))
}

// extend lets y get the next bytes of its stream.
func (s *Stack) extend(y *Peer, t *stream, data []byte) {
	from := t.wire
	end := from + int64(len(data))
	if !s.mem.keep && t.past.first == nil && !flowev.OnPktInRcv.Wanted(s.sh) && !s.wanted(y) {
		t.wire, t.next = end, end
		return
	}
	s.mem.arriving = arriving{stream: t, off: from, end: end, data: data, next: from, wire: from}
	t.wire, t.next = end, end
	s.raisePktIn(y, flowev.OnPktInRcv)
	floor := s.makeRoom(y, t)
	s.raiseData(y, from, data)
	t.commit(&s.mem, floor)
}
