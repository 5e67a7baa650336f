package flow

import "bytes"

// arriving is a segment that its receiver's stack has got, and that a handler may still drop.
type arriving struct {
	stream   *stream
	off, end int64
	data     []byte // its captured bytes
	// The stream's before it.
	next, wire int64
}

// piece returns bytes that lie in one place, from place off, at most up to end; none if off is not
// there. What is stored is a first copy.
func (t *stream) piece(m *memory, off, end int64) []byte {
	s, to := t.span(m, off, end)
	switch {
	case to == off:
		return nil
	case s == nil:
		a := &m.arriving
		return a.data[off-a.off : to-a.off]
	}
	b := m.bytes(s)
	if len(b) == 0 {
		return nil
	}
	return b[off-s.off : to-s.off]
}

// span returns where the piece at place off ends, off if there is none, and the segment that it is of; nil for
// what arrives.
func (t *stream) span(m *memory, off, end int64) (s *segment, to int64) {
	a := &m.arriving
	late := a.stream == t && off >= a.off && off < a.off+int64(len(a.data))
	if late && t.latest {
		return nil, min(a.off+int64(len(a.data)), end)
	}
	s = t.past.at(off)
	if s == nil {
		s = t.ahead.at(off)
	}
	if s != nil && off < s.stop() {
		to = min(s.stop(), end)
		if a.stream == t && t.latest && a.off > off && len(a.data) > 0 {
			to = min(to, a.off)
		}
		return s, to
	}
	if !late {
		return nil, off
	}
	to = min(end, a.off+int64(len(a.data)))
	if t.past.last != nil && off < t.past.last.off {
		to = min(to, t.past.after(off))
	}
	if t.ahead.first != nil {
		to = min(to, t.ahead.after(off))
	}
	return nil, to
}

// after returns the start of the first segment behind place off.
func (c *chain) after(off int64) int64 {
	for s := c.first; s != nil; s = s.next {
		if s.off > off {
			return s.off
		}
	}
	return endless
}

// stored returns the first range behind place at, or around it, of which bytes are stored; ok is
// false if there is none.
func (t *stream) stored(m *memory, at int64) (off, end int64, ok bool) {
	take := func(from, to int64) {
		if from = max(from, at); from < to && (!ok || from < off) {
			off, ok = from, true
		}
	}
	for _, c := range [2]*chain{&t.past, &t.ahead} {
		for s := c.first; s != nil; s = s.next {
			take(s.off, s.stop())
		}
	}
	if a := &m.arriving; a.stream == t {
		take(a.off, a.off+int64(len(a.data)))
	}
	if !ok {
		return 0, 0, false
	}
	for end = off; ; {
		_, to := t.span(m, end, endless)
		if to == end {
			return off, end, true
		}
		end = to
	}
}

// commit stores the segment that arrived, as far as anybody will read it again, and lets go of what
// nobody will: of what is readable, that before floor.
func (t *stream) commit(m *memory, floor int64) {
	a := &m.arriving
	if a.stream != t {
		return
	}
	if t.latest {
		t.past.overwrite(m, a.off, a.data)
		t.ahead.overwrite(m, a.off, a.data)
	}
	t.past.dropTo(m, floor)
	t.moveOn(m, floor)
	switch {
	case a.off > t.wire:
		t.ahead.hold(m, a.off, a.data, a.end)
	case t.kept(m):
		t.keep(m, a, floor)
	}
	*a = arriving{}
}

// keep stores what arrived of a segment that holds bytes before wire. Of those that arrived before,
// and that the capture had not, it takes only what could be read by it.
func (t *stream) keep(m *memory, a *arriving, floor int64) {
	low := a.next
	if t.past.last != nil {
		low = min(low, t.past.first.off)
	}
	low = max(low, floor, a.off)
	if end := min(a.wire, t.next, a.end); low < end {
		t.past.fill(m, low, a.part(low, end))
	}
	if low = max(low, a.wire); low < a.end {
		t.past.fill(m, low, a.part(low, a.end))
	}
}

// part returns the captured bytes of places off..end.
func (a *arriving) part(off, end int64) []byte {
	n := int64(len(a.data))
	return a.data[min(off-a.off, n):min(end-a.off, n)]
}

// moveOn takes what is no longer ahead of wire to where it is kept, or lets go of it: all before
// floor, all if streams are not kept.
func (t *stream) moveOn(m *memory, floor int64) {
	for s := t.ahead.first; s != nil && s.off < t.wire; s = t.ahead.first {
		s = t.ahead.shift(m)
		if !t.kept(m) || s.end <= floor || s.n == 0 {
			m.give(s)
			continue
		}
		s.end = s.stop() // what the capture cut off counts no longer
		t.past.put(m, t.past.last, s)
	}
	if !t.kept(m) && t.past.first != nil {
		t.past.drop(m)
	}
}

// first returns the first copies of bytes that come again at place off, from the first of them that
// is stored to the next hole, and whether any that are stored differ from data.
func (t *stream) first(m *memory, off int64, data []byte) (old []byte, at int64, compared, differ bool) {
	end := off + int64(len(data))
	ended := false
	for _, c := range [2]*chain{&t.past, &t.ahead} {
		if c.last == nil || off >= c.last.end {
			continue
		}
		for s := c.first; s != nil && s.off < end; s = s.next {
			from, to := max(s.off, off), min(s.stop(), end)
			if from >= to {
				continue
			}
			held := m.bytes(s)
			if len(held) == 0 {
				continue
			}
			part := held[from-s.off : to-s.off]
			compared = true
			differ = differ || !bytes.Equal(part, data[from-off:to-off])
			switch {
			case ended:
			case old == nil:
				old, at = part, from
			case at+int64(len(old)) != from:
				ended = true
			default:
				m.firsts = append(append(m.firsts[:0], old...), part...)
				old = m.firsts
			}
		}
	}
	return old, at, compared, differ
}
