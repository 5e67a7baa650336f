package predicate

import (
	"fmt"
	"math"
	"slices"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
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
	// Data returns the record of an object, State is that of the script, nil where it has
	// none that is known by its name. Held is what a script sees of a value in them, and
	// Same reports whether it sees the same record in two such values.
	Data  func(o event.Kept) *record.Table
	State *record.Table
	Held  func(v record.Value) glua.LValue
	Same  func(a, b glua.LValue) bool
	// Event is what scripts see of the events of info; nil where that is not known.
	Event func(info *event.Info) *bind.EventType
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
	c.machine, c.event = m, m.Event(info)
	t, err := c.flow(&cont{stmts: fn.Stmts, scope: c.params(fn)})
	if err != nil {
		return nil, err
	}
	d := &deed{state: c.state, reaches: t.fn(), cells: m.Cells, same: m.Same}
	d.mark = c.decisive
	return &engine.Deed{Do: d.native(), Foresee: d.foresee, Decides: c.decisive}, nil
}

// deed is a compiled handler.
type deed struct {
	*state
	// reaches finds the way of an event, writes what is written there and reports
	// whether that is anything, or a decision.
	reaches func(e any) bool
	cells   map[string]*glua.Upvalue
	same    func(a, b glua.LValue) bool // of records
}

// leaf is the end of a path: values are written there, one to each of its cells.
type leaf struct {
	cells    []*glua.Upvalue
	values   []glua.LValue    // room for them: its length stays 0
	decision *engine.Decision // nil: none
	// groups are the fields that are written as they are, all read at once to the cells
	// of written, group by group; reads make what is written to others behind them.
	groups  []bind.Group
	written [][]*glua.Upvalue
	reads   []func(e any) glua.LValue
	others  []*glua.Upvalue
	// keep is what is stored in a record, before anything else is written; nil: nothing.
	keep *keep
	// touches are what may raise beside those.
	touches []func(e any)
}

// native makes the engine's form of a handler.
func (d *deed) native() func(e any) (engine.Answer, *engine.Decision) {
	st, reaches := d.state, d.reaches
	return func(e any) (engine.Answer, *engine.Decision) {
		st.turn++
		reached := reaches(e)
		switch {
		case st.ask:
			st.ask = false
			return engine.Ask, nil
		case !reached:
			return engine.No, nil
		case st.mark:
			return engine.Yes, st.leaf.decision
		}
		return engine.Yes, nil
	}
}

// foresee computes what do would write, and returns what compares it with what is
// there after the function ran; nil where the function has to be asked.
func (d *deed) foresee(e any) func(*engine.Decision) error {
	after := make(map[string]glua.LValue, len(d.cells))
	for name, cell := range d.cells {
		after[name] = cell.Value()
	}
	d.dry = true
	d.turn++
	reached := d.reaches(e)
	d.dry = false
	if d.ask {
		d.ask = false
		return nil
	}
	var decides *engine.Decision
	kept := func() error { return nil }
	if reached {
		if d.leaf.keep != nil {
			kept = d.leaf.keep.foresee()
		}
		decides = d.leaf.decision
		for name, cell := range d.cells {
			if i := slices.Index(d.leaf.cells, cell); i >= 0 {
				after[name] = d.leaf.values[:len(d.leaf.cells)][i]
			}
		}
	}
	return func(is *engine.Decision) error {
		if err := sameDecision(decides, is); err != nil {
			return err
		}
		for name, want := range after {
			if is := d.cells[name].Value(); !d.identical(is, want) {
				return fmt.Errorf("the native form of a handler leaves %s in %s, the function %s", want, name, is)
			}
		}
		return kept()
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

// identical reports whether a script cannot tell two values apart; of numbers it can tell
// the sign of a zero.
func (d *deed) identical(a, b glua.LValue) bool {
	x, ok1 := a.(glua.LNumber)
	y, ok2 := b.(glua.LNumber)
	if !ok1 || !ok2 {
		return a == b || d.same(a, b)
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
	computed, seen := map[*origin]bool{}, map[variable]bool{}
	for ch := c.changes; ch != nil; ch = ch.before {
		if ch.of.scope != nil || seen[ch.of] {
			continue
		}
		seen[ch.of] = true
		if ch.slot != nil {
			read, err := c.luaOf(ch.at, ch.v)
			if err != nil {
				return test{}, err
			}
			l.keep, computed[ch.v.origin] = &keep{slot: ch.slot, read: read}, true
			continue
		}
		cell := c.machine.Cells[ch.of.name]
		if ch.v.cell == cell {
			continue // it holds that already
		}
		if err := l.write(c, cell, ch); err != nil {
			return test{}, err
		}
		computed[ch.v.origin] = true
	}
	l.touches = c.owed.without(computed)
	return c.reach(l), nil
}

// write adds what a change comes to.
func (l *leaf) write(c *compiler, cell *glua.Upvalue, ch *change) error {
	if n := ch.v.near; n != nil {
		i := slices.IndexFunc(l.groups, func(g bind.Group) bool { return g.Near == n.Near })
		if i < 0 {
			i, l.groups, l.written = len(l.groups), append(l.groups, bind.Group{Near: n.Near}), append(l.written, nil)
		}
		g := &l.groups[i]
		g.Alive, g.Fields = g.Alive || n.Alive, append(g.Fields, n.Fields...)
		l.written[i] = append(l.written[i], cell)
		return nil
	}
	read, err := c.luaOf(ch.at, ch.v)
	l.others, l.reads = append(l.others, cell), append(l.reads, read)
	return err
}

// reach makes the test that comes to a leaf.
func (c *compiler) reach(l *leaf) test {
	l.cells = append(slices.Concat(l.written...), l.others...)
	if len(l.cells) == 0 && l.decision == nil && l.keep == nil && len(l.touches) == 0 {
		return fixed(false)
	}
	l.values = make([]glua.LValue, 0, len(l.cells))
	st, event, values := c.state, c.event, c.machine.Values
	idle := len(l.cells) == 0 && l.decision == nil && l.keep == nil
	return test{holds: func(e any) bool {
		list, ok := l.values, true
		if len(l.groups) > 0 {
			list, ok = event.Read(list, e, l.groups, values)
		}
		for _, get := range l.reads {
			list = append(list, get(e))
		}
		for _, touch := range l.touches {
			touch(e)
		}
		if l.keep != nil {
			l.keep.prepare(e, st)
		}
		switch {
		case !ok:
			st.ask = true
			return false
		case idle || st.ask:
			return false
		case st.mark || st.dry:
			if st.leaf = l; st.dry {
				return true
			}
		}
		if l.keep != nil && !l.keep.of.Try(l.keep.key, l.keep.v) {
			st.ask = true
			return false
		}
		for i, cell := range l.cells {
			cell.SetValue(list[i])
		}
		return true
	}}
}
