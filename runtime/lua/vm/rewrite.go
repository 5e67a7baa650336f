package vm

import "github.com/yuin/gopher-lua/ast"

// rewriter walks a chunk and replaces concatenations, innermost first.
type rewriter struct{}

func (r rewriter) block(list []ast.Stmt) {
	for _, s := range list {
		r.stmt(s)
	}
}

func (r rewriter) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		r.exprs(s.Lhs)
		r.exprs(s.Rhs)
	case *ast.LocalAssignStmt:
		r.exprs(s.Exprs)
	case *ast.FuncCallStmt:
		r.expr(&s.Expr)
	case *ast.DoBlockStmt:
		r.block(s.Stmts)
	case *ast.WhileStmt:
		r.expr(&s.Condition)
		r.block(s.Stmts)
	case *ast.RepeatStmt:
		r.block(s.Stmts)
		r.expr(&s.Condition)
	case *ast.IfStmt:
		r.expr(&s.Condition)
		r.block(s.Then)
		r.block(s.Else)
	case *ast.NumberForStmt:
		r.expr(&s.Init)
		r.expr(&s.Limit)
		r.expr(&s.Step)
		r.block(s.Stmts)
	case *ast.GenericForStmt:
		r.exprs(s.Exprs)
		r.block(s.Stmts)
	case *ast.FuncDefStmt:
		r.expr(&s.Name.Func)
		r.expr(&s.Name.Receiver)
		r.block(s.Func.Stmts)
	case *ast.ReturnStmt:
		r.exprs(s.Exprs)
	}
}

func (r rewriter) exprs(list []ast.Expr) {
	for i := range list {
		r.expr(&list[i])
	}
}

func (r rewriter) expr(p *ast.Expr) {
	switch e := (*p).(type) {
	case *ast.AttrGetExpr:
		r.expr(&e.Object)
		r.expr(&e.Key)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			r.expr(&f.Key)
			r.expr(&f.Value)
		}
	case *ast.FuncCallExpr:
		r.expr(&e.Func)
		r.expr(&e.Receiver)
		r.exprs(e.Args)
	case *ast.LogicalOpExpr:
		r.expr(&e.Lhs)
		r.expr(&e.Rhs)
	case *ast.RelationalOpExpr:
		r.expr(&e.Lhs)
		r.expr(&e.Rhs)
	case *ast.ArithmeticOpExpr:
		r.expr(&e.Lhs)
		r.expr(&e.Rhs)
	case *ast.UnaryMinusOpExpr:
		r.expr(&e.Expr)
	case *ast.UnaryNotOpExpr:
		r.expr(&e.Expr)
	case *ast.UnaryLenOpExpr:
		r.expr(&e.Expr)
	case *ast.FunctionExpr:
		r.block(e.Stmts)
	case *ast.StringConcatOpExpr:
		*p = r.concat(e)
	}
}

// concat turns a chain a .. b .. c into one call.
func (r rewriter) concat(e *ast.StringConcatOpExpr) ast.Expr {
	var operands []ast.Expr
	var last ast.Expr = e
	for {
		op, ok := last.(*ast.StringConcatOpExpr)
		if !ok {
			break
		}
		operands = append(operands, op.Lhs)
		last = op.Rhs
	}
	operands = append(operands, last)
	r.exprs(operands)
	return call(e.Line(), e.LastLine(), operands)
}

// call makes the call of a chain; what does not fit into one is the last
// operand of it, as the operator joins from the right.
func call(line, lastLine int, operands []ast.Expr) ast.Expr {
	if len(operands) > maxOperands {
		rest := call(line, lastLine, operands[maxOperands-1:])
		operands = append(operands[:maxOperands-1:maxOperands-1], rest)
	}
	operands[len(operands)-1] = single(operands[len(operands)-1])
	fn := &ast.IdentExpr{Value: ConcatName}
	fn.SetLine(line)
	fn.SetLastLine(lastLine)
	// One value, wherever the call stands: the operator has one.
	e := &ast.FuncCallExpr{Func: fn, Args: operands, AdjustRet: true}
	e.SetLine(line)
	e.SetLastLine(lastLine)
	return e
}

// single cuts an operand that may have several values to one, as the operator
// does.
func single(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		cut := *e
		cut.AdjustRet = true
		return &cut
	case *ast.Comma3Expr:
		cut := *e
		cut.AdjustRet = true
		return &cut
	}
	return e
}
