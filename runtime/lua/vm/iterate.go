package vm

import (
	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// Iterable is a value outside Lua that pairs and next go over: a userdata whose
// Value is one.
type Iterable interface {
	// Next returns the key after key and its value; LNil begins, an LNil key
	// ends. It may raise.
	Next(L *glua.LState, key glua.LValue) (k, v glua.LValue)
}

// Walkable is a value outside Lua that pairs asks for the iterator of a walk: a
// userdata whose Value is one.
type Walkable interface {
	// Walk returns a function that returns the next key and value at each call,
	// nothing at the end.
	Walk(L *glua.LState) *glua.LFunction
}

// list is the part of a strlib.Sequence that ipairs needs.
type list interface {
	Index(L *glua.LState, i int) glua.LValue
}

func (v *VM) pairs(L *glua.LState) int {
	switch x := L.Get(1).(type) {
	case *glua.LTable:
	case *glua.LUserData:
		if w, ok := x.Value.(Walkable); ok {
			L.Push(w.Walk(L))
			return 1
		}
		if _, ok := x.Value.(Iterable); !ok {
			typeError(L, 1, "pairs", "table")
		}
	default:
		typeError(L, 1, "pairs", "table")
	}
	L.Push(v.nextFn)
	L.Push(L.Get(1))
	L.Push(glua.LNil)
	return 3
}

func (v *VM) next(L *glua.LState) int {
	var key, value glua.LValue
	switch x := L.Get(1).(type) {
	case *glua.LTable:
		key, value = v.nextOf(L, x, L.Get(2))
	case *glua.LUserData:
		it, ok := x.Value.(Iterable)
		if !ok {
			typeError(L, 1, "next", "table")
		}
		key, value = it.Next(L, L.Get(2))
	default:
		typeError(L, 1, "next", "table")
	}
	L.Push(key)
	if key == glua.LNil {
		return 1
	}
	L.Push(value)
	return 2
}

// nextOf is next on a table. gopher-lua keeps holes in the array, and keys that
// were deleted, and walks over them one by one; in the array that counts.
func (v *VM) nextOf(L *glua.LState, t *glua.LTable, after glua.LValue) (key, value glua.LValue) {
	if n, ok := after.(glua.LNumber); ok && beyond(t, n) {
		after = glua.LNil
		if n := strlib.Length(t); n > 0 {
			after = glua.LNumber(n)
		}
	}
	v.charge(L, stepsPerCall)
	v.chargeKey(L, after)
	key, value = t.Next(after)
	v.chargeKey(L, key)
	at, ok := key.(glua.LNumber)
	if !ok {
		return key, value
	}
	from, _ := after.(glua.LNumber)
	if skipped := int(at - from); skipped > 64 {
		if err := v.Spend(skipped); err != nil {
			L.RaiseError("%s", err.Error())
		}
	}
	return key, value
}

// beyond reports whether n is the index of an element that was the last one,
// and is gone. The array may have become shorter than n since, and then
// gopher-lua does not know where to go on.
func beyond(t *glua.LTable, n glua.LNumber) bool {
	i := int(n)
	return glua.LNumber(i) == n && 1 <= i && i < MaxArray && t.RawGetInt(i) == glua.LNil && i > t.MaxN()
}

func (v *VM) ipairs(L *glua.LState) int {
	switch x := L.Get(1).(type) {
	case *glua.LTable:
		L.Push(v.inextFn)
	case *glua.LUserData:
		if _, ok := x.Value.(list); !ok {
			typeError(L, 1, "ipairs", "table")
		}
		L.Push(v.inextFn)
	default:
		typeError(L, 1, "ipairs", "table")
	}
	L.Push(L.Get(1))
	L.Push(glua.LNumber(0))
	return 3
}

// inext is what ipairs calls for each element.
func (v *VM) inext(L *glua.LState) int {
	i := int(checkNumber(L, 2, "ipairs")) + 1
	value := glua.LValue(glua.LNil)
	switch x := L.Get(1).(type) {
	case *glua.LTable:
		if value = x.RawGetInt(i); i < 1 {
			value = x.RawGetH(glua.LNumber(i))
		}
	case *glua.LUserData:
		if l, ok := x.Value.(list); ok {
			value = l.Index(L, i)
		}
	}
	if value == glua.LNil {
		return 0
	}
	L.Push(glua.LNumber(i))
	L.Push(value)
	return 2
}
