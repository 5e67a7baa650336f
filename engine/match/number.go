package match

import (
	"fmt"
	"math"
	"strconv"

	"github.com/hookd/hookd/engine/event"
)

// integer tests become intervals of the type's domain, most often a single one.
func (f field) integer(d integers) (leaf, *Error) {
	points, sets, err := f.points(d)
	if err != nil {
		return leaf{}, err
	}
	l := leaf{absent: f.negate(), cost: costCompare}
	switch {
	case len(sets) > 0:
		var tests []func(uint64) bool
		if len(points) > 0 {
			tests = append(tests, points.has)
		}
		for _, s := range sets {
			tests = append(tests, d.lookup(s))
		}
		l.test, l.cost = holder(d.reader(f.Get), either(tests), f.negate()), costStore*len(sets)
	case len(points) == 1 && !f.negate():
		l.test = d.within(f.Get, points[0])
	default:
		l.test, l.cost = holder(d.reader(f.Get), points.has, f.negate()), costList
	}
	return l, nil
}

// within tests for one interval with one comparison, which is most of what
// rules ask.
func (d integers) within(g event.Getter, iv interval) func(any) bool {
	lo, span := iv.lo-d.offset, iv.hi-iv.lo
	if d.signed {
		get := g.Int
		return func(o any) bool { return uint64(get(o))-lo <= span }
	}
	get := g.Uint
	return func(o any) bool { return get(o)-lo <= span }
}

// lookup asks a store of numbers, which knows them as scripts do.
func (d integers) lookup(s NumberSet) func(uint64) bool {
	if !d.signed {
		return func(v uint64) bool { return s.HasNumber(float64(v)) }
	}
	scale, offset := d.scale, d.offset
	return func(v uint64) bool { return s.HasNumber(float64(int64(v-offset)) / scale) }
}

// points turns the node's values into the points that they select, and stores.
func (f field) points(d integers) (points intervals, sets []NumberSet, err *Error) {
	if !f.comparesNumbers() {
		return nil, nil, f.refuse(Eq, Ne, Range, Gt, Ge, Lt, Le, Present)
	}
	var at []bounds
	for _, v := range f.node.Values {
		if s, ok := f.numberSet(v); ok {
			sets = append(sets, s)
			continue
		}
		b, err := f.bounds(d, v)
		if err != nil {
			return nil, nil, err
		}
		at = append(at, b)
	}
	switch f.node.Op {
	case Eq, Ne:
		for i, b := range at {
			if !b.exactly() {
				return nil, nil, f.never(f.node.Values[i], "")
			}
			points = append(points, interval{b.floor, b.floor})
		}
		return normalise(points), sets, nil
	}
	iv, err := f.ordered(d, at)
	return intervals{iv}, nil, err
}

// comparesNumbers reports whether numbers have the test.
func (f field) comparesNumbers() bool {
	switch f.node.Op {
	case Eq, Ne, Range, Gt, Ge, Lt, Le:
		return true
	}
	return false
}

// numberSet returns the store that v is, where the test looks values up.
func (f field) numberSet(v Value) (NumberSet, bool) {
	if v.Kind != SetValue || v.Set == nil || !holds(v.Set, event.Float) || f.node.Op != Eq && f.node.Op != Ne {
		return nil, false
	}
	s, ok := v.Set.(NumberSet)
	return s, ok
}

// ordered returns the interval that an order test selects.
func (f field) ordered(d integers, at []bounds) (interval, *Error) {
	iv := interval{0, d.max}
	empty := false
	b := at[0]
	switch f.node.Op {
	case Gt:
		if !b.below {
			iv.lo, empty = b.floor+1, b.floor == d.max
		}
	case Ge:
		iv.lo, empty = b.ceil, b.above
	case Lt:
		if !b.above {
			iv.hi, empty = b.ceil-1, b.ceil == 0
		}
	case Le:
		iv.hi, empty = b.floor, b.below
	case Range:
		iv = interval{b.ceil, at[1].floor}
		empty = b.above || at[1].below || iv.lo > iv.hi
	}
	if empty {
		return iv, f.empty()
	}
	return iv, nil
}

// empty makes the error for an order test that no value of the type can pass.
func (f field) empty() *Error {
	v := f.node.Values
	if f.node.Op != Range {
		return f.fail("%s(%s) never matches", f.node.Op, v[0])
	}
	if v[0].Kind == NumberValue && v[1].Kind == NumberValue && v[0].Number > v[1].Number {
		return f.fail("is.range(%s, %s) never matches", v[0], v[1]).instead(fmt.Sprintf("write is.range(%s, %s)", v[1], v[0]))
	}
	return f.fail("is.range(%s, %s) never matches", v[0], v[1])
}

// bounds fits a literal into the domain.
func (f field) bounds(d integers, v Value) (bounds, *Error) {
	switch {
	case v.Kind == NumberValue && !math.IsNaN(v.Number):
		return d.round(v.Number), nil
	case v.Kind == TextValue && d.parse != nil:
		if n, err := d.parse(v.Text); err == nil {
			p := uint64(n) + d.offset
			return bounds{floor: p, ceil: p}, nil
		}
	}
	return bounds{}, f.never(v, asNumber(v))
}

// float tests are ranges too, but of numbers that cannot be counted.
func (f field) float() (leaf, *Error) {
	if !f.comparesNumbers() {
		return leaf{}, f.refuse(Eq, Ne, Range, Gt, Ge, Lt, Le, Present)
	}
	var fixed, stores []func(float64) bool
	var at []float64
	for _, v := range f.node.Values {
		if s, ok := f.numberSet(v); ok {
			stores = append(stores, s.HasNumber)
			continue
		}
		if v.Kind != NumberValue || math.IsNaN(v.Number) {
			return leaf{}, f.never(v, asNumber(v))
		}
		at = append(at, v.Number)
	}
	if f.node.Op == Range && at[0] > at[1] {
		return leaf{}, f.empty()
	}
	if len(at) > 0 {
		fixed = append(fixed, floatTest(f.node.Op, at))
	}
	return leaf{
		test:   holder(f.Get.Float, either(append(fixed, stores...)), f.negate()),
		absent: f.negate(),
		cost:   costCompare + costStore*len(stores),
	}, nil
}

// floatTest compares with the numbers at.
func floatTest(op Op, at []float64) func(float64) bool {
	x := at[0]
	switch op {
	case Gt:
		return func(v float64) bool { return v > x }
	case Ge:
		return func(v float64) bool { return v >= x }
	case Lt:
		return func(v float64) bool { return v < x }
	case Le:
		return func(v float64) bool { return v <= x }
	case Range:
		end := at[1]
		return func(v float64) bool { return x <= v && v <= end }
	}
	return isOneOf(at)
}

// asNumber returns the number that a text spells, as it should be written.
func asNumber(v Value) string {
	if x, err := strconv.ParseFloat(v.Text, 64); err == nil && v.Kind == TextValue && !math.IsNaN(x) {
		return formatNumber(x)
	}
	return ""
}
