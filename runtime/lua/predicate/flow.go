package predicate

import "github.com/yuin/gopher-lua/ast"

// test is a condition: fixed, or decided on the event.
type test struct {
	holds  func(e any) bool
	always bool // it is `is`, whatever the event
	is     bool
}

func fixed(is bool) test { return test{always: true, is: is} }

// fn returns the test as a closure.
func (t test) fn() func(any) bool {
	if !t.always {
		return t.holds
	}
	is := t.is
	return func(any) bool { return is }
}

func not(t test) test {
	if t.always {
		return fixed(!t.is)
	}
	holds := t.holds
	return test{holds: func(e any) bool { return !holds(e) }}
}

func both(a, b test) test {
	switch {
	case a.always && a.is:
		return b
	case a.always:
		return a
	}
	x, y := a.holds, b.fn()
	if b.always && b.is {
		return a
	}
	return test{holds: func(e any) bool { return x(e) && y(e) }}
}

func either(a, b test) test {
	switch {
	case a.always && !a.is:
		return b
	case a.always:
		return a
	}
	x, y := a.holds, b.fn()
	if b.always && !b.is {
		return a
	}
	return test{holds: func(e any) bool { return x(e) || y(e) }}
}

// choose is yes where on holds, else no.
func choose(on, yes, no test) test {
	switch {
	case on.always && on.is:
		return yes
	case on.always:
		return no
	case yes.always && no.always && yes.is && !no.is:
		return on
	case yes.always && no.always && !yes.is && no.is:
		return not(on)
	case yes.always && !yes.is:
		return both(not(on), no)
	case no.always && !no.is:
		return both(on, yes)
	}
	c, y, n := on.holds, yes.fn(), no.fn()
	return test{holds: func(e any) bool {
		if c(e) {
			return y(e)
		}
		return n(e)
	}}
}

// cont is what is left to do: statements, then those behind the block that they
// stand in.
type cont struct {
	stmts []ast.Stmt
	scope *scope
	up    *cont
}

// flow compiles what is left of a function. The result of a filter is what the
// function returns; that of guards whether anything is reached that is no guard.
func (c *compiler) flow(k *cont) (test, error) {
	for k != nil && len(k.stmts) == 0 {
		k = k.up
	}
	if k == nil {
		return fixed(false), nil
	}
	if c.nodes++; c.nodes > maxNodes {
		return c.enter(&Refusal{k.stmts[0].Line(), "too many branches"})
	}
	rest := &cont{k.stmts[1:], k.scope, k.up}
	switch s := k.stmts[0].(type) {
	case *ast.LocalAssignStmt:
		return c.local(s, rest)
	case *ast.DoBlockStmt:
		return c.flow(&cont{s.Stmts, k.scope, rest})
	case *ast.IfStmt:
		return c.branch(s, k.scope, rest)
	case *ast.ReturnStmt:
		return c.result(s, k.scope)
	default:
		return c.enter(&Refusal{s.Line(), "a statement that is more than a test"})
	}
}

// enter ends the guards, or refuses a filter.
func (c *compiler) enter(why *Refusal) (test, error) {
	if !c.guard {
		return test{}, why
	}
	if c.first == nil {
		c.first = why
	}
	return fixed(true), nil
}

// stop is enter for an error of an expression.
func (c *compiler) stop(err error) (test, error) {
	return c.enter(err.(*Refusal))
}

// branch compiles if. What follows is compiled behind each side.
func (c *compiler) branch(s *ast.IfStmt, sc *scope, rest *cont) (test, error) {
	on, err := c.truth(s.Condition, sc)
	if err != nil {
		return c.stop(err)
	}
	yes, err := c.flow(&cont{s.Then, sc, rest})
	if err != nil {
		return yes, err
	}
	no, err := c.flow(&cont{s.Else, sc, rest})
	if err != nil {
		return no, err
	}
	return choose(on, yes, no), nil
}

// local compiles the declaration of locals. Their values are computed where they
// are used, which nobody can tell since nothing has effects; what might raise is
// computed here too.
func (c *compiler) local(s *ast.LocalAssignStmt, rest *cont) (test, error) {
	inner := &scope{up: rest.scope, names: map[string]value{}}
	var might []func(any)
	values := make([]value, 0, len(s.Exprs))
	for _, x := range s.Exprs {
		v, err := c.value(x, rest.scope)
		if err != nil {
			return c.stop(err)
		}
		if v.touch != nil {
			might = append(might, v.touch)
		}
		values = append(values, v)
	}
	for i, name := range s.Names {
		if c.names.Assigned[name] {
			return c.enter(&Refusal{s.Line(), "the local " + name + " is assigned again"})
		}
		v := constant(nil)
		if i < len(values) {
			v = values[i]
		}
		inner.names[name] = v
	}
	t, err := c.flow(&cont{rest.stmts, inner, rest.up})
	switch {
	case err != nil || len(might) == 0:
		return t, err
	case c.guard && t.always && t.is:
		return t, nil // the handler is called, and raises what there is to raise
	}
	holds := t.fn()
	return test{holds: func(e any) bool {
		for _, touch := range might {
			touch(e)
		}
		return holds(e)
	}}, nil
}

// result compiles return.
func (c *compiler) result(s *ast.ReturnStmt, sc *scope) (test, error) {
	if c.guard {
		for _, x := range s.Exprs {
			if _, null := x.(*ast.NilExpr); !null {
				return c.enter(&Refusal{s.Line(), "it returns something"})
			}
		}
		return fixed(false), nil
	}
	switch len(s.Exprs) {
	case 0:
		return fixed(false), nil
	case 1:
		return c.truth(s.Exprs[0], sc)
	}
	return test{}, refuse(s, "it returns several values")
}
