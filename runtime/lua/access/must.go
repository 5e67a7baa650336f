package access

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// hoist chooses the fields that become arguments: those that are read on every
// path through the handler.
func (b *body) hoist(f *ast.FunctionExpr) {
	m := &must{body: b, seen: map[string]bool{}}
	m.block(f.Stmts)
	// Those of one object are read together.
	b.h.Hoisted = beside(m.paths[:min(len(m.paths), maxHoisted)])
	b.h.Sums = m.sums[:min(len(m.sums), maxSums)]
}

// must collects the fields that are read whatever happens, in order.
type must struct {
	*body
	seen  map[string]bool // of paths and sums
	paths []Path
	sums  []*Sum
}

// block walks statements and reports whether what follows them is reached on
// every path.
func (m *must) block(list []ast.Stmt) bool {
	defer m.leave(m.enter())
	for _, s := range list {
		if !m.stmt(s) {
			return false
		}
	}
	return true
}

func (m *must) stmt(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.RepeatStmt:
		if leaves(s.Stmts) {
			return false
		}
		m.block(s.Stmts)
		m.expr(&s.Condition)
		return true
	}
	syntax.Reads(s, m.expr)
	switch s := s.(type) {
	case *ast.LocalAssignStmt:
		for _, a := range m.standing(s) {
			m.declare(a.name, a.of)
		}
	case *ast.DoBlockStmt:
		return m.block(s.Stmts)
	case *ast.IfStmt:
		return m.branch(s)
	case *ast.ReturnStmt, *ast.BreakStmt, *ast.GotoStmt, *ast.LabelStmt:
		return false
	case *ast.WhileStmt:
		return !leaves(s.Stmts)
	case *ast.NumberForStmt:
		return !leaves(s.Stmts)
	case *ast.GenericForStmt:
		return !leaves(s.Stmts)
	}
	return true
}

// branch adds what both sides read. A guard is no branch: it mostly is decided
// before the handler is called.
func (m *must) branch(s *ast.IfStmt) bool {
	if guards(s) {
		return true
	}
	then := &must{body: m.body, seen: map[string]bool{}}
	then.block(s.Then)
	other := &must{body: m.body, seen: map[string]bool{}}
	other.block(s.Else)
	for _, p := range then.paths {
		if other.seen[p.String()] {
			m.add(p)
		}
	}
	for _, s := range then.sums {
		if other.seen[s.text] {
			m.addSum(s)
		}
	}
	return !leaves(s.Then) && !leaves(s.Else)
}

// guards recognises if … then return end.
func guards(s *ast.IfStmt) bool {
	if len(s.Then) != 1 || len(s.Else) != 0 {
		return false
	}
	r, ok := s.Then[0].(*ast.ReturnStmt)
	return ok && len(r.Exprs) == 0
}

// leaves reports whether a block may be left other than at its end.
func leaves(list []ast.Stmt) bool {
	for _, s := range list {
		switch s.(type) {
		case *ast.ReturnStmt, *ast.BreakStmt, *ast.GotoStmt, *ast.LabelStmt:
			return true
		}
		for _, b := range syntax.Blocks(s) {
			if leaves(b) {
				return true
			}
		}
	}
	return false
}

func (m *must) expr(slot *ast.Expr) {
	if p, fields, ok := m.path(*slot); ok {
		if hoistable(p, fields) {
			m.add(p)
		}
		return
	}
	if s, ok := m.sum(*slot); ok {
		m.addSum(s)
		return
	}
	switch x := (*slot).(type) {
	case *ast.FunctionExpr:
	case *ast.LogicalOpExpr:
		m.expr(&x.Lhs)
	case *ast.FuncCallExpr:
		syntax.Operands(x, m.expr)
		m.helper(x)
	default:
		syntax.Operands(*slot, m.expr)
	}
}

// helper adds what a local function that is called reads whatever happens.
func (m *must) helper(x *ast.FuncCallExpr) {
	f, stands := m.called(x)
	if f == nil {
		return
	}
	inner := &must{body: m.within(f.fn, m.h), seen: m.seen}
	for name, r := range stands {
		inner.param(name, r)
	}
	inner.block(f.fn.Stmts)
	m.paths = append(m.paths, inner.paths...)
}

func (m *must) add(p Path) {
	if !m.seen[p.String()] {
		m.seen[p.String()] = true
		m.paths = append(m.paths, p)
	}
}

func (m *must) addSum(s *Sum) {
	if !m.seen[s.text] {
		m.seen[s.text] = true
		m.sums = append(m.sums, s)
	}
}
