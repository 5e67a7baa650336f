package strlib

import (
	"math"
	"runtime"
	"strconv"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

func TestTostringOfThingsWithIdentity(t *testing.T) {
	t.Parallel()
	for range 2 { // the same in every state
		L := newState(t, nil)
		if err := L.DoString(`a, b = {}, {}`); err != nil {
			t.Fatal(err)
		}
		ud := L.NewUserData()
		L.SetGlobal("ud", ud)
		thread, _ := L.NewThread()
		L.SetGlobal("thread", thread)
		runEvalTests(t, L, []evalTest{
			{`tostring(a), tostring(b), tostring(a)`, `"table: 0x00000001" "table: 0x00000002" "table: 0x00000001"`},
			{`tostring(tostring), tostring(ud), tostring(thread)`, `"function: 0x00000003" "userdata: 0x00000004" "thread: 0x00000005"`},
			{`tostring(a), tostring(nil), tostring(true), tostring("x")`, `"table: 0x00000001" "nil" "true" "x"`},
		})
	}
}

func TestTostringHonoursMetamethod(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	ud := L.NewUserData()
	mt := L.NewTable()
	mt.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LString("connection 17"))
		return 1
	}))
	ud.Metatable = mt
	L.SetGlobal("c", ud)
	runEvalTests(t, L, []evalTest{
		{`tostring(c)`, `"connection 17"`},
		{`tostring(setmetatable({}, {__tostring = function(t) return "mine" end}))`, `"mine"`},
		{`tostring(setmetatable({}, {__tostring = function(t) return 5 end}))`, `5`},
		{`tostring(setmetatable({}, {__tostring = function(t) error("no", 0) end}))`, `error: no`},
	})
	if got := RawString(L, ud); got != "userdata: 0x00000001" {
		t.Errorf("RawString = %q", got)
	}
}

func TestSerialsKeepNothingAlive(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	kept := L.NewTable()
	first := RawString(L, kept)
	for range 20 {
		for range 1000 {
			RawString(L, L.NewTable())
		}
		runtime.GC()
	}
	s := serialsOf(L)
	if n := len(s.tables.ids); n > 8*firstSweep {
		t.Errorf("%d entries for one living table", n)
	}
	if got := RawString(L, kept); got != first {
		t.Errorf("a living table changed from %s to %s", first, got)
	}
	if got := RawString(L, L.NewTable()); got != "table: 0x00004e22" { // 1 + 20,000 + 1
		t.Errorf("the next table is %s", got)
	}
	runtime.KeepAlive(kept)
}

func TestNumberString(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		f    float64
		want string
	}{
		{0, "0"},
		{math.Copysign(0, -1), "-0"},
		{1, "1"},
		{-1, "-1"},
		{0.1, "0.1"},
		{1.0 / 3, "0.33333333333333"},
		{99999999999999, "99999999999999"},
		{-99999999999999, "-99999999999999"},
		{1e14, "1e+14"},
		{123456789012345, "1.2345678901234e+14"},
		{1e15, "1e+15"},
		{1e-5, "1e-05"},
		{1e100, "1e+100"},
		{math.MaxFloat64, "1.7976931348623e+308"},
		{math.Inf(1), "inf"},
		{math.Inf(-1), "-inf"},
		{math.NaN(), "nan"},
		{math.Copysign(math.NaN(), -1), "nan"},
		{1 << 63, "9.2233720368548e+18"},
	} {
		if got := NumberString(tt.f); got != tt.want {
			t.Errorf("NumberString(%v) = %q, want %q", tt.f, got, tt.want)
		}
	}
}

func TestParseNumber(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		s    string
		want float64
		ok   bool
	}{
		{"0", 0, true},
		{"10", 10, true},
		{" \t\n\v\f\r5\r ", 5, true},
		{"-3", -3, true},
		{"+3", 3, true},
		{".5", 0.5, true},
		{"5.", 5, true},
		{"1e5", 1e5, true},
		{"1E+5", 1e5, true},
		{"1e-5", 1e-5, true},
		{"010", 10, true},
		{"1e999", math.Inf(1), true},
		{"-1e999", math.Inf(-1), true},
		{"1e-999", 0, true},
		{"0x10", 16, true},
		{"-0X1f", -31, true},
		{"0x.8", 0.5, true},
		{"0x1p4", 16, true},
		{"0xA.8p-1", 5.25, true},
		{"0xffffffffffffffffff", 0xffffffffffffffffff, true},
		{"0x1p99999", math.Inf(1), true},
		{"0x1p-99999", 0, true},
		{"", 0, false},
		{" ", 0, false},
		{".", 0, false},
		{"-", 0, false},
		{"--1", 0, false},
		{"+-1", 0, false},
		{"- 1", 0, false},
		{"1 2", 0, false},
		{"1e", 0, false},
		{"1e+", 0, false},
		{"e5", 0, false},
		{"0x", 0, false},
		{"0x.", 0, false},
		{"0xg", 0, false},
		{"0x1p", 0, false},
		{"0x-1", 0, false},
		{"1_000", 0, false},
		{"0x1_0", 0, false},
		{"0b11", 0, false},
		{"0o17", 0, false},
		{"inf", 0, false},
		{"-inf", 0, false},
		{"nan", 0, false},
		{"Infinity", 0, false},
		{"1\x00", 0, false},
		{"1\xa0", 0, false},
		{"1..2", 0, false},
		{"1f", 0, false},
		{"1p4", 0, false},
	} {
		if got, ok := ParseNumber(tt.s); ok != tt.ok || got != tt.want {
			t.Errorf("ParseNumber(%q) = %v, %v; want %v, %v", tt.s, got, ok, tt.want, tt.ok)
		}
	}
}

// FuzzParseNumber checks that what is read is what it says, whatever is around
// it, and that a number is read back as it is written.
func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"0", "-1.5e3", "0x1F", "0x.8p-3", "inf", " 7 ", "1_0", "1e999", "\x00", "0x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := ParseNumber(s)
		if w, wok := ParseNumber(" " + s + "\n"); wok != ok || w != v {
			t.Errorf("%q: %v %v, with white space %v %v", s, v, ok, w, wok)
		}
		if !ok {
			return
		}
		if math.IsNaN(v) {
			t.Errorf("%q is NaN", s)
		}
		if back, ok := ParseNumber(strconv.FormatFloat(v, 'g', 17, 64)); !math.IsInf(v, 0) && (!ok || back != v) {
			t.Errorf("%q: %v is written and read back as %v, %v", s, v, back, ok)
		}
		parseBase(s, 2+len(s)%35)
	})
}
