package spec

import (
	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event/verb"
)

// call is one call of a word of a stack.
type call struct {
	args    []any
	results []any
	world   *world
}

// Arg implements [verb.Call].
func (c *call) Arg(i int) any {
	if i >= len(c.args) {
		return nil
	}
	return c.args[i]
}

// Return implements [verb.Call].
func (c *call) Return(list ...any) { c.results = append(c.results, list...) }

// Settle implements [verb.Call].
func (c *call) Settle() error { return c.world.settle() }

// openStackWords puts the words of stacks into the VM.
func (r *Runner) openStackWords(L *glua.LState) {
	for _, name := range r.host.Words {
		L.SetGlobal(name, L.NewFunction(r.inTest(name, func(L *glua.LState) int {
			return r.invoke(L, name, 1, r.world.traffic.Word(name))
		})))
	}
}

// invoke calls a word with the arguments from the first on.
func (r *Runner) invoke(L *glua.LState, name string, first int, word verb.Word) int {
	c := &call{world: r.world}
	for i := first; i <= L.GetTop(); i++ {
		c.args = append(c.args, r.argument(L.Get(i)))
	}
	r.world.start(epoch)
	if err := word(c); err != nil {
		L.RaiseError("%s: %s", name, err)
	}
	for _, v := range c.results {
		L.Push(r.result(L, v))
	}
	return len(c.results)
}

// argument is what a word gets of a Lua value.
func (r *Runner) argument(v glua.LValue) any {
	switch v := v.(type) {
	case *glua.LFunction:
		return verb.Func(func(args ...any) []any { return r.callback(v, args) })
	case *glua.LUserData:
		if h, ok := v.Value.(*heldThing); ok {
			return h.thing
		}
	}
	return goValue(v)
}

// callback calls a function of the spec while one of its words runs.
func (r *Runner) callback(fn *glua.LFunction, args []any) []any {
	L := r.calling
	base := L.GetTop()
	L.Push(fn)
	for _, a := range args {
		L.Push(r.result(L, a))
	}
	L.Call(len(args), glua.MultRet)
	var list []any
	for i := base + 1; i <= L.GetTop(); i++ {
		list = append(list, r.argument(L.Get(i)))
	}
	L.SetTop(base)
	return list
}

// result is what a spec gets of a word's value.
func (r *Runner) result(L *glua.LState, v any) glua.LValue {
	if t, ok := v.(verb.Thing); ok {
		return r.hold(L, t)
	}
	return luaValue(L, v)
}

// heldThing is a thing with the world it belongs to.
type heldThing struct {
	thing verb.Thing
	world *world
}

// hold makes the object that a spec has of a thing, one for each.
func (r *Runner) hold(L *glua.LState, t verb.Thing) *glua.LUserData {
	if ud := r.world.things[t]; ud != nil {
		return ud
	}
	methods := L.NewTable()
	for name, m := range t.Words() {
		methods.RawSetString(name, L.NewFunction(r.inTest(name, r.thingMethod(name, t, m))))
	}
	meta := L.NewTable()
	meta.RawSetString("__index", methods)
	meta.RawSetString("__metatable", glua.LString(t.Kind()))
	meta.RawSetString("__tostring", L.NewFunction(func(L *glua.LState) int {
		L.Push(glua.LString(t.Kind()))
		return 1
	}))
	ud := L.NewUserData()
	ud.Value = &heldThing{t, r.world}
	L.SetMetatable(ud, meta)
	r.world.things[t] = ud
	return ud
}

func (r *Runner) thingMethod(name string, t verb.Thing, m verb.Word) glua.LGFunction {
	return func(L *glua.LState) int {
		ud, ok := L.Get(1).(*glua.LUserData)
		var h *heldThing
		if ok {
			h, ok = ud.Value.(*heldThing)
		}
		switch {
		case !ok || h.thing != t:
			L.RaiseError("call it with a colon: x:%s(…)", name)
		case h.world != r.world:
			L.RaiseError("this %s belongs to another test", t.Kind())
		}
		return r.invoke(L, name, 2, m)
	}
}
