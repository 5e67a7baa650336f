package filter

import "math/bits"

// table is a run of branches that compare few terms with many constants, as
// "host" with thousands of addresses does. It finds the first of them that is
// true by looking each term up once.
type table struct {
	columns []column
	// exits are where each of the branches goes, none where the last one goes if
	// it is not true either.
	exits []int32
	none  int32
	// slow is the first of the branches as a step, for packets that are too short
	// for some of the terms: of these it depends on the order what is looked at.
	slow int32
}

// column is the constants that one term is compared with, hashed: slots are a
// power of two, at most half of them in use.
type column struct {
	term  int32
	slots []slot
	shift uint8
}

// slot holds a constant and which of the branches it is of, from 1; 0 is free.
type slot struct {
	key    [2]uint64
	branch int32
}

// next returns where to go on.
func (t *table) next(m *Matcher, f *frame) int32 {
	first := int32(len(t.exits))
	for i := range t.columns {
		c := &t.columns[i]
		key, ok := m.key(c.term, f)
		if !ok {
			return t.slow
		}
		if at := c.find(key); at > 0 {
			first = min(first, at-1)
		}
	}
	if int(first) == len(t.exits) {
		return t.none
	}
	return t.exits[first]
}

// key returns the number that a column is looked up by.
func (m *Matcher) key(id int32, f *frame) ([2]uint64, bool) {
	t := &m.terms[id]
	if t.kind != wideTerm {
		v, ok := m.compute(id, f)
		return [2]uint64{uint64(v)}, ok
	}
	key, ok := f.wide(uint64(t.at) + uint64(f.register(t.reg)))
	return [2]uint64{key[0] & t.mask16[0], key[1] & t.mask16[1]}, ok
}

func hash(key [2]uint64) uint64 {
	return (key[0]*0x9e3779b97f4a7c15 ^ key[1]) * 0xbf58476d1ce4e5b9
}

// find returns the number of the first branch that compares with key, 0 if none
// does.
func (c *column) find(key [2]uint64) int32 {
	for i := hash(key) >> c.shift; ; i++ {
		s := &c.slots[i&uint64(len(c.slots)-1)]
		if s.branch == 0 || s.key == key {
			return s.branch
		}
	}
}

// newColumn makes room for n constants.
func newColumn(term int32, n int) column {
	width := bits.Len(uint(n)) + 1
	return column{term: term, slots: make([]slot, 1<<width), shift: uint8(64 - width)}
}

// add enters a constant unless an earlier branch has it.
func (c *column) add(key [2]uint64, branch int32) {
	for i := hash(key) >> c.shift; ; i++ {
		s := &c.slots[i&uint64(len(c.slots)-1)]
		if s.branch == 0 {
			*s = slot{key, branch}
		}
		if s.key == key {
			return
		}
	}
}
