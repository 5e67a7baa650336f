package lua

import (
	"fmt"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/runtime/lua/predicate"
)

var handlerKeys = []string{
	"on", "match", "when", "threshold", "priority", "run", "verdict", "on_error", "mode", "doc", "severity", "tags",
}

// handle is what a declaration returns: the rule or handler, to switch it off
// and on, and to bind it.
type handle struct {
	word, name string
}

// String is what tostring gives: `rule "x"`.
func (h *handle) String() string { return fmt.Sprintf("%s %q", h.word, h.name) }

// unbind is what `rule.off` holds: a handler that returns it is unbound from
// what it was called for.
type unbind struct{}

// String is what tostring gives.
func (unbind) String() string { return "rule.off" }

// openRule installs `rule`: called it declares, and it has rule.off.
func (in *instance) openRule() {
	L := in.vm.State()
	var off *glua.LUserData
	mt := in.metatable("rule", func(L *glua.LState) int {
		if key := keyOf(L); key != "off" {
			in.raise(L, remark{msg: "rule has no " + key, hint: nearest(key, []string{"off"}), word: key})
		}
		if off == nil {
			off = value(unbind{}, in.metatable("rule.off", nil, nil, stringerText))
		}
		L.Push(off)
		return 1
	}, nil, constantText("rule"))
	w := word{"rule", ruleKeys, (*declarer).rule}
	mt.RawSetString("__call", L.NewFunction(func(L *glua.LState) int { return in.named(L, w, 2) }))
	in.vm.Globals().RawSetString("rule", value(&family{name: "rule"}, mt))
}

// handleMeta makes the metatable of rules and handlers.
func (in *instance) handleMeta() *glua.LTable {
	methods := map[string]*glua.LFunction{}
	method := func(name string, on bool) *glua.LFunction {
		if fn := methods[name]; fn != nil {
			return fn
		}
		methods[name] = in.vm.State().NewFunction(func(L *glua.LState) int {
			h, ok := valueOf[*handle](L.Get(1))
			if !ok {
				in.raise(L, remark{msg: fmt.Sprintf("'%s' is a method: call it with a colon, as in r:%s()", name, name), word: name})
			}
			in.Effect(L, name)
			return in.outcome(L, in.env.Services.Switch(in.call, h.name, on))
		})
		return methods[name]
	}
	return in.metatable("rule", func(L *glua.LState) int {
		key := keyOf(L)
		if key != "on" && key != "off" {
			in.raise(L, remark{msg: "a rule has no method " + key, hint: "it has off and on", word: key})
		}
		L.Push(method(key, key == "on"))
		return 1
	}, nil, stringerText)
}

// outcome pushes true, or nil and why not.
func (in *instance) outcome(L *glua.LState, err error) int {
	if err != nil {
		L.Push(glua.LNil)
		L.Push(glua.LString(err.Error()))
		return 2
	}
	L.Push(glua.LTrue)
	return 1
}

// handler is `handler "name" { … }`: a rule that applies where it is bound.
func (d *declarer) handler(f *fields) {
	when, guard := f.nativeForm("when", predicate.Filter), f.nativeForm("run", predicate.Guard)
	deed := f.deedForm("run", guard)
	r := &engine.RuleDecl{
		Name: f.name, Line: f.line, Handler: true,
		Match: f.match("match"), When: f.fn("when"), Threshold: f.threshold("threshold"),
		NativeWhen: when.maker(), Guard: guard.maker(), Deed: deed.maker(),
		Run: f.fn("run"), Verdict: f.verdict("verdict"), OnError: f.verdict("on_error"),
		Priority: int(f.integer("priority", -maxPriority, maxPriority)),
		Observe:  f.oneOf("mode", "observe") == "observe",
		Doc:      f.str("doc"), Severity: f.str("severity"), Tags: f.strs("tags"),
	}
	r.Explain = f.explanation(when, guard, deed, r.When, r.Run)
	if f.has("on") {
		r.On = f.points("on")
	} else {
		for _, key := range []string{"match", "when", "threshold", "verdict", "on_error"} {
			if f.has(key) {
				f.report(key, key+" needs hook points: a handler without on is for timers", "as in on = flow.new_data")
			}
		}
	}
	f.decides()
	d.plan.Rules = append(d.plan.Rules, r)
}

// decides wants a way to decide.
func (f *fields) decides() {
	switch run, verdict := f.has("run"), f.has("verdict"); {
	case run && verdict:
		f.report("verdict", "run and verdict are two ways to decide", "leave one of them out")
	case !run && !verdict:
		f.missing("run", "a "+f.word()+" has run = function(…) … end or a verdict")
	}
}
