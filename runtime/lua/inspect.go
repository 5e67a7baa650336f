package lua

import "github.com/yuin/gopher-lua/ast"

// inspect calls visit for every expression below a list of statements, outer
// ones first.
func inspect(list []ast.Stmt, visit func(ast.Expr)) {
	inspector{expr: visit, stmt: func(ast.Stmt) {}}.block(list)
}

// inspector visits expressions and statements, outer ones first.
type inspector struct {
	expr func(ast.Expr)
	stmt func(ast.Stmt)
}

func (w inspector) block(list []ast.Stmt) {
	for _, s := range list {
		w.step(s)
	}
}

func (w inspector) step(s ast.Stmt) {
	w.stmt(s)
	switch s := s.(type) {
	case *ast.AssignStmt:
		w.exprs(s.Lhs)
		w.exprs(s.Rhs)
	case *ast.LocalAssignStmt:
		w.exprs(s.Exprs)
	case *ast.FuncCallStmt:
		w.see(s.Expr)
	case *ast.DoBlockStmt:
		w.block(s.Stmts)
	case *ast.WhileStmt:
		w.see(s.Condition)
		w.block(s.Stmts)
	case *ast.RepeatStmt:
		w.block(s.Stmts)
		w.see(s.Condition)
	case *ast.IfStmt:
		w.see(s.Condition)
		w.block(s.Then)
		w.block(s.Else)
	case *ast.NumberForStmt:
		w.exprs([]ast.Expr{s.Init, s.Limit, s.Step})
		w.block(s.Stmts)
	case *ast.GenericForStmt:
		w.exprs(s.Exprs)
		w.block(s.Stmts)
	case *ast.FuncDefStmt:
		w.exprs([]ast.Expr{s.Name.Func, s.Name.Receiver})
		w.block(s.Func.Stmts)
	case *ast.ReturnStmt:
		w.exprs(s.Exprs)
	}
}

func (w inspector) exprs(list []ast.Expr) {
	for _, e := range list {
		w.see(e)
	}
}

func (w inspector) see(e ast.Expr) {
	if e == nil {
		return
	}
	w.expr(e)
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		w.see(e.Object)
		w.see(e.Key)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			w.see(f.Key)
			w.see(f.Value)
		}
	case *ast.FuncCallExpr:
		w.see(e.Func)
		w.see(e.Receiver)
		w.exprs(e.Args)
	case *ast.LogicalOpExpr:
		w.exprs([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.RelationalOpExpr:
		w.exprs([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.StringConcatOpExpr:
		w.exprs([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.ArithmeticOpExpr:
		w.exprs([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.UnaryMinusOpExpr:
		w.see(e.Expr)
	case *ast.UnaryNotOpExpr:
		w.see(e.Expr)
	case *ast.UnaryLenOpExpr:
		w.see(e.Expr)
	case *ast.FunctionExpr:
		w.block(e.Stmts)
	}
}
