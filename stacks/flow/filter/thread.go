package filter

// facts are what a packet is known to be where a branch is reached. Both lists
// are never changed once they are shared; longer ones are copies.
type facts struct {
	equal []equality
	known []outcome // of tests that equal does not decide
}

type equality struct {
	term int32
	k    uint32
}

type outcome struct {
	test   test
	result bool
}

// Limits of what is remembered: more would seldom decide a test, and the time
// that compiling takes is to grow with the length of the expression only.
const (
	maxEqual        = 24
	maxKnown        = 48
	maxKnownPerTerm = 8
	maxFollowed     = 64 // branches that one edge is led past
)

// decides returns what the test says of a packet with these facts, false if
// they do not tell.
func (g *graph) decides(f *facts, t test) (result, ok bool) {
	if t.op == enters {
		return false, false
	}
	for _, e := range f.equal {
		if e.term == t.term && t.op == isEqual && !t.byTerm {
			return e.k == t.k, true
		}
	}
	for i := range f.known {
		if f.known[i].test == t {
			return f.known[i].result, true
		}
	}
	return false, false
}

// and returns the facts with one more.
func (f facts) and(t test, result bool) facts {
	if result && t.op == isEqual && !t.byTerm {
		if len(f.equal) < maxEqual {
			f.equal = append(f.equal[:len(f.equal):len(f.equal)], equality{t.term, t.k})
		}
		return f
	}
	same := 0
	for i := range f.known {
		if f.known[i].test.term == t.term {
			same++
		}
	}
	if same < maxKnownPerTerm && len(f.known) < maxKnown {
		f.known = append(f.known[:len(f.known):len(f.known)], outcome{t, result})
	}
	return f
}

// common returns the facts that hold in both.
func (f facts) common(other facts) facts {
	return facts{equal: common(f.equal, other.equal), known: common(f.known, other.known)}
}

func common[T comparable](a, b []T) []T {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	if len(a) == len(b) && &a[0] == &b[0] {
		return a
	}
	var both []T
	for _, x := range a {
		for _, y := range b {
			if x == y {
				both = append(both, x)
				break
			}
		}
	}
	return both
}

// threading goes through a graph with what is known at each of its branches.
type threading struct {
	*graph
	reached []bool
	at      []facts
	changed bool
}

// thread leads every edge past the branches whose tests are known there, and
// says whether it changed anything. A fact about a load is a load that succeeded,
// so no load is left out.
func (g *graph) thread() bool {
	w := threading{graph: g, reached: make([]bool, len(g.branches)), at: make([]facts, len(g.branches))}
	w.arrive(g.entry, facts{})
	for i := g.entry; i >= 0; i-- {
		if w.reached[i] {
			w.pass(&g.branches[i], w.at[i])
			w.at[i] = facts{}
		}
	}
	return w.changed
}

// pass leads the edges of a branch.
func (w *threading) pass(b *branch, f facts) {
	yes, no := f, f
	if result, ok := w.decides(&f, b.test); ok {
		to, _ := b.exits(result)
		w.changed = w.changed || b.yes != b.no
		b.yes, b.no = to, to
	} else if b.op != enters {
		yes, no = f.and(b.test, true), f.and(b.test, false)
	}
	w.lead(&b.yes, yes)
	w.lead(&b.no, no)
}

// lead leads one edge, on which the facts hold.
func (w *threading) lead(edge *int32, f facts) {
	to := w.follow(*edge, &f)
	w.changed = w.changed || to != *edge
	*edge = to
	w.arrive(to, f)
}

// arrive adds an edge to a branch: what holds there holds on all of them.
func (w *threading) arrive(to int32, f facts) {
	switch {
	case to < 0:
	case w.reached[to]:
		w.at[to] = w.at[to].common(f)
	default:
		w.reached[to], w.at[to] = true, f
	}
}

// follow returns where a packet with these facts goes from the branch to on.
func (g *graph) follow(to int32, f *facts) int32 {
	for range maxFollowed {
		if to < 0 {
			break
		}
		result, ok := g.decides(f, g.branches[to].test)
		if !ok {
			break
		}
		to, _ = g.branches[to].exits(result)
	}
	return to
}
