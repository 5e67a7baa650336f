package filter

// graph is a filter as branches: each tests one thing and goes on to one of two
// others, or to an end. Every load that a packet is too short for rejects it.
type graph struct {
	// branches go on to lower indexes only, so there are no loops.
	branches []branch
	entry    int32 // index of a branch, accept or reject
	terms    []term
	// addresses are what wideTerms are compared with, each once.
	addresses [][2]uint64
	tunnels   []tunnel
	registers int8 // how many there are

	termIndex    map[term]int32
	addressIndex map[[2]uint64]uint32
	branchIndex  map[branch]int32
}

type branch struct {
	test
	yes, no int32
}

func newGraph() *graph {
	return &graph{
		termIndex:    make(map[term]int32),
		addressIndex: make(map[[2]uint64]uint32),
		branchIndex:  make(map[branch]int32),
	}
}

// term returns the index of t.
func (g *graph) term(t term) int32 {
	if i, ok := g.termIndex[t]; ok {
		return i
	}
	i := int32(len(g.terms))
	g.terms = append(g.terms, t)
	g.termIndex[t] = i
	return i
}

func (g *graph) constant(v uint32) int32 {
	return g.term(term{kind: constTerm, at: v, reg: noRegister})
}

// constantOf returns the value of a term that is a constant.
func (g *graph) constantOf(i int32) (uint32, bool) {
	t := &g.terms[i]
	return t.at, t.kind == constTerm
}

// address returns the index of 16 bytes that a wideTerm is compared with.
func (g *graph) address(a [2]uint64) uint32 {
	i, ok := g.addressIndex[a]
	if !ok {
		i = uint32(len(g.addresses))
		g.addresses = append(g.addresses, a)
		g.addressIndex[a] = i
	}
	return i
}

// place adds the branches of f, which go to yes or no, and returns where they
// begin. Branches are made from the end, so that what they go to is there
// already.
func (g *graph) place(f *formula, yes, no int32) int32 {
	switch f.kind {
	case conjunction:
		for i := len(f.parts) - 1; i >= 0; i-- {
			yes = g.place(f.parts[i], yes, no)
		}
		return yes
	case disjunction:
		for i := len(f.parts) - 1; i >= 0; i-- {
			no = g.place(f.parts[i], yes, no)
		}
		return no
	case inversion:
		return g.place(f.parts[0], no, yes)
	case truth:
		return yes
	case falsehood:
		return no
	}
	if g.impossible(f.test) {
		return reject
	}
	return g.branch(branch{f.test, yes, no})
}

// impossible says whether a test reads what no packet has, which rejects it.
func (g *graph) impossible(t test) bool {
	if t.op == enters {
		return false
	}
	return g.terms[t.term].impossible() || t.byTerm && g.terms[t.k].impossible()
}

// branch returns the index of b, or where it goes if that is the same whatever
// its test says.
func (g *graph) branch(b branch) int32 {
	if b.op == enters {
		b.no = b.yes
	} else if b.yes == b.no {
		return b.yes
	}
	if i, ok := g.branchIndex[b]; ok {
		return i
	}
	i := int32(len(g.branches))
	g.branches = append(g.branches, b)
	g.branchIndex[b] = i
	return i
}
