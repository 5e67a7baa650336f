package strlib

import lua "github.com/yuin/gopher-lua"

// tabSort is the quicksort of Lua 5.1: the median of three as pivot, in place.
// It makes the same comparisons in the same order, so that lists with equal
// elements, and functions that are no order, end as they do there.
func (l *lib) tabSort(L *lua.LState) int {
	seq, _ := checkSequence(L, "sort")
	s := sorter{l: l, L: L, seq: seq}
	if v := L.Get(2); v != lua.LNil {
		fn, ok := v.(*lua.LFunction)
		if !ok {
			typeError(L, 2, "sort", "function")
		}
		s.fn = fn
	}
	s.sort(1, seq.Len())
	l.charge(L, stepsPerCompare*(s.compared%compareSlice))
	return 0
}

const (
	compareSlice    = 64 // comparisons between two charges
	stepsPerCompare = 8
)

type sorter struct {
	l        *lib
	L        *lua.LState
	seq      Sequence
	fn       *lua.LFunction // nil: <
	compared int
}

func (s *sorter) at(i int) lua.LValue { return s.seq.Index(s.L, i) }

func (s *sorter) swap(i, j int, vi, vj lua.LValue) {
	s.seq.SetIndex(s.L, i, vj)
	s.seq.SetIndex(s.L, j, vi)
}

// sort recurses into the smaller part only, so its depth is at most log2 of the
// number of elements.
func (s *sorter) sort(lo, hi int) {
	for lo < hi {
		if done := s.median(lo, hi); done {
			return
		}
		mid := s.partition(lo, hi)
		if mid-lo < hi-mid {
			s.sort(lo, mid-1)
			lo = mid + 1
		} else {
			s.sort(mid+1, hi)
			hi = mid - 1
		}
	}
}

// median puts the first, middle and last element in order. Up to three
// elements are sorted by that.
func (s *sorter) median(lo, hi int) (done bool) {
	s.order(lo, hi)
	if hi-lo == 1 {
		return true
	}
	mid := (lo + hi) / 2
	if a, b := s.at(mid), s.at(lo); s.less(a, b) {
		s.swap(mid, lo, a, b)
	} else {
		s.order(mid, hi)
	}
	return hi-lo == 2
}

// order swaps elements i and j when j comes before i.
func (s *sorter) order(i, j int) {
	if a, b := s.at(i), s.at(j); s.less(b, a) {
		s.swap(i, j, a, b)
	}
}

// partition moves what is less than the middle element before it and what is
// greater behind it, and returns where it ends up.
func (s *sorter) partition(lo, hi int) int {
	mid := (lo + hi) / 2
	pivot := s.at(mid)
	s.swap(mid, hi-1, pivot, s.at(hi-1))
	i, j := lo, hi-1
	for {
		i++
		a := s.at(i)
		for s.less(a, pivot) {
			if i > hi {
				s.invalid()
			}
			i++
			a = s.at(i)
		}
		j--
		b := s.at(j)
		for s.less(pivot, b) {
			if j < lo {
				s.invalid()
			}
			j--
			b = s.at(j)
		}
		if j < i {
			break
		}
		s.swap(i, j, a, b)
	}
	s.swap(hi-1, i, s.at(hi-1), s.at(i))
	return i
}

func (s *sorter) invalid() { s.L.RaiseError("invalid order function for sorting") }

func (s *sorter) less(a, b lua.LValue) bool {
	s.compared++
	if s.compared%compareSlice == 0 {
		s.l.charge(s.L, compareSlice*stepsPerCompare)
	}
	if s.fn != nil {
		s.L.Push(s.fn)
		s.L.Push(a)
		s.L.Push(b)
		s.L.Call(2, 1)
		less := lua.LVAsBool(s.L.Get(-1))
		s.L.Pop(1)
		return less
	}
	return s.ascending(a, b)
}

// ascending is Lua's < on two values. Strings compare byte by byte.
func (s *sorter) ascending(a, b lua.LValue) bool {
	switch a := a.(type) {
	case lua.LNumber:
		if b, ok := b.(lua.LNumber); ok {
			return a < b
		}
	case lua.LString:
		if b, ok := b.(lua.LString); ok {
			s.l.charge(s.L, min(len(a), len(b))/bytesPerStep)
			return a < b
		}
	}
	if ta, tb := a.Type(), b.Type(); ta != tb {
		s.L.RaiseError("attempt to compare %s with %s", ta, tb)
	} else if s.L.GetMetaField(a, "__lt") == lua.LNil {
		s.L.RaiseError("attempt to compare two %s values", ta)
	}
	return s.L.LessThan(a, b)
}
