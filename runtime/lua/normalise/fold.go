package normalise

import (
	"errors"
	"math"
	"strconv"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// folder replaces expressions and branches that literals decide.
type folder struct {
	skip Rewrites
}

// block folds the statements of a block and drops those that never run.
func (f *folder) block(stmts []ast.Stmt) []ast.Stmt {
	out := stmts[:0]
	for _, s := range stmts {
		if s = f.stmt(s); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// stmt returns what s becomes, nil if nothing of it is left.
func (f *folder) stmt(s ast.Stmt) ast.Stmt {
	syntax.Exprs(s, f.expr)
	switch s := s.(type) {
	case *ast.DoBlockStmt:
		s.Stmts = f.block(s.Stmts)
	case *ast.WhileStmt:
		s.Stmts = f.block(s.Stmts)
		if value, known := f.decided(s.Condition); known && !value {
			return nil
		}
	case *ast.RepeatStmt:
		s.Stmts = f.block(s.Stmts)
	case *ast.NumberForStmt:
		s.Stmts = f.block(s.Stmts)
	case *ast.GenericForStmt:
		s.Stmts = f.block(s.Stmts)
	case *ast.FuncDefStmt:
		s.Func.Stmts = f.block(s.Func.Stmts)
	case *ast.IfStmt:
		return f.branches(s)
	}
	return s
}

func (f *folder) branches(s *ast.IfStmt) ast.Stmt {
	s.Then, s.Else = f.block(s.Then), f.block(s.Else)
	value, known := f.decided(s.Condition)
	if !known {
		return s
	}
	taken := s.Then
	if !value {
		taken = s.Else
	}
	if len(taken) == 0 {
		return nil
	}
	block := do(s.Line(), taken...)
	block.SetLastLine(s.LastLine())
	return block
}

// decided returns what a condition is if a literal says so.
func (f *folder) decided(e ast.Expr) (value, known bool) {
	if f.skip&ConstantConditions != 0 {
		return false, false
	}
	return truth(e)
}

func (f *folder) expr(slot *ast.Expr) {
	syntax.Operands(*slot, f.expr)
	switch e := (*slot).(type) {
	case *ast.FunctionExpr:
		e.Stmts = f.block(e.Stmts)
	case *ast.LogicalOpExpr:
		if value, known := f.decided(e.Lhs); known {
			*slot = chosen(e, value)
		}
	case *ast.UnaryNotOpExpr:
		if value, known := f.decided(e.Expr); known {
			*slot = boolean(!value, e.Line())
		}
	case *ast.UnaryMinusOpExpr:
		negate(slot, e)
	case *ast.NumberExpr:
		if f.skip&Numbers == 0 {
			*slot = inRange(e)
		}
	}
}

// chosen returns the operand of "and" or "or" that is its value.
func chosen(e *ast.LogicalOpExpr, left bool) ast.Expr {
	if (e.Operator == "and") == left {
		return syntax.Single(e.Rhs)
	}
	return e.Lhs
}

func boolean(value bool, line int) ast.Expr {
	if value {
		return at(&ast.TrueExpr{}, line)
	}
	return at(&ast.FalseExpr{}, line)
}

// negate makes a literal of a negated one. The compiler would do so too, but
// once for each operator of an expression around it. What begins with 0 is left
// alone: the compiler reads "-0" as an integer, which has no such value.
func negate(slot *ast.Expr, e *ast.UnaryMinusOpExpr) {
	n, ok := e.Expr.(*ast.NumberExpr)
	if ok && n.Value[0] >= '1' && n.Value[0] <= '9' {
		*slot = number("-"+n.Value, e.Line())
	}
}

// inRange gives the literals that the compiler cannot read the values they have
// in Lua: those of C's strtod.
func inRange(e *ast.NumberExpr) ast.Expr {
	_, err := strconv.ParseInt(e.Value, 0, 64)
	if err == nil {
		return e
	}
	value, err := strconv.ParseFloat(e.Value, 64)
	switch {
	case err == nil:
		return e
	case len(e.Value) > 2 && (e.Value[1] == 'x' || e.Value[1] == 'X'):
		// ParseFloat wants an exponent behind hexadecimal digits.
		if value, err = strconv.ParseFloat(e.Value+"p0", 64); err == nil {
			return number(strconv.FormatFloat(value, 'g', -1, 64), e.Line())
		}
	}
	if errors.Is(err, strconv.ErrRange) && math.IsInf(value, 1) {
		return at(&ast.ArithmeticOpExpr{Operator: "/", Lhs: number("1", e.Line()), Rhs: number("0", e.Line())}, e.Line())
	}
	return e
}
