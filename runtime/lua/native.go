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

// native makes the maker of a function's native form. What the function finds
// in the functions around it is read now: another goroutine may compile when the
// instance is live.
func (f *fields) native(key string, compile compilePredicate) engine.NativeMaker {
	fn, ok := f.get(key).(*glua.LFunction)
	p := f.d.in.prog
	if !ok || p.rt.cfg.Interpret {
		return nil
	}
	body := p.functions[fn.Proto]
	if body == nil {
		return nil
	}
	names := p.namesOf(fn)
	return func(info *event.Info) engine.Native {
		n, err := compile(body, info, names)
		if err != nil {
			return nil
		}
		return n
	}
}

// namesOf says what a function's names stand for.
func (p *program) namesOf(fn *glua.LFunction) *predicate.Names {
	n := &predicate.Names{
		Objects:   p.rt.cfg.Catalogue,
		Constants: map[string]any{}, Upvalues: map[string]bool{},
		Assigned: p.names.Assigned, This: p.names.Own("this"),
	}
	for i, name := range fn.Proto.DbgUpvalues {
		n.Upvalues[name] = true
		if p.names.Assigned[name] || i >= len(fn.Upvalues) {
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
