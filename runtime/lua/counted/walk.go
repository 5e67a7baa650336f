package counted

import "github.com/yuin/gopher-lua/ast"

// operandsIn visits the operands of an expression in the order of evaluation;
// the bodies of functions are none.
func operandsIn(e ast.Expr, visit func(*ast.Expr)) {
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		visit(&e.Object)
		visit(&e.Key)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			if f.Key != nil {
				visit(&f.Key)
			}
			visit(&f.Value)
		}
	case *ast.FuncCallExpr:
		if e.Func != nil {
			visit(&e.Func)
		}
		if e.Receiver != nil {
			visit(&e.Receiver)
		}
		each(e.Args, visit)
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

// operandsOf visits the expressions that stand directly in a statement.
func operandsOf(s ast.Stmt, visit func(*ast.Expr)) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		each(s.Lhs, visit)
		each(s.Rhs, visit)
	case *ast.LocalAssignStmt:
		each(s.Exprs, visit)
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
		if s.Step != nil {
			visit(&s.Step)
		}
	case *ast.GenericForStmt:
		each(s.Exprs, visit)
	case *ast.FuncDefStmt:
		if s.Name.Func != nil {
			visit(&s.Name.Func)
		}
		if s.Name.Receiver != nil {
			visit(&s.Name.Receiver)
		}
	case *ast.ReturnStmt:
		each(s.Exprs, visit)
	}
}

func each(exprs []ast.Expr, visit func(*ast.Expr)) {
	for i := range exprs {
		visit(&exprs[i])
	}
}

// jumps tells whether a label stands in a function, so that anything in it may
// be repeated.
func jumps(stmts []ast.Stmt) bool {
	for _, s := range stmts {
		found := false
		switch s := s.(type) {
		case *ast.LabelStmt:
			return true
		case *ast.DoBlockStmt:
			found = jumps(s.Stmts)
		case *ast.WhileStmt:
			found = jumps(s.Stmts)
		case *ast.RepeatStmt:
			found = jumps(s.Stmts)
		case *ast.NumberForStmt:
			found = jumps(s.Stmts)
		case *ast.GenericForStmt:
			found = jumps(s.Stmts)
		case *ast.IfStmt:
			found = jumps(s.Then) || jumps(s.Else)
		}
		if found {
			return true
		}
	}
	return false
}
