package pattern

import "math"

type opcode uint8

const (
	opEnd      opcode = iota // the pattern is used up: a match
	opLit                    // the bytes of lit
	opSet                    // one byte of set
	opGreedy                 // min to max bytes of set, as many as possible
	opLazy                   // any number of bytes of set, as few as possible
	opOpen                   // a capture begins
	opClose                  // a capture ends
	opPosition               // a position capture
	opBackref                // what a capture holds, again
	opBalance                // %bxy
	opFrontier               // %f[set]
	opAtEnd                  // $ as the last byte of the pattern
	opFail                   // a malformed part: raises err
)

// inst is one instruction. Which fields count is decided by op.
type inst struct {
	op          opcode
	slot        uint8 // the capture
	open, close byte  // the pair of %b
	all         bool  // set holds every byte
	forced      bool  // no byte of set can start what follows: one length is worth a try
	min, max    int
	set         *byteSet
	next        *byteSet // bytes that can start what follows; nil when that can be empty
	nextOne     int      // the only member of next, or -1
	lit         string
	err         *SyntaxError
}

// slotKind is what a capture is when a match is complete. It depends on the
// pattern alone, because captures open and close in the order of the text.
type slotKind uint8

const (
	slotUnfinished slotKind = iota
	slotClosed
	slotPosition
)

type compiler struct {
	src     string
	pos     int
	p       *Pattern
	lit     []byte  // literal bytes not yet emitted
	pending []uint8 // captures that are open, innermost last
}

func compile(src string, from int) *Pattern {
	c := compiler{src: src, pos: from, p: &Pattern{}}
	for c.pos < len(src) && c.p.err == nil {
		c.item()
	}
	c.emit(inst{op: opEnd})
	c.p.link()
	return c.p
}

func (c *compiler) emit(in inst) {
	if len(c.lit) > 0 {
		c.p.prog = append(c.p.prog, inst{op: opLit, lit: string(c.lit)})
		c.lit = c.lit[:0]
	}
	c.p.prog = append(c.p.prog, in)
}

func (c *compiler) fail(at int, msg string) {
	c.p.err = &SyntaxError{Msg: msg, Offset: at}
	c.emit(inst{op: opFail, err: c.p.err})
}

// peek returns the byte n places on, or 0 behind the end.
func (c *compiler) peek(n int) byte {
	if c.pos+n < len(c.src) {
		return c.src[c.pos+n]
	}
	return 0
}

func (c *compiler) item() {
	switch c.src[c.pos] {
	case '(':
		c.openCapture()
		return
	case ')':
		c.closeCapture()
		return
	case '$':
		if c.pos+1 == len(c.src) {
			c.pos++
			c.emit(inst{op: opAtEnd})
			return
		}
	case '%':
		switch d := c.peek(1); {
		case d == 'b':
			c.balance()
			return
		case d == 'f':
			c.frontier()
			return
		case isDigit(d):
			c.backref(d)
			return
		}
	}
	c.single()
}

func (c *compiler) openCapture() {
	n := len(c.p.slots)
	if n == MaxCaptures {
		c.fail(c.pos, "too many captures")
		return
	}
	if c.peek(1) == ')' {
		c.pos += 2
		c.p.slots = append(c.p.slots, slotPosition)
		c.emit(inst{op: opPosition, slot: uint8(n)})
		return
	}
	c.pos++
	c.p.slots = append(c.p.slots, slotUnfinished)
	c.pending = append(c.pending, uint8(n))
	c.emit(inst{op: opOpen, slot: uint8(n)})
}

func (c *compiler) closeCapture() {
	if len(c.pending) == 0 {
		c.fail(c.pos, "invalid pattern capture")
		return
	}
	slot := c.pending[len(c.pending)-1]
	c.pending = c.pending[:len(c.pending)-1]
	c.p.slots[slot] = slotClosed
	c.pos++
	c.emit(inst{op: opClose, slot: slot})
}

func (c *compiler) balance() {
	if c.pos+3 >= len(c.src) {
		c.fail(c.pos, "unbalanced pattern")
		return
	}
	c.emit(inst{op: opBalance, open: c.src[c.pos+2], close: c.src[c.pos+3]})
	c.pos += 4
}

func (c *compiler) frontier() {
	if c.peek(2) != '[' {
		c.fail(c.pos, "missing '[' after '%f' in pattern")
		return
	}
	c.pos += 2
	set, ok := c.bracket()
	if ok {
		c.emit(inst{op: opFrontier, set: set})
	}
}

func (c *compiler) backref(digit byte) {
	slot := int(digit) - '1'
	if slot < 0 || slot >= len(c.p.slots) || c.p.slots[slot] == slotUnfinished {
		c.fail(c.pos, "invalid capture index")
		return
	}
	c.pos += 2
	if c.p.slots[slot] == slotPosition { // 5.1: a position is never found again
		c.emit(inst{op: opSet, set: &byteSet{}})
		return
	}
	c.emit(inst{op: opBackref, slot: uint8(slot)})
}

// single compiles an item that stands for one byte, and its repetition.
func (c *compiler) single() {
	set := &byteSet{}
	switch ch := c.src[c.pos]; ch {
	case '.':
		set.invert()
		c.pos++
	case '[':
		var ok bool
		if set, ok = c.bracket(); !ok {
			return
		}
	case '%':
		if c.pos+1 == len(c.src) {
			c.fail(c.pos, "malformed pattern (ends with '%')")
			return
		}
		set.addClass(c.src[c.pos+1])
		c.pos += 2
	default:
		set.add(ch)
		c.pos++
	}
	c.repeat(set)
}

func (c *compiler) repeat(set *byteSet) {
	in := inst{op: opGreedy, set: set, all: set.isAll()}
	switch c.peek(0) {
	case '?':
		in.max = 1
	case '*':
		in.max = math.MaxInt
	case '+':
		in.min, in.max = 1, math.MaxInt
	case '-':
		in.op, in.max = opLazy, math.MaxInt
	default:
		if one := set.only(); one >= 0 {
			c.lit = append(c.lit, byte(one))
			return
		}
		c.emit(inst{op: opSet, set: set})
		return
	}
	if c.p.repeats == MaxRepeats {
		c.fail(c.pos, "pattern too complex")
		return
	}
	c.p.repeats++
	c.pos++
	c.emit(in)
}

// bracket compiles the set at pos, which is at its [, and moves behind it.
// A ] that is the first member stands for itself; a - that has a member on
// both sides makes a range, whatever the far side is, even a %.
func (c *compiler) bracket() (*byteSet, bool) {
	start, end, ok := c.bracketEnd()
	if !ok {
		c.fail(c.pos, "malformed pattern (missing ']')")
		return nil, false
	}
	set := &byteSet{}
	for i := start; i < end; i++ {
		switch {
		case c.src[i] == '%':
			i++
			set.addClass(c.src[i])
		case i+2 < end && c.src[i+1] == '-':
			set.addRange(c.src[i], c.src[i+2])
			i += 2
		default:
			set.add(c.src[i])
		}
	}
	if c.src[c.pos+1] == '^' {
		set.invert()
	}
	c.pos = end + 1
	return set, true
}

// bracketEnd returns where the members of the set begin and where its ] is.
func (c *compiler) bracketEnd() (start, end int, ok bool) {
	i := c.pos + 1
	if i < len(c.src) && c.src[i] == '^' {
		i++
	}
	start = i
	for first := true; ; first = false {
		if i >= len(c.src) {
			return 0, 0, false
		}
		if c.src[i] == ']' && !first {
			return start, i, true
		}
		if c.src[i] == '%' && i+1 < len(c.src) {
			i++
		}
		i++
	}
}
