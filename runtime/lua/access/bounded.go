package access

import (
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// Bounded reports whether a function, of a script after or before it was
// rewritten, runs no longer than it is long: it has no loops and calls nothing
// but native functions, which count for themselves. native tells of a global
// whether it and its members are such. Nobody needs to count its instructions.
func (n *Names) Bounded(f *ast.FunctionExpr, native func(global string) bool) bool {
	if n.Metatables {
		return false
	}
	b := bounder{n, native}
	return b.block(f.Stmts)
}

type bounder struct {
	names  *Names
	native func(string) bool
}

func (b bounder) block(list []ast.Stmt) bool {
	for _, s := range list {
		switch s.(type) {
		case *ast.WhileStmt, *ast.RepeatStmt, *ast.NumberForStmt, *ast.GenericForStmt, *ast.GotoStmt, *ast.LabelStmt:
			return false
		}
		ok := true
		syntax.Exprs(s, func(x *ast.Expr) { ok = ok && b.expr(*x) })
		for _, inner := range syntax.Blocks(s) {
			ok = ok && b.block(inner)
		}
		if !ok {
			return false
		}
	}
	return true
}

// expr looks for calls. Making a function is none.
func (b bounder) expr(x ast.Expr) bool {
	if _, ok := x.(*ast.FunctionExpr); ok {
		return true
	}
	if c, ok := x.(*ast.FuncCallExpr); ok && !b.known(c) {
		return false
	}
	ok := true
	syntax.Operands(x, func(e *ast.Expr) { ok = ok && b.expr(*e) })
	return ok
}

// known reports whether what is called is a native function that calls nothing
// back.
func (b bounder) known(c *ast.FuncCallExpr) bool {
	if c.Method != "" {
		id, ok := c.Receiver.(*ast.IdentExpr)
		return ok && b.names.store(id.Value) && c.Method != "each"
	}
	switch fn := c.Func.(type) {
	case *ast.IdentExpr:
		return strings.HasPrefix(fn.Value, "(") || b.global(fn.Value)
	case *ast.AttrGetExpr:
		id, ok := fn.Object.(*ast.IdentExpr)
		_, named := fn.Key.(*ast.StringExpr)
		return ok && named && b.global(id.Value)
	}
	return false
}

func (b bounder) global(name string) bool { return b.names.Own(name) && b.native(name) }
