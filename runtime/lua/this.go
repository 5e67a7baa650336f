package lua

import (
	"fmt"
	"sort"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// thisFields are what this has at every hook point.
var thisFields = map[string]func(in *instance, L *glua.LState, c *engine.Call) glua.LValue{
	"count": func(_ *instance, _ *glua.LState, c *engine.Call) glua.LValue { return glua.LNumber(c.Matches()) },
	"data":  (*instance).raisedData,
	"event": func(_ *instance, _ *glua.LState, c *engine.Call) glua.LValue {
		switch {
		case c.User != "":
			return glua.LString("event." + c.User)
		case c.Info != nil:
			return glua.LString(c.Info.Name)
		}
		return glua.LNil
	},
	"gen":   func(_ *instance, _ *glua.LState, c *engine.Call) glua.LValue { return glua.LNumber(c.Gen) },
	"param": func(in *instance, L *glua.LState, c *engine.Call) glua.LValue { return bind.Value(in, L, c.Param) },
	"phase": func(_ *instance, _ *glua.LState, c *engine.Call) glua.LValue {
		if c.Where == nil || c.Where.Phase == "" {
			return glua.LNil
		}
		return glua.LString(c.Where.Phase)
	},
	"rule": func(_ *instance, _ *glua.LState, c *engine.Call) glua.LValue { return glua.LString(c.Rule) },
	"ts": func(in *instance, _ *glua.LState, _ *engine.Call) glua.LValue {
		return glua.LNumber(float64(in.now()) / 1e9)
	},
	"verdict": func(in *instance, _ *glua.LState, c *engine.Call) glua.LValue {
		if c.Info == nil {
			return glua.LNil
		}
		return in.constant(in.prog.rt.cfg.Catalogue.Family(c.Info.Family), c.Verdict)
	},
}

// raisedData returns what came with a raised event, converted once a call.
func (in *instance) raisedData(L *glua.LState, c *engine.Call) glua.LValue {
	if in.payload == nil {
		in.payload = bind.Value(in, L, c.Payload)
	}
	return in.payload
}

// openThis installs `this`.
func (in *instance) openThis() {
	mt := in.metatable("this", in.thisIndex, nil, constantText("this"))
	in.vm.Globals().RawSetString("this", value(&family{name: "this"}, mt))
}

func (in *instance) thisIndex(L *glua.LState) int {
	key, c := keyOf(L), in.call
	if c == nil {
		in.raise(L, remark{msg: "this." + key + ": only a handler has this", word: "this"})
	}
	if get := thisFields[key]; get != nil {
		L.Push(get(in, L, c))
		return 1
	}
	et := in.prog.rt.events[c.Info]
	if et != nil {
		if v, ok := et.This(in, L, c.Event, key); ok {
			L.Push(v)
			return 1
		}
	}
	in.noThis(L, key, c.Info)
	return 0
}

// noThis raises that this has nothing of that name here.
func (in *instance) noThis(L *glua.LState, key string, info *event.Info) {
	var names []string
	for name := range thisFields {
		names = append(names, name)
	}
	sort.Strings(names) // of equally near ones, the hint names the first
	where := "a timer, and in what spawn runs"
	if info != nil {
		where = info.Name
		for i := range info.Fields {
			names = append(names, info.Fields[i].Name)
		}
		for i, a := range info.Args {
			if a == key {
				in.raise(L, remark{msg: fmt.Sprintf("this has no field %s: it is argument %d of the handler", key, i+1), word: key})
			}
		}
	}
	in.raise(L, remark{msg: fmt.Sprintf("this has no field %s at %s", key, where), hint: nearest(key, names), word: key})
}
