package lua

import (
	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/runtime/lua/bind"
	"github.com/hookd/hookd/runtime/lua/predicate"
)

// compilePredicate is [predicate.Filter] or [predicate.Guard].
type compilePredicate func(*ast.FunctionExpr, *event.Info, *predicate.Names) (engine.Native, error)

// nativeForm is what the native form of a function is compiled from.
type nativeForm struct {
	body    *ast.FunctionExpr
	names   *predicate.Names
	compile compilePredicate
	in      *instance
}

// nativeForm looks a key's function up; nil where it can have no native form.
// What the function finds in the functions around it is read now: another
// goroutine may compile when the instance is live.
func (f *fields) nativeForm(key string, compile compilePredicate) *nativeForm {
	fn, ok := f.get(key).(*glua.LFunction)
	p := f.d.in.prog
	if !ok || p.rt.cfg.Interpret || p.functions[fn.Proto] == nil {
		return nil
	}
	return &nativeForm{p.functions[fn.Proto], p.namesOf(fn), compile, f.d.in}
}

// maker makes native forms; nil makes none.
func (n *nativeForm) maker() engine.NativeMaker {
	if n == nil {
		return nil
	}
	return func(info *event.Info) engine.Native {
		native, err := n.compile(n.body, info, n.names)
		if err != nil {
			return nil
		}
		in := n.in
		return func(e any) engine.Answer {
			// A top level that ran again may have left other constants.
			if in.rebuilt {
				return engine.Ask
			}
			return native(e)
		}
	}
}

// deedForm is what the native form of a whole handler is made from.
type deedForm struct {
	of      *nativeForm
	machine *predicate.Machine
}

// deedForm is what the native form of a key's whole function is made from, of whose
// beginning n is made; nil where it can have none.
func (f *fields) deedForm(key string, n *nativeForm) *deedForm {
	if n == nil {
		return nil
	}
	fn, in := f.get(key).(*glua.LFunction), n.in
	m := &predicate.Machine{
		Cells: map[string]*glua.Upvalue{}, Values: &in.values, Held: in.fromRecord, Same: sameRecord,
		Event: in.prog.rt.event, Verdict: in.prog.verdict,
		Data: func(o event.Kept) *record.Table { return in.env.Services.Data(o, in.prog.path).Table() },
	}
	if in.env.State != nil && in.prog.survey.Own("state") {
		m.State = in.env.State.Table()
	}
	for i, name := range fn.Proto.DbgUpvalues {
		if i < len(fn.Upvalues) {
			m.Cells[name] = fn.Upvalues[i]
		}
	}
	return &deedForm{n, m}
}

// compile makes the native form for the events of info.
func (d *deedForm) compile(info *event.Info) (*engine.Deed, error) {
	return predicate.Deed(d.of.body, info, d.of.names, d.machine)
}

// maker makes native forms; nil makes none. They do nothing while the function could
// not be called, or when a top level that ran again made another one.
func (d *deedForm) maker() engine.DeedMaker {
	if d == nil {
		return nil
	}
	return func(info *event.Info) *engine.Deed {
		form, err := d.compile(info)
		if err != nil {
			return nil
		}
		in, do, foresee := d.of.in, form.Do, form.Foresee
		form.Do = func(e any) (engine.Answer, *engine.Decision) {
			if in.mode != idle || in.rebuilt || in.broken != nil {
				return engine.Ask, nil
			}
			return do(e)
		}
		form.Foresee = func(e any) func(*engine.Decision) error {
			if in.rebuilt || in.broken != nil {
				return nil
			}
			return foresee(e)
		}
		return form
	}
}

// event returns what scripts see of an event.
func (rt *Runtime) event(info *event.Info) *bind.EventType { return rt.events[info] }

// verdict returns what family.word decides, where it says so by itself.
func (p *program) verdict(family, word string) *engine.Decision {
	f := p.rt.cfg.Catalogue.Family(family)
	if f == nil || !p.survey.Own(family) {
		return nil
	}
	for i := range p.rt.verdicts {
		if v := &p.rt.verdicts[i]; v.Family == family && v.Info.Name == word && optionalArgs(v.Info) {
			return &engine.Decision{Family: f, Verdict: event.Verdict{Kind: v.Info.Kind}}
		}
	}
	return nil
}

// namesOf says what a function's names stand for.
func (p *program) namesOf(fn *glua.LFunction) *predicate.Names {
	n := &predicate.Names{
		Objects:   p.rt.cfg.Catalogue,
		Constants: map[string]any{}, Upvalues: map[string]bool{},
		Assigned: p.survey.Assigned, This: p.survey.Own("this"),
	}
	for i, name := range fn.Proto.DbgUpvalues {
		n.Upvalues[name] = true
		if p.survey.Assigned[name] || i >= len(fn.Upvalues) {
			continue
		}
		switch v := fn.Upvalues[i].Value().(type) {
		case *glua.LNilType:
			n.Constants[name] = nil
		case glua.LBool:
			n.Constants[name] = bool(v)
		case glua.LNumber:
			n.Constants[name] = float64(v)
		case glua.LString:
			n.Constants[name] = string(v)
		case *glua.LUserData:
			if s, ok := v.Value.(*storeValue); ok {
				n.Constants[name] = s.st
			}
		}
	}
	return n
}
