package access

import "github.com/yuin/gopher-lua/ast"

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
	tree(stmts, func(s ast.Stmt) {
		declared(s, func(name string) { n.declared[name]++ })
		switch s := s.(type) {
		case *ast.AssignStmt:
			for _, x := range s.Lhs {
				n.assign(x)
			}
		case *ast.FuncDefStmt:
			n.assign(s.Name.Func)
		case *ast.LocalAssignStmt:
			if len(s.Names) == 1 && len(s.Exprs) == 1 && declaresStore(s.Exprs[0]) {
				n.stores[s.Names[0]] = true
			}
		}
	}, func(x ast.Expr) {
		switch x := x.(type) {
		case *ast.FunctionExpr:
			for _, name := range parameters(x, false) {
				n.declared[name]++
			}
		case *ast.IdentExpr:
			// A module may do to globals what this script does not.
			reaches := x.Value == "_G" || x.Value == "require"
			n.Globals = n.Globals || reaches
			n.Metatables = n.Metatables || reaches || x.Value == "setmetatable"
		}
	})
	return n
}

func (n *Names) assign(x ast.Expr) {
	if id, ok := x.(*ast.IdentExpr); ok {
		n.Assigned[id.Value] = true
	}
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
	return ok && isName(inner.Func, "store")
}

func isName(x ast.Expr, name string) bool {
	id, ok := x.(*ast.IdentExpr)
	return ok && id.Value == name
}
