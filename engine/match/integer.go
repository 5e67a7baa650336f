package match

import (
	"math"
	"math/bits"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
)

// integers is the domain of an integer type, mapped onto 0..max of uint64 so
// that order is kept and one kind of comparison serves all: signed numbers are
// moved up by half the range. Tests on it are intervals.
type integers struct {
	max    uint64
	offset uint64 // added to a signed number's bits
	signed bool
	scale  float64 // units of the field in one of the author's
	parse  func(string) (int64, error)
}

func integersOf(t event.Type) integers {
	d := integers{scale: 1}
	size := width(t.Bits)
	switch t.Kind {
	case event.Uint:
		d.max = math.MaxUint64 >> (64 - size)
		return d
	case event.Int:
	case event.Time:
		size, d.scale = 64, float64(time.Second)
	case event.Duration:
		size, d.scale, d.parse = 64, float64(time.Second), durationText
	case event.Size:
		size, d.parse = 64, plain.Size
	}
	d.signed = true
	d.max = math.MaxUint64 >> (64 - size)
	d.offset = d.max/2 + 1
	return d
}

// width reads Type.Bits, which is 64 where nothing is said.
func width(bits uint8) uint8 {
	if bits == 0 || bits > 64 {
		return 64
	}
	return bits
}

// text writes the point v of the domain as the number that it stands for.
func (d integers) text(v uint64) string {
	if d.signed {
		return strconv.FormatInt(int64(v-d.offset), 10)
	}
	return strconv.FormatUint(v, 10)
}

// bounds are the points nearest to an author's number: the last one at or below
// it and the first at or above it. Outside of the domain one of them is missing.
type bounds struct {
	floor, ceil uint64
	below       bool // less than all points: there is no floor
	above       bool // greater than all points: there is no ceil
}

// exactly reports whether the number is a point.
func (b bounds) exactly() bool { return !b.below && !b.above && b.floor == b.ceil }

// round fits an author's number, which is not NaN, into the domain. Scaled
// numbers are taken to their nearest unit, since 0.3 s is meant to be 300 ms.
func (d integers) round(f float64) bounds {
	f *= d.scale
	if d.scale != 1 {
		f = math.Round(f)
	}
	least, end := 0.0, math.Ldexp(1, bits.Len64(d.max))
	if d.signed {
		least, end = -end/2, end/2
	}
	switch {
	case f < least:
		return bounds{below: true}
	case f >= end:
		return bounds{floor: d.max, above: true}
	}
	b := bounds{floor: d.point(math.Floor(f))}
	if c := math.Ceil(f); c < end {
		b.ceil = d.point(c)
	} else {
		b.above = true
	}
	return b
}

// point maps a whole number inside the domain onto it.
func (d integers) point(f float64) uint64 {
	if d.signed {
		return uint64(int64(f)) + d.offset
	}
	return uint64(f)
}

// reader returns what reads a field as a point of the domain.
func (d integers) reader(g event.Getter) func(any) uint64 {
	if !d.signed {
		return g.Uint
	}
	get, offset := g.Int, d.offset
	return func(o any) uint64 { return uint64(get(o)) + offset }
}

// interval is a range of points, both ends included.
type interval struct{ lo, hi uint64 }

// intervals is a set of points: sorted, disjoint ranges.
type intervals []interval

// normalise sorts list and joins what overlaps or touches.
func normalise(list intervals) intervals {
	slices.SortFunc(list, func(a, b interval) int {
		switch {
		case a.lo < b.lo:
			return -1
		case a.lo > b.lo:
			return 1
		}
		return 0
	})
	out := list[:0]
	for _, iv := range list {
		if n := len(out); n > 0 && (iv.lo <= out[n-1].hi || iv.lo == out[n-1].hi+1) {
			out[n-1].hi = max(out[n-1].hi, iv.hi)
			continue
		}
		out = append(out, iv)
	}
	return out
}

// has reports whether v is in one of the ranges.
func (s intervals) has(v uint64) bool {
	const linear = 8
	if len(s) > linear {
		i := sort.Search(len(s), func(i int) bool { return s[i].hi >= v })
		return i < len(s) && s[i].lo <= v
	}
	for i := range s {
		if v-s[i].lo <= s[i].hi-s[i].lo {
			return true
		}
	}
	return false
}

// durationText reads "10s" as nanoseconds.
func durationText(s string) (int64, error) {
	d, err := plain.Duration(s)
	return int64(d), err
}
