package counted

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

const (
	// shortString is the longest literal that takes no time to compare or hash.
	shortString = 64
	// lowIndex is the greatest literal index that is stored at without counting:
	// a table has that many places from the start.
	lowIndex = 32
)

// number tells whether e is a number whenever it has a value.
func (s *scopes) number(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.NumberExpr, *ast.UnaryLenOpExpr:
		return true
	case *ast.IdentExpr:
		v := s.uses[e]
		return v != nil && v.number
	case *ast.ArithmeticOpExpr:
		return s.number(e.Lhs) && s.number(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		return s.number(e.Expr)
	case *ast.LogicalOpExpr:
		// A number counts as true.
		return s.number(e.Lhs) && (e.Operator == "or" || s.number(e.Rhs))
	}
	return helper(e, Length) || helper(e, Bound)
}

// small tells whether no value of e takes time to compare or to hash.
func (s *scopes) small(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.NilExpr, *ast.TrueExpr, *ast.FalseExpr, *ast.UnaryNotOpExpr, *ast.RelationalOpExpr, *ast.FunctionExpr, *ast.TableExpr:
		return true
	case *ast.StringExpr:
		return len(e.Value) <= shortString
	case *ast.IdentExpr:
		v := s.uses[e]
		return v != nil && v.small
	case *ast.LogicalOpExpr:
		return s.small(e.Lhs) && s.small(e.Rhs)
	}
	return s.number(e) || helper(e, Equal) || helper(e, Table)
}

// low tells whether a store under e fills no places in front of it.
func low(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.StringExpr:
		return len(e.Value) <= shortString
	case *ast.NumberExpr:
		n, err := strconv.ParseFloat(e.Value, 64)
		return err == nil && n <= lowIndex
	case *ast.TrueExpr, *ast.FalseExpr, *ast.NilExpr, *ast.FunctionExpr, *ast.TableExpr:
		return true
	}
	return false
}

// late tells whether e is a key that is read when the store is made, behind the
// values, which may change it: a local that a closure captured.
func (s *scopes) late(e ast.Expr) bool {
	id, ok := e.(*ast.IdentExpr)
	return ok && s.own[id] && s.uses[id].captured
}

// inert tells whether evaluating e changes nothing.
func inert(e ast.Expr) bool {
	switch e.(type) {
	case ast.ConstExpr, *ast.IdentExpr, *ast.FunctionExpr, *ast.Comma3Expr:
		return true
	}
	return false
}

// name builds a name once more, nil if e is something else.
func name(e ast.Expr) ast.Expr {
	if id, ok := e.(*ast.IdentExpr); ok {
		twin := *id
		return &twin
	}
	return nil
}
