package lua

import (
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// verdict is what the userdata of a verdict holds.
type verdict struct {
	family *event.Family
	info   *event.VerdictInfo
	args   any
	called bool // its arguments were given
}

// String is what tostring gives: "flow.cut".
func (v *verdict) String() string { return v.family.Name + "." + v.info.Name }

// decision is what the engine takes.
func (v *verdict) decision() engine.Decision {
	return engine.Decision{Family: v.family, Verdict: event.Verdict{Kind: v.info.Kind, Args: v.args}}
}

// verdictsOf returns a constant of every verdict of a family, made when the first is
// needed. One with arguments is called; where all of them are optional it is a
// constant too.
func (in *instance) verdictsOf(f *event.Family) []*glua.LUserData {
	list, made := in.verdicts[f]
	if made {
		return list
	}
	for i := range in.prog.rt.verdicts {
		v := &in.prog.rt.verdicts[i]
		if v.Family != f.Name {
			continue
		}
		for int(v.Info.Kind) >= len(list) {
			list = append(list, nil)
		}
		meta := in.meta.verdict
		if v.Args != nil {
			meta = in.callable(f, v)
		}
		list[v.Info.Kind] = value(&verdict{family: f, info: v.Info, called: optionalArgs(v.Info)}, meta)
	}
	if in.verdicts == nil {
		in.verdicts = map[*event.Family][]*glua.LUserData{}
	}
	in.verdicts[f] = list
	return list
}

// callable makes the metatable of a verdict with arguments.
func (in *instance) callable(f *event.Family, v *bind.Verdict) *glua.LTable {
	mt := in.metatable("verdict", nil, nil, stringerText)
	mt.RawSetString("__call", in.vm.State().NewFunction(func(L *glua.LState) int {
		L.Remove(1)
		args := v.Args(in, L)
		L.Push(value(&verdict{family: f, info: v.Info, args: args, called: true}, in.meta.verdict))
		return 1
	}))
	return mt
}

func optionalArgs(v *event.VerdictInfo) bool {
	for _, a := range v.Args {
		if !a.Optional {
			return false
		}
	}
	return true
}

// constant returns the verdict as scripts compare it.
func (in *instance) constant(f *event.Family, v event.Verdict) glua.LValue {
	if !v.Decided() {
		return glua.LNil
	}
	list := in.verdictsOf(f)
	if int(v.Kind) >= len(list) || list[v.Kind] == nil {
		return glua.LNil
	}
	return list[v.Kind]
}

// decision reads what a handler returned.
func (in *instance) decision(v glua.LValue, fn engine.FuncID, call *engine.Call) (engine.Decision, error) {
	if _, none := v.(*glua.LNilType); none {
		return engine.Decision{}, nil
	}
	if _, off := valueOf[unbind](v); off {
		return engine.Decision{Off: true}, nil
	}
	e := &engine.ScriptError{Script: in.prog.path}
	if p := in.funcs[fn-1].fn.Proto; p != nil {
		e.Line = p.LineDefined
	}
	vd, ok := verdictOf(v)
	switch {
	case ok && vd.called:
		return vd.decision(), nil
	case ok:
		e.Message = fmt.Sprintf("%s has arguments: return %s(…)", vd, vd)
	default:
		e.Message = fmt.Sprintf("a handler returns a verdict or nothing, not %s%s", describe(v), in.offers(call))
	}
	return engine.Decision{}, e
}

// verdictOf returns the verdict that v is, or that the hook point v is too.
func verdictOf(v glua.LValue) (*verdict, bool) {
	if p, ok := valueOf[*point](v); ok && p.verdict != nil {
		v = p.verdict
	}
	return valueOf[*verdict](v)
}

// offers lists the verdicts of the running hook point.
func (in *instance) offers(call *engine.Call) string {
	if call.Info == nil || len(call.Info.Verdicts) == 0 {
		return ""
	}
	f := in.prog.rt.cfg.Catalogue.Family(call.Info.Family)
	if f == nil {
		return ""
	}
	var names []string
	for _, k := range call.Info.Verdicts {
		if v := f.Verdict(k); v != nil {
			names = append(names, f.Name+"."+v.Name)
		}
	}
	return "; here it may be " + strings.Join(names, ", ")
}
