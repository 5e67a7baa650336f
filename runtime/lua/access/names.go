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
	// Metatables: values of the script may have metatables that it made.
	Metatables bool
	// Requires are the modules that the script requires, by name; what they return may
	// have metatables too.
	Requires []string

	declared map[string]int // locals and parameters: how often
	stores   map[string]bool
	// functions are the local ones, and those that rewriting added.
	functions map[string]*ast.FunctionExpr
}

// Survey looks at a script.
func Survey(stmts []ast.Stmt) *Names {
	n := &Names{Assigned: map[string]bool{}, declared: map[string]int{}, stores: map[string]bool{}, functions: map[string]*ast.FunctionExpr{}}
	syntax.All(stmts, func(s ast.Stmt) {
		for _, name := range syntax.Declared(s) {
			n.declared[name]++
		}
		for _, name := range syntax.Assigned(s) {
			n.Assigned[name] = true
		}
		if l, ok := s.(*ast.LocalAssignStmt); ok && len(l.Names) == 1 && len(l.Exprs) == 1 {
			n.local(l.Names[0], l.Exprs[0])
		}
	}, func(x ast.Expr) {
		if id, ok := x.(*ast.IdentExpr); ok && id.Value == "setmetatable" {
			n.Metatables = true
		}
	})
	syntax.Functions(stmts, func(f *ast.FunctionExpr, method bool) {
		for _, name := range syntax.Parameters(f, method) {
			n.declared[name]++
		}
	})
	n.reach(stmts)
	return n
}

// local notes what a name is declared as.
func (n *Names) local(name string, x ast.Expr) {
	if f, ok := x.(*ast.FunctionExpr); ok {
		n.functions[name] = f
	}
	if declaresStore(x) {
		n.stores[name] = true
	}
}

// function returns the function that a name stands for wherever the script says
// it; nil where that is not known.
func (n *Names) function(name string) *ast.FunctionExpr {
	if n.declared[name] > 1 || n.Assigned[name] || n.Globals {
		return nil
	}
	return n.functions[name]
}

// once finds the names that a function declares once, itself or a function in
// it, and that it never assigns. A name that it only assigns is that of a
// variable around it, which stands for nothing in it either.
func once(f *ast.FunctionExpr) map[string]bool {
	times := map[string]int{}
	count := func(names []string) {
		for _, name := range names {
			times[name]++
		}
	}
	count(f.ParList.Names)
	syntax.Stmts(f.Stmts, func(s ast.Stmt) { count(syntax.Declared(s)) })
	syntax.Functions(f.Stmts, func(f *ast.FunctionExpr, method bool) { count(syntax.Parameters(f, method)) })
	syntax.Stmts(f.Stmts, func(s ast.Stmt) { count(syntax.Assigned(s)) })
	once := map[string]bool{}
	for name, k := range times {
		once[name] = k == 1
	}
	return once
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
