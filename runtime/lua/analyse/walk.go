package analyse

import "github.com/yuin/gopher-lua/ast"

// walkStmts calls visit for every statement below stmts, those inside functions
// included.
func walkStmts(stmts []ast.Stmt, visit func(ast.Stmt)) {
	for _, s := range stmts {
		visit(s)
		for _, e := range exprsOf(s) {
			walkFuncs(e, visit)
		}
		for _, b := range blocksOf(s) {
			walkStmts(b, visit)
		}
	}
}

// walkFuncs visits the statements of the functions within an expression.
func walkFuncs(e ast.Expr, visit func(ast.Stmt)) {
	if f, ok := e.(*ast.FunctionExpr); ok {
		walkStmts(f.Stmts, visit)
		return
	}
	for _, sub := range operands(e) {
		walkFuncs(sub, visit)
	}
}

// blocksOf returns the blocks directly inside a statement.
func blocksOf(s ast.Stmt) [][]ast.Stmt {
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

// exprsOf returns the expressions directly inside a statement.
func exprsOf(s ast.Stmt) []ast.Expr {
	switch s := s.(type) {
	case *ast.AssignStmt:
		return append(append([]ast.Expr{}, s.Lhs...), s.Rhs...)
	case *ast.LocalAssignStmt:
		return s.Exprs
	case *ast.FuncCallStmt:
		return []ast.Expr{s.Expr}
	case *ast.WhileStmt:
		return []ast.Expr{s.Condition}
	case *ast.RepeatStmt:
		return []ast.Expr{s.Condition}
	case *ast.IfStmt:
		return []ast.Expr{s.Condition}
	case *ast.NumberForStmt:
		return present(s.Init, s.Limit, s.Step)
	case *ast.GenericForStmt:
		return s.Exprs
	case *ast.FuncDefStmt:
		return present(s.Name.Func, s.Name.Receiver, s.Func)
	case *ast.ReturnStmt:
		return s.Exprs
	}
	return nil
}

// operands returns the expressions directly inside an expression, functions'
// bodies left out.
func operands(e ast.Expr) []ast.Expr {
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		return []ast.Expr{e.Object, e.Key}
	case *ast.TableExpr:
		var list []ast.Expr
		for _, f := range e.Fields {
			list = append(list, present(f.Key, f.Value)...)
		}
		return list
	case *ast.FuncCallExpr:
		return append(present(e.Func, e.Receiver), e.Args...)
	case *ast.LogicalOpExpr:
		return []ast.Expr{e.Lhs, e.Rhs}
	case *ast.RelationalOpExpr:
		return []ast.Expr{e.Lhs, e.Rhs}
	case *ast.StringConcatOpExpr:
		return []ast.Expr{e.Lhs, e.Rhs}
	case *ast.ArithmeticOpExpr:
		return []ast.Expr{e.Lhs, e.Rhs}
	case *ast.UnaryMinusOpExpr:
		return []ast.Expr{e.Expr}
	case *ast.UnaryNotOpExpr:
		return []ast.Expr{e.Expr}
	case *ast.UnaryLenOpExpr:
		return []ast.Expr{e.Expr}
	}
	return nil
}

// present drops the expressions that are not there.
func present(list ...ast.Expr) []ast.Expr {
	kept := list[:0]
	for _, e := range list {
		if e == nil {
			continue
		}
		if f, ok := e.(*ast.FunctionExpr); ok && f == nil {
			continue
		}
		kept = append(kept, e)
	}
	return kept
}
