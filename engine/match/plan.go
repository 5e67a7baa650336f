package match

import (
	"cmp"
	"slices"
)

// exprOp says how an expr's parts make its value.
type exprOp uint8

const (
	opSingle exprOp = iota // the leaf
	opAll
	opAny
	opNone
)

// expr is a checked condition, to be ordered and turned into closures.
type expr struct {
	op    exprOp
	steps []step // from the event to what the leaf, or all parts alike, look at
	leaf  leaf
	kids  []*expr
}

// add makes kid a part of x; the parts of a conjunction in a conjunction, or of
// alternatives in alternatives, are parts of the outer one.
func (x *expr) add(kid *expr) {
	if kid.op == x.op && (x.op == opAll || x.op == opAny) {
		x.kids = append(x.kids, kid.kids...)
		return
	}
	x.kids = append(x.kids, kid)
}

// settle finds the steps that x has in common with all its parts; it returns
// the only part itself where that means the same.
func (x *expr) settle() *expr {
	if len(x.kids) == 1 && x.op != opNone {
		return x.kids[0]
	}
	for i, kid := range x.kids {
		if i == 0 {
			x.steps = kid.steps
			continue
		}
		x.steps = x.steps[:shared(x.steps, kid.steps)]
	}
	return x
}

// shared returns how many steps a and b have in common.
func shared(a, b []step) int {
	n := 0
	for n < len(a) && n < len(b) && a[n].name == b[n].name {
		n++
	}
	return n
}

// absent says what x is worth where an object on the way to all its parts is
// missing.
func (x *expr) absent() bool {
	switch x.op {
	case opSingle:
		return x.leaf.absent
	case opAll:
		return !slices.ContainsFunc(x.kids, func(k *expr) bool { return !k.absent() })
	case opNone:
		return !slices.ContainsFunc(x.kids, (*expr).absent)
	}
	return slices.ContainsFunc(x.kids, (*expr).absent)
}

// costly reports whether anything in x is to wait for what is cheap.
func (x *expr) costly() bool {
	if x.op == opSingle {
		return x.leaf.cost >= costly
	}
	return slices.ContainsFunc(x.kids, (*expr).costly)
}

// cost estimates what evaluating x takes on the object that depth steps lead to.
func (x *expr) cost(depth int) int {
	sum := x.leaf.cost + costStep*(len(x.steps)-depth)
	for _, kid := range x.kids {
		sum += kid.cost(len(x.steps))
	}
	return sum
}

// byCost orders what is cheap before what is not; equals keep the author's order.
func byCost(parts []*expr, depth int) {
	slices.SortStableFunc(parts, func(a, b *expr) int {
		if ca, cb := a.costly(), b.costly(); ca != cb {
			if cb {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.cost(depth), b.cost(depth))
	})
}

// emit returns the test of x on the object that depth steps lead to.
func (x *expr) emit(depth int) func(any) bool {
	n := len(x.steps)
	if n > depth {
		return follow(x.steps[depth:], x.emitAt(n), x.absent())
	}
	return x.emitAt(depth)
}

// emitAt is emit where all steps that x's parts have in common are taken.
func (x *expr) emitAt(depth int) func(any) bool {
	if x.op == opSingle {
		return x.leaf.test
	}
	parts := x.grouped(depth)
	byCost(parts, depth)
	tests := make([]func(any) bool, len(parts))
	for i, part := range parts {
		tests[i] = part.emit(depth)
	}
	switch x.op {
	case opAll:
		return every(tests)
	case opNone:
		some := either(tests)
		return func(o any) bool { return !some(o) }
	}
	return either(tests)
}

// grouped joins the parts of x whose next step is the same, so that it is taken
// once. What is costly stays apart from what is cheap.
func (x *expr) grouped(depth int) []*expr {
	type group struct {
		step   string
		costly bool
	}
	op := x.op
	if op == opNone {
		op = opAny
	}
	var out []*expr
	index := map[group]int{}
	for _, kid := range x.kids {
		if len(kid.steps) <= depth {
			out = append(out, kid)
			continue
		}
		g := group{kid.steps[depth].name, kid.costly()}
		i, ok := index[g]
		if !ok {
			index[g] = len(out)
			out = append(out, &expr{op: op, kids: []*expr{kid}})
			continue
		}
		out[i].kids = append(out[i].kids, kid)
	}
	for _, i := range index {
		out[i] = out[i].settle()
	}
	return out
}

// follow takes the steps and then asks test; absent is the answer where a step
// leads nowhere.
func follow(steps []step, test func(any) bool, absent bool) func(any) bool {
	first := steps[0].get
	switch len(steps) {
	case 1:
		return func(o any) bool {
			if o = first(o); o == nil {
				return absent
			}
			return test(o)
		}
	case 2:
		second := steps[1].get
		return func(o any) bool {
			if o = first(o); o == nil {
				return absent
			}
			if o = second(o); o == nil {
				return absent
			}
			return test(o)
		}
	}
	return func(o any) bool {
		if o = walk(steps, o); o == nil {
			return absent
		}
		return test(o)
	}
}

// every joins tests all of which must hold.
func every(tests []func(any) bool) func(any) bool {
	switch len(tests) {
	case 1:
		return tests[0]
	case 2:
		a, b := tests[0], tests[1]
		return func(o any) bool { return a(o) && b(o) }
	case 3:
		a, b, c := tests[0], tests[1], tests[2]
		return func(o any) bool { return a(o) && b(o) && c(o) }
	}
	return func(o any) bool {
		for _, t := range tests {
			if !t(o) {
				return false
			}
		}
		return true
	}
}
