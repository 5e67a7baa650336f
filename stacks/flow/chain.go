package flow

// chain is ranges of a stream that are stored, in order and disjoint.
type chain struct {
	first, last *segment
	charge      int32 // what they count against the limit of one side
	what        purpose
}

// count adds n to what the chain counts.
func (c *chain) count(m *memory, n int) {
	c.charge += int32(n)
	m.used.add(c.what, n)
}

// put links s in behind before; nil is the front.
func (c *chain) put(m *memory, before, s *segment) {
	if before == nil {
		s.next, c.first = c.first, s
	} else {
		s.next, before.next = before.next, s
	}
	if s.next == nil {
		c.last = s
	}
	c.count(m, s.charge())
}

// shift takes the first segment out.
func (c *chain) shift(m *memory) *segment {
	s := c.first
	c.first, s.next = s.next, nil
	if c.first == nil {
		c.last = nil
	}
	c.count(m, -s.charge())
	return s
}

// drop gives all segments back.
func (c *chain) drop(m *memory) {
	for c.first != nil {
		m.give(c.shift(m))
	}
}

// dropTo gives back the segments that end at or before place at.
func (c *chain) dropTo(m *memory, at int64) {
	for c.first != nil && c.first.end <= at {
		m.give(c.shift(m))
	}
}

// at returns the segment that has place off, or nil.
func (c *chain) at(off int64) *segment {
	if c.last == nil || off >= c.last.end || off < c.first.off {
		return nil
	}
	if off >= c.last.off {
		return c.last
	}
	for s := c.first; s != nil && s.off <= off; s = s.next {
		if off < s.end {
			return s
		}
	}
	return nil
}

// overlaps reports whether any place of off..end is in the chain.
func (c *chain) overlaps(off, end int64) bool {
	if c.last == nil || off >= c.last.end {
		return false
	}
	for s := c.first; s != nil && s.off < end; s = s.next {
		if s.end > off {
			return true
		}
	}
	return false
}

// fill stores those of the bytes at place off that are not in the chain yet.
func (c *chain) fill(m *memory, off int64, data []byte) {
	c.hold(m, off, data, off+int64(len(data)))
}

// hold stores the parts of off..end that are not in the chain yet; data are its captured bytes.
func (c *chain) hold(m *memory, off int64, data []byte, end int64) {
	var before *segment
	if c.last != nil && off >= c.last.end {
		before = c.last
	}
	for off < end {
		after := c.first
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
		before = c.insert(m, before, off, data[:n], stop)
		data, off = data[n:], stop
	}
}

// insert stores the range off..end behind before, in as many segments as its bytes need, and returns
// the last of them.
func (c *chain) insert(m *memory, before *segment, off int64, data []byte, end int64) *segment {
	for off < end {
		if before != nil && before.end == off {
			if n := min(before.room(), len(data)); n > 0 && m.add(before, data[:n], c.what) {
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
		s := m.take()
		s.off, s.end = off, end
		if n := min(blockSize, len(data)); n > 0 {
			m.add(s, data[:n], c.what)
			s.end = s.stop()
			data = data[n:]
		}
		c.put(m, before, s)
		before, off = s, s.end
	}
	return before
}

// overwrite puts data, which lies at off, in the place of what is stored there.
func (c *chain) overwrite(m *memory, off int64, data []byte) {
	end := off + int64(len(data))
	if c.last == nil || off >= c.last.end {
		return
	}
	for s := c.first; s != nil && s.off < end; s = s.next {
		if from := max(s.off, off); from < min(s.stop(), end) {
			if held := m.bytes(s); len(held) > 0 {
				copy(held[from-s.off:], data[from-off:])
			}
		}
	}
}
