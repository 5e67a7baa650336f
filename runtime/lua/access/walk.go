package access

import "github.com/yuin/gopher-lua/ast"

// slots calls visit for the expressions that stand directly in a statement, in
// the order in which they are evaluated; targets of assignments come first.
func slots(s ast.Stmt, visit func(*ast.Expr)) {
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
		some(&s.Step, visit)
	case *ast.GenericForStmt:
		each(s.Exprs, visit)
	case *ast.FuncDefStmt:
		some(&s.Name.Func, visit)
		some(&s.Name.Receiver, visit)
	case *ast.ReturnStmt:
		each(s.Exprs, visit)
	}
}

func each(list []ast.Expr, visit func(*ast.Expr)) {
	for i := range list {
		visit(&list[i])
	}
}

func some(slot *ast.Expr, visit func(*ast.Expr)) {
	if *slot != nil {
		visit(slot)
	}
}

// blocks returns the blocks directly inside a statement; the body of a function
// that it declares is none.
func blocks(s ast.Stmt) [][]ast.Stmt {
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

// operands calls visit for the expressions directly inside an expression, the
// statements of a function left out.
func operands(e ast.Expr, visit func(*ast.Expr)) {
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

// declared calls visit for the names that a statement declares.
func declared(s ast.Stmt, visit func(string)) {
	var names []string
	switch s := s.(type) {
	case *ast.LocalAssignStmt:
		names = s.Names
	case *ast.NumberForStmt:
		names = []string{s.Name}
	case *ast.GenericForStmt:
		names = s.Names
	case *ast.FuncDefStmt:
		names = parameters(s.Func, s.Name.Method != "")
	}
	for _, name := range names {
		visit(name)
	}
}

func parameters(f *ast.FunctionExpr, method bool) []string {
	names := f.ParList.Names
	if f.ParList.HasVargs {
		names = append(names[:len(names):len(names)], "arg")
	}
	if method {
		names = append(names[:len(names):len(names)], "self")
	}
	return names
}

// tree calls visit for every statement and expression below statements, those
// of inner functions included, outer ones first.
func tree(list []ast.Stmt, stmt func(ast.Stmt), expr func(ast.Expr)) {
	var visit func(*ast.Expr)
	visit = func(slot *ast.Expr) {
		expr(*slot)
		if f, ok := (*slot).(*ast.FunctionExpr); ok {
			tree(f.Stmts, stmt, expr)
			return
		}
		operands(*slot, visit)
	}
	for _, s := range list {
		stmt(s)
		slots(s, visit)
		for _, b := range blocks(s) {
			tree(b, stmt, expr)
		}
		if d, ok := s.(*ast.FuncDefStmt); ok {
			tree(d.Func.Stmts, stmt, expr)
		}
	}
}

// target visits what is read where a value is assigned to x.
func target(x ast.Expr, visit func(*ast.Expr)) {
	if get, ok := x.(*ast.AttrGetExpr); ok {
		visit(&get.Object)
		visit(&get.Key)
	}
}

// readIn calls visit for the expressions directly in a statement that are read:
// not for the targets of assignments.
func readIn(s ast.Stmt, visit func(*ast.Expr)) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		for _, x := range s.Lhs {
			target(x, visit)
		}
		each(s.Rhs, visit)
	case *ast.FuncDefStmt:
		target(s.Name.Func, visit)
		some(&s.Name.Receiver, visit)
	default:
		slots(s, visit)
	}
}
