package flow

import "github.com/hookd/hookd/engine/event/flowev"

// makeRoom looks what of the stream that y gets has to leave the buffers so that what just became
// readable can be kept, raises what is lost by that, and returns the place before which nothing is
// kept. All is still there when it returns.
func (s *Stack) makeRoom(y *Peer, t *stream) (floor int64) {
	m := &s.mem
	if !t.kept(m) {
		return 0
	}
	need := t.incoming(m)
	if need == 0 {
		return 0
	}
	side := int(t.past.charge) + need - s.cfg.BufferSide
	total := m.used.of(readable) + need - s.cfg.BufferTotal
	over := max(side, total)
	if over <= 0 {
		return 0
	}
	reason := flowev.ErrorReasonBufferFull
	if total >= side {
		reason = flowev.ErrorReasonLimit
	}
	for c := t.past.first; c != nil && over > 0; c = c.next {
		over -= c.charge()
		floor = c.end
	}
	if over > 0 { // even without what was kept
		floor = t.wire
		if reason == flowev.ErrorReasonBufferFull {
			floor = max(t.wire-int64(s.cfg.BufferSide), 0)
		}
	}
	s.loses(y, t, floor, reason)
	return floor
}

// incoming is what the bytes count that became readable and are not among those kept yet.
func (t *stream) incoming(m *memory) int {
	n := 0
	for c := t.ahead.first; c != nil && c.off < t.wire; c = c.next {
		n += c.charge()
	}
	a := &m.arriving
	if a.stream != t || a.off > t.wire || a.end <= a.wire {
		return n
	}
	fresh := len(a.data) - int(max(a.wire-a.off, 0))
	if last := t.past.last; last != nil && last.end == max(a.wire, a.off) {
		fresh -= last.room()
	}
	return n + blocks(fresh)
}

// loses raises that the bytes before floor leave the buffers of the stream that y gets, unless the
// scripts that take have them.
func (s *Stack) loses(y *Peer, t *stream, floor int64, reason flowev.ErrorReason) {
	taken := int64(0)
	if e := y.other().extras; e != nil {
		taken = e.taken()
	}
	var gone, lost int64
	count := func(off, end int64) {
		end = min(end, floor)
		gone += max(end-off, 0)
		lost += max(end-max(off, taken), 0)
	}
	at := int64(0)
	for c := t.past.first; c != nil && c.off < floor; c = c.next {
		count(c.off, c.stop())
		at = c.end
	}
	for at < floor {
		off, end, ok := t.stored(&s.mem, at)
		if !ok {
			break
		}
		count(off, end)
		at = end
	}
	s.stats.Slid += uint64(gone)
	if lost > 0 {
		s.raiseError(y, reason, lost)
	}
}

// StreamFields lists the fields that tell what [Stack.WantStreams] keeps.
func StreamFields() []string { return append(FirstCopyFields(), "flow.peer.sent") }

// FirstCopyFields lists those of them that tell of first copies.
func FirstCopyFields() []string { return []string{"flow.rexmit.old", "flow.rexmit.differ"} }

// WantStreams says whether anybody reads what connections sent, by the stream objects or as first
// copies of what is sent again: only then it is kept. What was sent before is not there. Firsts says whether
// anybody reads first copies: only then what is sent again is compared with them.
func (s *Stack) WantStreams(want, firsts bool) {
	s.mem.keep, s.firsts = want, firsts
	if want {
		return
	}
	for c := s.all.first; c != nil; c = s.all.of(c).next {
		c.client.sent.past.drop(&s.mem)
		c.server.sent.past.drop(&s.mem)
	}
}
