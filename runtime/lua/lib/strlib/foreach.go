package strlib

import lua "github.com/yuin/gopher-lua"

// tabForeach and tabForeachi are what Lua 5.0 had in place of pairs and ipairs;
// 5.1 still has them.
func (l *lib) tabForeach(L *lua.LState) int {
	_, t := checkSequence(L, "foreach")
	fn := checkFunction(L, 2, "foreach")
	if t == nil {
		typeError(L, 1, "foreach", "table")
	}
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		if l.visit(L, fn, key, value) {
			return 1
		}
	}
	return 0
}

func (l *lib) tabForeachi(L *lua.LState) int {
	seq, _ := checkSequence(L, "foreachi")
	fn := checkFunction(L, 2, "foreachi")
	for i, n := 1, seq.Len(); i <= n; i++ {
		if l.visit(L, fn, intValue(i), seq.Index(L, i)) {
			return 1
		}
	}
	return 0
}

// stepsPerVisit is what finding an element and calling a function with it counts for.
const stepsPerVisit = 80

// visit calls fn and reports whether it returned something, which is left on the
// stack.
func (l *lib) visit(L *lua.LState, fn *lua.LFunction, key, value lua.LValue) bool {
	l.charge(L, stepsPerVisit)
	L.Push(fn)
	L.Push(key)
	L.Push(value)
	L.Call(2, 1)
	if L.Get(-1) != lua.LNil {
		return true
	}
	L.Pop(1)
	return false
}

func checkFunction(L *lua.LState, n int, fn string) *lua.LFunction {
	f, ok := L.Get(n).(*lua.LFunction)
	if !ok {
		typeError(L, n, fn, "function")
	}
	return f
}

func tabSetn(L *lua.LState) int {
	checkSequence(L, "setn")
	L.RaiseError("'setn' is obsolete")
	return 0
}
