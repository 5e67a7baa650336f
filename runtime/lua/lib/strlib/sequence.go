package strlib

import lua "github.com/yuin/gopher-lua"

// Sequence is a list kept outside Lua. The functions of table, and unpack, take
// a userdata whose Value is one in place of a table.
type Sequence interface {
	// Len returns the number of elements.
	Len() int
	// Index returns element i, counted from 1, or lua.LNil outside 1 to Len.
	Index(L *lua.LState, i int) lua.LValue
	// SetIndex sets element i. Setting element Len+1 makes the list longer,
	// setting the last to lua.LNil makes it shorter. It may raise.
	SetIndex(L *lua.LState, i int, v lua.LValue)
}

// checkSequence returns argument 1 as a list, and as a table when it is one.
func checkSequence(L *lua.LState, fn string) (Sequence, *lua.LTable) {
	switch v := L.Get(1).(type) {
	case *lua.LTable:
		return tableSequence{v}, v
	case *lua.LUserData:
		if seq, ok := v.Value.(Sequence); ok {
			return seq, nil
		}
	}
	typeError(L, 1, fn, "table")
	return nil, nil
}

// tableSequence reaches a table without its metamethods, as 5.1's table
// functions do.
type tableSequence struct{ t *lua.LTable }

func (s tableSequence) Len() int { return Length(s.t) }

func (s tableSequence) Index(_ *lua.LState, i int) lua.LValue {
	if i >= 1 && i < lua.MaxArrayIndex {
		return s.t.RawGetInt(i)
	}
	return s.t.RawGetH(lua.LNumber(i))
}

func (s tableSequence) SetIndex(L *lua.LState, i int, v lua.LValue) {
	if v == lua.LNil && s.Index(L, i) == lua.LNil {
		return // gopher-lua would lengthen its array to hold the nil
	}
	s.t.RawSetInt(i, v)
}

// Length returns the length of a table's array, and takes the nils off the end
// of it, which gopher-lua leaves where elements were removed and walks over each
// time it is asked for the length.
func Length(t *lua.LTable) int {
	n := t.Len()
	if n == 0 {
		// Perhaps all of the array is nil: what is put in front is found when all
		// behind it is gone.
		t.RawSetInt(1, lua.LTrue)
	}
	last := t.Remove(-1)
	for last == lua.LNil {
		last = t.Remove(-1)
	}
	if n > 0 {
		t.RawSetInt(n, last)
	}
	return n
}
