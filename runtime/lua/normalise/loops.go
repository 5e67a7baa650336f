package normalise

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

// triple is how many values a generic for starts from.
const triple = 3

// body rewrites the body of a loop.
func (r *rewriter) body(loop ast.Stmt, stmts []ast.Stmt, leaks bool) []ast.Stmt {
	stmts = r.block(stmts, fallThrough)
	if leaks && r.on(BreakClosure) && !captures(stmts) {
		stmts = append(capture(loop.Line()), stmts...)
	}
	return stmts
}

// capture builds statements that have a variable of their block captured by a
// closure, for the compiler to see and never to run.
func capture(line int) []ast.Stmt {
	get := at(&ast.ReturnStmt{Exprs: []ast.Expr{ident(nameClose, line)}}, line)
	set := assignment(ident(nameClose, line), function(line, &ast.ParList{}, get))
	unless := at(&ast.IfStmt{Condition: ident(nameClose, line), Then: []ast.Stmt{set}}, line)
	unless.SetLastLine(line)
	return []ast.Stmt{declare(line, []string{nameClose}), unless}
}

// captures tells whether a block begins with what capture builds.
func captures(stmts []ast.Stmt) bool {
	if len(stmts) == 0 {
		return false
	}
	s, ok := stmts[0].(*ast.LocalAssignStmt)
	return ok && s.Names[0] == nameClose
}

// emitsNothing tells whether no instruction is compiled for s, so that what
// follows it begins where it does.
func emitsNothing(s ast.Stmt) bool {
	body := []ast.Stmt(nil)
	switch s := s.(type) {
	case *ast.LabelStmt:
	case *ast.DoBlockStmt:
		body = s.Stmts
	case *ast.RepeatStmt:
		if value, known := truth(s.Condition); !known || !value {
			return false
		}
		body = s.Stmts
	default:
		return false
	}
	for _, s := range body {
		if !emitsNothing(s) {
			return false
		}
	}
	return true
}

// genericFor has a loop start from exactly three values.
func (r *rewriter) genericFor(s *ast.GenericForStmt) ast.Stmt {
	if !r.on(GenericFor) || len(s.Exprs) == 1 && multiple(s.Exprs[0]) {
		return s // a single call fills the three by itself
	}
	for i := len(s.Names); i < triple; i++ {
		s.Names = append(s.Names, nameLoop+strconv.Itoa(i))
	}
	if len(s.Exprs) <= triple {
		return s
	}
	start := declare(s.Line(), nil, s.Exprs...)
	s.Exprs = nil
	for i := range triple {
		name := nameLoop + strconv.Itoa(i)
		start.Names = append(start.Names, name)
		s.Exprs = append(s.Exprs, ident(name, s.Line()))
	}
	block := do(s.Line(), start, s)
	block.SetLastLine(s.LastLine())
	return block
}
