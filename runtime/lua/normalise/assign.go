package normalise

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

func (r *rewriter) assign(s *ast.AssignStmt) ast.Stmt {
	if len(s.Lhs) == 1 && len(s.Rhs) == 1 {
		return r.single(s)
	}
	if !r.on(MultipleAssignment) {
		return s
	}
	return r.multiple(s)
}

// single rewrites an assignment of one value to one target.
func (r *rewriter) single(s *ast.AssignStmt) ast.Stmt {
	switch target := s.Lhs[0].(type) {
	case *ast.IdentExpr:
		if r.on(LogicalAssignment) && r.scope.locals[target] != nil && builtInPlace(s.Rhs[0]) {
			value := ident(nameValue, s.Rhs[0].Line())
			return do(s.Line(), declare(s.Line(), []string{nameValue}, s.Rhs[0]), assignment(target, value))
		}
	case *ast.AttrGetExpr:
		late := r.on(LateKey) && r.late(target.Key) && !inert(s.Rhs[0])
		if !late && !(r.on(ConstantTarget) && constant(target.Object)) {
			return s
		}
		var t temporaries
		r.target(target, nil, &t)
		if late {
			s.Rhs[0] = t.keep(nameValue, s.Rhs[0])
		}
		return do(s.Line(), declare(s.Line(), t.names, t.exprs...), s)
	}
	return s
}

// builtInPlace tells whether the compiler uses the target of an assignment
// while it evaluates e.
func builtInPlace(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.LogicalOpExpr:
		return true
	case *ast.FuncCallExpr:
		return e.AdjustRet
	case *ast.Comma3Expr:
		return e.AdjustRet
	}
	return false
}

// late tells whether e is a local that a call could change.
func (r *rewriter) late(e ast.Expr) bool {
	id, ok := e.(*ast.IdentExpr)
	return ok && r.scope.locals[id] != nil && r.scope.locals[id].captured
}

// inert tells whether evaluating e changes nothing.
func inert(e ast.Expr) bool {
	switch e.(type) {
	case *ast.IdentExpr, *ast.FunctionExpr, *ast.Comma3Expr:
		return true
	}
	return literal(e)
}

// constant tells whether the compiler makes e a constant.
func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ArithmeticOpExpr:
		return constant(e.Lhs) && constant(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		return constant(e.Expr)
	case *ast.NumberExpr, *ast.StringExpr:
		return true
	}
	return false
}

// temporaries are the locals that hold parts of a statement.
type temporaries struct {
	names []string
	exprs []ast.Expr
}

// keep makes a temporary of e and returns what stands for it.
func (t *temporaries) keep(prefix string, e ast.Expr) ast.Expr {
	name := prefix + strconv.Itoa(len(t.names))
	t.names = append(t.names, name)
	t.exprs = append(t.exprs, e)
	return ident(name, e.Line())
}

// multiple rewrites an assignment to several targets, or of several values.
func (r *rewriter) multiple(s *ast.AssignStmt) ast.Stmt {
	assigned := make(map[*variable]bool)
	for _, l := range s.Lhs {
		if id, ok := l.(*ast.IdentExpr); ok {
			assigned[r.scope.locals[id]] = true
		}
	}
	var t temporaries
	for _, l := range s.Lhs {
		if target, ok := l.(*ast.AttrGetExpr); ok {
			r.target(target, assigned, &t)
		}
	}
	values := t.values(s)
	block := do(s.Line())
	if len(t.names) > 0 {
		block.Stmts = append(block.Stmts, declare(s.Line(), t.names, t.exprs...))
	}
	for i := len(s.Lhs) - 1; i >= 0; i-- {
		block.Stmts = append(block.Stmts, r.single(assignment(s.Lhs[i], values[i])))
	}
	return block
}

// target puts the object and the key of a target into temporaries, unless they
// mean the same whenever they are evaluated.
func (r *rewriter) target(target *ast.AttrGetExpr, assigned map[*variable]bool, t *temporaries) {
	steady := func(e ast.Expr) bool {
		id, ok := e.(*ast.IdentExpr)
		if !ok {
			return false
		}
		v := r.scope.locals[id]
		return v != nil && !assigned[v]
	}
	if !steady(target.Object) && !(literal(target.Object) && !r.on(ConstantTarget)) {
		target.Object = t.keep(nameObject, target.Object)
	}
	if !steady(target.Key) && !literal(target.Key) {
		target.Key = t.keep(nameKey, target.Key)
	}
}

// values returns one expression for each target of s, after which nothing is
// left to evaluate but the last one.
func (t *temporaries) values(s *ast.AssignStmt) []ast.Expr {
	n := len(s.Lhs)
	values := make([]ast.Expr, n)
	for i := range values {
		switch {
		case i >= len(s.Rhs) && multiple(s.Rhs[len(s.Rhs)-1]):
			// The declaration's last expression fills these names.
			line := s.Lhs[i].Line()
			values[i] = t.keep(nameValue, null(line))
			t.exprs = t.exprs[:len(t.exprs)-1]
		case i >= len(s.Rhs):
			values[i] = null(s.Lhs[i].Line())
		case len(s.Rhs) <= n && literal(s.Rhs[i]):
			values[i] = s.Rhs[i]
		case len(s.Rhs) == n && i == n-1:
			values[i] = s.Rhs[i]
		default:
			values[i] = t.keep(nameValue, s.Rhs[i])
		}
	}
	if len(s.Rhs) > n {
		t.exprs = append(t.exprs, s.Rhs[n:]...)
	}
	return values
}
