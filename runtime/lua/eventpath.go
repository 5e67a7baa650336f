package lua

import (
	"slices"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/runtime/lua/access"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// pathReader reads a path of the event that is being handled.
type pathReader struct {
	steps []step
	field *event.Field
	read  func(any) glua.LValue
	// owner is the type of the last object, nil for the event itself, and place
	// that of the field in it.
	owner *bind.ObjectType
	place uint8
}

// step leads to an object, of which the path reads a field.
type step struct {
	get   func(any) any // of the object before, first of the event
	field string
	alive bool // the object must not have ended
}

// pathReader resolves a path on the events of info, whose values are made by values.
func (rt *Runtime) pathReader(p access.Path, info *event.Info, values *bind.Values) (r pathReader, ok bool) {
	var f *event.Field
	names := p.Fields
	if p.Arg == access.This {
		f, names = info.Field(names[0]), names[1:]
	} else {
		f = fieldOfArg(info, p.Arg)
	}
	for _, name := range names {
		if f == nil || f.Type.Kind != event.ObjectRef {
			return r, false
		}
		o := rt.cfg.Catalogue.Object(f.Type.Object)
		if o == nil {
			return r, false
		}
		get := f.Get.Object
		f = o.Field(name)
		r.steps = append(r.steps, step{get, name, f != nil && o.Kept && !f.AfterEnd})
		r.owner = rt.objectType(o.Name)
		r.place = placeOf(o, name)
	}
	if f == nil {
		return r, false
	}
	r.field, r.read = f, bind.Reader(f, values)
	return r, true
}

// placeOf returns the place of a field in its object.
func placeOf(o *event.Object, name string) uint8 {
	return uint8(slices.IndexFunc(o.Fields, func(f event.Field) bool { return f.Name == name }))
}

// alive reports whether the object that the field is of must not have ended.
func (r *pathReader) alive() bool {
	return len(r.steps) > 0 && r.steps[len(r.steps)-1].alive
}

// holds returns what leads to the object without raising: nil where a script
// would get an error.
func (r *pathReader) holds() bind.Holder {
	if len(r.steps) == 0 {
		return func(e any) any { return e }
	}
	h := r.steps[0].holds()
	for _, s := range r.steps[1:] {
		before, next := h, s.holds()
		h = func(e any) any {
			o := before(e)
			if o == nil {
				return nil
			}
			return next(o)
		}
	}
	return h
}

// holds takes the step without raising.
func (s step) holds() bind.Holder {
	if !s.alive {
		return s.get
	}
	return func(o any) any {
		o = s.get(o)
		if k, ok := o.(event.Kept); ok && k.Ended() {
			return nil
		}
		return o
	}
}

// holder leads to the object that the last field is of and raises what indexing
// on the way would.
func (r *pathReader) holder(L *glua.LState, e any) any {
	for i := range r.steps {
		s := &r.steps[i]
		if e = s.get(e); e == nil {
			L.RaiseError("attempt to index a non-table object(nil) with key '%s'", s.field)
		}
		if k, ok := e.(event.Kept); ok && s.alive && k.Ended() {
			L.RaiseError("%s ended", k.Label())
		}
	}
	return e
}

// eventPath is the body of the functions that read and assign a path.
type eventPath struct {
	in   *instance
	path access.Path
	key  record.Value
	info *event.Info // that reader is for
	pathReader
}

// holderNow finds the object in the event at hand.
func (p *eventPath) holderNow(L *glua.LState) any {
	call := p.in.call
	if call == nil {
		L.RaiseError("%s: the handler is over", p.path)
	}
	if p.info != call.Info {
		r, ok := p.in.prog.rt.pathReader(p.path, call.Info, &p.in.values)
		if !ok {
			L.RaiseError("%s: nothing of the kind here", p.path)
		}
		p.info, p.pathReader = call.Info, r
	}
	return p.holder(L, call.Event)
}

// record returns the record of a keyed path. It stands for no value of the
// script, so it needs no userdata.
func (p *eventPath) record(L *glua.LState) *record.Table {
	kept, ok := p.holderNow(L).(event.Kept)
	if !ok {
		L.RaiseError("%s: no record", p.path)
	}
	return p.in.env.Services.Data(kept, p.in.prog.path).Table()
}

func (p *eventPath) get(L *glua.LState) int {
	if p.path.Keyed {
		L.Push(p.in.recordKey(p.record(L), p.path.Key))
		return 1
	}
	o := p.holderNow(L)
	if p.field.Type.Kind == event.Record {
		L.Push(p.in.Data(L, o.(event.Kept)))
	} else {
		L.Push(p.read(o))
	}
	return 1
}

func (p *eventPath) check(L *glua.LState) int {
	p.holderNow(L)
	L.Push(glua.LTrue)
	return 1
}

func (p *eventPath) set(L *glua.LState) int {
	p.in.setRecord(L, p.record(L), p.key, L.Get(2))
	return 0
}

// recordKey reads a key of a record as its metatable does.
func (in *instance) recordKey(t *record.Table, key string) glua.LValue {
	v := in.fromRecord(t.Get(record.String(key)))
	if v == glua.LNil && key == "incr" {
		return in.incr
	}
	return v
}

// openStateKey installs what reads and assigns state.key.
func (in *instance) openStateKey(key string) {
	if in.env.State == nil {
		return
	}
	L, g := in.vm.State(), in.vm.Globals()
	t, at := in.env.State.Table(), record.String(key)
	g.RawSetString(access.StateName+key, L.NewFunction(func(L *glua.LState) int {
		L.Push(in.recordKey(t, key))
		return 1
	}))
	g.RawSetString(access.SetStateName+key, L.NewFunction(func(L *glua.LState) int {
		in.setRecord(L, t, at, L.Get(1))
		return 0
	}))
}
