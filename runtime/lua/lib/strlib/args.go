package strlib

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// The checks below word their errors as luaL_argerror and luaL_typerror do.
// Each raises, and so does not return, when the argument is not what it asks for.

func argError(L *lua.LState, n int, fn, msg string) {
	L.RaiseError("bad argument #%d to '%s' (%s)", n, fn, msg)
}

func typeError(L *lua.LState, n int, fn, want string) {
	got := "no value"
	if n <= L.GetTop() {
		got = L.Get(n).Type().String()
	}
	argError(L, n, fn, want+" expected, got "+got)
}

func checkString(L *lua.LState, n int, fn string) string {
	s, ok := toString(L.Get(n))
	if !ok {
		typeError(L, n, fn, "string")
	}
	return s
}

// pushSame pushes s, which is the text of argument n, without boxing it again
// when the argument is a string.
func pushSame(L *lua.LState, n int, s string) {
	if v, ok := L.Get(n).(lua.LString); ok {
		L.Push(v)
		return
	}
	L.Push(lua.LString(s))
}

// toString returns the text of a string or number.
func toString(v lua.LValue) (string, bool) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), true
	case lua.LNumber:
		return NumberString(float64(v)), true
	}
	return "", false
}

func checkNumber(L *lua.LState, n int, fn string) float64 {
	f, ok := toNumber(L.Get(n))
	if !ok {
		typeError(L, n, fn, "number")
	}
	return f
}

// toNumber returns the value of a number or of a string that reads as one.
func toNumber(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return ParseNumber(string(v))
	}
	return 0, false
}

func checkInt(L *lua.LState, n int, fn string) int {
	return truncate(checkNumber(L, n, fn))
}

// optInt takes nil and an absent argument as the default.
func optInt(L *lua.LState, n int, fn string, def int) int {
	if L.Get(n) == lua.LNil {
		return def
	}
	return checkInt(L, n, fn)
}

// truncate rounds toward zero. What is beyond an int becomes the nearest one,
// NaN becomes 0.
func truncate(f float64) int {
	switch {
	case f >= math.MaxInt:
		return math.MaxInt
	case f <= math.MinInt:
		return math.MinInt
	case f != f:
		return 0
	}
	return int(f)
}

// smallInts holds the numbers that offsets in a packet and bytes are, so that
// returning one takes no memory.
var smallInts = func() (v [2049]lua.LValue) {
	for i := range v {
		v[i] = lua.LNumber(i)
	}
	return v
}()

func pushInt(L *lua.LState, n int) {
	L.Push(intValue(n))
}

func intValue(n int) lua.LValue {
	if n >= 0 && n < len(smallInts) {
		return smallInts[n]
	}
	return lua.LNumber(n)
}
