package filter

// Limits of tables: shorter runs are as fast without one.
const (
	minTable     = 8
	minPerColumn = 4
	maxColumns   = 64
)

// assembly turns a graph into steps.
type assembly struct {
	*graph
	m *Matcher
	// heads are the branches that begin a table, with what is in it. Inner ones are
	// tried by a table, and by themselves only for short packets.
	heads map[int32]run
	inner []bool
	// plain are the steps of branches, table those of the tables that they begin.
	plain, table []int32
	// budget is how many more branches may be looked at in search of runs.
	budget int
}

// run is how many branches a table takes, and how many constants each of its
// terms has.
type run struct {
	length int
	counts map[int32]int
}

func newMatcher(g *graph) *Matcher {
	n := len(g.branches)
	a := assembly{
		graph: g,
		m:     &Matcher{addresses: g.addresses, terms: g.terms, tunnels: g.tunnels},
		heads: make(map[int32]run),
		inner: make([]bool, n),
		plain: make([]int32, n),
		table: make([]int32, n),

		budget: 64 + 16*n,
	}
	reached := g.reached()
	for i := int32(n) - 1; i >= 0; i-- {
		if reached[i] && !a.inner[i] {
			a.findRun(i)
		}
	}
	for i := range g.branches {
		if reached[i] {
			a.add(int32(i))
		}
	}
	a.m.entry = a.step(g.entry)
	return a.m
}

// findRun notes whether a table begins at branch i.
func (a *assembly) findRun(i int32) {
	r := run{counts: make(map[int32]int)}
	next := i
	for ; next >= 0 && a.budget > 0 && a.tabular(next); next = a.branches[next].no {
		t := a.branches[next].term
		if r.counts[t] == 0 && len(r.counts) == maxColumns {
			break
		}
		r.counts[t]++
		a.budget--
		r.length++
	}
	if r.length < minTable || r.length < minPerColumn*len(r.counts) {
		return
	}
	a.heads[i] = r
	for range r.length {
		a.inner[i] = true
		i = a.branches[i].no
	}
}

// tabular says whether a table can take a branch: it compares a load with a
// constant.
func (a *assembly) tabular(i int32) bool {
	b := &a.branches[i]
	if b.op != isEqual || b.byTerm {
		return false
	}
	kind := a.terms[b.term].kind
	return kind == loadTerm || kind == wideTerm
}

// step returns the step of a branch for those that come from elsewhere.
func (a *assembly) step(i int32) int32 {
	if i < 0 {
		return i
	}
	if _, ok := a.heads[i]; ok {
		return a.table[i]
	}
	return a.plain[i]
}

// add makes the steps of a branch. Those it goes to have theirs.
func (a *assembly) add(i int32) {
	b := &a.branches[i]
	s := step{op: b.op, byTerm: b.byTerm, term: b.term, k: b.k, yes: a.step(b.yes), no: a.step(b.no), load: otherwise}
	if t := &a.terms[b.term]; t.kind == loadTerm && t.reg == noRegister && !b.byTerm && b.op != enters {
		s.at, s.ipAt, s.mask = t.at, t.ipAt, t.mask
		switch {
		case t.behindIPv4 && t.size == 2:
			s.load = fromPort
		case t.behindIPv4:
		case t.size == 1:
			s.load = fromByte
		case t.size == 2:
			s.load = fromHalf
		default:
			s.load = fromWord
		}
	}
	a.plain[i] = a.append(s)
	if r, ok := a.heads[i]; ok {
		a.m.tables = append(a.m.tables, a.makeTable(i, r))
		a.table[i] = a.append(step{load: fromTable, k: uint32(len(a.m.tables) - 1)})
	}
}

func (a *assembly) append(s step) int32 {
	a.m.steps = append(a.m.steps, s)
	return int32(len(a.m.steps) - 1)
}

// makeTable makes the table of a run that begins at branch i.
func (a *assembly) makeTable(i int32, r run) table {
	t := table{slow: a.plain[i]}
	columns := make(map[int32]int)
	for n := range r.length {
		b := &a.branches[i]
		at, ok := columns[b.term]
		if !ok {
			at = len(t.columns)
			columns[b.term] = at
			t.columns = append(t.columns, newColumn(b.term, r.counts[b.term]))
		}
		key := [2]uint64{uint64(b.k)}
		if a.terms[b.term].kind == wideTerm {
			key = a.addresses[b.k]
		}
		t.columns[at].add(key, int32(n+1))
		t.exits = append(t.exits, a.step(b.yes))
		i = b.no
	}
	t.none = a.step(i)
	return t
}
