package counted

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// jumps tells whether a label stands in a function, so that anything in it may
// be repeated.
func jumps(stmts []ast.Stmt) bool {
	for _, s := range stmts {
		if _, ok := s.(*ast.LabelStmt); ok {
			return true
		}
		for _, block := range syntax.Blocks(s) {
			if jumps(block) {
				return true
			}
		}
	}
	return false
}
