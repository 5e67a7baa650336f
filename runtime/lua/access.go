package lua

import (
	"slices"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/runtime/lua/access"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// function is a function that the engine may call, by its number.
type function struct {
	fn *glua.LFunction
	traits
	// second is the handler's other form, nil where it has none.
	second *secondForm
}

// secondForm is a handler whose fields come as arguments.
type secondForm struct {
	fn *glua.LFunction
	traits
	plan *access.Handler
	// entries are the ways to call it, one an event that it is bound to.
	entries []entry
}

// entry is how the second form is called on the events of info.
type entry struct {
	info   *event.Info
	args   []argument
	groups []group
	fields int // that are arguments, of all groups
	// pushNear is there in the place of groups where all of them are near.
	pushNear func(L *glua.LState, e any, groups []bind.Group, values *bind.Values) bool
	near     []bind.Group
	sums     []sum
}

// group is the fields of one object, or of the event, that are arguments.
type group struct {
	of     access.Path // of the first
	holder bind.Holder
	alive  bool // the object must not have ended
	push   func(L *glua.LState, o any, fields []uint8, values *bind.Values)
	fields []uint8
	// reads are there in the place of push for the fields of an event.
	reads []func(o any) glua.LValue
}

// argument makes one argument that the second form has.
type argument struct {
	get  func(any) any // of the event; nil where it is no object
	id   bind.TypeID
	lent *glua.LUserData // the one of a lent object that cannot be kept
	// shown: the object can be come by in another way too, as tx.request; both are one.
	shown bool
}

// openAccess installs the hidden functions that the rewritten script calls.
func (in *instance) openAccess() {
	L, g, rw := in.vm.State(), in.vm.Globals(), &in.prog.access
	in.pairs = map[*glua.LFunction]*glua.LFunction{}
	g.RawSetString(access.PairName, L.NewFunction(func(L *glua.LState) int {
		first, ok1 := L.Get(1).(*glua.LFunction)
		second, ok2 := L.Get(2).(*glua.LFunction)
		if ok1 && ok2 && in.mode == loading {
			in.pairs[first] = second
		}
		L.SetTop(1)
		return 1
	}))
	for _, p := range rw.Paths {
		r := &eventPath{in: in, path: p, key: record.String(p.Key)}
		g.RawSetString(p.GetName(), L.NewFunction(r.get))
		if p.Keyed {
			g.RawSetString(p.CheckName(), L.NewFunction(r.check))
			g.RawSetString(p.SetName(), L.NewFunction(r.set))
		}
	}
	if len(rw.Methods) > 0 {
		in.openMethods(rw.Methods)
	}
	for _, key := range rw.StateKeys {
		in.openStateKey(key)
	}
}

// openMethods installs the hidden functions that are methods of objects.
func (in *instance) openMethods(names map[string]bool) {
	for _, t := range in.prog.rt.objects {
		for i := range t.Info.Methods {
			m := t.Info.Methods[i].Name
			if name := access.MethodName(t.Info.Name, m); names[name] {
				in.vm.Globals().RawSetString(name, in.methodsOf(t)[m])
			}
		}
	}
}

// second finds the other form of a handler.
func (in *instance) second(fn *glua.LFunction) *secondForm {
	other := in.pairs[fn]
	if other == nil {
		return nil
	}
	body := in.prog.functions[other.Proto]
	plan := in.prog.handlers[body]
	if plan == nil {
		return nil
	}
	s := &secondForm{fn: other, traits: in.traitsOf(body), plan: plan}
	for _, info := range plan.Infos {
		if e, ok := in.entry(plan, info); ok {
			s.entries = append(s.entries, e)
		}
	}
	return s
}

// entry resolves a plan on one event.
func (in *instance) entry(plan *access.Handler, info *event.Info) (entry, bool) {
	e := entry{info: info}
	for i := range plan.Params {
		if plan.Uses[i] == access.Unused {
			continue
		}
		var a argument
		switch f := fieldOfArg(info, i); {
		case f == nil:
		case f.Type.Kind != event.ObjectRef:
			return e, false
		default:
			a.get = f.Get.Object
			t := in.prog.rt.objectType(f.Type.Object)
			if t == nil {
				return e, false
			}
			a.id = t.ID
			if !t.Info.Kept && plan.Uses[i] == access.Held {
				a.lent, a.shown = in.wrap(t.ID, nil), in.prog.rt.shown(f.Type.Object)
			}
		}
		e.args = append(e.args, a)
	}
	for _, p := range plan.Hoisted {
		r, ok := in.prog.rt.pathReader(p, info, &in.values)
		if !ok || r.read == nil {
			return e, false
		}
		e.hoist(p, &r)
	}
	for _, p := range plan.Needs {
		r, ok := in.prog.rt.pathReader(p, info, &in.values)
		if !ok {
			return e, false
		}
		e.groups = append(e.groups, group{of: p, holder: r.holds(), alive: r.alive()})
	}
	et := in.prog.rt.events[info]
	e.nearby(et)
	for _, s := range plan.Sums {
		x, ok := in.prog.rt.sumOf(s, info, et)
		if !ok {
			return e, false
		}
		e.sums = append(e.sums, x)
	}
	return e, true
}

// hoist adds a field that is an argument. Those of one object stand together.
func (e *entry) hoist(p access.Path, r *pathReader) {
	e.fields++
	if n := len(e.groups); n == 0 || !e.groups[n-1].of.Beside(p) {
		e.groups = append(e.groups, group{of: p, holder: r.holds()})
	}
	g := &e.groups[len(e.groups)-1]
	if r.alive() && !g.alive {
		g.alive, g.holder = true, r.holds()
	}
	if r.owner == nil {
		g.reads = append(g.reads, r.read)
		return
	}
	g.push, g.fields = r.owner.Push, append(g.fields, r.place)
}

// nearby makes near of the groups if the event leads to all of their objects.
func (e *entry) nearby(et *bind.EventType) {
	if et == nil {
		return
	}
	var list []bind.Group
	for _, g := range e.groups {
		at := slices.Index(et.Near, g.of.Holder(e.info))
		if at < 0 {
			return
		}
		list = append(list, bind.Group{Near: uint8(at), Alive: g.alive, Fields: g.fields})
	}
	if list != nil {
		e.groups, e.near, e.pushNear = nil, list, et.Push
	}
}

func fieldOfArg(info *event.Info, i int) *event.Field {
	if i >= len(info.Args) {
		return nil
	}
	return info.Field(info.Args[i])
}

func (rt *Runtime) objectType(name string) *bind.ObjectType {
	for _, t := range rt.objects {
		if t.Info.Name == name {
			return t
		}
	}
	return nil
}

// push puts the arguments of the second form on the machine; false where the
// first form has to be called, because something that was assumed does not hold.
func (e *entry) push(in *instance, L *glua.LState, ev any) bool {
	if !e.pushFields(in, L, ev) {
		return false
	}
	for i := range e.sums {
		n, ok := e.sums[i].compute(ev)
		if !ok {
			return false
		}
		L.Push(in.values.Number(n))
	}
	return true
}

func (e *entry) pushFields(in *instance, L *glua.LState, ev any) bool {
	for i := range e.args {
		a := &e.args[i]
		if a.get == nil {
			L.Push(glua.LNil)
			continue
		}
		o := a.get(ev)
		if o == nil {
			return false
		}
		L.Push(a.value(in, o))
	}
	if e.pushNear != nil {
		return e.pushNear(L, ev, e.near, &in.values)
	}
	for i := range e.groups {
		g := &e.groups[i]
		o := g.holder(ev)
		if o == nil {
			return false
		}
		if g.push != nil {
			g.push(L, o, g.fields, &in.values)
		}
		for _, read := range g.reads {
			L.Push(read(o))
		}
	}
	return true
}

// value is what the handler sees of an argument.
func (a *argument) value(in *instance, o any) glua.LValue {
	if a.lent == nil {
		return in.Object(a.id, o)
	}
	ob := a.lent.Value.(*object)
	ob.o, ob.epoch = o, in.epoch
	if a.shown {
		in.lent = append(in.lent, lentObject{o, a.lent})
	}
	return a.lent
}

// traits are what is known of a function without running it.
type traits struct {
	// free: nobody needs to count its instructions.
	free bool
	// silent: it returns no values. Both forms of a handler do, or neither.
	silent bool
}

// traitsOf returns what is known of a function in this machine.
func (in *instance) traitsOf(body *ast.FunctionExpr) traits {
	t := in.prog.traits[body]
	t.free = t.free && !in.foreign
	return t
}

// traitsOf looks at functions.
func traitsOf(functions map[*glua.FunctionProto]*ast.FunctionExpr, names *access.Names, native func(string) bool) map[*ast.FunctionExpr]traits {
	all := map[*ast.FunctionExpr]traits{}
	for _, body := range functions {
		all[body] = traits{free: names.Bounded(body, native), silent: access.Silent(body)}
	}
	return all
}
