package counted

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// What an operator weighs that is left uncounted because it runs once, and how
// much of that one function may have: at most about a millisecond.
const (
	weightKey     = 1
	weightCompare = 8
	weightStore   = 16
	maxWeight     = 40
)

// Chunk rewrites the statements of a chunk in place. Once reports of a function
// that it is called at most once an entry; the chunk itself is such a function.
func Chunk(stmts []ast.Stmt, once func(*ast.FunctionExpr) bool) {
	r := &rewriter{scopes: resolve(stmts), once: once}
	r.body(stmts, true)
}

type rewriter struct {
	*scopes
	once func(*ast.FunctionExpr) bool

	repeated bool // this place may run many times an entry
	weight   int  // of what was left uncounted in this function
}

// body rewrites the body of a function.
func (r *rewriter) body(stmts []ast.Stmt, once bool) {
	repeated, weight := r.repeated, r.weight
	r.repeated, r.weight = !once || jumps(stmts), 0
	r.stmts(stmts)
	r.repeated, r.weight = repeated, weight
}

// loop rewrites what is repeated.
func (r *rewriter) loop(walk func()) {
	repeated := r.repeated
	r.repeated = true
	walk()
	r.repeated = repeated
}

// counts tells whether an operator of the given weight has to be counted here.
func (r *rewriter) counts(weight int) bool {
	if r.repeated {
		return true
	}
	r.weight += weight
	return r.weight > maxWeight
}

func (r *rewriter) stmts(stmts []ast.Stmt) {
	for i, s := range stmts {
		if a, ok := s.(*ast.AssignStmt); ok {
			stmts[i] = r.assign(a)
			continue
		}
		r.stmt(s)
	}
}

func (r *rewriter) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.WhileStmt:
		r.loop(func() { r.expr(&s.Condition); r.stmts(s.Stmts) })
		return
	case *ast.RepeatStmt:
		r.loop(func() { r.stmts(s.Stmts); r.expr(&s.Condition) })
		return
	}
	syntax.Exprs(s, r.expr)
	switch s := s.(type) {
	case *ast.DoBlockStmt:
		r.stmts(s.Stmts)
	case *ast.IfStmt:
		r.stmts(s.Then)
		r.stmts(s.Else)
	case *ast.NumberForStmt:
		r.bounds(s)
		r.loop(func() { r.stmts(s.Stmts) })
	case *ast.GenericForStmt:
		r.loop(func() { r.stmts(s.Stmts) })
	case *ast.FuncDefStmt:
		r.body(s.Func.Stmts, false)
	}
}

// bounds makes sure that a loop counts with numbers.
func (r *rewriter) bounds(s *ast.NumberForStmt) {
	for i, slot := range []*ast.Expr{&s.Init, &s.Limit, &s.Step} {
		if *slot == nil || r.number(*slot) {
			continue
		}
		line := (*slot).Line()
		which := &ast.NumberExpr{Value: strconv.Itoa(i + 1)}
		which.SetLine(line)
		*slot = call(Bound, line, syntax.Single(*slot), which)
	}
}

// assign rewrites an assignment and returns what it becomes.
func (r *rewriter) assign(s *ast.AssignStmt) ast.Stmt {
	var first []ast.Stmt
	alone := len(s.Lhs) == 1 && len(s.Rhs) == 1
	for i := range s.Lhs {
		target, ok := s.Lhs[i].(*ast.AttrGetExpr)
		if !ok {
			continue
		}
		r.expr(&target.Object)
		dear, late := !low(target.Key), r.late(target.Key)
		r.expr(&target.Key)
		if !dear || late && !alone || !r.counts(weightStore) {
			continue
		}
		table := name(target.Object)
		if table == nil && alone {
			first = append(first, hoist(nameTable, &target.Object))
			table = name(target.Object)
		}
		if table == nil {
			table = at(&ast.NilExpr{}, target.Line())
		}
		target.Key = call(Store, target.Key.Line(), uncounted(target.Key), table)
		if late && !inert(s.Rhs[0]) {
			r.expr(&s.Rhs[0])
			first = append(first, hoist(nameValue, &s.Rhs[0]))
		}
	}
	syntax.Each(s.Rhs, r.expr)
	if c, ok := s.Rhs[0].(*ast.FuncCallExpr); alone && ok && stands(c) {
		// One value goes to one target either way, and the compiler does this
		// directly.
		c.AdjustRet = false
	}
	if len(first) == 0 {
		return s
	}
	block := at(&ast.DoBlockStmt{Stmts: append(first, s)}, s.Line())
	block.SetLastLine(s.Line())
	return block
}

// Names of locals that stand for what has to be evaluated first. They begin with
// a space, which no name of a source does.
const (
	nameTable = " ct"
	nameValue = " cv"
)

// hoist moves an expression to a local in front of the statement.
func hoist(local string, slot *ast.Expr) *ast.LocalAssignStmt {
	line := (*slot).Line()
	s := at(&ast.LocalAssignStmt{Names: []string{local}, Exprs: []ast.Expr{*slot}}, line)
	*slot = at(&ast.IdentExpr{Value: local}, line)
	return s
}

// at gives a node its line.
func at[N ast.PositionHolder](node N, line int) N {
	node.SetLine(line)
	return node
}

// stands tells whether a call stands for an operator.
func stands(c *ast.FuncCallExpr) bool {
	return helper(c, Length) || helper(c, Equal) || helper(c, Less) || helper(c, AtMost) || helper(c, More) || helper(c, AtLeast)
}

// uncounted is an operand of a function that counts it.
func uncounted(e ast.Expr) ast.Expr {
	if helper(e, Values) {
		e = e.(*ast.FuncCallExpr).Args[0]
	}
	return syntax.Single(e)
}

func (r *rewriter) expr(slot *ast.Expr) {
	switch e := (*slot).(type) {
	case *ast.FunctionExpr:
		r.body(e.Stmts, r.once(e))
		return
	case *ast.AttrGetExpr:
		dear := !r.small(e.Key) || !short(e.Key)
		syntax.Operands(e, r.expr)
		if dear && r.counts(weightKey) {
			e.Key = call(Key, e.Key.Line(), uncounted(e.Key))
		}
		return
	case *ast.RelationalOpExpr:
		dear := !r.small(e.Lhs) && !r.small(e.Rhs)
		syntax.Operands(e, r.expr)
		if dear && r.counts(weightOf(e)) {
			*slot = compared(e)
		}
		return
	case *ast.TableExpr:
		for _, f := range e.Fields {
			if f.Key != nil {
				dear := !low(f.Key)
				r.expr(&f.Key)
				if dear {
					f.Key = call(Store, f.Key.Line(), uncounted(f.Key))
				}
			}
			r.expr(&f.Value)
		}
		if r.repeated {
			*slot = call(Table, e.Line(), e)
		}
		return
	}
	syntax.Operands(*slot, r.expr)
	switch e := (*slot).(type) {
	case *ast.UnaryLenOpExpr:
		*slot = call(Length, e.Line(), syntax.Single(e.Expr))
	case *ast.Comma3Expr:
		if !e.AdjustRet && r.repeated {
			values := call(Values, e.Line(), e)
			values.AdjustRet = false
			*slot = values
		}
	}
}

// short tells whether e is no long literal.
func short(e ast.Expr) bool {
	s, ok := e.(*ast.StringExpr)
	return !ok || len(s.Value) <= shortString
}

func weightOf(e *ast.RelationalOpExpr) int {
	if e.Operator == "==" || e.Operator == "~=" {
		return weightKey
	}
	return weightCompare
}

func compared(e *ast.RelationalOpExpr) ast.Expr {
	c := call(relations[e.Operator], e.Line(), uncounted(e.Lhs), uncounted(e.Rhs))
	if e.Operator != "~=" {
		return c
	}
	not := &ast.UnaryNotOpExpr{Expr: c}
	not.SetLine(e.Line())
	return not
}
