package filter

// maxPasses bounds how often the graph is gone through. Ordinary expressions
// need three passes.
const maxPasses = 6

// optimise makes the graph smaller. Packets that are long enough for all loads
// are decided as before. What becomes of others is what libpcap's optimiser makes
// of them in all but contrived expressions: what does not matter is not loaded,
// and tests of the same term are tried in a row.
func (g *graph) optimise() {
	for range maxPasses {
		threaded := g.thread()
		g.compact()
		grouped := g.group()
		if !threaded && !grouped {
			return
		}
	}
}

// compact leaves out the branches that nothing leads to and those that lead to
// the same place either way, and merges those that are the same.
func (g *graph) compact() {
	reached := g.reached()
	old := g.branches
	to := make([]int32, len(old))
	moved := func(i int32) int32 {
		if i < 0 {
			return i
		}
		return to[i]
	}
	g.branches, g.branchIndex = old[:0], make(map[branch]int32)
	for i, b := range old {
		if reached[i] {
			b.yes, b.no = moved(b.yes), moved(b.no)
			to[i] = g.branch(b)
		}
	}
	g.entry = moved(g.entry)
}

// reached says of each branch whether anything leads to it.
func (g *graph) reached() []bool {
	reached := make([]bool, len(g.branches))
	mark := func(i int32) {
		if i >= 0 {
			reached[i] = true
		}
	}
	mark(g.entry)
	for i := len(g.branches) - 1; i >= 0; i-- {
		if reached[i] {
			mark(g.branches[i].yes)
			mark(g.branches[i].no)
		}
	}
	return reached
}

// group sorts the branches of every run, which all go to the same place if one
// of their tests decides, by their terms: first the term that was looked at
// before the run, then in the order in which they come first. It says whether
// anything moved.
func (g *graph) group() bool {
	ways := g.ways()
	moved := false
	done := make([]bool, len(g.branches))
	for i := len(g.branches) - 1; i >= 0; i-- {
		for _, ends := range []bool{true, false} {
			if done[i] {
				break
			}
			run := g.run(int32(i), ends, ways)
			if len(run) < 2 {
				continue
			}
			for _, j := range run[:len(run)-1] {
				done[j] = true
			}
			moved = g.sortRun(run, ways[i].term) || moved
		}
	}
	return moved
}

// way is how many edges lead to a branch, and the term that they all come from,
// unknown if that is not one.
type way struct {
	edges int
	term  int32
}

func (g *graph) ways() []way {
	ways := make([]way, len(g.branches))
	for i := range ways {
		ways[i].term = unknown
	}
	for i := range g.branches {
		b := &g.branches[i]
		term := b.term
		if b.op == enters || b.byTerm {
			term = unknown
		}
		for _, to := range []int32{b.yes, b.no} {
			if to < 0 {
				continue
			}
			w := &ways[to]
			if w.edges > 0 && w.term != term {
				term = unknown
			}
			w.edges, w.term = w.edges+1, term
		}
	}
	return ways
}

// run returns the branches from i on that all go to the same place if their test
// is ends, and else to the next of them, and that nothing else leads to.
func (g *graph) run(i int32, ends bool, ways []way) []int32 {
	out, next := g.branches[i].exits(ends)
	run := []int32{i}
	if g.branches[i].op == enters {
		return run
	}
	for next >= 0 && ways[next].edges == 1 && g.branches[next].op != enters {
		to, after := g.branches[next].exits(ends)
		if to != out {
			break
		}
		run = append(run, next)
		next = after
	}
	return run
}

// exits returns where b goes if its test is result, and where else.
func (b *branch) exits(result bool) (to, otherwise int32) {
	if result {
		return b.yes, b.no
	}
	return b.no, b.yes
}

// sortRun puts the tests of a run in order and leaves its branches in place.
func (g *graph) sortRun(run []int32, before int32) bool {
	rank := map[int32]int{before: 0}
	tests := make([]test, len(run))
	counts := []int{0}
	for i, at := range run {
		tests[i] = g.branches[at].test
		if _, ok := rank[tests[i].term]; !ok {
			rank[tests[i].term] = len(counts)
			counts = append(counts, 0)
		}
		counts[rank[tests[i].term]]++
	}
	starts := make([]int, len(counts))
	for i := 1; i < len(counts); i++ {
		starts[i] = starts[i-1] + counts[i-1]
	}
	moved := false
	for i, t := range tests {
		slot := &starts[rank[t.term]]
		moved = moved || *slot != i
		g.branches[run[*slot]].test = t
		*slot++
	}
	return moved
}
