package lua

import (
	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/predicate"
)

// facts are what a look at the whole script tells about its names.
type facts struct {
	// assigned are the names that are assigned to somewhere.
	assigned map[string]bool
	// globals: the script may reach the table of globals other than by name.
	globals bool
}

// factsOf looks at a chunk as its author wrote it.
func factsOf(stmts []ast.Stmt) facts {
	f := facts{assigned: map[string]bool{}}
	inspector{
		expr: func(x ast.Expr) {
			if id, ok := x.(*ast.IdentExpr); ok && id.Value == "_G" {
				f.globals = true
			}
		},
		stmt: func(s ast.Stmt) {
			switch s := s.(type) {
			case *ast.AssignStmt:
				for _, x := range s.Lhs {
					f.assign(x)
				}
			case *ast.FuncDefStmt:
				f.assign(s.Name.Func)
			}
		},
	}.block(stmts)
	return f
}

func (f *facts) assign(x ast.Expr) {
	if id, ok := x.(*ast.IdentExpr); ok {
		f.assigned[id.Value] = true
	}
}

// own reports whether a global is what the runtime made it.
func (f *facts) own(name string) bool { return !f.globals && !f.assigned[name] }

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
		Assigned: p.facts.assigned, This: p.facts.own("this"),
	}
	for i, name := range fn.Proto.DbgUpvalues {
		n.Upvalues[name] = true
		if p.facts.assigned[name] || i >= len(fn.Upvalues) {
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
