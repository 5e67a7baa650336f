package access

import (
	"slices"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// Silent reports whether a function returns no values, whichever way it ends.
func Silent(f *ast.FunctionExpr) bool { return silent(f.Stmts) }

func silent(list []ast.Stmt) bool {
	return !slices.ContainsFunc(list, func(s ast.Stmt) bool {
		if r, ok := s.(*ast.ReturnStmt); ok && len(r.Exprs) > 0 {
			return true
		}
		return slices.ContainsFunc(syntax.Blocks(s), func(block []ast.Stmt) bool { return !silent(block) })
	})
}
