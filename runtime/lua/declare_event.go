package lua

import (
	"fmt"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/runtime/lua/bind"
	"github.com/hookd/hookd/runtime/lua/predicate"
)

var eventKeys = []string{"on", "match", "when", "doc"}

// openEvent installs `event`: called it declares, indexed it names a hook point.
func (in *instance) openEvent() {
	mt := in.metatable("event", func(L *glua.LState) int {
		L.Push(in.point(&point{name: "event." + keyOf(L)}))
		return 1
	}, nil, constantText("event"))
	w := word{"event", eventKeys, (*declarer).event}
	mt.RawSetString("__call", in.vm.State().NewFunction(func(L *glua.LState) int { return in.named(L, w, 2) }))
	in.vm.Globals().RawSetString("event", value(&family{name: "event"}, mt))
}

// event is `event "name" { … }`.
func (d *declarer) event(f *fields) {
	if !isName(f.name) {
		f.d.report(remark{
			msg:  fmt.Sprintf("%s: the name has to be one that event.NAME can be written with", f.title),
			hint: "letters, digits and _, not a digit first", word: "event", line: f.line,
		})
		return
	}
	when := f.nativeForm("when", predicate.Filter)
	e := &engine.EventDecl{Name: f.name, Line: f.line, Match: f.match("match"), When: f.fn("when"), NativeWhen: when.maker(), Doc: f.str("doc")}
	e.Explain = f.explanation(when, nil, nil, e.When, 0)
	if f.has("on") {
		if ref, ok := f.point("on", f.get("on"), f.at("on")); ok {
			e.On = &ref
		}
	} else if f.has("match") || f.has("when") {
		f.missing("on", "an event without a hook point is only raised and has nothing to filter")
	}
	d.plan.Events = append(d.plan.Events, e)
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// raiseEvent is raise(event.x, { … }).
func (in *instance) raiseEvent(L *glua.LState) int {
	in.Effect(L, "raise")
	p, ok := valueOf[*point](L.Get(1))
	if !ok || p.info != nil || len(p.name) < len("event.")+1 || p.name[:len("event.")] != "event." {
		in.raise(L, remark{msg: fmt.Sprintf("raise takes an event that a script declared, not %s", describe(L.Get(1))), hint: "as in raise(event.scan)", word: "raise"})
	}
	name := p.name[len("event."):]
	payload, err := bind.Plain(in, L.Get(2))
	if err == nil {
		err = in.env.Services.Raise(in.call, name, payload)
	}
	if err != nil {
		L.Push(glua.LNil)
		L.Push(glua.LString(err.Error()))
		return 2
	}
	L.Push(glua.LTrue)
	return 1
}
