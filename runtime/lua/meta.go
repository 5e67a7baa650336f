package lua

import (
	"fmt"

	glua "github.com/yuin/gopher-lua"
)

// metatables are those of the API's own values.
type metatables struct {
	point, verdict, test, record, store, handle *glua.LTable
}

// metatable makes one. A nil newindex makes assignments an error that says what
// is read-only.
func (in *instance) metatable(name string, index, newindex, text glua.LGFunction) *glua.LTable {
	L := in.vm.State()
	if newindex == nil {
		newindex = func(L *glua.LState) int {
			in.raise(L, remark{msg: fmt.Sprintf("%s is read-only", name), word: name})
			return 0
		}
	}
	mt := L.CreateTable(0, 8)
	mt.RawSetString("__metatable", glua.LString(name))
	if index != nil {
		mt.RawSetString("__index", L.NewFunction(index))
	}
	mt.RawSetString("__newindex", L.NewFunction(newindex))
	if text != nil {
		mt.RawSetString("__tostring", L.NewFunction(text))
	}
	return mt
}

// constantText makes a __tostring that always says the same.
func constantText(text string) glua.LGFunction {
	return func(L *glua.LState) int {
		L.Push(glua.LString(text))
		return 1
	}
}

// stringerText is the __tostring of values that know their text.
func stringerText(L *glua.LState) int {
	if ud, ok := L.Get(1).(*glua.LUserData); ok {
		if s, ok := ud.Value.(fmt.Stringer); ok {
			L.Push(glua.LString(s.String()))
			return 1
		}
	}
	L.Push(glua.LString("userdata"))
	return 1
}

// openMetatables makes the metatables that values share.
func (in *instance) openMetatables() {
	in.meta.point = in.metatable("hook point", in.pointIndex, nil, stringerText)
	in.meta.point.RawSetString("__call", in.vm.State().NewFunction(in.pointCall))
	in.meta.verdict = in.metatable("verdict", nil, nil, stringerText)
}

// lazily returns a metatable that many scripts have no use for, made at its first.
func lazily(mt **glua.LTable, make func() *glua.LTable) *glua.LTable {
	if *mt == nil {
		*mt = make()
	}
	return *mt
}

// value makes a userdata of the API.
func value(v any, meta *glua.LTable) *glua.LUserData {
	return &glua.LUserData{Value: v, Metatable: meta}
}
