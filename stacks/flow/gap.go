package flow

import (
	"github.com/hookd/hookd/engine/event/flowev"
)

// span is a range of places.
type span struct{ off, end int64 }

// cover makes a the smallest range that holds both.
func (a *span) cover(off, end int64) {
	if a.off == a.end {
		*a = span{off, end}
		return
	}
	a.off, a.end = min(a.off, off), max(a.end, end)
}

func (a *span) overlaps(off, end int64) bool { return a.off < end && off < a.end }

// nowhere is the place of a segment that there is not.
const nowhere = -1

// settle gives up what is missing from the stream that y gets, where that will never come: y
// acknowledged it some time ago; or so much waits behind it that a segment at place at, which counts
// need, has no room; at is nowhere if there is none. At the end of the connection, closing, what was acknowledged comes no more, and
// what lies behind any hole if y was never heard. What becomes readable is raised.
func (s *Stack) settle(y *Peer, at int64, need int, closing bool) {
	x := y.other()
	t := &x.sent
	if t.acked <= t.wire && at <= t.wire && !closing {
		return
	}
	for {
		end := t.behind(at)
		if end <= t.wire || at != nowhere && at <= t.wire { // the segment fills the rest
			return
		}
		to, why := end, flowev.GapReasonLost
		due, overdue := x.overdue(s.sh.Now(), int64(s.cfg.GapWait))
		switch {
		case closing && t.acked > t.wire:
			to = min(t.acked, end)
		case overdue:
			to = min(due, end)
		case closing && !t.heard:
		case at > t.wire && !s.mem.room(int(t.ahead.charge), need):
			why = flowev.GapReasonLimit
		default:
			return
		}
		s.giveUp(y, t, to, why)
		if closing { // what is stored is read from where it is
			s.flush(y, t)
		} else {
			floor := s.makeRoom(y, t)
			s.flush(y, t)
			t.past.dropTo(&s.mem, floor)
			t.moveOn(&s.mem, floor)
		}
		s.closeSide(x)
	}
}

// behind returns the place of the first thing that is known behind the hole at wire: bytes that wait,
// bytes that come at place at, the FIN. It is wire or less if there is none.
func (t *stream) behind(at int64) int64 {
	end := int64(endless)
	for s := t.ahead.first; s != nil; s = s.next {
		if s.off > t.wire {
			end = s.off
			break
		}
	}
	if at > t.wire {
		end = min(end, at)
	}
	if t.fin > t.wire {
		end = min(end, t.fin)
	}
	if end == endless {
		return t.wire
	}
	return end
}

// giveUp moves y's stream to place to without the bytes before it.
func (s *Stack) giveUp(y *Peer, t *stream, to int64, why flowev.GapReason) {
	off := t.next
	x := y.other()
	if e := x.extras; e != nil && e.dropped.overlaps(off, to) && why == flowev.GapReasonLost {
		why = flowev.GapReasonDropped
	}
	t.gaps++
	t.missed += to - off
	t.next = to
	t.reached(to)
	x.extra().gave(span{off, to})
	s.stats.Gaps++
	s.stats.GapBytes += uint64(to - off)
	if why == flowev.GapReasonLimit {
		s.stats.NotHeld++
	}
	s.raiseGap(y, off, to-off, why)
}

// flush raises what y can read now, and gives up what the capture cut off before it.
func (s *Stack) flush(y *Peer, t *stream) {
	for t.next < t.wire {
		from := t.next
		if b, n := t.pull(&s.mem, s.wanted(y)); n > 0 {
			s.raiseData(y, from, b)
			continue
		}
		off, _, ok := t.stored(&s.mem, from)
		if !ok || off >= t.wire {
			return
		}
		s.giveUp(y, t, off, flowev.GapReasonCut)
	}
}

// closeSide raises, once, that the other end of p has all that p sent, and its FIN.
func (s *Stack) closeSide(p *Peer) {
	if p.sideClosed || !p.sent.finArrived() {
		return
	}
	var list changes
	y := p.other()
	y.apply(recvFIN, &list)
	for _, c := range list.list[:list.n] {
		s.raiseState(y, flowev.OnTCPStateChangeRcv, c.from, c.to, s.step.p != nil)
	}
	if t := &p.sent; t.next < t.fin {
		s.giveUp(y, t, t.fin, flowev.GapReasonCut)
	}
	p.sideClosed = true
	s.raiseClosed(p, flowev.EndReasonFin)
}

// closeByReset raises, once, that p will send no more since the connection ended with a RST.
func (s *Stack) closeByReset(p *Peer) {
	if !p.sideClosed {
		p.sideClosed = true
		s.raiseClosed(p, flowev.EndReasonRst)
	}
}
