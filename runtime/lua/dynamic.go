package lua

import (
	"fmt"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// binders are the bodies of the methods that objects declare to have handlers
// bound to them, by name. They are the same for all types.
var binders = map[string]func(in *instance, L *glua.LState, at *engine.Attachment) int{
	"on": (*instance).bindOn, "off": (*instance).bindOff,
	"after": func(in *instance, L *glua.LState, at *engine.Attachment) int { return in.startTimer(L, at, "after", 2) },
	"every": func(in *instance, L *glua.LState, at *engine.Attachment) int { return in.startTimer(L, at, "every", 2) },
}

// binder makes the body of a method that binds handlers to objects of type t.
func (in *instance) binder(t *bind.ObjectType, name string) glua.LGFunction {
	body := binders[name]
	return func(L *glua.LState) int {
		ob, ok := valueOf[*object](L.Get(1))
		if !ok || ob.typ != t {
			L.RaiseError("'%s' is a method of a %s: call it with a colon, as in x:%s()", name, t.Info.Name, name)
		}
		in.Effect(L, name)
		return body(in, L, &engine.Attachment{Object: ob.o.(event.Kept), Type: t.Info.Name})
	}
}

// bindOn is c:on(point, handler [, param]).
func (in *instance) bindOn(L *glua.LState, at *engine.Attachment) int {
	p := in.pointArg(L, "on", at)
	if L.Get(3) == glua.LNil {
		return in.outcome(L, in.env.Services.Unbind(in.call, at, p.name))
	}
	h, made := in.handlerArg(L, "on", 3)
	err := in.env.Services.Bind(in.call, at, p.name, h)
	if err != nil && made {
		in.drop(h.Func)
	}
	return in.outcome(L, err)
}

// bindOff is c:off(point), or c:off "name" for the timer of a handler.
func (in *instance) bindOff(L *glua.LState, at *engine.Attachment) int {
	switch v := L.Get(2).(type) {
	case glua.LString:
		return in.outcome(L, in.env.Services.Cancel(in.call, at, string(v)))
	case *glua.LUserData:
		if h, ok := v.Value.(*handle); ok {
			return in.outcome(L, in.env.Services.Cancel(in.call, at, h.name))
		}
	}
	return in.outcome(L, in.env.Services.Unbind(in.call, at, in.pointArg(L, "off", at).name))
}

// startAfter is after(time, handler [, param]).
func (in *instance) startAfter(L *glua.LState) int {
	in.Effect(L, "after")
	return in.startTimer(L, nil, "after", 1)
}

// startTimer starts a timer of an object, or of none; argument i is the time,
// then come handler and parameter.
func (in *instance) startTimer(L *glua.LState, at *engine.Attachment, what string, i int) int {
	d, err := durationOf(L.Get(i))
	if err == nil && d <= 0 {
		err = fmt.Errorf("a time is more than 0")
	}
	if err == nil && what == "every" && d < time.Millisecond {
		err = fmt.Errorf("a timer that repeats runs every millisecond at most")
	}
	if err != nil {
		L.RaiseError("bad argument #1 to '%s' (%s)", what, err.Error())
	}
	h, made := in.handlerArg(L, what, i+1)
	err = in.env.Services.Delay(in.call, at, d, what == "every", h)
	if err != nil && made {
		in.drop(h.Func)
	}
	return in.outcome(L, err)
}

// pointArg reads the hook point that a handler is bound at.
func (in *instance) pointArg(L *glua.LState, what string, at *engine.Attachment) *point {
	p, ok := valueOf[*point](L.Get(2))
	if !ok {
		L.RaiseError("bad argument #1 to '%s' (hook point expected, got %s)", what, describe(L.Get(2)))
	}
	if info, _, err := in.prog.rt.cfg.Catalogue.Find(p.name); err == nil {
		if f := info.Subject(); f == nil || f.Type.Object != at.Type {
			L.RaiseError("bad argument #1 to '%s' (%s is not about a %s)", what, p.name, at.Type)
		}
		if info.Global {
			L.RaiseError("bad argument #1 to '%s' (%s is global: it is the first event of a %s, which only rules hear)", what, p.name, at.Type)
		}
	}
	return p
}

// handlerArg reads argument i, a handler, and the parameter behind it. made says
// that the function got a number for it.
func (in *instance) handlerArg(L *glua.LState, what string, i int) (h *engine.Handler, made bool) {
	n := i - 1
	if what == "after" && i == 2 {
		n = i
	}
	h = &engine.Handler{Instance: in}
	param, err := bind.Plain(in, L.Get(i+1))
	if err != nil {
		L.RaiseError("bad argument #%d to '%s' (%s)", n+1, what, err.Error())
	}
	h.Param = param
	switch v := L.Get(i).(type) {
	case glua.LString:
		h.Name = string(v)
		return h, false
	case *glua.LUserData:
		if named, ok := v.Value.(*handle); ok && named.word == "handler" {
			h.Name = named.name
			return h, false
		}
	case *glua.LFunction:
		if v.Proto != nil {
			h.Func, made = in.hold(v)
			if h.Line = v.Proto.LineDefined; v.Proto.SourceName != in.prog.path {
				h.Line = in.line(L)
			}
			return h, made
		}
	}
	L.RaiseError("bad argument #%d to '%s' (function of the script or name of a handler expected, got %s)", n, what, describe(L.Get(i)))
	return nil, false
}

// hold numbers a function that the running handler binds; made is false if it has
// a number already.
func (in *instance) hold(fn *glua.LFunction) (id engine.FuncID, made bool) {
	if id, ok := in.held[fn]; ok {
		return id, false
	}
	f := function{fn: fn, traits: in.traitsOf(in.prog.functions[fn.Proto])}
	if n := len(in.vacant); n > 0 {
		id, in.vacant = in.vacant[n-1], in.vacant[:n-1]
		in.funcs[id-1] = f
	} else {
		in.funcs = append(in.funcs, f)
		id = engine.FuncID(len(in.funcs))
	}
	in.held[fn] = id
	return id, true
}

// drop forgets a function that a handler bound.
func (in *instance) drop(id engine.FuncID) {
	delete(in.held, in.funcs[id-1].fn)
	in.funcs[id-1] = function{}
	in.vacant = append(in.vacant, id)
}

// Release implements [engine.Instance].
func (in *instance) Release(id engine.FuncID) {
	if int(id) <= len(in.funcs) {
		in.drop(id)
	}
}
