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
		return c.end(nil)
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
	case *ast.AssignStmt:
		if c.machine != nil {
			return c.assign(s, rest)
		}
	case *ast.FuncCallStmt:
		if t, ok, err := c.assignState(s, rest); ok {
			return t, err
		}
	}
	return c.enter(&Refusal{k.stmts[0].Line(), c.more(k.stmts[0])})
}

// more says what a statement is that has no native form.
func (c *compiler) more(s ast.Stmt) string {
	if c.machine == nil {
		return "a statement that is more than a test"
	}
	switch s.(type) {
	case *ast.FuncCallStmt:
		return "a call"
	case *ast.FuncDefStmt:
		return "it makes a function"
	}
	return "a loop"
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
	here := c.way
	yes, err := c.flow(&cont{s.Then, sc, rest})
	if err != nil {
		return yes, err
	}
	c.way = here
	no, err := c.flow(&cont{s.Else, sc, rest})
	if err != nil {
		return no, err
	}
	if c.guard && yes.always && yes.is && no.always && no.is {
		return yes, nil // the handler is called either way
	}
	return choose(on, yes, no), nil
}

// local compiles the declaration of locals. Their values are computed where they
// are used, which nobody can tell since nothing has effects before the end; what
// might raise is computed here too, or at the end of a handler.
func (c *compiler) local(s *ast.LocalAssignStmt, rest *cont) (test, error) {
	inner := &scope{up: rest.scope, names: map[string]value{}}
	values, err := c.values(s.Exprs, rest.scope, len(s.Names))
	if err != nil {
		return c.stop(err)
	}
	for i, name := range s.Names {
		if c.names.Assigned[name] && c.machine == nil {
			return c.enter(&Refusal{s.Line(), "the local " + name + " is assigned again"})
		}
		inner.names[name] = values[i]
	}
	var might []func(any)
	for _, v := range values {
		if c.machine != nil {
			c.owe(v)
		} else if v.touch != nil {
			might = append(might, v.touch)
		}
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

// values compiles a list of expressions: at least n values.
func (c *compiler) values(list []ast.Expr, sc *scope, n int) ([]value, error) {
	values := make([]value, 0, max(n, len(list)))
	for _, x := range list {
		v, err := c.value(x, sc)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	for len(values) < n {
		values = append(values, constant(nil))
	}
	return values, nil
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
	switch {
	case len(s.Exprs) == 0:
		return c.end(nil)
	case len(s.Exprs) > 1:
		return test{}, refuse(s, "it returns several values")
	case c.machine != nil:
		return c.decides(s, sc)
	}
	return c.truth(s.Exprs[0], sc)
}

// decides compiles what a handler returns: nil, or a verdict by its name.
func (c *compiler) decides(s *ast.ReturnStmt, sc *scope) (test, error) {
	switch x := s.Exprs[0].(type) {
	case *ast.NilExpr:
		return c.end(nil)
	case *ast.AttrGetExpr:
		family, ok := x.Object.(*ast.IdentExpr)
		word, named := x.Key.(*ast.StringExpr)
		if !ok || !named {
			break
		}
		if _, _, local := sc.find(family.Value); local || c.names.Upvalues[family.Value] {
			break
		}
		if d := c.machine.Verdict(family.Value, word.Value); d != nil {
			return c.end(d)
		}
	}
	return test{}, refuse(s, "it returns something else than the name of a verdict")
}
