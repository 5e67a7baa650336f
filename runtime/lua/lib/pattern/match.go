package pattern

import (
	"math"
	"strings"
	"unsafe"
)

const (
	slice        = 1024 // steps between two questions to the budget
	bytesPerStep = 16   // what strings.Index and IndexByte look at in one step's time
)

// Find looks for the first match in s at or behind init, 0 <= init <= len(s),
// and leaves it in c; from any other init it finds nothing. A nil budget sets no bound. The error is a *[SyntaxError]
// that the match came upon, or the budget's.
func (p *Pattern) Find(c *Captures, s string, init int, b Budget) (bool, error) {
	if init < 0 || init > len(s) {
		return false, nil
	}
	c.begin(p, b)
	found, err := p.scan(c, s, init)
	if b != nil && err == nil {
		err = b.Spend(slice - c.left)
	}
	return found && err == nil, err
}

// FindBytes is Find on a byte slice, which is neither copied nor kept.
func (p *Pattern) FindBytes(c *Captures, s []byte, init int, b Budget) (bool, error) {
	return p.Find(c, unsafe.String(unsafe.SliceData(s), len(s)), init, b)
}

func (c *Captures) begin(p *Pattern, b Budget) {
	c.kinds, c.budget, c.left = p.slots, b, slice
	if b == nil {
		c.left = math.MaxInt
	}
	if len(c.frames) < p.repeats {
		c.frames = make([]frame, p.repeats)
	}
}

// spend tells the budget what was used since the last time.
func (c *Captures) spend() error {
	if c.budget == nil {
		c.left = math.MaxInt
		return nil
	}
	used := slice - c.left
	c.left = slice
	return c.budget.Spend(used)
}

// scan tries one starting point after the other.
func (p *Pattern) scan(c *Captures, s string, at int) (bool, error) {
	if p.anchored {
		return p.run(c, s, at)
	}
	if p.must != "" && c.index(s, at, p.must) < 0 {
		return false, nil
	}
	for ; at <= len(s); at++ {
		if at = p.skip(c, s, at); at < 0 {
			return false, nil
		}
		if found, err := p.run(c, s, at); found || err != nil {
			return found, err
		}
		if p.lead != nil {
			at = p.lead.span(s, at)
		}
	}
	return false, nil
}

// skip returns the next place at which a match can start, or -1.
func (p *Pattern) skip(c *Captures, s string, at int) int {
	switch {
	case p.prefix != "":
		return c.index(s, at, p.prefix)
	case p.firstOne >= 0:
		return c.indexByte(s, at, byte(p.firstOne))
	case p.first != nil:
		for i := at; i < len(s); i++ {
			if p.first.has(s[i]) {
				c.left -= i - at
				return i
			}
		}
		c.left -= len(s) - at
		return -1
	}
	return at
}

func (c *Captures) index(s string, at int, lit string) int {
	n := strings.Index(s[at:], lit)
	if n < 0 {
		c.left -= (len(s)-at)/bytesPerStep + 1
		return -1
	}
	c.left -= n/bytesPerStep + 1
	return at + n
}

func (c *Captures) indexByte(s string, at int, b byte) int {
	n := strings.IndexByte(s[at:], b)
	if n < 0 {
		c.left -= (len(s)-at)/bytesPerStep + 1
		return -1
	}
	c.left -= n/bytesPerStep + 1
	return at + n
}

// run matches the whole program at one starting point.
func (p *Pattern) run(c *Captures, s string, at int) (bool, error) {
	pc, i := 0, at
	c.depth = 0
	for {
		if c.left--; c.left < 0 {
			if err := c.spend(); err != nil {
				return false, err
			}
		}
		in, next := &p.prog[pc], -1
		switch in.op {
		case opEnd:
			c.Start, c.End = at, i
			return true, nil
		case opLit:
			if len(s)-i >= len(in.lit) && s[i:i+len(in.lit)] == in.lit {
				next = i + len(in.lit)
			}
		case opSet:
			if i < len(s) && in.set.has(s[i]) {
				next = i + 1
			}
		case opGreedy:
			next = c.greedy(in, s, pc, i)
		case opLazy:
			next = c.lazy(in, s, pc, i)
		case opOpen:
			c.slots[in.slot].Start, next = i, i
		case opClose:
			c.slots[in.slot].End, next = i, i
		case opPosition:
			c.slots[in.slot], next = Span{Start: i, End: -1}, i
		case opBackref:
			next = c.backref(in, s, i)
		case opBalance:
			next = c.balance(in, s, i)
		case opFrontier:
			next = in.frontier(s, i)
		case opAtEnd:
			if i == len(s) {
				next = i
			}
		case opFail:
			return false, in.err
		}
		if next >= 0 {
			i, pc = next, pc+1
		} else if pc, i = c.retry(p, s); pc < 0 {
			return false, nil
		}
	}
}

// retry takes the innermost repetition that has another length to offer, and
// returns where to go on; pc is -1 when none has.
func (c *Captures) retry(p *Pattern, s string) (pc, i int) {
	for c.depth > 0 {
		f := &c.frames[c.depth-1]
		in := &p.prog[f.pc]
		if in.op == opGreedy {
			i = c.giveBack(in, s, f.low, f.here-1)
		} else {
			i = c.takeOn(in, s, f.here)
		}
		if i >= 0 {
			f.here = i
			return f.pc + 1, i
		}
		c.depth--
	}
	return -1, 0
}

func (c *Captures) push(pc, low, here int) {
	c.frames[c.depth] = frame{pc: pc, low: low, here: here}
	c.depth++
}
