package predicate

import (
	"fmt"
	"math"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// Machine is what a handler's native form shares with the machine that the handler
// lives in. It belongs to one shard.
type Machine struct {
	// Cells are the handler's upvalues by name: those of the function itself, so
	// that all who share them see what is written.
	Cells map[string]*glua.Upvalue
	// Values makes what is written.
	Values *bind.Values
	// Verdict returns what family.word decides; nil where it has to be called or there
	// is none.
	Verdict func(family, word string) *engine.Decision
}

// Deed compiles a handler that needs no machine from its first line to its last:
// beside what [Filter] knows it may assign to its locals and to the variables around
// it. The error is a [*Refusal].
//
// A path through the handler is compiled as what its assignments come to: all
// values are computed from what the variables held before, then all are written, so
// that where the function would raise nothing has been written yet.
func Deed(fn *ast.FunctionExpr, info *event.Info, names *Names, m *Machine) (*engine.Deed, error) {
	c, err := newCompiler(fn, info, names)
	if err != nil {
		return nil, err
	}
	c.machine = m
	t, err := c.flow(&cont{stmts: fn.Stmts, scope: c.params(fn)})
	if err != nil {
		return nil, err
	}
	d := &deed{state: c.state, reaches: t.fn(), cells: m.Cells}
	return &engine.Deed{Do: d.do, Foresee: d.foresee, Decides: c.decisive}, nil
}

// deed is a compiled handler.
type deed struct {
	*state
	// reaches computes what is to be written and reports whether there is anything.
	reaches func(e any) bool
	cells   map[string]*glua.Upvalue
}

// leaf is the end of a path on which something is written: state.values, one for
// each of its cells.
type leaf struct {
	cells    []*glua.Upvalue
	decision *engine.Decision // nil: none
}

func (d *deed) do(e any) (engine.Answer, *engine.Decision) {
	reached := d.reaches(e)
	switch {
	case d.ask:
		d.ask = false
		return engine.Ask, nil
	case !reached:
		return engine.No, nil
	}
	for i, cell := range d.leaf.cells {
		cell.SetValue(d.values[i])
	}
	return engine.Yes, d.leaf.decision
}

// foresee computes what do would write, and returns what compares it with what is
// there after the function ran; nil where the function has to be asked.
func (d *deed) foresee(e any) func(*engine.Decision) error {
	after := make(map[string]glua.LValue, len(d.cells))
	for name, cell := range d.cells {
		after[name] = cell.Value()
	}
	reached := d.reaches(e)
	if d.ask {
		d.ask = false
		return nil
	}
	var decides *engine.Decision
	if reached {
		decides = d.leaf.decision
		for name, cell := range d.cells {
			for i, written := range d.leaf.cells {
				if written == cell {
					after[name] = d.values[i]
				}
			}
		}
	}
	return func(is *engine.Decision) error {
		if err := sameDecision(decides, is); err != nil {
			return err
		}
		for name, want := range after {
			if is := d.cells[name].Value(); !identical(is, want) {
				return fmt.Errorf("the native form of a handler leaves %s in %s, the function %s", want, name, is)
			}
		}
		return nil
	}
}

// sameDecision compares decisions without arguments.
func sameDecision(want, is *engine.Decision) error {
	none := engine.Decision{}
	if want == nil {
		want = &none
	}
	if is == nil {
		is = &none
	}
	if want.Family != is.Family || want.Kind != is.Kind || want.Off != is.Off {
		return fmt.Errorf("the native form of a handler decides %v, the function %v", *want, *is)
	}
	return nil
}

// identical reports whether a script can tell two values apart; of numbers it can
// tell the sign of a zero.
func identical(a, b glua.LValue) bool {
	x, ok1 := a.(glua.LNumber)
	y, ok2 := b.(glua.LNumber)
	if !ok1 || !ok2 {
		return a == b
	}
	if math.IsNaN(float64(x)) {
		return math.IsNaN(float64(y))
	}
	return math.Float64bits(float64(x)) == math.Float64bits(float64(y))
}

// end compiles the end of a path, at which a handler decides d.
func (c *compiler) end(d *engine.Decision) (test, error) {
	if c.machine == nil {
		return fixed(false), nil
	}
	l := &leaf{decision: d}
	c.decisive = c.decisive || d != nil
	var reads []func(any) glua.LValue
	computed, seen := map[*origin]bool{}, map[variable]bool{}
	for ch := c.changes; ch != nil; ch = ch.before {
		if ch.of.scope != nil || seen[ch.of] {
			continue
		}
		seen[ch.of] = true
		cell := c.machine.Cells[ch.of.name]
		if ch.v.cell == cell {
			continue // it holds that already
		}
		read, err := c.luaOf(ch.at, ch.v)
		if err != nil {
			return test{}, err
		}
		l.cells, reads = append(l.cells, cell), append(reads, read)
		computed[ch.v.origin] = true
	}
	return c.reach(l, reads, c.owed.without(computed)), nil
}

// reach makes the test that comes to a leaf.
func (c *compiler) reach(l *leaf, reads []func(any) glua.LValue, touches []func(any)) test {
	st := c.state
	if n := len(reads); n > len(st.values) {
		st.values = make([]glua.LValue, n)
	}
	switch {
	case len(reads) == 0 && len(touches) == 0 && l.decision == nil:
		return fixed(false)
	case len(touches) == 0:
		return test{holds: func(e any) bool {
			st.leaf = l
			for i, read := range reads {
				st.values[i] = read(e)
			}
			return true
		}}
	}
	return test{holds: func(e any) bool {
		for _, touch := range touches {
			touch(e)
		}
		st.leaf = l
		for i, read := range reads {
			st.values[i] = read(e)
		}
		return len(reads) > 0 || l.decision != nil
	}}
}
