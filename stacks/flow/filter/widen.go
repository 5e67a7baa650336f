package filter

// maxWords is how many words a wideTerm has.
const maxWords = 4

// widen makes one branch of those that compare words of an address one after
// another.
func (g *graph) widen() {
	ways := g.ways()
	inner := make([]bool, len(g.branches))
	for i := len(g.branches) - 1; i >= 0; i-- {
		if inner[i] {
			continue
		}
		words := g.adjacent(int32(i), ways)
		if len(words) < 2 {
			continue
		}
		first := g.terms[g.branches[i].term]
		wide := term{kind: wideTerm, reg: first.reg, at: first.at}
		var want [2]uint64
		for n, w := range words {
			shift := 32 - n%2*32
			wide.mask16[n/2] |= uint64(g.terms[g.branches[w].term].mask) << shift
			want[n/2] |= uint64(g.branches[w].k) << shift
			inner[w] = true
		}
		g.branches[i] = branch{
			test: test{op: isEqual, term: g.term(wide), k: g.address(want)},
			yes:  g.branches[words[len(words)-1]].yes,
			no:   g.branches[i].no,
		}
	}
}

// adjacent returns the branches from i on that compare a word each, each behind the
// one before it in the packet, and all go to the same place if one is not equal.
func (g *graph) adjacent(i int32, ways []way) []int32 {
	var words []int32
	no := g.branches[i].no
	for at := i; at >= 0 && len(words) < maxWords; at = g.branches[at].yes {
		b, t := &g.branches[at], &g.terms[g.branches[at].term]
		if b.op != isEqual || b.byTerm || b.no != no || t.kind != loadTerm || t.size != 4 || t.behindIPv4 {
			break
		}
		if n := len(words); n > 0 {
			first := &g.terms[g.branches[i].term]
			if ways[at].edges > 1 || t.reg != first.reg || t.at != first.at+uint32(n)*4 {
				break
			}
		}
		words = append(words, at)
	}
	return words
}
