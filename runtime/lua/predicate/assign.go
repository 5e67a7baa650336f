package predicate

import "github.com/yuin/gopher-lua/ast"

// variable is a local by the scope that declares it, one of the variables around the
// function, or a key of a record by the name of its slot.
type variable struct {
	scope *scope // nil: no local
	name  string
}

// change is an assignment on the way that is being compiled; those before it follow.
type change struct {
	before *change
	of     variable
	v      value
	at     ast.PositionHolder
	slot   *slot // of a record; nil for variables
}

// origin tells an expression from others with the same value.
type origin struct{ _ byte }

// debt is what an expression may raise whose value the way has not needed so far;
// earlier ones follow.
type debt struct {
	before *debt
	origin *origin
	touch  func(any)
}

// without lists what is to be touched at the end of a way that computed some values
// anyway.
func (d *debt) without(computed map[*origin]bool) []func(any) {
	var list []func(any)
	for ; d != nil; d = d.before {
		if !computed[d.origin] {
			list = append(list, d.touch)
		}
	}
	return list
}

// way is what is known at a place of a handler: it is put back where paths part.
type way struct {
	changes *change
	owed    *debt
}

// owe notes that a value is computed here.
func (c *compiler) owe(v value) {
	if v.touch != nil {
		c.owed = &debt{c.owed, v.origin, v.touch}
	}
}

// now returns what a variable was assigned on the way here.
func (c *compiler) now(of variable) (value, bool) {
	for ch := c.changes; ch != nil; ch = ch.before {
		if ch.of == of {
			return ch.v, true
		}
	}
	return value{}, false
}

// assign compiles an assignment to names.
func (c *compiler) assign(s *ast.AssignStmt, rest *cont) (test, error) {
	if x, ok := s.Lhs[0].(*ast.AttrGetExpr); ok && len(s.Lhs) == 1 {
		return c.assignKey(s, x, rest)
	}
	targets := make([]variable, len(s.Lhs))
	for i, x := range s.Lhs {
		id, ok := x.(*ast.IdentExpr)
		if !ok {
			return test{}, refuse(x, "an assignment to a field")
		}
		_, sc, local := rest.scope.find(id.Value)
		if !local && c.machine.Cells[id.Value] == nil {
			return test{}, refuse(s, "an assignment to the global %s", id.Value)
		}
		targets[i] = variable{sc, id.Value}
	}
	values, err := c.values(s.Rhs, rest.scope, len(targets))
	if err != nil {
		return test{}, err
	}
	for i := len(targets) - 1; i >= 0; i-- { // in Lua's order
		c.owe(values[i])
		c.changes = &change{before: c.changes, of: targets[i], v: values[i], at: s}
	}
	for _, v := range values[len(targets):] {
		c.owe(v)
	}
	return c.flow(rest)
}

// assignKey compiles the assignment to a key of a record.
func (c *compiler) assignKey(s *ast.AssignStmt, to *ast.AttrGetExpr, rest *cont) (test, error) {
	key, ok := to.Key.(*ast.StringExpr)
	of, err := c.value(to.Object, rest.scope)
	if err != nil {
		return test{}, err
	}
	if !ok || of.kind != recorded {
		return test{}, refuse(s, "an assignment to a field")
	}
	k, err := c.slotOf(to, of, key.Value)
	if err != nil {
		return test{}, err
	}
	values, err := c.values(s.Rhs, rest.scope, 1)
	if err != nil {
		return test{}, err
	}
	for _, v := range values[1:] {
		c.owe(v)
	}
	if err := c.store(s, k, values[0]); err != nil {
		return test{}, err
	}
	return c.flow(rest)
}
