package access

import (
	"slices"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// reach looks for ways to the table of globals and to other files: _G.name and
// rawget(_G, "name") say which global they mean, and require "name" which module. Any
// other mention of _G or require may do anything to any global.
func (n *Names) reach(stmts []ast.Stmt) {
	mentions, known := 0, 0
	syntax.All(stmts, func(s ast.Stmt) {
		for _, target := range targets(s) {
			if name, ok := global(target); ok {
				n.Assigned[name] = true
			}
		}
	}, func(x ast.Expr) {
		switch x := x.(type) {
		case *ast.IdentExpr:
			if x.Value == "_G" || x.Value == "require" {
				mentions++
			}
		case *ast.AttrGetExpr:
			if _, ok := global(x); ok {
				known++
			}
		case *ast.FuncCallExpr:
			if name, ok := required(x); ok {
				known++
				n.Requires = append(n.Requires, name)
			} else if n.looksUp(x) {
				known++
			}
		}
	})
	if mentions > known {
		n.Globals, n.Metatables = true, true
	}
}

// targets are what a statement assigns to.
func targets(s ast.Stmt) []ast.Expr {
	switch s := s.(type) {
	case *ast.AssignStmt:
		return s.Lhs
	case *ast.FuncDefStmt:
		return []ast.Expr{s.Name.Func}
	}
	return nil
}

// global reads _G.name, but for names that lead further.
func global(x ast.Expr) (string, bool) {
	get, ok := x.(*ast.AttrGetExpr)
	if !ok || !syntax.IsName(get.Object, "_G") {
		return "", false
	}
	return plainGlobal(get.Key)
}

// plainGlobal reads a constant that names a global which says nothing of others.
func plainGlobal(key ast.Expr) (string, bool) {
	name, ok := key.(*ast.StringExpr)
	if !ok || slices.Contains([]string{"_G", "require", "setmetatable"}, name.Value) {
		return "", false
	}
	return name.Value, true
}

// required reads require "name".
func required(x *ast.FuncCallExpr) (string, bool) {
	if x.Method != "" || !syntax.IsName(x.Func, "require") || len(x.Args) != 1 {
		return "", false
	}
	name, ok := x.Args[0].(*ast.StringExpr)
	if !ok {
		return "", false
	}
	return name.Value, true
}

// looksUp recognises rawget(_G, "name").
func (n *Names) looksUp(x *ast.FuncCallExpr) bool {
	if x.Method != "" || !syntax.IsName(x.Func, "rawget") || n.Assigned["rawget"] || n.declared["rawget"] > 0 || len(x.Args) != 2 || !syntax.IsName(x.Args[0], "_G") {
		return false
	}
	_, ok := plainGlobal(x.Args[1])
	return ok
}

// Tame reports whether a module leaves the globals that every script has as they
// are, as far as its own text goes.
func (n *Names) Tame(globals []string) bool {
	return !n.Globals && !slices.ContainsFunc(globals, func(name string) bool { return n.Assigned[name] })
}
