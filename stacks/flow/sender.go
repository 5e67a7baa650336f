package flow

import (
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// send advances the sender's stack as if it had just sent the segment.
func (s *Stack) send(st *step) {
	p, x := st.p, st.x
	x.pkts++
	switch {
	case p.TCPFlags.Has(packet.RST):
		s.sendRST(st)
		return
	case p.TCPFlags.Has(packet.SYN):
		if !s.sendSYN(st) {
			return
		}
	case !x.sent.known: // the capture missed its SYN
		x.sent.begin(p.Seq - 1)
	}
	if p.TCPFlags.Has(packet.ACK) {
		st.acknowledge()
	}
	s.sendBytes(st)
	if p.TCPFlags.Has(packet.FIN) && st.usable {
		st.sendFIN()
	}
}

// sendSYN takes a SYN or SYN/ACK; false if it contradicts the connection and is to be ignored.
func (s *Stack) sendSYN(st *step) bool {
	p, x, y := st.p, st.x, st.y
	switch {
	case !x.sent.known, !x.synSeen && x.sent.isn == p.Seq:
		if p.TCPFlags.Has(packet.ACK) && !y.sent.covers(p.Ack) {
			s.stats.BadSYNs++ // it answers something else
			return false
		}
		o := p.TCPOptions()
		x.announce(p.Window, true)
		if x.sent.known { // guessed rightly before it came
			x.synSeen, x.mss, x.scales, x.shift = true, o.MSS, o.HasWScale, o.WScale
		} else {
			x.begin(p.Seq, &o)
		}
		x.apply(sendSYN, &st.snd)
	case x.sent.isn != p.Seq:
		s.stats.BadSYNs++
		if p.TCPFlags.Has(packet.ACK) && x.sent.untouched() && y.sent.covers(p.Ack) {
			x.otherISN, x.hasOther = p.Seq, true
		}
		return false
	case y.state >= established || !p.TCPFlags.Has(packet.ACK):
		st.again, st.arrived, st.kind = true, true, flowev.RexmitKindSyn
	}
	return true
}

// covers reports whether an acknowledgment number is for the SYN of t or bytes sent since.
func (t *stream) covers(ack uint32) bool {
	at := t.place(ack)
	return t.known && at >= 0 && at <= t.max
}

// untouched reports whether nothing but the SYN is known of t.
func (t *stream) untouched() bool { return t.max == 0 && t.fin < 0 && !t.heard }

// acknowledge takes the acknowledgment and window that x announces for y's stream.
func (st *step) acknowledge() {
	p, x, y := st.p, st.x, st.y
	t := &y.sent
	syn := p.TCPFlags.Has(packet.SYN)
	switch {
	case !t.known: // the capture missed y's SYN and all before
		t.begin(p.Ack - 1)
	case y.hasOther && t.untouched() && p.Ack == y.otherISN+1:
		t.begin(y.otherISN) // of two SYN/ACKs, x took the later one
	}
	at := t.place(p.Ack)
	if at < 0 || at > max(t.max, t.acked)+t.reach() && !t.agreed(at, farAck) {
		return
	}
	t.acked = max(t.acked, at)
	window := x.announce(p.Window, syn)
	t.window = max(t.window, window)
	t.right = max(t.right, at+int64(window))
	t.heard = true
	x.apply(sendACK, &st.snd)
	if t.finAcked() {
		x.apply(ackFIN, &st.snd)
	}
}

// sendBytes takes the segment's place in x's stream.
func (s *Stack) sendBytes(st *step) {
	p, x := st.p, st.x
	t := &x.sent
	seq := p.Seq
	if p.TCPFlags.Has(packet.SYN) {
		seq++
	}
	st.off = t.place(seq)
	st.end = st.off + int64(p.PayloadLen)
	if p.PayloadLen == 0 && !p.TCPFlags.Has(packet.FIN) {
		return
	}
	if !t.inWindow(st.off, st.end) {
		if st.off < t.acked || !t.agreed(st.off, farSeq) {
			s.stats.OutWindow++
			return
		}
		t.acked = min(t.far, st.off) // both ends are there: the capture missed what lies before
		t.right = max(t.right, t.acked+int64(t.window))
	}
	st.usable = true
	st.data = p.Payload()
	if t.fin >= 0 && st.end > t.fin { // nothing comes behind a FIN
		st.end = max(t.fin, st.off)
		st.data = st.data[:min(int(st.end-st.off), len(st.data))]
	}
	if st.end == st.off {
		return
	}
	if st.off < t.max {
		st.again = true
		if st.end-st.off == 1 && st.end == t.max && t.acked >= t.max && st.kind != flowev.RexmitKindSyn {
			st.kind = flowev.RexmitKindKeepalive
		}
	}
	t.max = max(t.max, st.end)
}

// sendFIN takes the FIN behind the segment's bytes.
func (st *step) sendFIN() {
	x, y := st.x, st.y
	t := &x.sent
	at := st.off + int64(st.p.PayloadLen)
	switch {
	case t.fin < 0 && at >= t.max:
		t.fin = at
		if x.state == closeWait && !y.sent.finAcked() {
			x.apply(crossFIN, &st.snd)
			return
		}
		x.apply(sendFIN, &st.snd)
		if t.finAcked() { // the capture has it behind its acknowledgment
			x.apply(recvFINACK, &st.snd)
		}
	case at == t.fin && !st.again:
		st.again, st.kind = true, flowev.RexmitKindFin
	}
}

// sendRST decides whether a RST counts, as its receiver does (RFC 9293 section 3.10.7.4): its number
// has to be in the window, and what y has already, the FIN included, is before that. A host that
// forgot the connection numbers its RST by what it was sent, which may be in the past; y ignores it,
// answers, and gets a better one. A RST of an end that was never heard has to acknowledge what y
// sent (section 3.10.7.3).
func (s *Stack) sendRST(st *step) {
	p, t := st.p, &st.x.sent
	if t.known {
		at := t.place(p.Seq)
		st.resets = at >= t.expected() && t.inWindow(at, at)
	}
	if !st.resets && (!t.known || p.Seq == 0) && p.TCPFlags.Has(packet.ACK) {
		st.resets = st.y.sent.covers(p.Ack)
	}
	if !st.resets {
		s.stats.BadResets++
		return
	}
	st.x.reset(&st.snd)
}
