package predicate

import (
	"math"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// relation compiles a comparison.
func (c *compiler) relation(x *ast.RelationalOpExpr, sc *scope) (test, error) {
	a, err := c.value(x.Lhs, sc)
	if err != nil {
		return test{}, err
	}
	b, err := c.value(x.Rhs, sc)
	if err != nil {
		return test{}, err
	}
	switch x.Operator {
	case "==":
		return c.equal(x, a, b)
	case "~=":
		t, err := c.equal(x, a, b)
		return not(t), err
	case ">":
		return c.less(x, b, a, false)
	case ">=":
		return c.less(x, b, a, true)
	case "<=":
		return c.less(x, a, b, true)
	}
	return c.less(x, a, b, false)
}

// equal compiles ==. Values of different types are never equal, except that nil
// is nil.
func (c *compiler) equal(x ast.Expr, a, b value) (test, error) {
	if a.fixed && !b.fixed {
		a, b = b, a
	}
	switch {
	case a.kind == null:
		return not(b.there()), nil
	case b.kind == null:
		return not(a.there()), nil
	case a.kind == unknown || b.kind == unknown:
		return c.alikeHeld(x, a, b)
	case a.kind != b.kind:
		return bothAbsent(a, b), nil
	}
	t, err := c.same(x, a, b)
	if err != nil || a.present == nil && b.present == nil {
		return t, err
	}
	// Both sides are computed even where one is nil: the other may raise.
	here, there, same := sure(a), sure(b), t.fn()
	return test{holds: func(e any) bool {
		l, r := here(e), there(e)
		return l == r && (!l || same(e))
	}}, nil
}

// sure computes a value for its errors and says whether it is not nil.
func sure(v value) func(any) bool {
	if v.touch == nil || v.present == nil {
		return v.there().fn()
	}
	touch, present := v.touch, v.present
	return func(e any) bool { touch(e); return present(e) }
}

// bothAbsent is what equality of two types comes to.
func bothAbsent(a, b value) test {
	if a.present != nil && b.present != nil {
		l, r := a.present, b.present
		return test{holds: func(e any) bool {
			here, there := l(e), r(e)
			return !here && !there
		}}
	}
	touch := touches(a.touch, b.touch)
	if touch == nil {
		return fixed(false)
	}
	return test{holds: func(e any) bool { touch(e); return false }}
}

// same compares two values of one type that are not nil.
func (c *compiler) same(x ast.Expr, a, b value) (test, error) {
	switch a.kind {
	case number:
		return sameNumber(a, b), nil
	case boolean:
		l, r := a.boolean, b.boolean
		return test{holds: func(e any) bool { return l(e) == r(e) }}, nil
	case text:
		return c.sameText(x, a, b)
	}
	return test{}, refuse(x, "comparing %s", a.kind)
}

func sameNumber(a, b value) test {
	if a.small != nil && b.fixed {
		k, get := b.known.(float64), a.small
		if k < 0 || k > float64(a.most) || k != math.Trunc(k) {
			return never(a)
		}
		want := uint64(k)
		return test{holds: func(e any) bool { return get(e) == want }}
	}
	if a.small != nil && b.small != nil {
		l, r := a.small, b.small
		return test{holds: func(e any) bool { return l(e) == r(e) }}
	}
	l, r := a.number, b.number
	if b.fixed {
		want := b.known.(float64)
		return test{holds: func(e any) bool { return l(e) == want }}
	}
	return test{holds: func(e any) bool { return l(e) == r(e) }}
}

// never does not hold, but for the errors of v.
func never(v value) test {
	if v.touch == nil {
		return fixed(false)
	}
	touch := v.touch
	return test{holds: func(e any) bool { touch(e); return false }}
}

// always holds, but for the errors of v.
func always(v value) test { return not(never(v)) }

func (c *compiler) sameText(x ast.Expr, a, b value) (test, error) {
	if b.fixed {
		want := b.known.(string)
		switch {
		case a.words != nil:
			return sameWord(a, want), nil
		case a.addr != nil:
			addr, ok := addrOf(want)
			return sameAs(a, a.addr, addr, ok), nil
		case a.endpoint != nil:
			at, ok := endpointOf(want)
			return sameAs(a, a.endpoint, at, ok), nil
		}
		get := a.text
		return test{holds: func(e any) bool { return get(e) == want }}, nil
	}
	switch {
	case a.addr != nil && b.addr != nil:
		return alike(a.addr, b.addr), nil
	case a.endpoint != nil && b.endpoint != nil:
		return alike(a.endpoint, b.endpoint), nil
	case a.text == nil || b.text == nil:
		return test{}, refuse(x, "comparing %s with %s", a.describe(), b.describe())
	}
	return alike(a.text, b.text), nil
}

func alike[T comparable](l, r func(any) T) test {
	return test{holds: func(e any) bool { return l(e) == r(e) }}
}

// sameAs compares with a constant; one that is no value of the type is never
// equal.
func sameAs[T comparable](v value, get func(any) T, want T, ok bool) test {
	if !ok {
		return never(v)
	}
	return test{holds: func(e any) bool { return get(e) == want }}
}

// sameWord compares the index of a word.
func sameWord(a value, want string) test {
	i := slices.Index(a.words, want)
	if i < 0 {
		return never(a)
	}
	get, word := a.word, uint64(i)
	return test{holds: func(e any) bool { return get(e) == word }}
}

// less compiles a < b and, orEqual, a <= b. Nil and values of two types raise.
func (c *compiler) less(x ast.Expr, a, b value, orEqual bool) (test, error) {
	if a.kind == unknown && b.kind != text {
		a = c.asNumber(a)
	}
	if b.kind == unknown && a.kind != text {
		b = c.asNumber(b)
	}
	switch {
	case a.kind == number && b.kind == number:
		return c.lessNumber(a, b, orEqual), nil
	case a.kind == text && b.kind == text && a.text != nil && b.text != nil:
		l, r := c.needText(a), c.needText(b)
		most := -1
		if orEqual {
			most = 0
		}
		return test{holds: func(e any) bool { return strings.Compare(l(e), r(e)) <= most }}, nil
	}
	return test{}, refuse(x, "the order of %s and %s", a.describe(), b.describe())
}

func (c *compiler) lessNumber(a, b value, orEqual bool) test {
	if a.present == nil && a.small != nil && b.fixed {
		return below(a, b.known.(float64), orEqual)
	}
	if b.present == nil && b.small != nil && a.fixed {
		// k < b is not b <= k, and k <= b is not b < k; NaN aside, which is
		// below and above nothing.
		k := a.known.(float64)
		if k != k {
			return never(b)
		}
		return not(below(b, k, !orEqual))
	}
	l, r := c.needNumber(a), c.needNumber(b)
	if orEqual {
		return test{holds: func(e any) bool { return l(e) <= r(e) }}
	}
	return test{holds: func(e any) bool { return l(e) < r(e) }}
}

// below compares a small integer with a constant, as integers.
func below(v value, k float64, orEqual bool) test {
	if orEqual {
		k = math.Floor(k)
	} else {
		k = math.Ceil(k) - 1
	}
	// v < k is now v <= k for a whole k.
	switch {
	case k != k || k < 0:
		return never(v)
	case k >= float64(v.most):
		return always(v)
	}
	get, most := v.small, uint64(k)
	return test{holds: func(e any) bool { return get(e) <= most }}
}
