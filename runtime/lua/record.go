package lua

import (
	"fmt"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
	"github.com/hookd/hookd/runtime/lua/vm"
)

// recordValue is what the userdata of a record's table holds. A record's, as an
// object's, may outlive its machine, and keeps nothing of it then.
type recordValue struct {
	of *machine
	t  *record.Table
}

var (
	_ vm.Iterable     = (*recordValue)(nil)
	_ strlib.Sequence = (*recordValue)(nil)
)

// recordOf returns a record's table as scripts have it.
func (in *instance) recordOf(t *record.Table) *glua.LUserData {
	return value(&recordValue{in.machine, t}, lazily(&in.meta.record, in.recordMeta))
}

// Data implements [bind.Host].
func (in *instance) Data(_ *glua.LState, o event.Kept) glua.LValue {
	ob, _ := in.objectOf(o)
	if ob != nil && ob.data != nil {
		return ob.data
	}
	ud := in.recordOf(in.env.Services.Data(o, in.prog.path).Table())
	if ob != nil {
		ob.data = ud
	}
	return ud
}

// objectOf returns what this machine holds of a kept object.
func (in *instance) objectOf(o event.Kept) (*object, bool) {
	slots := o.Slots()
	if slots == nil {
		return nil, false
	}
	k, _ := slots.Get(in.slot).(*keptObject)
	ud := k.of(in.machine)
	if ud == nil {
		return nil, false
	}
	ob, ok := ud.Value.(*object)
	return ob, ok
}

// Next implements [vm.Iterable].
func (r *recordValue) Next(L *glua.LState, key glua.LValue) (k, v glua.LValue) {
	from, err := scalar(key)
	if err != nil {
		L.RaiseError("next: %s", err.Error())
	}
	rk, rv, err := r.t.Next(from)
	if err != nil {
		L.RaiseError("%s", err.Error())
	}
	return r.of.in.fromRecord(rk), r.of.in.fromRecord(rv)
}

// Len implements [strlib.Sequence].
func (r *recordValue) Len() int { return r.t.Len() }

// Index implements [strlib.Sequence].
func (r *recordValue) Index(_ *glua.LState, i int) glua.LValue {
	return r.of.in.fromRecord(r.t.Get(record.Number(float64(i))))
}

// SetIndex implements [strlib.Sequence].
func (r *recordValue) SetIndex(L *glua.LState, i int, v glua.LValue) {
	r.set(L, record.Number(float64(i)), v)
}

// set assigns.
func (r *recordValue) set(L *glua.LState, key record.Value, v glua.LValue) {
	r.of.in.setRecord(L, r.t, key, v)
}

func (in *instance) setRecord(L *glua.LState, t *record.Table, key record.Value, v glua.LValue) {
	if in.mode == filtering {
		in.Effect(L, t.Root().Name())
	}
	if in.stateDone() {
		return
	}
	val, err := in.toRecord(t.Root(), v)
	if err == nil {
		err = t.Set(key, val)
	}
	if err != nil {
		L.RaiseError("%s", err.Error())
	}
}

// stateDone reports whether what the running code does to the state was done
// before: by the top level of another shard's machine.
func (in *instance) stateDone() bool { return in.mode == loading && in.env.Again && !in.rebuilt }

// recordMeta makes the metatable of records.
func (in *instance) recordMeta() *glua.LTable {
	L := in.vm.State()
	incr := in.incr
	mt := in.metatable("record",
		func(L *glua.LState) int {
			r, key := in.recordSelf(L), L.Get(2)
			k, err := scalar(key)
			if err != nil {
				L.Push(glua.LNil)
				return 1
			}
			v := in.fromRecord(r.t.Get(k))
			if v == glua.LNil && key == glua.LString("incr") {
				v = incr
			}
			L.Push(v)
			return 1
		},
		func(L *glua.LState) int {
			r := in.recordSelf(L)
			k, err := scalar(L.Get(2))
			if err != nil {
				L.RaiseError("%s: a key is text, a number, true or false, not %s", r.t.Root().Name(), describe(L.Get(2)))
			}
			r.set(L, k, L.Get(3))
			return 0
		},
		func(L *glua.LState) int {
			L.Push(glua.LString(in.recordSelf(L).t.Root().Name()))
			return 1
		})
	mt.RawSetString("__len", L.NewFunction(func(L *glua.LState) int {
		L.Push(glua.LNumber(in.recordSelf(L).t.Len()))
		return 1
	}))
	mt.RawSetString("__eq", in.same)
	return mt
}

// recordsSame is the __eq of records, one for both metatables.
func recordsSame(L *glua.LState) int {
	L.Push(glua.LBool(sameRecord(L.Get(1), L.Get(2))))
	return 1
}

// sameRecord reports whether two values are of the same record: each time that one is
// read makes another value.
func sameRecord(a, b glua.LValue) bool {
	x, ok1 := valueOf[*recordValue](a)
	y, ok2 := valueOf[*recordValue](b)
	return ok1 && ok2 && x.t.Same(y.t)
}

func (in *instance) recordSelf(L *glua.LState) *recordValue {
	r, ok := valueOf[*recordValue](L.Get(1))
	if !ok {
		L.RaiseError("a record expected, got %s", describe(L.Get(1)))
	}
	return r
}

// recordIncr is state:incr(key [, n]).
func (in *instance) recordIncr(L *glua.LState) int {
	r := in.recordSelf(L)
	if in.mode == filtering {
		in.Effect(L, r.t.Root().Name()+":incr")
	}
	key, err := scalar(L.Get(2))
	if err != nil || L.Get(2) == glua.LNil {
		L.RaiseError("bad argument #1 to 'incr' (a key is text, a number, true or false, not %s)", describe(L.Get(2)))
	}
	n, ok := L.Get(3).(glua.LNumber)
	switch {
	case L.Get(3) == glua.LNil:
		n = 1
	case !ok:
		L.RaiseError("bad argument #2 to 'incr' (number expected, got %s)", L.Get(3).Type())
	}
	if in.stateDone() {
		n = 0
	}
	sum, err := r.t.Incr(key, float64(n))
	if err != nil {
		L.RaiseError("%s", err.Error())
	}
	L.Push(glua.LNumber(sum))
	return 1
}

// openState installs `state`: indexed it is the script's own record, called it
// gives the keys that are not there yet their first values.
func (in *instance) openState() {
	if in.env.State == nil {
		in.vm.Globals().RawSetString("state", glua.LFalse)
		return
	}
	mt := in.recordMeta()
	mt.RawSetString("__call", in.vm.State().NewFunction(func(L *glua.LState) int {
		_, line := in.declaring(L, "state")
		t, ok := L.Get(2).(*glua.LTable)
		if !ok {
			in.raise(L, remark{msg: fmt.Sprintf("state takes a table of first values, not %s", describe(L.Get(2))), hint: "as in state { seen = 0 }", word: "state"})
		}
		in.defaults(L, t, line)
		return 0
	}))
	in.vm.Globals().RawSetString("state", value(&recordValue{in.machine, in.env.State.Table()}, mt))
}

// defaults fills the keys of the state that are not there.
func (in *instance) defaults(L *glua.LState, t *glua.LTable, line int) {
	top := in.env.State.Table()
	node := in.prog.outline.table(line, "state", "")
	for k, v := t.Next(glua.LNil); k != glua.LNil; k, v = t.Next(k) {
		key, err := scalar(k)
		if err == nil && !top.Get(key).IsNil() {
			continue
		}
		var val record.Value
		if err == nil {
			val, err = in.toRecord(in.env.State, v)
		}
		if err == nil {
			err = top.Set(key, val)
		}
		if err != nil {
			name := k.String()
			in.raise(L, remark{msg: err.Error(), word: name, line: lineOfField(fieldOf(node, name), line)})
		}
	}
}
