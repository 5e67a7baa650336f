package access

import (
	"slices"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// locals takes out the locals of a second form that only give an argument another
// name, as in local ip = c.client.ip: the argument goes by its own from there on.
// Neither is ever assigned, so they cannot differ. The local is one of the
// function's outermost block, of which the rest is its scope.
func (b *body) locals(f *ast.FunctionExpr) {
	hidden := map[string]bool{}
	for _, p := range b.h.Hoisted {
		hidden[p.GetName()] = true
	}
	for _, s := range b.h.Sums {
		hidden[s.name()] = true
	}
	for i, s := range f.Stmts {
		l, ok := s.(*ast.LocalAssignStmt)
		if !ok || len(l.Names) != len(l.Exprs) {
			continue
		}
		before := mentioned(f.Stmts[:i+1])
		same := map[string]string{}
		for k, name := range l.Names {
			if id, ok := l.Exprs[k].(*ast.IdentExpr); ok && hidden[id.Value] && b.once[name] && !before[name] {
				same[name] = id.Value
			}
		}
		if len(same) == 0 {
			continue
		}
		for name := range same {
			a := alias{name: name, stmt: l, slot: &f.Stmts[i]}
			a.remove(slices.Index(l.Names, name))
		}
		syntax.All(f.Stmts[i+1:], func(ast.Stmt) {}, func(x ast.Expr) {
			if id, ok := x.(*ast.IdentExpr); ok && same[id.Value] != "" {
				id.Value = same[id.Value]
			}
		})
	}
}

// mentioned are the names that statements mention other than to declare them.
func mentioned(list []ast.Stmt) map[string]bool {
	names := map[string]bool{}
	syntax.All(list, func(ast.Stmt) {}, func(x ast.Expr) {
		if id, ok := x.(*ast.IdentExpr); ok {
			names[id.Value] = true
		}
	})
	return names
}
