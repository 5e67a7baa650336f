// Package call is what the library's functions in Go have in common: reading
// arguments with errors worded as Lua's own, counting what they do against the
// caller's budget, bounding what they return, and failing without raising.
//
// A [Call] lives as long as the call it stands for, on its goroutine.
package call

import (
	"math"
	"slices"
	"strconv"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// Body is a function of the library. It returns how many results it pushed.
type Body func(c Call) int

// Call is one call of a function.
type Call struct {
	L    *lua.LState
	name string
	lim  *strlib.Limits
}

// Functions makes Lua functions of bodies, by name. They are called table.name
// in errors and obey lim, which is read at each call.
func Functions(L *lua.LState, lim *strlib.Limits, table string, bodies map[string]Body) map[string]lua.LValue {
	members := make(map[string]lua.LValue, len(bodies))
	for name, body := range bodies {
		full := table + "." + name
		members[name] = L.NewFunction(func(L *lua.LState) int { return body(Call{L, full, lim}) })
	}
	return members
}

// Name is what the function is called in errors: "json.encode".
func (c Call) Name() string { return c.name }

// Top is how many arguments there are.
func (c Call) Top() int { return c.L.GetTop() }

// Arg returns argument n, from 1; nil where there is none.
func (c Call) Arg(n int) lua.LValue { return c.L.Get(n) }

// Has reports whether argument n is there and not nil.
func (c Call) Has(n int) bool { return c.L.Get(n) != lua.LNil }

// Bad raises that argument n is not what it should be.
func (c Call) Bad(n int, msg string) {
	c.L.RaiseError("bad argument #%d to '%s' (%s)", n, c.name, msg)
}

// Wrong raises that argument n has another type than wanted.
func (c Call) Wrong(n int, want string) {
	got := "no value"
	if n <= c.L.GetTop() {
		got = c.L.Get(n).Type().String()
	}
	c.Bad(n, want+" expected, got "+got)
}

// Raise raises a message at the line of the call.
func (c Call) Raise(msg string) { c.L.RaiseError("%s: %s", c.name, msg) }

// String returns argument n, a string or number, as text.
func (c Call) String(n int) string {
	switch v := c.L.Get(n).(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return strlib.NumberString(float64(v))
	}
	c.Wrong(n, "string")
	return ""
}

// OptString is String, with a default for nil and no value.
func (c Call) OptString(n int, def string) string {
	if !c.Has(n) {
		return def
	}
	return c.String(n)
}

// Number returns argument n, a number or a string that reads as one.
func (c Call) Number(n int) float64 {
	switch v := c.L.Get(n).(type) {
	case lua.LNumber:
		return float64(v)
	case lua.LString:
		if f, ok := strlib.ParseNumber(string(v)); ok {
			return f
		}
	}
	c.Wrong(n, "number")
	return 0
}

// Int returns argument n, a whole number that a Lua number holds exactly.
func (c Call) Int(n int) int {
	f := c.Number(n)
	if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		c.Bad(n, "number has no integer representation")
	}
	return int(f)
}

// OptInt is Int, with a default for nil and no value.
func (c Call) OptInt(n, def int) int {
	if !c.Has(n) {
		return def
	}
	return c.Int(n)
}

// Bool tells the truth of argument n.
func (c Call) Bool(n int) bool { return lua.LVAsBool(c.L.Get(n)) }

// Table returns argument n, a table.
func (c Call) Table(n int) *lua.LTable {
	t, ok := c.L.Get(n).(*lua.LTable)
	if !ok {
		c.Wrong(n, "table")
	}
	return t
}

// Options returns the named options in the table that is argument n, which may
// be absent; another name than those known is an error.
func (c Call) Options(n int, known ...string) map[string]lua.LValue {
	if !c.Has(n) {
		return nil
	}
	t := c.Table(n)
	options := map[string]lua.LValue{}
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		name, ok := k.(lua.LString)
		if !ok || !slices.Contains(known, string(name)) {
			c.Bad(n, "unknown option "+k.String())
		}
		options[string(name)] = v
	}
	return options
}

// Spend counts n steps, of the order of a nanosecond each, and raises when the
// budget is used up.
func (c Call) Spend(n int) {
	if c.lim.Steps == nil {
		return
	}
	if err := c.lim.Steps(n); err != nil {
		c.L.RaiseError("%s", err.Error())
	}
}

// Bound raises when a result of n bytes is longer than strings may be. It is
// asked before the memory is taken.
func (c Call) Bound(n int) {
	most := c.MaxString()
	if n > most {
		c.Raise("result of " + strconv.Itoa(n) + " bytes exceeds the limit of " + strconv.Itoa(most))
	}
}

// MaxString is how many bytes the longest result has.
func (c Call) MaxString() int {
	if c.lim.MaxString > 0 {
		return c.lim.MaxString
	}
	return strlib.DefaultMaxString
}

// Push returns v.
func (c Call) Push(v lua.LValue) int {
	c.L.Push(v)
	return 1
}

// PushString returns text.
func (c Call) PushString(s string) int { return c.Push(lua.LString(s)) }

// PushBool returns true or false.
func (c Call) PushBool(b bool) int { return c.Push(lua.LBool(b)) }

// PushNumber returns a number.
func (c Call) PushNumber(f float64) int { return c.Push(lua.LNumber(f)) }

// Fail returns nil and a message: what calls give that fail because of data,
// not because of how they are written.
func (c Call) Fail(msg string) int {
	c.L.Push(lua.LNil)
	c.L.Push(lua.LString(msg))
	return 2
}
