package flow

// stream is the bytes that one end sends. Places in it are counted from 0, the byte behind the SYN,
// in 64 bits: sequence numbers wrap, places do not.
//
// It knows nothing until begin sets the initial sequence number; fin is -1 from the start.
type stream struct {
	next  int64 // bytes before it became readable
	wire  int64 // bytes before it arrived; beyond next only once the capture cut some off
	max   int64 // end of the highest byte sent
	fin   int64 // place of the FIN, -1 before it was sent
	acked int64 // what the other end acknowledged; fin+1 includes the FIN
	right int64 // end of the window that the other end granted
	far   int64 // a place beyond all windows that one of the ends spoke of last

	held      *segment // what arrived behind a hole, in order, disjoint
	heldBytes int32    // what held counts against the limit of one side

	isn     uint32
	window  uint32 // the largest window that the other end ever granted
	known   bool   // isn is known: from the SYN, or guessed from the first acknowledgment or byte
	heard   bool   // the other end acknowledged something, so that right means something
	refused bool   // a segment was not held because of a limit
	lost    bool   // bytes were seen behind some that the capture cut off
	farBy   farBy  // who spoke of far
}

// slack is how far beyond a window, in bytes, a segment may lie before it counts as foreign. A
// capture that missed window updates shows segments there that their receiver takes.
const slack = 64 << 10

// blindReach bounds the places that are believed while the other end was never heard: half the
// sequence space could not be told from the past.
const blindReach = 1 << 30

// farBy says who spoke of a place beyond all windows.
type farBy uint8

const (
	farNone farBy = iota
	farSeq        // the sender: bytes there
	farAck        // the receiver: it acknowledged so far
)

// begin sets the initial sequence number.
func (t *stream) begin(isn uint32) {
	t.isn, t.known = isn, true
}

// place converts a sequence number, taking it for the one closest to the end of what was sent.
func (t *stream) place(seq uint32) int64 {
	end := max(t.max, t.acked)
	return end + int64(int32(seq-t.isn-1-uint32(end)))
}

// reach is how far beyond what was sent and granted a place is believed at once.
func (t *stream) reach() int64 { return max(int64(t.window), slack) }

// agreed notes a place beyond all windows, and reports whether the other end spoke of one near it
// last. Where both do, the capture missed what lies between; one alone may be forged.
func (t *stream) agreed(at int64, by farBy) bool {
	d := at - t.far
	ok := t.farBy != farNone && t.farBy != by && -t.reach() <= d && d <= t.reach()
	t.far, t.farBy = at, by
	return ok
}

// inWindow reports whether a segment at off..end may be meant for this stream: its receiver could
// still take it, or could have taken it.
func (t *stream) inWindow(off, end int64) bool {
	low := min(t.acked, t.wire) - t.reach()
	if !t.heard {
		return off >= low && end <= t.max+blindReach
	}
	return off >= low && end <= max(t.right, t.acked+slack)+t.reach()
}

// expected is the place that the receiver waits for, by what it got and what it acknowledged; a FIN
// takes a place of its own.
func (t *stream) expected() int64 {
	if t.finArrived() {
		return max(t.acked, t.fin+1)
	}
	return max(t.acked, t.wire)
}

// seen reports whether any byte of off..end arrived before.
func (t *stream) seen(off, end int64) bool {
	if off < min(t.wire, end) {
		return true
	}
	for s := t.held; s != nil && s.off < end; s = s.next {
		if s.end > off {
			return true
		}
	}
	return false
}

// finArrived reports whether all bytes up to the FIN, and the FIN, arrived.
func (t *stream) finArrived() bool { return t.fin >= 0 && t.wire >= t.fin }

// finAcked reports whether the other end acknowledged the FIN.
func (t *stream) finAcked() bool { return t.fin >= 0 && t.acked > t.fin }

// gaps counts the ranges that are missing before bytes that were seen.
func (t *stream) gaps() uint64 {
	n, at := uint64(0), t.wire
	if t.lost {
		n++
	}
	for s := t.held; s != nil; s = s.next {
		if s.off > at {
			n++
		}
		at = s.end
	}
	if t.refused && t.max > at {
		n++
	}
	return n
}

// receive takes the segment off..end, of which data was captured, and returns the bytes that it made
// readable, starting at the old value of next: a view into data, or into m's scratch where held ones
// followed. Of bytes that arrive twice the first copy holds.
func (t *stream) receive(m *memory, off int64, data []byte, end int64) []byte {
	if end <= t.wire {
		return nil
	}
	if off < t.wire {
		data = data[min(int(t.wire-off), len(data)):]
		off = t.wire
	}
	if off > t.wire {
		t.hold(m, off, data, end)
		return nil
	}
	if t.next == t.wire && (t.held == nil || t.held.off > end) {
		t.next += int64(len(data))
		t.wire = end
		return data
	}
	return t.merge(m, off, data, end)
}

// merge takes a segment at the end of what arrived, and what was held right behind it.
func (t *stream) merge(m *memory, off int64, data []byte, end int64) []byte {
	out, pos := m.scratch[:0], off
	part := func(from, to int64) []byte {
		return data[min(int(from-off), len(data)):min(int(to-off), len(data))]
	}
	for s := t.held; s != nil && s.off <= max(pos, end); s = t.held {
		if pos < s.off {
			out = t.append(out, part(pos, s.off), pos)
		}
		out = t.append(out, s.data, s.off)
		pos = s.end
		t.held = s.next
		m.give(t, s)
	}
	if pos < end {
		out = t.append(out, part(pos, end), pos)
		pos = end
	}
	t.wire = pos
	m.scratch = out[:0]
	return out
}

// append adds the bytes at place off to the readable ones, unless some before them are lost.
func (t *stream) append(out, bytes []byte, off int64) []byte {
	if t.next != off {
		t.lost = t.lost || len(bytes) > 0
		return out
	}
	t.next += int64(len(bytes))
	return append(out, bytes...)
}

// hold keeps the parts of off..end that are not held yet.
func (t *stream) hold(m *memory, off int64, data []byte, end int64) {
	if t.next < t.wire && len(data) > 0 { // the capture lost bytes: these can never be read
		t.lost = true
		data = nil
	}
	var before *segment
	for off < end {
		after := t.held
		if before != nil {
			after = before.next
		}
		if after != nil && after.off <= off { // covered from here to the end of after, or passed
			skip := min(max(after.end-off, 0), end-off)
			data = data[min(int(skip), len(data)):]
			off += skip
			before = after
			continue
		}
		stop := end
		if after != nil {
			stop = min(end, after.off)
		}
		n := min(int(stop-off), len(data))
		last := t.insert(m, before, off, data[:n], stop)
		if last == nil {
			t.refused = true
			m.refused++
			return
		}
		data, off, before = data[n:], stop, last
	}
}

// insert puts the range off..end behind before, in as many segments as its bytes need, and returns
// the last of them; nil if a limit forbids.
func (t *stream) insert(m *memory, before *segment, off int64, data []byte, end int64) *segment {
	for off < end {
		if before != nil && before.end == off {
			if n := min(before.room(), len(data)); n > 0 {
				before.data = append(before.data, data[:n]...)
				off += int64(n)
				before.end = off
				data = data[n:]
				continue
			}
			if len(data) == 0 { // the capture cut these bytes off: the range alone is known
				before.end = end
				return before
			}
		}
		s := m.take(t, len(data) > 0)
		if s == nil {
			return nil
		}
		if before == nil {
			s.next, t.held = t.held, s
		} else {
			s.next, before.next = before.next, s
		}
		s.off, s.end = off, off
		if len(data) == 0 {
			s.end = end
			return s
		}
		before = s
	}
	return before
}

// drop gives back all that is held.
func (t *stream) drop(m *memory) {
	for s := t.held; s != nil; s = t.held {
		t.held = s.next
		m.give(t, s)
	}
}
