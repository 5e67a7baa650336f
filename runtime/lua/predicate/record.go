package predicate

import (
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/runtime/lua/access"
)

// slot is a key of a record: of an object's data, or of the script's state.
type slot struct {
	path  string // "c.data"
	table func(e any) *record.Table
	key   record.Value // a string
}

// data makes the value of an object's record.
func (c *compiler) data(v *value, r reader) {
	of, st := c.machine.Data, c.state
	v.kind = recorded
	v.table = through(r, func(o any) *record.Table {
		k, ok := o.(event.Kept)
		if !ok {
			st.ask = true
			return nil
		}
		return of(k)
	})
}

// slotOf is the key of a record that an expression names.
func (c *compiler) slotOf(x ast.Expr, of value, key string) (*slot, error) {
	if key == "incr" {
		return nil, refuse(x, "the method incr of a record")
	}
	return &slot{of.path, of.table, record.String(key)}, nil
}

// keyed compiles record.key.
func (c *compiler) keyed(x ast.Expr, of value, key string) (value, error) {
	s, err := c.slotOf(x, of, key)
	if err != nil {
		return value{}, err
	}
	return c.read(x, s)
}

// read compiles what a key of a record holds at a place of the handler.
func (c *compiler) read(x ast.Expr, s *slot) (value, error) {
	if v, ok := c.now(variable{nil, s.name()}); ok {
		c.nodes += v.weight
		return v, nil
	}
	for ch := c.changes; ch != nil; ch = ch.before {
		if ch.slot != nil && (ch.slot.path == "state") == (s.path == "state") && ch.slot.path != s.path {
			return value{}, refuse(x, "another record, which may be the same")
		}
	}
	held, table := c.machine.Held, s.table
	get := once(c, func(e any) glua.LValue {
		t := table(e)
		if t == nil {
			return glua.LNil
		}
		return held(t.Get(s.key))
	})
	return value{
		kind: unknown, lua: get, present: func(e any) bool { return get(e) != glua.LNil },
		touch: func(e any) { table(e) },
	}, nil
}

// name tells the key from variables, which have no dots in their names.
func (s *slot) name() string {
	key, _ := s.key.AsString()
	return s.path + "." + key
}

// stateSlot is the key of the script's state that a call of a hidden function reads or
// assigns; nil for other calls.
func (c *compiler) stateSlot(x *ast.FuncCallExpr, function string) *slot {
	id, ok := x.Func.(*ast.IdentExpr)
	if !ok || c.machine == nil || c.machine.State == nil {
		return nil
	}
	key, ok := strings.CutPrefix(id.Value, function)
	if !ok || key == "incr" {
		return nil
	}
	t := c.machine.State
	return &slot{"state", func(any) *record.Table { return t }, record.String(key)}
}

// readState compiles state.key.
func (c *compiler) readState(x *ast.FuncCallExpr) (value, bool, error) {
	s := c.stateSlot(x, access.StateName)
	if s == nil {
		return value{}, false, nil
	}
	v, err := c.read(x, s)
	return v, true, err
}

// assignState compiles state.key = value.
func (c *compiler) assignState(s *ast.FuncCallStmt, rest *cont) (test, bool, error) {
	x, ok := s.Expr.(*ast.FuncCallExpr)
	if !ok || len(x.Args) != 1 {
		return test{}, false, nil
	}
	to := c.stateSlot(x, access.SetStateName)
	if to == nil {
		return test{}, false, nil
	}
	v, err := c.value(x.Args[0], rest.scope)
	if err != nil {
		return test{}, true, err
	}
	if err := c.store(s, to, v); err != nil {
		return test{}, true, err
	}
	t, err := c.flow(rest)
	return t, true, err
}

// store notes what a key of a record is to hold. There is one such assignment on a
// way: it may be refused, and what was written before it would stay.
func (c *compiler) store(at ast.PositionHolder, s *slot, v value) error {
	for ch := c.changes; ch != nil; ch = ch.before {
		if ch.slot != nil {
			return refuse(at, "a second assignment to a record")
		}
	}
	c.owe(v)
	c.changes = &change{before: c.changes, of: variable{nil, s.name()}, v: v, at: at, slot: s}
	return nil
}

// keep is what a leaf stores in a record.
type keep struct {
	*slot
	read func(e any) glua.LValue
	// of and v are the record and the value, once they are prepared.
	of *record.Table
	v  record.Value
}

// prepare computes what is to be stored, and where.
func (k *keep) prepare(e any, st *state) {
	v, ok := plain(k.read(e))
	k.of, k.v = k.table(e), v
	st.ask = st.ask || !ok || k.of == nil
}

// plain is a value that needs no copy to be stored.
func plain(v glua.LValue) (record.Value, bool) {
	switch v := v.(type) {
	case *glua.LNilType:
		return record.Value{}, true
	case glua.LBool:
		return record.Bool(bool(v)), true
	case glua.LNumber:
		return record.Number(float64(v)), true
	case glua.LString:
		return record.String(string(v)), true
	}
	return record.Value{}, false
}

// foresee returns what compares the record with what was prepared for it.
func (k *keep) foresee() func() error {
	of, want := k.of, k.v
	return func() error {
		if is := of.Get(k.key); is.Kind() != want.Kind() || is.String() != want.String() {
			return fmt.Errorf("the native form of a handler leaves %s in %s, the function %s", want, k.name(), is)
		}
		return nil
	}
}
