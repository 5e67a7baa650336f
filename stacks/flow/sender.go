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
			st.ignored = true
			return
		}
	case !x.sent.known && st.begins(): // the capture missed its SYN
		x.sent.begin(p.Seq - 1)
	}
	if p.TCPFlags.Has(packet.ACK) {
		st.acknowledge()
	}
	if !x.sent.known {
		return
	}
	s.sendBytes(st)
	switch {
	case !p.TCPFlags.Has(packet.FIN):
	case p.TCPFlags.Has(packet.SYN):
		x.sent.synFIN = true
	case st.usable:
		st.sendFIN()
	}
}

// ends reports whether p ends its sender's stream. A FIN on a SYN does so only where the other end
// acknowledges it: who follows RFC 9293 takes both, Linux drops such a segment, and bytes may come behind
// it that count.
func ends(p *packet.Packet) bool {
	return p.TCPFlags&(packet.FIN|packet.SYN) == packet.FIN
}

// begins reports whether the segment, no SYN, is taken for the first of its sender's stream. In one
// that was picked up that has to be bytes or a FIN. A FIN alone is none where the other end would
// not take it, before it has a SYN.
func (st *step) begins() bool {
	fin := st.p.TCPFlags.Has(packet.FIN)
	switch {
	case st.p.PayloadLen > 0:
		return true
	case st.x.sent.floating:
		return fin
	}
	return !fin || st.y.state >= established
}

// sendSYN takes a SYN or SYN/ACK; false if it contradicts the connection and is to be ignored.
func (s *Stack) sendSYN(st *step) bool {
	p, x, y := st.p, st.x, st.y
	synAck := p.TCPFlags.Has(packet.ACK)
	if synAck && !x.synSeen && x.sent.max == 0 && x.sent.fin < 0 && !x.sent.heard {
		x.sent.known = false // what was guessed from a segment without bytes may have been forged
	}
	switch {
	case !x.sent.known, !x.synSeen && x.sent.isn == p.Seq:
		if synAck && !y.sent.covers(p.Ack) {
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
		jump := int64(int32(p.Seq - x.sent.isn))
		if synAck && x.sent.untouched() && y.sent.covers(p.Ack) && s.plausibleJump(jump) {
			e := x.extra()
			e.otherISN, e.hasOther = p.Seq, true
		}
		return false
	}
	sent := &x.synSent
	if synAck {
		sent = &x.synAckSent
	}
	if *sent {
		st.again, st.kind = true, flowev.RexmitKindSyn
	}
	*sent = true
	return true
}

// acknowledge takes the acknowledgment and window that x announces for y's stream.
func (st *step) acknowledge() {
	p, x, y := st.p, st.x, st.y
	t := &y.sent
	syn := p.TCPFlags.Has(packet.SYN)
	switch {
	case t.floating:
		x.announce(p.Window, syn)
		return
	case !t.known: // the capture missed y's SYN and all before
		t.begin(p.Ack - 1)
	case y.extras != nil && y.extras.hasOther && t.untouched() && p.Ack == y.extras.otherISN+1:
		t.begin(y.extras.otherISN) // of two SYN/ACKs, x took the later one
	}
	at := t.place(p.Ack)
	if at < 0 || at > max(t.max, t.acked)+y.reach() && !y.agreed(at, farAck) {
		return
	}
	t.acked = max(t.acked, at)
	window := x.announce(p.Window, syn)
	t.window = max(t.window, window)
	t.right = max(t.right, at+int64(window))
	t.heard, st.acks = true, true
	x.apply(sendACK, &st.snd)
	if t.synFIN && t.fin < 0 && at == t.max+1 {
		t.fin, st.endedBefore = t.max, true
	}
	if t.finAcked() {
		t.finGot = true
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
	st.end = st.off + carried(p)
	if p.PayloadLen == 0 && !ends(p) {
		return
	}
	if !x.inWindow(st.off, st.end) {
		if st.off < t.acked || !x.agreed(st.off, farSeq) {
			s.stats.OutWindow++
			st.outside = true
			return
		}
		t.acked = st.off // both ends are there: the capture missed what lies before
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
		if st.end-st.off == 1 && st.end == t.max && st.kind != flowev.RexmitKindSyn {
			st.kind = st.oneByte()
		}
	}
	t.max = max(t.max, st.end)
}

// carried is how many bytes of the stream the segment brought on the wire: those that its IP header claims
// beyond the end of a whole frame were never there, and may come yet.
func carried(p *packet.Packet) int64 {
	if p.Err == packet.ErrIPBeyondFrame && len(p.Data) == p.WireLen {
		return int64(p.PayloadCap)
	}
	return int64(p.PayloadLen)
}

// oneByte says what the last byte is for that x sends again.
func (st *step) oneByte() flowev.RexmitKind {
	switch t := &st.x.sent; {
	case t.acked >= t.max:
		return flowev.RexmitKindKeepalive
	case t.heard && st.y.window == 0:
		return flowev.RexmitKindProbe
	}
	return flowev.RexmitKindData
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
	if st.x.conn.reset {
		return
	}
	p, t, other := st.p, &st.x.sent, &st.y.sent
	switch {
	case s.cfg.RST == RSTAny, !t.known && !other.known:
		st.resets = true
	case t.known:
		at := t.place(p.Seq)
		st.resets = at == t.expected() || s.cfg.RST == RSTWindow && at > t.expected() && st.x.inWindow(at, at)
	}
	if !st.resets && (!t.known || p.Seq == 0 && st.y.state == synSent) && p.TCPFlags.Has(packet.ACK) {
		st.resets = other.covers(p.Ack)
	}
	if !st.resets {
		s.stats.BadResets++
		return
	}
	st.x.shut(&st.snd)
}
