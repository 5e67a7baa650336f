package pattern

// link fills in what an instruction or the whole pattern can know about what
// follows: the bytes that can come next, and the literals that no match lacks.
// Matching is right without any of it, and much slower.
func (p *Pattern) link() {
	var first *byteSet // of the rest of the program; nil: can be empty
	for pc := len(p.prog) - 1; pc >= 0; pc-- {
		in := &p.prog[pc]
		if in.op == opGreedy || in.op == opLazy {
			in.follow(first)
		}
		first = in.first(first)
	}
	p.first, p.firstOne = first, -1
	if first != nil {
		p.firstOne = first.only()
	}
	p.literals()
	p.lead = p.leading()
}

// leading returns the unbounded repetition at the beginning of the program.
// From a starting point it reaches the end of a run of bytes and has the rest
// tried at every place up to there. When all fail, they fail from any other
// starting point in that run, too: the rest does not know where the match
// began, unless a back-reference tells it.
func (p *Pattern) leading() *inst {
	var lead *inst
	for i := range p.prog {
		in := &p.prog[i]
		switch {
		case in.op == opBackref:
			return nil
		case lead != nil || in.op == opOpen || in.op == opPosition:
		case in.op == opLazy, in.op == opGreedy && in.max > 1:
			lead = in
		default:
			return nil
		}
	}
	return lead
}

func (in *inst) follow(next *byteSet) {
	in.next, in.nextOne = next, -1
	if next != nil {
		in.nextOne = next.only()
		in.forced = in.set.disjoint(next)
	}
}

// first returns the bytes that can start a match of this instruction and the
// rest, given those of the rest.
func (in *inst) first(rest *byteSet) *byteSet {
	switch in.op {
	case opLit:
		set := &byteSet{}
		set.add(in.lit[0])
		return set
	case opSet:
		return in.set
	case opGreedy, opLazy:
		if in.min > 0 {
			return in.set
		}
		if rest == nil {
			return nil
		}
		set := *rest
		set.union(in.set)
		return &set
	case opBalance:
		set := &byteSet{}
		set.add(in.open)
		return set
	case opOpen, opClose, opPosition, opFrontier:
		return rest
	}
	return nil
}

// literals finds the literal that every match starts with, and the longest
// that every match holds. Nothing behind an opFail exists, and nothing in a
// Lua pattern is an alternative, so each literal there is has to be found.
func (p *Pattern) literals() {
	leading := true
	for i := range p.prog {
		in := &p.prog[i]
		switch in.op {
		case opLit:
			if leading {
				p.prefix = in.lit
			} else if len(in.lit) > len(p.must) {
				p.must = in.lit
			}
			leading = false
		case opOpen, opClose, opPosition, opFrontier: // take no byte
		default:
			leading = false
		}
	}
	if len(p.must) <= len(p.prefix) {
		p.must = ""
	}
}
