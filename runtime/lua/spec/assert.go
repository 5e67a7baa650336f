package spec

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// maxShown bounds the nesting and the length of a value in a message.
const (
	maxShown      = 4
	maxShownBytes = 2000
)

// asserts returns the table of assertions, which is also callable.
func (r *Runner) asserts(L *glua.LState) *glua.LTable {
	t := L.NewTable()
	for name, fn := range map[string]glua.LGFunction{
		"equal":    assertEqual,
		"same":     assertSame,
		"is_true":  assertTruth(true),
		"is_false": assertTruth(false),
		"is_nil":   assertNil,
		"match":    assertMatch,
		"error":    r.assertError,
	} {
		t.RawSetString(name, L.NewFunction(fn))
	}
	meta := L.NewTable()
	meta.RawSetString("__call", L.NewFunction(assertCall))
	meta.RawSetString("__metatable", glua.LString("assert"))
	L.SetMetatable(t, meta)
	return t
}

// flunk raises the failure of an assertion at its caller's line, with the
// author's own message in front where argument n is one.
func flunk(L *glua.LState, n int, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if own, ok := L.Get(n).(glua.LString); ok {
		msg = string(own) + ": " + msg
	}
	L.RaiseError("%s", msg)
}

// assertCall is assert(v [, message]), as in plain Lua.
func assertCall(L *glua.LState) int {
	if !glua.LVAsBool(L.Get(2)) {
		if own, ok := L.Get(3).(glua.LString); ok {
			L.RaiseError("%s", string(own))
		}
		L.RaiseError("got %s", show(L.Get(2)))
	}
	return L.GetTop() - 1
}

func assertEqual(L *glua.LState) int {
	want, got := L.Get(1), L.Get(2)
	if !L.Equal(want, got) {
		flunk(L, 3, "expected %s, got %s", show(want), show(got))
	}
	return 0
}

func assertSame(L *glua.LState) int {
	if path, ok := same(L.Get(1), L.Get(2), "", 0); !ok {
		where := ""
		if path != "" {
			where = " (they differ at " + strings.TrimPrefix(path, ".") + ")"
		}
		flunk(L, 3, "expected %s, got %s%s", show(L.Get(1)), show(L.Get(2)), where)
	}
	return 0
}

func assertTruth(want bool) glua.LGFunction {
	return func(L *glua.LState) int {
		if glua.LVAsBool(L.Get(1)) != want {
			flunk(L, 2, "expected something %t, got %s", want, show(L.Get(1)))
		}
		return 0
	}
}

func assertNil(L *glua.LState) int {
	if L.Get(1) != glua.LNil {
		flunk(L, 2, "expected nil, got %s", show(L.Get(1)))
	}
	return 0
}

// assertMatch is assert.match(pattern, text), with a Lua pattern.
func assertMatch(L *glua.LState) int {
	text, ok := L.Get(2).(glua.LString)
	if !ok {
		flunk(L, 3, "expected a text that matches %s, got %s", show(L.Get(1)), show(L.Get(2)))
	}
	find := L.GetField(L.GetGlobal("string"), "find")
	L.Push(find)
	L.Push(text)
	L.Push(L.Get(1))
	L.Call(2, 1)
	if found := L.Get(-1); found == glua.LNil {
		flunk(L, 3, "expected a text that matches %s, got %s", show(L.Get(1)), show(text))
	}
	return 0
}

// assertError is assert.error(fn [, pattern]): fn must raise.
func (r *Runner) assertError(L *glua.LState) int {
	fn := L.CheckFunction(1)
	pattern := L.Get(2)
	L.Push(L.GetGlobal("pcall"))
	L.Push(fn)
	L.Call(1, 2)
	ok, value := L.Get(-2), L.Get(-1)
	if glua.LVAsBool(ok) {
		flunk(L, 3, "expected an error, got none")
	}
	if pattern == glua.LNil {
		return 0
	}
	L.SetTop(0)
	L.Push(pattern)
	L.Push(glua.LString(value.String()))
	return assertMatch(L)
}

// same compares two values deeply and returns the path of the first difference.
func same(a, b glua.LValue, path string, depth int) (string, bool) {
	ta, okA := a.(*glua.LTable)
	tb, okB := b.(*glua.LTable)
	if !okA || !okB || depth > 64 {
		return path, a == b || a.Type() == b.Type() && a.String() == b.String() && !okA
	}
	for k, v := ta.Next(glua.LNil); k != glua.LNil; k, v = ta.Next(k) {
		if at, ok := same(v, tb.RawGet(k), path+"."+k.String(), depth+1); !ok {
			return at, false
		}
	}
	for k := first(tb); k != glua.LNil; k, _ = tb.Next(k) {
		if ta.RawGet(k) == glua.LNil {
			return path + "." + k.String(), false
		}
	}
	return "", true
}

func first(t *glua.LTable) glua.LValue {
	k, _ := t.Next(glua.LNil)
	return k
}

// show renders a value for a message.
func show(v glua.LValue) string {
	s := showAt(v, 0)
	if len(s) > maxShownBytes {
		s = s[:maxShownBytes] + "…"
	}
	return s
}

func showAt(v glua.LValue, depth int) string {
	switch v := v.(type) {
	case glua.LString:
		return strconv.Quote(string(v))
	case glua.LNumber:
		return strlib.NumberString(float64(v))
	case *glua.LTable:
		return showTable(v, depth)
	default:
		return v.String()
	}
}

func showTable(t *glua.LTable, depth int) string {
	if depth == maxShown {
		return "{…}"
	}
	var parts []string
	size := 0
	for k, v := t.Next(glua.LNil); k != glua.LNil && size <= maxShownBytes; k, v = t.Next(k) {
		text := showAt(v, depth+1)
		if n, ok := k.(glua.LNumber); !ok || float64(n) != math.Trunc(float64(n)) || int(n) != len(parts)+1 {
			text = showKey(k) + " = " + text
		}
		size += len(text)
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

func showKey(k glua.LValue) string {
	if s, ok := k.(glua.LString); ok && isName(string(s)) {
		return string(s)
	}
	return "[" + showAt(k, maxShown) + "]"
}

func isName(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
