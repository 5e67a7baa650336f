package normalise

import "github.com/yuin/gopher-lua/ast"

// Names of what the rewrites declare. They begin with a space, which no name in
// a source does, so they capture and shadow nothing.
const (
	nameNothing = " n" // in front of a break
	nameClose   = " c" // captured, so that break closes
	nameTable   = " t" // in the function that appends to a table
	nameIndex   = " i"
	nameKey     = " k"
	nameObject  = " o"
	nameValue   = " v"
	nameLoop    = " f" // the values a generic for starts from
)

func hidden(name string) bool { return name != "" && name[0] == ' ' }

// at gives a node its line.
func at[N ast.PositionHolder](node N, line int) N {
	node.SetLine(line)
	return node
}

func ident(name string, line int) *ast.IdentExpr {
	return at(&ast.IdentExpr{Value: name}, line)
}

func null(line int) ast.Expr { return at(&ast.NilExpr{}, line) }

func number(value string, line int) ast.Expr { return at(&ast.NumberExpr{Value: value}, line) }

// declare builds "local names = exprs". Its last line stays unset, see
// declaredFunction.
func declare(line int, names []string, exprs ...ast.Expr) *ast.LocalAssignStmt {
	return at(&ast.LocalAssignStmt{Names: names, Exprs: exprs}, line)
}

func assignment(target, value ast.Expr) *ast.AssignStmt {
	return at(&ast.AssignStmt{Lhs: []ast.Expr{target}, Rhs: []ast.Expr{value}}, target.Line())
}

// do builds a block that begins and ends on one line as far as errors go.
func do(line int, stmts ...ast.Stmt) *ast.DoBlockStmt {
	d := at(&ast.DoBlockStmt{Stmts: stmts}, line)
	d.SetLastLine(line)
	return d
}

// function builds a function expression.
func function(line int, params *ast.ParList, stmts ...ast.Stmt) *ast.FunctionExpr {
	f := at(&ast.FunctionExpr{ParList: params, Stmts: stmts}, line)
	f.SetLastLine(line)
	return f
}

// literal tells whether e is nil, a boolean, a number or a string.
func literal(e ast.Expr) bool {
	_, ok := e.(ast.ConstExpr)
	return ok
}

// truth returns what e is as a condition, if it is a literal.
func truth(e ast.Expr) (value, known bool) {
	switch e.(type) {
	case *ast.NilExpr, *ast.FalseExpr:
		return false, true
	}
	return true, literal(e)
}

// multiple tells whether e may have any number of values.
func multiple(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		return !e.AdjustRet
	case *ast.Comma3Expr:
		return !e.AdjustRet
	}
	return false
}
