package access

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// Names are what a look at the whole script tells about its names.
type Names struct {
	// Assigned are the names that are assigned to somewhere.
	Assigned map[string]bool
	// Globals: the script may reach the table of globals other than by name.
	Globals bool
	// Metatables: values of the script may have metatables of its own.
	Metatables bool

	declared map[string]int // locals and parameters: how often
	stores   map[string]bool
}

// Survey looks at a script.
func Survey(stmts []ast.Stmt) *Names {
	n := &Names{Assigned: map[string]bool{}, declared: map[string]int{}, stores: map[string]bool{}}
	syntax.All(stmts, func(s ast.Stmt) {
		for _, name := range syntax.Declared(s) {
			n.declared[name]++
		}
		for _, name := range syntax.Assigned(s) {
			n.Assigned[name] = true
		}
		if l, ok := s.(*ast.LocalAssignStmt); ok && len(l.Names) == 1 && len(l.Exprs) == 1 && declaresStore(l.Exprs[0]) {
			n.stores[l.Names[0]] = true
		}
	}, func(x ast.Expr) {
		if id, ok := x.(*ast.IdentExpr); ok {
			// A module may do to globals what this script does not.
			reaches := id.Value == "_G" || id.Value == "require"
			n.Globals = n.Globals || reaches
			n.Metatables = n.Metatables || reaches || id.Value == "setmetatable"
		}
	})
	syntax.Functions(stmts, func(f *ast.FunctionExpr, method bool) {
		for _, name := range syntax.Parameters(f, method) {
			n.declared[name]++
		}
	})
	return n
}

// Own reports whether a global is what the runtime made it, wherever the script
// says its name.
func (n *Names) Own(name string) bool {
	return !n.Globals && !n.Assigned[name] && n.declared[name] == 0
}

// store reports whether a name is a store wherever the script says it.
func (n *Names) store(name string) bool {
	return n.stores[name] && n.declared[name] == 1 && !n.Assigned[name] && n.Own("store")
}

// declaresStore recognises store "name" { … }.
func declaresStore(x ast.Expr) bool {
	outer, ok := x.(*ast.FuncCallExpr)
	if !ok {
		return false
	}
	inner, ok := outer.Func.(*ast.FuncCallExpr)
	return ok && syntax.IsName(inner.Func, "store")
}
