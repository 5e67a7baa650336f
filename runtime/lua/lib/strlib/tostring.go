package strlib

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// ToString is Lua's tostring. It honours __tostring, writes numbers as
// [NumberString] does, and names tables, functions, userdata and threads by
// [RawString].
func ToString(L *lua.LState) int {
	if L.GetTop() == 0 {
		argError(L, 1, "tostring", "value expected")
	}
	v := L.Get(1)
	if meta := L.GetMetaField(v, "__tostring"); meta != lua.LNil {
		L.Push(meta)
		L.Push(v)
		L.Call(1, 1)
		return 1
	}
	if s, ok := v.(lua.LString); ok {
		L.Push(s)
		return 1
	}
	L.Push(lua.LString(RawString(L, v)))
	return 1
}

// RawString returns the text of a value without looking at its metatable. A
// table, function, userdata or thread is its type and a serial, "table:
// 0x00000001": the state counts them as they are first shown, and keeps a
// serial as long as the value lives.
func RawString(L *lua.LState, v lua.LValue) string {
	if s, ok := toString(v); ok {
		return s
	}
	if n, ok := serialsOf(L).of(v); ok {
		return fmt.Sprintf("%s: 0x%08x", v.Type(), n)
	}
	if v.Type() == lua.LTChannel {
		return "channel"
	}
	return v.String() // nil, true, false
}

// ToNumber is Lua's tonumber. It reads strings as [ParseNumber] does; with a
// base of 2 to 36, as C's strtoul.
func ToNumber(L *lua.LState) int {
	base := optInt(L, 2, "tonumber", 10)
	if base == 10 {
		if L.GetTop() == 0 {
			argError(L, 1, "tonumber", "value expected")
		}
		v := L.Get(1)
		if _, ok := v.(lua.LNumber); ok {
			L.Push(v)
			return 1
		}
		f, ok := toNumber(v)
		return pushNumber(L, f, ok)
	}
	s := checkString(L, 1, "tonumber")
	if base < 2 || base > 36 {
		argError(L, 2, "tonumber", "base out of range")
	}
	f, ok := parseBase(s, base)
	return pushNumber(L, f, ok)
}

// pushNumber pushes f, or nil when there is no number.
func pushNumber(L *lua.LState, f float64, ok bool) int {
	if ok {
		L.Push(lua.LNumber(f))
	} else {
		L.Push(lua.LNil)
	}
	return 1
}
