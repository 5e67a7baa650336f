package syntax

import "github.com/yuin/gopher-lua/ast"

// CloneFunc copies a function with all that is in it, lines included.
func CloneFunc(f *ast.FunctionExpr) *ast.FunctionExpr {
	c := *f
	params := *f.ParList
	params.Names = append([]string(nil), f.ParList.Names...)
	c.ParList = &params
	c.Stmts = cloneBlock(f.Stmts)
	return &c
}

func cloneBlock(list []ast.Stmt) []ast.Stmt {
	if list == nil {
		return nil
	}
	out := make([]ast.Stmt, len(list))
	for i, s := range list {
		out[i] = cloneStmt(s)
	}
	return out
}

func cloneStmt(s ast.Stmt) ast.Stmt {
	switch s := s.(type) {
	case *ast.AssignStmt:
		c := *s
		c.Lhs, c.Rhs = cloneExprs(s.Lhs), cloneExprs(s.Rhs)
		return &c
	case *ast.LocalAssignStmt:
		c := *s
		c.Names, c.Exprs = append([]string(nil), s.Names...), cloneExprs(s.Exprs)
		return &c
	case *ast.FuncCallStmt:
		c := *s
		c.Expr = cloneExpr(s.Expr)
		return &c
	case *ast.DoBlockStmt:
		c := *s
		c.Stmts = cloneBlock(s.Stmts)
		return &c
	case *ast.IfStmt:
		c := *s
		c.Condition, c.Then, c.Else = cloneExpr(s.Condition), cloneBlock(s.Then), cloneBlock(s.Else)
		return &c
	case *ast.FuncDefStmt:
		c := *s
		name := *s.Name
		name.Func, name.Receiver = cloneExpr(s.Name.Func), cloneExpr(s.Name.Receiver)
		c.Name, c.Func = &name, CloneFunc(s.Func)
		return &c
	case *ast.ReturnStmt:
		c := *s
		c.Exprs = cloneExprs(s.Exprs)
		return &c
	case *ast.BreakStmt:
		c := *s
		return &c
	case *ast.LabelStmt:
		c := *s
		return &c
	case *ast.GotoStmt:
		c := *s
		return &c
	}
	return cloneLoop(s)
}

func cloneLoop(s ast.Stmt) ast.Stmt {
	switch s := s.(type) {
	case *ast.WhileStmt:
		c := *s
		c.Condition, c.Stmts = cloneExpr(s.Condition), cloneBlock(s.Stmts)
		return &c
	case *ast.RepeatStmt:
		c := *s
		c.Condition, c.Stmts = cloneExpr(s.Condition), cloneBlock(s.Stmts)
		return &c
	case *ast.NumberForStmt:
		c := *s
		c.Init, c.Limit, c.Step, c.Stmts = cloneExpr(s.Init), cloneExpr(s.Limit), cloneExpr(s.Step), cloneBlock(s.Stmts)
		return &c
	case *ast.GenericForStmt:
		c := *s
		c.Names, c.Exprs, c.Stmts = append([]string(nil), s.Names...), cloneExprs(s.Exprs), cloneBlock(s.Stmts)
		return &c
	}
	return s
}

func cloneExprs(list []ast.Expr) []ast.Expr {
	if list == nil {
		return nil
	}
	out := make([]ast.Expr, len(list))
	for i, e := range list {
		out[i] = cloneExpr(e)
	}
	return out
}

func cloneExpr(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.NumberExpr:
		c := *e
		return &c
	case *ast.StringExpr:
		c := *e
		return &c
	case *ast.IdentExpr:
		c := *e
		return &c
	case *ast.Comma3Expr:
		c := *e
		return &c
	case *ast.TrueExpr:
		c := *e
		return &c
	case *ast.FalseExpr:
		c := *e
		return &c
	case *ast.NilExpr:
		c := *e
		return &c
	case *ast.FunctionExpr:
		return CloneFunc(e)
	}
	return cloneCompound(e)
}

func cloneCompound(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		c := *e
		c.Object, c.Key = cloneExpr(e.Object), cloneExpr(e.Key)
		return &c
	case *ast.TableExpr:
		c := *e
		c.Fields = make([]*ast.Field, len(e.Fields))
		for i, f := range e.Fields {
			c.Fields[i] = &ast.Field{Key: cloneExpr(f.Key), Value: cloneExpr(f.Value)}
		}
		return &c
	case *ast.FuncCallExpr:
		c := *e
		c.Func, c.Receiver, c.Args = cloneExpr(e.Func), cloneExpr(e.Receiver), cloneExprs(e.Args)
		return &c
	case *ast.LogicalOpExpr:
		c := *e
		c.Lhs, c.Rhs = cloneExpr(e.Lhs), cloneExpr(e.Rhs)
		return &c
	case *ast.RelationalOpExpr:
		c := *e
		c.Lhs, c.Rhs = cloneExpr(e.Lhs), cloneExpr(e.Rhs)
		return &c
	case *ast.StringConcatOpExpr:
		c := *e
		c.Lhs, c.Rhs = cloneExpr(e.Lhs), cloneExpr(e.Rhs)
		return &c
	case *ast.ArithmeticOpExpr:
		c := *e
		c.Lhs, c.Rhs = cloneExpr(e.Lhs), cloneExpr(e.Rhs)
		return &c
	case *ast.UnaryMinusOpExpr:
		c := *e
		c.Expr = cloneExpr(e.Expr)
		return &c
	case *ast.UnaryNotOpExpr:
		c := *e
		c.Expr = cloneExpr(e.Expr)
		return &c
	case *ast.UnaryLenOpExpr:
		c := *e
		c.Expr = cloneExpr(e.Expr)
		return &c
	}
	return e
}
