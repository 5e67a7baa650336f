package match

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// TestCompiledIsInterpreted compares predicates with the interpreter over random
// nodes and events.
func TestCompiledIsInterpreted(t *testing.T) {
	t.Parallel()
	info, objs := sampleInfo(), objects{thingObject()}
	r := rand.New(rand.NewPCG(1, 2))
	var compiled, refused, held, ran int
	events := make([]*sample, 60)
	for i := range events {
		events[i] = randomSample(r)
	}
	for range 6000 {
		n := randomNode(r, 0)
		p, err := Compile(&n, info, objs)
		if err != nil {
			refused++
			for _, e := range err.(Errors) {
				checkNever(t, e, &n, events)
			}
			continue
		}
		compiled++
		for _, e := range events {
			got, want := p(e), interpret(&n, e)
			if got != want {
				t.Fatalf("%s\n%+v\nsubject %+v\nargument %+v\ncompiled %v, interpreted %v", Explain(&n), e, e.S, e.O, got, want)
			}
			ran++
			if got {
				held++
			}
		}
	}
	if share := float64(held) / float64(ran); compiled < 2500 || share < 0.1 || share > 0.9 {
		t.Errorf("weak test: %d compiled, %d refused, %.2f of %d held", compiled, refused, share, ran)
	}
}

// checkNever makes sure that a condition is refused only for a reason that
// random nodes have: a literal that no value equals, or an empty range.
func checkNever(t *testing.T, e *Error, n *Node, events []*sample) {
	t.Helper()
	if !strings.Contains(e.Msg, "never") {
		t.Fatalf("%s: %s", Explain(n), e)
	}
	if n.Op == NoOp || len(n.Values) != 1 {
		return
	}
	for _, ev := range events {
		if v := (&interpreter{event: ev}).value(n.Path); v != nil && interpret(n, ev) == (n.Op != Ne) {
			t.Fatalf("refused %s (%s), which decides on %v", Explain(n), e, v)
		}
	}
}

// TestRandomLeaves runs the same comparison over single conditions, which the
// random trees hide behind one another.
func TestRandomLeaves(t *testing.T) {
	t.Parallel()
	info, objs := sampleInfo(), objects{thingObject()}
	r := rand.New(rand.NewPCG(3, 4))
	for range 10000 {
		n := randomLeaf(r)
		p, err := Compile(&n, info, objs)
		for range 15 {
			e := randomSample(r)
			switch {
			case err != nil:
				for _, mistake := range err.(Errors) {
					checkNever(t, mistake, &n, []*sample{e})
				}
			case p(e) != interpret(&n, e):
				t.Fatalf("%s\n%+v\nsubject %+v: compiled %v", Explain(&n), e, e.S, p(e))
			}
		}
	}
}

func randomNode(r *rand.Rand, depth int) Node {
	if depth > 3 || r.IntN(3) == 0 {
		return randomLeaf(r)
	}
	var n Node
	kids := func() []Node {
		list := make([]Node, 1+r.IntN(3))
		for i := range list {
			list[i] = randomNode(r, depth+1)
		}
		return list
	}
	switch r.IntN(6) {
	case 0:
		n.None = kids()
	case 1, 2:
		n.Any = kids()
	case 3:
		n.All, n.Any, n.None = kids(), kids(), kids()
	default:
		n.All = kids()
	}
	return n
}

func randomLeaf(r *rand.Rand) Node {
	prefix := pick(r, [][]string{nil, nil, {"s"}, {"o"}, {"sub"}, {"o", "sub"}, {"other"}, {"sub", "sub"}})
	name := pick(r, []string{"flag", "u8", "u16", "u32", "u64", "i16", "i64", "f", "text", "raw", "ip", "ep", "when", "took", "size", "word", "big", "tags", "sub", "maybe"})
	if prefix == nil && r.IntN(6) == 0 {
		name = pick(r, []string{"reason", "n"})
	}
	n := Node{Path: append(prefix[:len(prefix):len(prefix)], name)}
	if r.IntN(12) == 0 || name == "sub" {
		n.Op = Present
		if r.IntN(2) == 0 {
			n.Values = []Value{Bool(r.IntN(2) == 0)}
		}
		return n
	}
	fill(r, &n, name)
	return n
}

func fill(r *rand.Rand, n *Node, name string) {
	many := func(value func() Value) {
		for range 1 + r.IntN(12)*r.IntN(2) {
			n.Values = append(n.Values, value())
		}
	}
	switch name {
	case "flag":
		n.Op = pick(r, []Op{Eq, Ne})
		many(func() Value { return Bool(r.IntN(2) == 0) })
	case "text", "raw", "tags", "word", "reason", "big":
		fillText(r, n, name, many)
	case "ip", "ep":
		fillAddress(r, n, name, many)
	default:
		fillNumber(r, n, name, many)
	}
}

func fillNumber(r *rand.Rand, n *Node, name string, many func(func() Value)) {
	value := func() Value { return Number(randomNumber(r, name)) }
	n.Op = pick(r, []Op{Eq, Eq, Ne, Gt, Ge, Lt, Le, Range})
	switch n.Op {
	case Eq, Ne:
		many(func() Value {
			if r.IntN(10) == 0 {
				return In(numbers{0: true, 80: true, 0.5: true, -1: true})
			}
			return value()
		})
	case Range:
		a, b := value(), value()
		if a.Kind == NumberValue && b.Kind == NumberValue && a.Number > b.Number {
			a, b = b, a
		}
		n.Values = []Value{a, b}
	default:
		n.Values = []Value{value()}
	}
	for i, v := range n.Values {
		switch {
		case v.Kind != NumberValue || r.IntN(4) != 0 || n.Op == Range:
		case name == "took":
			n.Values[i] = Text(pick(r, []string{"500ms", "1s", "1.5s"}))
		case name == "size":
			n.Values[i] = Text(pick(r, []string{"512", "64KiB", "1MB"}))
		}
	}
}

func randomNumber(r *rand.Rand, name string) float64 {
	switch name {
	case "when", "took":
		return float64(r.IntN(5)) / 2
	case "f":
		return pick(r, []float64{-1.5, 0, 0.1, 1, 2.5, 80, 81})
	}
	f := pick(r, []float64{float64(pick(r, someUints())), float64(pick(r, someInts()))})
	if r.IntN(3) == 0 {
		f = float64(r.IntN(100))
	}
	switch r.IntN(20) {
	case 0:
		return f + 0.5
	case 1:
		return math.Nextafter(f, math.MaxFloat64)
	case 2:
		return pick(r, []float64{-1e300, 1e300, math.Ldexp(1, 64), -math.Ldexp(1, 63)})
	}
	return f
}

func fillText(r *rand.Rand, n *Node, name string, many func(func() Value)) {
	texts := someTexts()
	switch name {
	case "word", "reason":
		texts = smallWords()
	case "big":
		texts = []string{"word0", "word1", "word63", "word64", "word65", "word127", "word128", "word129"}
	}
	n.Op = pick(r, []Op{Eq, Eq, Ne, Prefix, Suffix, Contains, Glob, Regex})
	many(func() Value {
		s := pick(r, texts)
		switch n.Op {
		case Eq, Ne:
			if name != "word" && name != "reason" && name != "big" && r.IntN(8) == 0 {
				return In(words{"a": true, "INVITE": true})
			}
			return Text(s)
		case Glob:
			return Text(pick(r, []string{"*", "a*", "*c", "*b*", "?", "a?c*", "[ab]*", "*[!a-z]*", `\[`, "*0?9*", "", "word?", "*s?t"}))
		case Regex:
			return Text(pick(r, []string{"", "^a", "b$", "[0-9]+", "(?i)invite", "a.c", `^word\d$`, "s"}))
		}
		if i := r.IntN(len(s) + 1); n.Op == Suffix {
			s = s[i:]
		} else {
			s = s[:i]
		}
		return Text(s)
	})
}

func fillAddress(r *rand.Rand, n *Node, name string, many func(func() Value)) {
	nets := []string{"10.0.0.0/8", "10.0.0.0/30", "0.0.0.0/0", "::/0", "2001:db8::/32", "fe80::/10", "10.0.0.1/32", "::ffff:0.0.0.0/96", "192.168.0.0/16"}
	n.Op = pick(r, []Op{Eq, Eq, Ne, CIDR, Range})
	switch {
	case n.Op == Range:
		for {
			a, b := netip.MustParseAddr(pick(r, someAddrs())), netip.MustParseAddr(pick(r, someAddrs()))
			if a, b := a.Unmap(), b.Unmap(); a.BitLen() == b.BitLen() && !b.Less(a) {
				n.Values = []Value{Text(a.String()), Text(b.String())}
				return
			}
		}
	case n.Op == CIDR:
		many(func() Value { return Text(pick(r, append(someAddrs(), nets...))) })
	case name == "ip":
		many(func() Value {
			if r.IntN(8) == 0 {
				return In(addrs{netip.MustParseAddr("10.0.0.2"): true, netip.MustParseAddr("::1"): true})
			}
			return Text(pick(r, append(someAddrs(), nets...)))
		})
	default:
		many(func() Value {
			ep := netip.AddrPortFrom(netip.MustParseAddr(pick(r, someAddrs())), uint16(pick(r, []int{0, 80, 5060})))
			if r.IntN(8) == 0 {
				return In(endpoints{netip.AddrPortFrom(ep.Addr().Unmap(), ep.Port()): true})
			}
			return Text(ep.String())
		})
	}
}

// FuzzCompile compares predicate and interpreter over nodes that the seed grows.
func FuzzCompile(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, seed*7)
	}
	info, objs := sampleInfo(), objects{thingObject()}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		n := randomNode(r, 0)
		p, err := Compile(&n, info, objs)
		if err != nil {
			return
		}
		for range 20 {
			e := randomSample(r)
			if got := p(e); got != interpret(&n, e) {
				t.Fatalf("%s on %+v: compiled %v", Explain(&n), e, got)
			}
		}
	})
}
