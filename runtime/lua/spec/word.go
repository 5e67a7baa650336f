package spec

import (
	"fmt"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event/verb"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// Object is what a word that a stack adds to the language of specs returns beside plain
// data, such as a phone or a client. Two are the same if they are equal by ==.
type Object interface {
	// Kind is what messages call it.
	Kind() string
	// Member returns a field, which is plain data or an Object, or a method, which is a
	// function such as [Traffic].Word returns; nil if there is none of that name.
	Member(name string) any
}

// word is a word of a stack, or a method of what it returned: plain data and objects in
// and out, with the shard entered.
type word = func(args []any) (any, error)

// wordOf makes one kind of words of two.
func (w *world) wordOf(v any) verb.Word {
	switch fn := v.(type) {
	case verb.Word:
		return fn
	case func(verb.Call) error:
		return fn
	case word:
		return func(c verb.Call) error {
			var result any
			err := w.in(func() (err error) {
				result, err = fn(c.(*call).args)
				return err
			})
			c.Return(result)
			return err
		}
	}
	return nil
}

// call is one call of a word.
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

// objectType is the registry name of the metatable of objects.
const objectType = "spec.object"

// heldObject is an object with the world it was made in.
type heldObject struct {
	object Object
	world  *world
}

// openObjects makes the type of the stacks' objects and puts their words into the VM.
func (r *Runner) openObjects(L *glua.LState) {
	for _, name := range r.host.Words {
		L.SetGlobal(name, L.NewFunction(r.inTest(name, func(L *glua.LState) int {
			return r.say(L, name, r.world.wordOf(r.world.traffic.Word(name)), 1)
		})))
	}
	meta := L.NewTypeMetatable(objectType)
	meta.RawSetString("__index", L.NewFunction(r.member))
	meta.RawSetString("__metatable", glua.LString(objectType))
}

// say calls a word with the arguments from place first on.
func (r *Runner) say(L *glua.LState, name string, fn verb.Word, first int) int {
	c := &call{world: r.world}
	for i := first; i <= L.GetTop(); i++ {
		v, err := r.argument(L.Get(i))
		if err != nil {
			L.RaiseError("%s: %s", name, err)
		}
		c.args = append(c.args, v)
	}
	r.world.start(epoch)
	if err := fn(c); err != nil {
		L.RaiseError("%s: %s", name, err)
	}
	for _, v := range c.results {
		L.Push(r.shown(L, v))
	}
	return len(c.results)
}

// argument is what a word gets of a Lua value.
func (r *Runner) argument(v glua.LValue) (any, error) {
	switch v := v.(type) {
	case glua.LString:
		return string(v), nil // of any length
	case *glua.LFunction:
		return verb.Func(func(args ...any) []any { return r.callback(v, args) }), nil
	}
	return bind.Plain(arguments{world: r.world}, v)
}

// callback calls a function of the spec while one of its words runs.
func (r *Runner) callback(fn *glua.LFunction, args []any) []any {
	L := r.calling
	base := L.GetTop()
	L.Push(fn)
	for _, a := range args {
		L.Push(r.shown(L, a))
	}
	L.Call(len(args), glua.MultRet)
	var list []any
	for i := base + 1; i <= L.GetTop(); i++ {
		v, err := r.argument(L.Get(i))
		if err != nil {
			L.RaiseError("what a function returns: %s", err)
		}
		list = append(list, v)
	}
	L.SetTop(base)
	return list
}

// shown makes a Lua value of what a word returned; an object has one in each test.
func (r *Runner) shown(L *glua.LState, v any) glua.LValue {
	o, ok := v.(Object)
	if !ok {
		return luaValue(L, v)
	}
	ud := r.world.things[o]
	if ud == nil {
		ud = L.NewUserData()
		ud.Value = &heldObject{o, r.world}
		L.SetMetatable(ud, L.GetTypeMetatable(objectType))
		r.world.things[o] = ud
	}
	return ud
}

// member reads a field of an object, or one of its methods.
func (r *Runner) member(L *glua.LState) int {
	name := L.CheckString(2)
	ud, ok := L.Get(1).(*glua.LUserData)
	var h *heldObject
	if ok {
		h, ok = ud.Value.(*heldObject)
	}
	switch {
	case !ok:
		L.RaiseError("%s is of no object", name)
	case h.world != r.world:
		L.RaiseError("this %s belongs to another test", h.object.Kind())
	}
	v := h.object.Member(name)
	fn := r.world.wordOf(v)
	switch {
	case v == nil:
		L.RaiseError("a %s has no %s", h.object.Kind(), name)
	case fn == nil:
		L.Push(r.shown(L, v))
		return 1
	}
	L.Push(L.NewFunction(r.inTest(name, func(L *glua.LState) int {
		if L.Get(1) != ud {
			L.RaiseError("call it with a colon: %s:%s(…)", h.object.Kind(), name)
		}
		return r.say(L, name, fn, 2)
	})))
	return 1
}

// arguments lets objects be arguments of words.
type arguments struct {
	bind.Host // nothing of it is asked but Plain
	world     *world
}

// Plain implements [bind.Host].
func (a arguments) Plain(ud *glua.LUserData) (any, error) {
	h, ok := ud.Value.(*heldObject)
	if !ok || h.world != a.world {
		return nil, fmt.Errorf("plain data or an object of this test expected")
	}
	return h.object, nil
}
