package flow

// stream is the bytes that one end sends. Places in it are counted from 0, the byte behind the SYN,
// in 64 bits: sequence numbers wrap, places do not.
//
// It knows nothing until begin sets the initial sequence number; fin is -1 from the start.
type stream struct {
	next   int64 // bytes before it became readable, or were given up
	wire   int64 // bytes before it arrived, or were given up; beyond next only once the capture cut some off
	max    int64 // end of the highest byte sent
	fin    int64 // place of the FIN, -1 before it was sent
	acked  int64 // what the other end acknowledged; fin+1 includes the FIN
	right  int64 // end of the window that the other end granted
	missed int64 // bytes before next that were given up

	ahead chain // what arrived behind a hole
	past  chain // the latest that became readable, if streams are kept

	isn    uint32
	window uint32 // the largest window that the other end ever granted
	gaps   uint32 // ranges given up
	known  bool   // isn is known: from the SYN, or guessed from the first acknowledgment or byte
	heard  bool   // the other end acknowledged something, so that right means something
	finGot bool   // the FIN arrived, or was acknowledged
	latest bool   // of two copies of a byte the later holds
	synFIN bool   // its SYN carried a FIN: whether that counts is known by its acknowledgment
	unread bool   // scripts stopped the end that gets it

	floating bool // it begins with the first bytes that come: the connection was picked up
}

// blindReach bounds the places that are believed while the other end was never heard: half the
// sequence space could not be told from the past.
const blindReach = 1 << 30

// endless is behind all places.
const endless = 1 << 62

// start prepares a zero stream.
func (t *stream) start(overlap Overlap) {
	t.fin = -1
	t.past.what = readable
	t.latest = overlap == OverlapLast
}

// begin sets the initial sequence number.
func (t *stream) begin(isn uint32) {
	t.isn, t.known, t.floating = isn, true, false
}

// place converts a sequence number, taking it for the one closest to the end of what was sent.
func (t *stream) place(seq uint32) int64 {
	end := max(t.max, t.acked)
	return end + int64(int32(seq-t.isn-1-uint32(end)))
}

// seq converts a place.
func (t *stream) seq(at int64) uint32 { return t.isn + 1 + uint32(at) }

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
	return off < min(t.wire, end) || t.ahead.overlaps(off, end)
}

// finArrived reports whether all bytes up to the FIN, and the FIN, arrived.
func (t *stream) finArrived() bool { return t.fin >= 0 && t.wire >= t.fin && t.finGot }

// finAcked reports whether the other end acknowledged the FIN.
func (t *stream) finAcked() bool { return t.fin >= 0 && t.acked > t.fin }

// covers reports whether an acknowledgment number is for the SYN of t or what was sent since.
func (t *stream) covers(ack uint32) bool {
	at, end := t.place(ack), max(t.max, t.fin+1)
	if t.synFIN {
		end = max(end, t.max+1)
	}
	return t.known && at >= 0 && at <= end
}

// untouched reports whether nothing but the SYN is known of t.
func (t *stream) untouched() bool { return t.max == 0 && t.fin < 0 && !t.heard }

// bytes counts those that became readable.
func (t *stream) bytes() uint64 { return uint64(t.next - t.missed) }

// missing counts the ranges that are missing before bytes that were seen.
func (t *stream) missing() uint32 {
	n, at := t.gaps, t.next
	for s := t.ahead.first; s != nil; s = s.next {
		if s.off > at {
			n++
		}
		at = max(at, s.end)
	}
	return n
}

// arrive takes the segment off..end, of which data was captured, as arrived. What is stored does not
// change before commit.
func (t *stream) arrive(m *memory, off int64, data []byte, end int64) {
	if off < 0 { // of before a stream that was picked up
		data = data[min(int(-off), len(data)):]
		off = 0
	}
	if end <= 0 {
		return
	}
	m.arriving = arriving{stream: t, off: off, end: end, data: data, next: t.next, wire: t.wire}
	if off > t.wire || end <= t.wire {
		return
	}
	t.reached(end)
}

// reached moves wire to at, where bytes before it arrived or were given up, and over what was held
// there.
func (t *stream) reached(at int64) {
	t.wire = max(t.wire, at)
	for s := t.ahead.first; s != nil && s.off <= t.wire; s = s.next {
		t.wire = max(t.wire, s.end)
	}
}

// pull moves next over the bytes that are there now, and returns them as they are until the next
// call: a view, or in m's scratch where they lie in several places. Unless want, nothing is returned
// but how many they are.
func (t *stream) pull(m *memory, want bool) (bytes []byte, n int) {
	b := t.piece(m, t.next, t.wire)
	from := t.next
	t.next += int64(len(b))
	if len(b) == 0 || t.next == t.wire || !want {
		for len(b) != 0 && t.next < t.wire {
			b = t.piece(m, t.next, t.wire)
			t.next += int64(len(b))
		}
		return b, int(t.next - from)
	}
	out := append(m.scratch[:0], b...)
	for t.next < t.wire {
		b = t.piece(m, t.next, t.wire)
		if len(b) == 0 {
			break
		}
		t.next += int64(len(b))
		out = append(out, b...)
	}
	m.scratch = out[:0]
	return out, len(out)
}

// cost is what bytes at place off count that wait behind a hole.
func (t *stream) cost(off int64, data []byte) int {
	n := len(data)
	if n == 0 {
		return rangeCharge
	}
	if last := t.ahead.last; last != nil && last.end == off {
		n -= last.room()
	}
	return blocks(n)
}

// drop gives back all that is stored.
func (t *stream) drop(m *memory) {
	t.gaps = t.missing()
	t.ahead.drop(m)
	t.past.drop(m)
}
