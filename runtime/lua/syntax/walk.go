package syntax

import "github.com/yuin/gopher-lua/ast"

// Exprs visits the expressions that stand directly in a statement, in the order
// in which they are evaluated; targets of assignments come first. The function
// that "function f() end" declares is none.
func Exprs(s ast.Stmt, visit func(*ast.Expr)) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		Each(s.Lhs, visit)
		Each(s.Rhs, visit)
	case *ast.LocalAssignStmt:
		Each(s.Exprs, visit)
	case *ast.FuncCallStmt:
		visit(&s.Expr)
	case *ast.WhileStmt:
		visit(&s.Condition)
	case *ast.RepeatStmt:
		visit(&s.Condition)
	case *ast.IfStmt:
		visit(&s.Condition)
	case *ast.NumberForStmt:
		visit(&s.Init)
		visit(&s.Limit)
		some(&s.Step, visit)
	case *ast.GenericForStmt:
		Each(s.Exprs, visit)
	case *ast.FuncDefStmt:
		some(&s.Name.Func, visit)
		some(&s.Name.Receiver, visit)
	case *ast.ReturnStmt:
		Each(s.Exprs, visit)
	}
}

// Reads visits the expressions directly in a statement that are read: of the
// targets of assignments only what is indexed, and with what.
func Reads(s ast.Stmt, visit func(*ast.Expr)) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		for _, x := range s.Lhs {
			target(x, visit)
		}
		Each(s.Rhs, visit)
	case *ast.FuncDefStmt:
		target(s.Name.Func, visit)
		some(&s.Name.Receiver, visit)
	default:
		Exprs(s, visit)
	}
}

// target visits what is read where a value is assigned to x.
func target(x ast.Expr, visit func(*ast.Expr)) {
	if get, ok := x.(*ast.AttrGetExpr); ok {
		visit(&get.Object)
		visit(&get.Key)
	}
}

// Each visits the expressions of a list.
func Each(list []ast.Expr, visit func(*ast.Expr)) {
	for i := range list {
		visit(&list[i])
	}
}

// some visits what may be absent.
func some(slot *ast.Expr, visit func(*ast.Expr)) {
	if *slot != nil {
		visit(slot)
	}
}

// Operands visits the expressions directly inside an expression, in the order in
// which they are evaluated. What is in the body of a function is none.
func Operands(e ast.Expr, visit func(*ast.Expr)) {
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		visit(&e.Object)
		visit(&e.Key)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			some(&f.Key, visit)
			visit(&f.Value)
		}
	case *ast.FuncCallExpr:
		some(&e.Func, visit)
		some(&e.Receiver, visit)
		Each(e.Args, visit)
	case *ast.LogicalOpExpr:
		visit(&e.Lhs)
		visit(&e.Rhs)
	case *ast.RelationalOpExpr:
		visit(&e.Lhs)
		visit(&e.Rhs)
	case *ast.StringConcatOpExpr:
		visit(&e.Lhs)
		visit(&e.Rhs)
	case *ast.ArithmeticOpExpr:
		visit(&e.Lhs)
		visit(&e.Rhs)
	case *ast.UnaryMinusOpExpr:
		visit(&e.Expr)
	case *ast.UnaryNotOpExpr:
		visit(&e.Expr)
	case *ast.UnaryLenOpExpr:
		visit(&e.Expr)
	}
}

// Blocks returns the blocks directly inside a statement. The body of a function
// that it declares is none; see [Bodies].
func Blocks(s ast.Stmt) [][]ast.Stmt {
	switch s := s.(type) {
	case *ast.DoBlockStmt:
		return [][]ast.Stmt{s.Stmts}
	case *ast.WhileStmt:
		return [][]ast.Stmt{s.Stmts}
	case *ast.RepeatStmt:
		return [][]ast.Stmt{s.Stmts}
	case *ast.IfStmt:
		return [][]ast.Stmt{s.Then, s.Else}
	case *ast.NumberForStmt:
		return [][]ast.Stmt{s.Stmts}
	case *ast.GenericForStmt:
		return [][]ast.Stmt{s.Stmts}
	}
	return nil
}

// Bodies returns the blocks directly inside a statement and the body of the
// function that it declares.
func Bodies(s ast.Stmt) [][]ast.Stmt {
	if d, ok := s.(*ast.FuncDefStmt); ok {
		return [][]ast.Stmt{d.Func.Stmts}
	}
	return Blocks(s)
}

// All visits every statement and expression below a list of statements, those of
// inner functions included, outer ones first.
func All(list []ast.Stmt, stmt func(ast.Stmt), expr func(ast.Expr)) {
	var visit func(*ast.Expr)
	visit = func(slot *ast.Expr) {
		expr(*slot)
		if f, ok := (*slot).(*ast.FunctionExpr); ok {
			All(f.Stmts, stmt, expr)
			return
		}
		Operands(*slot, visit)
	}
	for _, s := range list {
		stmt(s)
		Exprs(s, visit)
		for _, b := range Bodies(s) {
			All(b, stmt, expr)
		}
	}
}

// Inside visits an expression and every one below it, those of inner functions
// included, outer ones first.
func Inside(e ast.Expr, visit func(ast.Expr)) {
	All([]ast.Stmt{&ast.ReturnStmt{Exprs: []ast.Expr{e}}}, func(ast.Stmt) {}, visit)
}

// Stmts is [All] for statements alone.
func Stmts(list []ast.Stmt, visit func(ast.Stmt)) { All(list, visit, func(ast.Expr) {}) }

// Functions visits every function below a list of statements, outer ones first;
// method tells that it was declared with a colon.
func Functions(list []ast.Stmt, visit func(f *ast.FunctionExpr, method bool)) {
	All(list, func(s ast.Stmt) {
		if d, ok := s.(*ast.FuncDefStmt); ok {
			visit(d.Func, d.Name.Method != "")
		}
	}, func(e ast.Expr) {
		if f, ok := e.(*ast.FunctionExpr); ok {
			visit(f, false)
		}
	})
}
