package spec

import (
	"fmt"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/bind"
)

// Object is what a word that a stack adds to the language of specs returns beside plain
// data, such as a phone. Its methods are called with the shard entered.
type Object interface {
	// Kind is what messages call it.
	Kind() string
	// Member returns a field, which is plain data or an Object, or a method, which is a
	// func(args []any) (any, error) such as a word is; nil if there is none of that name.
	Member(name string) any
}

// word is a word of a stack, or a method of what it returned: plain data and objects in
// and out.
type word = func(args []any) (any, error)

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
			return r.say(L, name, r.world.traffic.Word(name), 1)
		})))
	}
	meta := L.NewTypeMetatable(objectType)
	meta.RawSetString("__index", L.NewFunction(r.member))
	meta.RawSetString("__metatable", glua.LString(objectType))
}

// say calls a word with the arguments from place first on.
func (r *Runner) say(L *glua.LState, name string, fn word, first int) int {
	args := make([]any, 0, L.GetTop())
	for i := first; i <= L.GetTop(); i++ {
		v, err := bind.Plain(arguments{world: r.world}, L.Get(i))
		if err != nil {
			L.RaiseError("%s: %s", name, err)
		}
		args = append(args, v)
	}
	var result any
	err := r.world.in(func() (err error) {
		result, err = fn(args)
		return err
	})
	if err != nil {
		L.RaiseError("%s: %s", name, err)
	}
	L.Push(r.shown(L, result))
	return 1
}

// shown makes a Lua value of what a word returned.
func (r *Runner) shown(L *glua.LState, v any) glua.LValue {
	o, ok := v.(Object)
	if !ok {
		return luaValue(L, v)
	}
	ud := L.NewUserData()
	ud.Value = &heldObject{o, r.world}
	L.SetMetatable(ud, L.GetTypeMetatable(objectType))
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
	fn, isMethod := v.(word)
	switch {
	case v == nil:
		L.RaiseError("a %s has no %s", h.object.Kind(), name)
	case !isMethod:
		L.Push(r.shown(L, v))
		return 1
	}
	L.Push(L.NewFunction(func(L *glua.LState) int {
		if L.Get(1) != ud {
			L.RaiseError("call it with a colon: %s:%s(…)", h.object.Kind(), name)
		}
		return r.say(L, name, fn, 2)
	}))
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
