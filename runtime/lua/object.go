package lua

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// object is what the userdata of a stack's object holds.
type object struct {
	typ *bind.ObjectType
	o   any
	// epoch is that of the call which a lent object was lent to.
	epoch uint64
	data  *glua.LUserData // the script's record of a kept object, once asked for
}

// slotKey is where a script hangs its userdata on a kept object. It is the same
// over reloads, so that a new machine takes the place of the one before.
type slotKey string

// keptObject is what hangs there: the userdata of one machine, and those of
// earlier ones that still run.
type keptObject struct {
	machine *machine
	ud      *glua.LUserData
	next    *keptObject
}

// machine tells one from the next, and whether it still runs.
type machine struct {
	in     *instance // nil once it is closed
	closed bool
}

// of returns the userdata that a machine has of the object, or nil.
func (k *keptObject) of(m *machine) *glua.LUserData {
	for ; k != nil; k = k.next {
		if k.machine == m {
			return k.ud
		}
	}
	return nil
}

// running leaves out what closed machines had.
func (k *keptObject) running() *keptObject {
	switch {
	case k == nil:
		return nil
	case k.machine.closed:
		return k.next.running()
	}
	return &keptObject{k.machine, k.ud, k.next.running()}
}

// Gone reports whether none of them runs.
func (k *keptObject) Gone() bool { return k.running() == nil }

// lentObject is one that was lent to the running call.
type lentObject struct {
	o  any
	ud *glua.LUserData
}

var (
	errLent   = errors.New("lent: its handler returned; copy what you need")
	errWaited = errors.New("lent: its handler waited; copy what you need before")
)

// notLent is the error about a lent object that is void.
func (in *instance) notLent() error {
	if in.running != nil {
		return errWaited
	}
	return errLent
}

// Object implements [bind.Host].
func (in *instance) Object(t bind.TypeID, o any) glua.LValue {
	if o == nil {
		return glua.LNil
	}
	kept, ok := o.(event.Kept)
	if !ok {
		return in.lend(t, o)
	}
	slots := kept.Slots()
	switch {
	case in.passing:
		return in.lend(t, o)
	case slots == nil:
		return in.wrap(t, o)
	}
	k, _ := slots.Get(in.slot).(*keptObject)
	if ud := k.of(in.machine); ud != nil {
		return ud
	}
	ud := in.wrap(t, o)
	in.env.Shard.Change()
	slots.Set(in.slot, &keptObject{in.machine, ud, k.running()})
	in.env.Shard.Changed()
	return ud
}

// lend returns the userdata of a lent object, the same one within a call.
func (in *instance) lend(t bind.TypeID, o any) glua.LValue {
	for i := range in.lent {
		if in.lent[i].o == o {
			return in.lent[i].ud
		}
	}
	ud := in.wrap(t, o)
	in.lent = append(in.lent, lentObject{o, ud})
	return ud
}

// shown reports whether objects of a type are a field or a result of others.
func (rt *Runtime) shown(name string) bool {
	for _, t := range rt.objects {
		if slices.ContainsFunc(t.Info.Fields, func(f event.Field) bool { return f.Type.Object == name }) {
			return true
		}
		for i := range t.Info.Methods {
			if slices.ContainsFunc(t.Info.Methods[i].Results, func(p event.Param) bool { return p.Type.Object == name }) {
				return true
			}
		}
	}
	return false
}

// wrap makes the userdata of an object. Both live as long as each other, so they
// are one allocation.
func (in *instance) wrap(t bind.TypeID, o any) *glua.LUserData {
	w := &struct {
		ud glua.LUserData
		ob object
	}{}
	w.ob = object{typ: in.prog.rt.objects[t], o: o, epoch: in.epoch}
	w.ud.Value, w.ud.Metatable = &w.ob, in.metaOf(t)
	return &w.ud
}

// Live implements [bind.Host].
func (in *instance) Live(v glua.LValue, t bind.TypeID) (any, error) {
	ud, ok := v.(*glua.LUserData)
	if !ok {
		return nil, fmt.Errorf("%s expected, got %s", in.prog.rt.objects[t].Info.Name, v.Type())
	}
	ob, ok := ud.Value.(*object)
	if !ok || ob.typ.ID != t {
		return nil, fmt.Errorf("%s expected, got %s", in.prog.rt.objects[t].Info.Name, describe(v))
	}
	if k, kept := ob.o.(event.Kept); kept {
		if k.Ended() {
			return nil, &bind.EndedError{Label: k.Label()}
		}
		return ob.o, nil
	}
	if ob.epoch != in.epoch {
		return nil, in.notLent()
	}
	return ob.o, nil
}

// lentOut reports whether the object was lent to a call that returned.
func (in *instance) lentOut(ob *object) bool { return !ob.typ.Info.Kept && ob.epoch != in.epoch }

// openObjects forgets the metatables of a machine before.
func (in *instance) openObjects() {
	in.metas = make([]*glua.LTable, len(in.prog.rt.objects))
	in.methods = make([]map[string]*glua.LFunction, len(in.metas))
}

// metaOf returns the metatable of a type, made when there is the first object of
// it: few scripts see all types.
func (in *instance) metaOf(t bind.TypeID) *glua.LTable {
	if in.metas[t] == nil {
		in.metas[t] = in.objectMeta(in.prog.rt.objects[t])
	}
	return in.metas[t]
}

// methodsOf returns the methods of a type, made when the first is needed.
func (in *instance) methodsOf(t *bind.ObjectType) map[string]*glua.LFunction {
	if in.methods[t.ID] != nil {
		return in.methods[t.ID]
	}
	L := in.vm.State()
	methods := make(map[string]*glua.LFunction, len(t.Methods))
	for name, m := range t.Methods {
		methods[name] = L.NewFunction(func(L *glua.LState) int { return m(in, L) })
	}
	for i := range t.Info.Methods {
		if m := &t.Info.Methods[i]; m.Native {
			methods[m.Name] = L.NewFunction(in.binder(t, m.Name))
		}
	}
	in.methods[t.ID] = methods
	return methods
}

func (in *instance) objectMeta(t *bind.ObjectType) *glua.LTable {
	methods := in.methodsOf(t)
	return in.metatable(t.Info.Name,
		func(L *glua.LState) int {
			ob, key := in.self(L, t), keyOf(L)
			if !in.lentOut(ob) {
				if v, ok := t.Index(in, L, ob.o, key); ok {
					L.Push(v)
					return 1
				}
			}
			if fn := methods[key]; fn != nil {
				L.Push(fn)
				return 1
			}
			if in.lentOut(ob) {
				in.raise(L, remark{msg: key + ": " + in.notLent().Error()})
			}
			in.noField(L, t, key)
			return 0
		},
		func(L *glua.LState) int {
			ob, key := in.self(L, t), keyOf(L)
			if in.lentOut(ob) {
				in.raise(L, remark{msg: key + ": " + in.notLent().Error()})
			}
			if t.SetIndex != nil && t.SetIndex(in, L, ob.o, key, L.Get(3)) {
				return 0
			}
			if t.Info.Field(key) == nil && t.Info.Method(key) == nil {
				in.noField(L, t, key)
			}
			in.raise(L, remark{msg: fmt.Sprintf("%s.%s is read-only", t.Info.Name, key), word: key})
			return 0
		},
		func(L *glua.LState) int {
			L.Push(glua.LString(in.label(in.self(L, t))))
			return 1
		})
}

// self returns the object that a metamethod is called on.
func (in *instance) self(L *glua.LState, t *bind.ObjectType) *object {
	if ud, ok := L.Get(1).(*glua.LUserData); ok {
		if ob, ok := ud.Value.(*object); ok && ob.typ == t {
			return ob
		}
	}
	L.RaiseError("%s expected, got %s", t.Info.Name, describe(L.Get(1)))
	return nil
}

// keyOf returns the key that an index or assignment names.
func keyOf(L *glua.LState) string {
	if key, ok := L.Get(2).(glua.LString); ok {
		return string(key)
	}
	return L.Get(2).String()
}

// label is what tostring gives.
func (in *instance) label(ob *object) string {
	switch o := ob.o.(type) {
	case fmt.Stringer:
		return o.String()
	case event.Kept:
		return o.Label()
	}
	return ob.typ.Info.Name
}

// noField raises that an object has nothing of that name.
func (in *instance) noField(L *glua.LState, t *bind.ObjectType, key string) {
	var names []string
	for i := range t.Info.Fields {
		names = append(names, t.Info.Fields[i].Name)
	}
	for i := range t.Info.Methods {
		names = append(names, t.Info.Methods[i].Name)
	}
	sort.Strings(names)
	in.raise(L, remark{
		msg:  fmt.Sprintf("%s has no field or method %s", t.Info.Name, key),
		hint: meant(key, names, t.Info.Name), word: key,
	})
}
