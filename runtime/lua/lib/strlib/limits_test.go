package strlib

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/spec/cputime"
)

func TestResultsAreBounded(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	L.SetGlobal("mib", lua.LString(strings.Repeat("x", 1<<20)))
	L.SetGlobal("kib", lua.LString(strings.Repeat("x", 1<<10)))
	L.SetGlobal("more", lua.LString(strings.Repeat("x", 1<<20+1)))
	over := func(fn, size string) string {
		return "error: script:1: " + fn + ": result of " + size + " bytes exceeds the limit of 1 MiB"
	}
	runEvalTests(t, L, []evalTest{
		{`string.rep("x", 1e9)`, over("string.rep", "1000000000")},
		{`string.rep("xx", 2^62)`, over("string.rep", "9223372036854775808")},
		{`string.rep(kib, 2^62)`, over("string.rep", "more than 18446744073709551615")},
		{`string.rep("x", 1/0)`, over("string.rep", "9223372036854775807")},
		{`#string.rep(kib, 1024)`, `1048576`},
		{`string.rep(kib, 1025)`, over("string.rep", "1049600")},
		{`(kib:gsub("x", kib .. "y"))`, over("string.gsub", "1049600")},
		{`(mib:gsub("x$", "yy"))`, over("string.gsub", "1048577")},
		{`(mib:gsub("^x", "yy"))`, over("string.gsub", "1048577")},
		{`#(mib:gsub("x", "y"))`, `1048576`},
		{`mib:format(), ("%s%s"):format(mib, "y")`, over("string.format", "1048577")},
		{`("%q"):format(mib)`, over("string.format", "1048578")},
		{`("%99d"):rep(20000):format(unpack({}, 1, 7000))`, `error: script:1: bad argument #2 to 'format' (number expected, got nil)`},
		{`table.concat({mib, "y"})`, over("table.concat", "1048577")},
		{`table.concat({"a", "b"}, mib)`, over("table.concat", "1048577")},
		{`#table.concat({mib})`, `1048576`},
		{`more:upper()`, over("string.upper", "1048577")},
		{`more:reverse()`, over("string.reverse", "1048577")},
		{`#more:lower()`, `1048577`},
	})
}

func TestLimitCanBeChanged(t *testing.T) {
	t.Parallel()
	lim := &Limits{MaxString: 2048}
	L := newState(t, lim)
	want := `error: script:1: string.rep: result of 2049 bytes exceeds the limit of 2 KiB`
	if got := eval(L, `string.rep("x", 2049)`); got != want {
		t.Error(got)
	}
	lim.MaxString = 100
	want = `error: script:1: string.rep: result of 2049 bytes exceeds the limit of 100 bytes`
	if got := eval(L, `string.rep("x", 2049)`); got != want {
		t.Error(got)
	}
}

func TestRefusedResultTakesNoMemory(t *testing.T) {
	L := newState(t, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		eval(L, `string.rep("x", 1e9)`)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		t.Errorf("ten refused calls took %d bytes", took)
	}
}

var errSteps = errors.New("step limit reached")

// countdown stops the work after n steps.
func countdown(n int) *Limits {
	return &Limits{Steps: func(k int) error {
		if n -= k; n < 0 {
			return errSteps
		}
		return nil
	}}
}

// TestBombs has calls that run for seconds to minutes in gopher-lua, or take
// gigabytes. Those with a bound on their steps must end by it, the others by
// themselves.
func TestBombs(t *testing.T) {
	const bound = 400 * time.Millisecond // about 20 times what the slowest takes
	stopped := `error: script:1: step limit reached`
	tests := []struct {
		expr string
		want string // "" when it may end either way
	}{
		{`string.find(a20k, ".-b")`, `nil`},
		{`string.find(a20k .. "b", ".-b$x")`, ``},
		{`string.find(a200, ".-.-.-.-b")`, `nil`},
		{`string.find(a200 .. "b", ".-.-.-.-b[xy]")`, stopped},
		{`string.find(a20k, ".-[bc]")`, `nil`},
		{`string.find(a20k, ".-.-[bc]$")`, stopped},
		{`string.find(a20k, "a*a*a*a*[bc]")`, stopped},
		{`string.find(("("):rep(1e5), "%b()")`, stopped},
		{`string.find(a20k, "(.-)(.-)%1%2[bc]")`, stopped},
		{`#string.match(mib, ".*"), #string.match(mib, "^a-$"), #string.match(mib, "^(a*)b?$")`, `1048576 1048576 1048576`},
		{`select(2, string.gsub(a80k, "a", "b"))`, `80000`},
		{`select(2, string.gsub(a80k, "()", "%1,"))`, `80001`},
		{`select(2, string.gsub(a80k, "a", {a = "bc"}))`, `80000`},
		{`select(2, string.gsub(a80k, "a", function(c) return c end))`, `80000`},
		{`select(2, string.gsub(mib, ".-b", ""))`, `0`},
		{`string.rep("x", 1e9)`, `error: script:1: string.rep: result of 1000000000 bytes exceeds the limit of 1 MiB`},
		{`string.find(mib, mib .. "%")`, `error: script:1: malformed pattern (ends with '%')`},
		{`string.find(mib, ("[ab]"):rep(1000) .. "[bc]")`, stopped},
		{`table.sort(large, function() return true end)`, `error: script:1: invalid order function for sorting`},
		{`#table.concat(large, ",")`, `1288889`},
		{`table.insert({}, -1e9, 1)`, `error: script:1: bad argument #2 to 'insert' (position out of bounds)`},
		{`table.insert({}, -4e6, 1)`, stopped},
	}
	for _, tt := range tests {
		lim := countdown(20_000_000)
		lim.MaxString = 2 << 20
		if strings.Contains(tt.expr, "1e9") {
			lim.MaxString = 1 << 20
		}
		L := newState(t, lim)
		L.SetGlobal("mib", lua.LString(strings.Repeat("a", 1<<20)))
		for name, n := range map[string]int{"a200": 200, "a20k": 20_000, "a80k": 80_000} {
			L.SetGlobal(name, lua.LString(strings.Repeat("a", n)))
		}
		large := L.NewTable()
		for i := range 200_000 {
			large.Append(lua.LNumber(i * 7919 % 200_000))
		}
		L.SetGlobal("large", large)
		var got string
		took := cputime.Of(func() { got = eval(L, tt.expr) })
		if took > bound && !raceEnabled {
			t.Errorf("%s took %v", tt.expr, took)
		}
		if tt.want != "" && got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.expr, got, tt.want)
		}
		t.Logf("%-70s %8.2f ms", tt.expr, float64(took.Microseconds())/1000)
	}
}

func TestStepsDependOnArgumentsOnly(t *testing.T) {
	t.Parallel()
	var n int
	L := newState(t, &Limits{Steps: func(k int) error { n += k; return nil }})
	for _, expr := range []string{
		`("key=value; k2=v2"):find("(%w+)=(%w+)$")`,
		`("a b c"):gsub("%w", "<%0>")`,
		`("%5d %s"):format(3, "abc")`,
		`("x"):rep(10000)`,
		`table.concat({1, 2, 3}, ",")`,
		`("x"):find(("%w?"):rep(1000))`, // longer than the cache takes
		`(function() for _ in ("a b c"):gmatch("%w+") do end end)()`,
		`table.sort({3, 1, 2})`,
	} {
		eval(L, expr) // compiles the pattern
		n = 0
		eval(L, expr)
		first := n
		n = 0
		eval(L, expr)
		if n != first || n == 0 {
			t.Errorf("%s: %d steps, then %d", expr, first, n)
		}
		n = 0
		fresh := newState(t, &Limits{Steps: func(k int) error { n += k; return nil }})
		eval(fresh, expr)
		if n != first {
			t.Errorf("%s: %d steps in a new state, %d in a used one", expr, n, first)
		}
	}
}

func TestStepLimitIsALuaError(t *testing.T) {
	t.Parallel()
	L := newState(t, countdown(1000))
	got := eval(L, `pcall(function() return ("a"):rep(5000):find("[ab]-.-[bc]") end)`)
	if want := `false "script:1: step limit reached"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
