package counted

import (
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// Names of the functions that stand for operators; none is a name that a script
// could write. Package vm defines them.
const (
	Length = "(#)"
	Equal  = "(==)"
	Less   = "(<)"
	AtMost = "(<=)"
	More   = "(>)"
	// AtLeast takes its operands in the order of the source, as all do.
	AtLeast = "(>=)"
	// Key returns a key that is looked up.
	Key = "(k)"
	// Store returns a key that is stored under. Its second argument is the table,
	// nil where that is not known, absent where it is being made.
	Store = "(k=)"
	// Values returns its arguments.
	Values = "(...)"
	// Table returns a table that was just made, its argument.
	Table = "({})"
	// Bound returns a number that a loop starts from, ends at or is stepped by:
	// its second argument is 1, 2 or 3.
	Bound = "(for)"
)

// relations are the functions that stand for comparisons.
var relations = map[string]string{"==": Equal, "~=": Equal, "<": Less, "<=": AtMost, ">": More, ">=": AtLeast}

// call builds the call of such a function on the line of the operator. It has
// one value wherever it stands.
func call(name string, line int, args ...ast.Expr) *ast.FuncCallExpr {
	fn := &ast.IdentExpr{Value: name}
	fn.SetLine(line)
	fn.SetLastLine(line)
	e := &ast.FuncCallExpr{Func: fn, Args: args, AdjustRet: true}
	e.SetLine(line)
	e.SetLastLine(line)
	return e
}

// helper reports whether e calls the named function of this package.
func helper(e ast.Expr, name string) bool {
	c, ok := e.(*ast.FuncCallExpr)
	if !ok {
		return false
	}
	id, ok := c.Func.(*ast.IdentExpr)
	return ok && id.Value == name
}

// Operator returns the operator that e, a call made by this package, stands for;
// other expressions as they are.
func Operator(e ast.Expr) ast.Expr {
	c, ok := e.(*ast.FuncCallExpr)
	if !ok {
		return e
	}
	id, ok := c.Func.(*ast.IdentExpr)
	if !ok {
		return e
	}
	switch id.Value {
	case Length:
		return at(&ast.UnaryLenOpExpr{Expr: c.Args[0]}, c.Line())
	case Key:
		return c.Args[0]
	case Equal, Less, AtMost, More, AtLeast:
		return at(&ast.RelationalOpExpr{Operator: strings.Trim(id.Value, "()"), Lhs: c.Args[0], Rhs: c.Args[1]}, c.Line())
	}
	return e
}
