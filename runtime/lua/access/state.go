package access

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// state replaces keys of the state by calls, wherever they stand.
func (w *rewriter) state(list []ast.Stmt) {
	for i, s := range list {
		if a, ok := s.(*ast.AssignStmt); ok {
			list[i] = w.setState(a)
			continue
		}
		syntax.Reads(s, w.stateIn)
		for _, b := range syntax.Blocks(s) {
			w.state(b)
		}
		if d, ok := s.(*ast.FuncDefStmt); ok {
			w.state(d.Func.Stmts)
		}
	}
}

// stateKey recognises state.key.
func stateKey(x ast.Expr) (string, bool) {
	get, ok := x.(*ast.AttrGetExpr)
	if !ok || !syntax.IsName(get.Object, "state") {
		return "", false
	}
	key, ok := get.Key.(*ast.StringExpr)
	if !ok {
		return "", false
	}
	return key.Value, true
}

func (w *rewriter) setState(a *ast.AssignStmt) ast.Stmt {
	if len(a.Lhs) == 1 && len(a.Rhs) == 1 {
		if key, ok := stateKey(a.Lhs[0]); ok {
			w.stateIn(&a.Rhs[0])
			w.keys[key] = true
			s := &ast.FuncCallStmt{Expr: call(a.Lhs[0], SetStateName+key, syntax.Single(a.Rhs[0]))}
			s.SetLine(a.Line())
			s.SetLastLine(a.LastLine())
			return s
		}
	}
	syntax.Reads(a, w.stateIn)
	return a
}

func (w *rewriter) stateIn(slot *ast.Expr) {
	if key, ok := stateKey(*slot); ok {
		w.keys[key] = true
		*slot = call(*slot, StateName+key)
		return
	}
	if f, ok := (*slot).(*ast.FunctionExpr); ok {
		w.state(f.Stmts)
		return
	}
	syntax.Operands(*slot, w.stateIn)
}
