package normalise

import "github.com/yuin/gopher-lua/ast"

// exprsIn visits the operands of an expression in the order of evaluation. The
// bodies of functions are not operands.
func exprsIn(e ast.Expr, visit func(*ast.Expr)) {
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
		all(e.Args, visit)
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

// exprsOf visits the expressions that stand directly in a statement.
func exprsOf(s ast.Stmt, visit func(*ast.Expr)) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		all(s.Lhs, visit)
		all(s.Rhs, visit)
	case *ast.LocalAssignStmt:
		all(s.Exprs, visit)
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
		all(s.Exprs, visit)
	case *ast.FuncDefStmt:
		if s.Name.Func != nil {
			visit(&s.Name.Func)
		}
		if s.Name.Receiver != nil {
			visit(&s.Name.Receiver)
		}
	case *ast.ReturnStmt:
		all(s.Exprs, visit)
	}
}

func all(exprs []ast.Expr, visit func(*ast.Expr)) {
	for i := range exprs {
		visit(&exprs[i])
	}
}

// inside visits the operands of e, and what stands in e if it is a function.
func inside(e ast.Expr, visit func(*ast.Expr)) {
	exprsIn(e, visit)
	if f, ok := e.(*ast.FunctionExpr); ok {
		everywhere(f.Stmts, visit)
	}
}

// everywhere visits the expressions that stand directly in any of the
// statements and in the blocks within those.
func everywhere(stmts []ast.Stmt, visit func(*ast.Expr)) {
	for _, s := range stmts {
		exprsOf(s, visit)
		switch s := s.(type) {
		case *ast.DoBlockStmt:
			everywhere(s.Stmts, visit)
		case *ast.WhileStmt:
			everywhere(s.Stmts, visit)
		case *ast.RepeatStmt:
			everywhere(s.Stmts, visit)
		case *ast.NumberForStmt:
			everywhere(s.Stmts, visit)
		case *ast.GenericForStmt:
			everywhere(s.Stmts, visit)
		case *ast.IfStmt:
			everywhere(s.Then, visit)
			everywhere(s.Else, visit)
		case *ast.FuncDefStmt:
			everywhere(s.Func.Stmts, visit)
		}
	}
}
