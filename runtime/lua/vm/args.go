package vm

import (
	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// The checks below word their errors as luaL_argerror and luaL_typerror do.
// Each raises, and so does not return, when the argument is not what it asks for.

func argError(L *glua.LState, n int, fn, msg string) {
	L.RaiseError("bad argument #%d to '%s' (%s)", n, fn, msg)
}

func typeError(L *glua.LState, n int, fn, want string) {
	got := "no value"
	if n <= L.GetTop() {
		got = L.Get(n).Type().String()
	}
	argError(L, n, fn, want+" expected, got "+got)
}

func checkTable(L *glua.LState, n int, fn string) *glua.LTable {
	t, ok := L.Get(n).(*glua.LTable)
	if !ok {
		typeError(L, n, fn, "table")
	}
	return t
}

func checkString(L *glua.LState, n int, fn string) string {
	if value := L.Get(n); glua.LVCanConvToString(value) {
		return string(appendText(nil, value))
	}
	typeError(L, n, fn, "string")
	return ""
}

func checkNumber(L *glua.LState, n int, fn string) float64 {
	switch v := L.Get(n).(type) {
	case glua.LNumber:
		return float64(v)
	case glua.LString:
		if f, ok := strlib.ParseNumber(string(v)); ok {
			return f
		}
	}
	typeError(L, n, fn, "number")
	return 0
}
