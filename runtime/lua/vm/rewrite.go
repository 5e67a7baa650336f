package vm

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// rewriter walks a chunk and replaces concatenations, innermost first.
type rewriter struct{}

func (r rewriter) block(list []ast.Stmt) {
	for _, s := range list {
		syntax.Exprs(s, r.expr)
		for _, b := range syntax.Bodies(s) {
			r.block(b)
		}
	}
}

func (r rewriter) expr(slot *ast.Expr) {
	switch e := (*slot).(type) {
	case *ast.FunctionExpr:
		r.block(e.Stmts)
	case *ast.StringConcatOpExpr:
		*slot = r.concat(e)
	default:
		syntax.Operands(e, r.expr)
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
	syntax.Each(operands, r.expr)
	return call(e.Line(), e.LastLine(), operands)
}

// call makes the call of a chain; what does not fit into one is the last
// operand of it, as the operator joins from the right.
func call(line, lastLine int, operands []ast.Expr) ast.Expr {
	if len(operands) > maxOperands {
		rest := call(line, lastLine, operands[maxOperands-1:])
		operands = append(operands[:maxOperands-1:maxOperands-1], rest)
	}
	operands[len(operands)-1] = syntax.Single(operands[len(operands)-1])
	fn := &ast.IdentExpr{Value: ConcatName}
	fn.SetLine(line)
	fn.SetLastLine(lastLine)
	// One value, wherever the call stands: the operator has one.
	e := &ast.FuncCallExpr{Func: fn, Args: operands, AdjustRet: true}
	e.SetLine(line)
	e.SetLastLine(lastLine)
	return e
}
