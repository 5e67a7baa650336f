package pattern

// greedy takes as many bytes as it can, then gives back until what follows
// can start. It returns the position reached, or -1.
func (c *Captures) greedy(in *inst, s string, pc, i int) int {
	end := in.span(s, i)
	if !in.all {
		c.left -= end - i
	}
	low := i + in.min
	if end < low {
		return -1
	}
	if in.forced { // any shorter, and what follows would start on a byte of the set
		if end < len(s) && in.next.has(s[end]) {
			return end
		}
		return -1
	}
	here := c.giveBack(in, s, low, end)
	if here > low {
		c.push(pc, low, here)
	}
	return here
}

// span returns the end of the longest run from i.
func (in *inst) span(s string, i int) int {
	if in.max < len(s)-i {
		s = s[:i+in.max]
	}
	if in.all {
		return len(s)
	}
	for i < len(s) && in.set.has(s[i]) {
		i++
	}
	return i
}

// giveBack returns the last position from low to here at which what follows
// can start, or -1.
func (c *Captures) giveBack(in *inst, s string, low, here int) int {
	if in.next == nil {
		if here < low {
			return -1
		}
		return here
	}
	from := here
	if here == len(s) {
		here--
	}
	for ; here >= low; here-- {
		if in.next.has(s[here]) {
			break
		}
	}
	c.left -= from - here
	if here < low {
		return -1
	}
	return here
}

// lazy takes as few bytes as it can, and returns the position reached, or -1.
func (c *Captures) lazy(in *inst, s string, pc, i int) int {
	here := c.reach(in, s, i)
	if here >= 0 && here < len(s) {
		c.push(pc, i, here)
	}
	return here
}

// takeOn makes a lazy repetition longer: by one byte, and then until what
// follows can start.
func (c *Captures) takeOn(in *inst, s string, here int) int {
	if here >= len(s) || !in.set.has(s[here]) {
		return -1
	}
	return c.reach(in, s, here+1)
}

// reach returns the first position from i at which what follows can start,
// with nothing but bytes of the set before it, or -1.
func (c *Captures) reach(in *inst, s string, i int) int {
	if in.next == nil {
		return i
	}
	if in.all && in.nextOne >= 0 {
		return c.indexByte(s, i, byte(in.nextOne))
	}
	from := i
	for ; i < len(s); i++ {
		if in.next.has(s[i]) {
			c.left -= i - from
			return i
		}
		if !in.set.has(s[i]) {
			break
		}
	}
	c.left -= i - from
	return -1
}

// backref returns the position behind a second copy of a capture, or -1.
func (c *Captures) backref(in *inst, s string, i int) int {
	span := c.slots[in.slot]
	n := span.End - span.Start
	c.left -= n / bytesPerStep
	if len(s)-i < n || s[span.Start:span.End] != s[i:i+n] {
		return -1
	}
	return i + n
}

// balance returns the position behind a balanced pair, or -1. A pair of the
// same byte ends at its second, as in 5.1.
func (c *Captures) balance(in *inst, s string, i int) int {
	if i >= len(s) || s[i] != in.open {
		return -1
	}
	depth := 1
	for k := i + 1; k < len(s); k++ {
		if s[k] == in.close {
			if depth--; depth == 0 {
				c.left -= k - i
				return k + 1
			}
		} else if s[k] == in.open {
			depth++
		}
	}
	c.left -= len(s) - i
	return -1
}

// frontier returns i when the set begins there: the byte before is not in it
// and the byte after is. Both ends of the subject count as a zero byte.
func (in *inst) frontier(s string, i int) int {
	var before, after byte
	if i > 0 {
		before = s[i-1]
	}
	if i < len(s) {
		after = s[i]
	}
	if in.set.has(before) || !in.set.has(after) {
		return -1
	}
	return i
}
