package lua

import (
	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
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
