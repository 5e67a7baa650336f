package syntax

import "github.com/yuin/gopher-lua/ast"

// Declared returns the names that a statement declares in its own block or in
// the one it holds. A function's parameters are not among them.
func Declared(s ast.Stmt) []string {
	switch s := s.(type) {
	case *ast.LocalAssignStmt:
		return s.Names
	case *ast.NumberForStmt:
		return []string{s.Name}
	case *ast.GenericForStmt:
		return s.Names
	}
	return nil
}

// Parameters returns the names that a function's body finds declared: those
// written, arg where it takes more, self in a method.
func Parameters(f *ast.FunctionExpr, method bool) []string {
	names := f.ParList.Names
	if f.ParList.HasVargs {
		names = append(names[:len(names):len(names)], "arg")
	}
	if method {
		names = append(names[:len(names):len(names)], "self")
	}
	return names
}

// Assigned returns the names, of locals and globals, that a statement gives
// another value.
func Assigned(s ast.Stmt) []string {
	var names []string
	add := func(x ast.Expr) {
		if id, ok := x.(*ast.IdentExpr); ok {
			names = append(names, id.Value)
		}
	}
	switch s := s.(type) {
	case *ast.AssignStmt:
		for _, x := range s.Lhs {
			add(x)
		}
	case *ast.FuncDefStmt:
		add(s.Name.Func)
	}
	return names
}

// IsName reports whether an expression is that name and no more.
func IsName(x ast.Expr, name string) bool {
	id, ok := x.(*ast.IdentExpr)
	return ok && id.Value == name
}

// Single cuts an expression that may have several values to one, as parentheses
// do, and returns it.
func Single(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
	return e
}
