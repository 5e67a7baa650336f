package strlib

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/spec/cputime"
)

// elements returns 1 to #t as text.
func elements(t *lua.LTable) string {
	var out []string
	for i := 1; i <= t.Len(); i++ {
		out = append(out, t.RawGetInt(i).String())
	}
	return strings.Join(out, " ")
}

func numbers(L *lua.LState, n int, at func(i int) int) *lua.LTable {
	t := L.NewTable()
	for i := range n {
		t.Append(lua.LNumber(at(i)))
	}
	L.SetGlobal("t", t)
	return t
}

func TestStackAndQueue(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	runEvalTests(t, L, []evalTest{{`(function()
	  local t, sum = {}, 0
	  for i = 1, 100000 do table.insert(t, i) end
	  for i = 1, 50000 do sum = sum + table.remove(t) end
	  for i = 1, 50000 do t[#t] = nil; table.insert(t, i) end
	  while #t > 0 do table.remove(t) end
	  table.insert(t, 1, "x")
	  table.insert(t, 1, "y")
	  return sum, table.remove(t, 1), table.remove(t, 1), table.remove(t), #t
	end)()`, `3750025000 "y" "x" nil 0`}})
}

// TestRemoveClearsTheEnd: gopher-lua leaves nils at the end of an array and walks
// over all of them whenever the length is asked for.
func TestRemoveClearsTheEnd(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	tb := numbers(L, 50_000, func(i int) int { return i })
	for i := 50_000; i > 40_000; i-- {
		tb.RawSetInt(i, lua.LNil)
	}
	var err error
	took := cputime.Of(func() {
		err = L.DoString(`while #t > 10 do table.remove(t) end for i = 1, 20000 do table.insert(t, 1, i) table.remove(t, 1) end`)
	})
	if err != nil {
		t.Fatal(err)
	}
	if took > time.Second && !raceEnabled {
		t.Errorf("took %v", took)
	}
	if got := elements(tb); got != "0 1 2 3 4 5 6 7 8 9" {
		t.Error(got)
	}
}

func TestInsertAndRemoveKeepHoles(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	runEvalTests(t, L, []evalTest{
		{`(function() local t = {1, nil, 3} table.insert(t, 1, 0) return t[1], t[2], t[3], t[4] end)()`, `0 1 nil 3`},
		{`(function() local t = {1, nil, 3} return table.remove(t, 1), t[1], t[2], t[3] end)()`, `1 nil 3 nil`},
		{`(function() local t = {1, nil, 3} return table.remove(t), t[1], t[2], t[3] end)()`, `3 1 nil nil`},
		{`(function() local t = {1, 2, 3} table.insert(t, 2, nil) return t[1], t[2], t[3], t[4] end)()`, `1 nil 2 3`},
		{`(function() local t = {1} table.insert(t, 5, 9) return #t == 1 or #t == 5, t[5] end)()`, `true 9`},
		{`(function() local t = {1, 2} table.insert(t, 0, 9) return t[0], t[1], t[2], t[3] end)()`, `9 nil 1 2`},
		{`select("#", table.remove({})), select("#", table.remove({1}, 5)), select("#", table.remove({1}, 0))`, `0 0 0`},
		{`table.maxn({1, 2, [10.5] = 1, [-3] = 1, x = 1}), table.maxn({}), table.getn({1, 2})`, `10.5 0 2`},
	})
}

func TestSort(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	shapes := map[string]func(i int) int{
		"random":     func(i int) int { return i * 7919 % 20_011 },
		"ascending":  func(i int) int { return i },
		"descending": func(i int) int { return -i },
		"equal":      func(int) int { return 1 },
		"organ pipe": func(i int) int { return min(i, 20_000-i) },
		"saw":        func(i int) int { return i % 7 },
	}
	for name, at := range shapes {
		tb := numbers(L, 20_000, at)
		want := make([]int, 20_000)
		for i := range want {
			want[i] = at(i)
		}
		slices.Sort(want)
		if err := L.DoString(`table.sort(t)`); err != nil {
			t.Fatal(name, err)
		}
		for i, w := range want {
			if got := int(tb.RawGetInt(i + 1).(lua.LNumber)); got != w {
				t.Fatalf("%s: element %d is %d, want %d", name, i+1, got, w)
			}
		}
		if err := L.DoString(`table.sort(t, function(a, b) return a > b end)`); err != nil {
			t.Fatal(name, err)
		}
		if first, last := tb.RawGetInt(1), tb.RawGetInt(20_000); first != lua.LNumber(want[19_999]) || last != lua.LNumber(want[0]) {
			t.Errorf("%s, backwards: from %v to %v", name, first, last)
		}
	}
}

func TestSortOfOtherThings(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	runEvalTests(t, L, []evalTest{
		{`(function() local t = {"b", "\200", "B", "a\0", "a", ""} table.sort(t) return table.concat(t, ",") end)()`, `",B,a,a\x00,b,\xc8"`},
		{`(function()
		   local mt = {__lt = function(a, b) return a.n < b.n end}
		   local t = {}
		   for i = 1, 20 do t[i] = setmetatable({n = i * 7 % 20}, mt) end
		   table.sort(t)
		   local s = ""
		   for i = 1, 20 do s = s .. t[i].n .. " " end
		   return s end)()`, `"0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 "`},
		{`(function() local t = {3, 1, 2} table.sort(t, function(a, b) error("stop", 0) end) end)()`, `error: stop`},
		{`(function() local t = {3, 1, nil, 2} table.sort(t) end)()`, `error: script:1: attempt to compare nil with number`},
	})
}

// killer returns a list that takes the sort n*n/10 comparisons and more. An order
// that makes up its mind as late as it can (McIlroy, "A Killer Adversary for
// Quicksort", 1999) forces the bad pivots; what it decided is the list.
func killer(t *testing.T, n int) []int {
	t.Helper()
	L := newState(t, nil)
	gas := n
	rank := make([]int, n)
	for i := range rank {
		rank[i] = gas
	}
	solid, candidate := 0, 0
	L.SetGlobal("less", L.NewFunction(func(L *lua.LState) int {
		x, y := L.CheckInt(1), L.CheckInt(2)
		if rank[x] == gas && rank[y] == gas {
			freeze := y
			if x == candidate {
				freeze = x
			}
			rank[freeze] = solid
			solid++
		}
		if rank[x] == gas {
			candidate = x
		} else if rank[y] == gas {
			candidate = y
		}
		L.Push(lua.LBool(rank[x] < rank[y]))
		return 1
	}))
	numbers(L, n, func(i int) int { return i })
	if err := L.DoString(`table.sort(t, less)`); err != nil {
		t.Fatal(err)
	}
	return rank
}

func TestSortStopsAtTheLimit(t *testing.T) {
	t.Parallel()
	const n = 3000
	rank := killer(t, n)
	for _, tt := range []struct {
		name string
		at   func(i int) int
		want string
	}{
		{"any order", func(i int) int { return i * 7919 % n }, ""},
		{"killer", func(i int) int { return rank[i] }, "error: script:1: step limit reached"},
	} {
		L := newState(t, countdown(1_000_000))
		numbers(L, n, tt.at)
		if got := eval(L, `table.sort(t)`); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestListCannotOutgrowItsArray(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	tb := L.NewTable()
	for range lua.MaxArrayIndex/64 - 1 {
		tb.Append(lua.LTrue)
	}
	L.SetGlobal("t", tb)
	want := fmt.Sprintf(`error: script:1: table.insert: a list holds at most %d elements`, lua.MaxArrayIndex-1)
	if got := eval(L, fmt.Sprintf(`table.insert(t, %d, 1)`, lua.MaxArrayIndex)); got != want {
		t.Error(got)
	}
	if got := eval(L, `table.insert(t, 1, false)`); got != "" || tb.RawGetInt(1) != lua.LFalse {
		t.Error(got)
	}
}

// record is a list outside Lua.
type record struct{ values []lua.LValue }

func (r *record) Len() int { return len(r.values) }

func (r *record) Index(_ *lua.LState, i int) lua.LValue {
	if i < 1 || i > len(r.values) {
		return lua.LNil
	}
	return r.values[i-1]
}

func (r *record) SetIndex(L *lua.LState, i int, v lua.LValue) {
	switch {
	case v == lua.LNil && i == len(r.values):
		r.values = r.values[:i-1]
	case i >= 1 && i <= len(r.values):
		r.values[i-1] = v
	case i == len(r.values)+1:
		r.values = append(r.values, v)
	default:
		L.RaiseError("index %d is beyond the list", i)
	}
}

func TestSequence(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	r := &record{}
	ud := L.NewUserData()
	ud.Value = r
	L.SetGlobal("r", ud)
	script := `
	table.insert(r, "c") table.insert(r, 1, "a") table.insert(r, 2, "b") table.insert(r, "d")
	removed = table.remove(r, 1)
	last = table.remove(r)
	table.sort(r, function(a, b) return a > b end)
	`
	if err := L.DoString(script); err != nil {
		t.Fatal(err)
	}
	runEvalTests(t, L, []evalTest{
		{`removed, last, table.concat(r, "-"), table.getn(r), table.maxn(r)`, `"a" "d" "c-b" 2 2`},
		{`unpack(r)`, `"c" "b"`},
		{`table.insert(r, 9, "x")`, `error: script:1: index 9 is beyond the list`},
	})
	if diff := cmp.Diff([]lua.LValue{lua.LString("c"), lua.LString("b")}, r.values); diff != "" {
		t.Error(diff)
	}
	other := L.NewUserData()
	L.SetGlobal("other", other)
	want := `error: script:1: bad argument #1 to 'insert' (table expected, got userdata)`
	if got := eval(L, `table.insert(other, 1)`); got != want {
		t.Error(got)
	}
}

func TestRemovedValueIsLetGo(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	tb := numbers(L, 3, func(i int) int { return i })
	eval(L, `table.remove(t)`)
	if got := elements(tb); got != "0 1" {
		t.Fatal(got)
	}
	tb.Append(lua.LNil) // gopher-lua shows what lies behind the end when the array grows again
	if v := tb.RawGetInt(3); v != lua.LNil {
		t.Errorf("the removed value %v is still there", v)
	}
}
