package match

import (
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine/event"
)

// Predicate decides on one event: a pointer to the event struct of the info that
// it was compiled for. It allocates nothing beyond what the getters of copied
// fields do.
type Predicate func(e any) bool

// Compile checks n against the events that info describes and returns what
// decides on them; a nil n holds of every event. All mistakes are found before
// it gives up: the error is an [Errors], so errors.As finds an [*Error] too.
func Compile(n *Node, info *event.Info, objs Objects) (Predicate, error) {
	if n == nil {
		return func(any) bool { return true }, nil
	}
	if err := measure(n); err != nil {
		return nil, Errors{err}
	}
	c := &compiler{objs: objs}
	x := c.node(n, place{info: info, objs: objs}, nil)
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	return Predicate(x.emit(0)), nil
}

// compiler collects the mistakes of one compilation.
type compiler struct {
	objs Objects
	errs Errors
}

func (c *compiler) report(e *Error) {
	if len(c.errs) < MaxErrors {
		c.errs = append(c.errs, e)
	}
}

// node compiles n, whose path starts at the place at, which the author reached by
// path. What could not be compiled is reported and left out.
func (c *compiler) node(n *Node, at place, path []string) *expr {
	for i, name := range n.Path {
		next, err := at.enter(name)
		if err != nil {
			err.Path, err.At = append(path[:len(path):len(path)], n.Path[:i+1]...), len(path)+i
			c.reportPath(n.Line, err)
			return &expr{}
		}
		at = next
	}
	path = append(path[:len(path):len(path)], n.Path...)
	x := &expr{op: opAll}
	if n.Op != NoOp {
		x.add(c.test(n, at, path))
	}
	for i := range n.All {
		x.add(c.node(&n.All[i], at, path))
	}
	if n.Any != nil {
		x.add(c.group(opAny, n.Any, at, path))
		if len(n.Any) == 0 {
			c.report(&Error{Line: n.Line, Path: strings.Join(path, "."), Msg: "any of no alternatives never matches"})
		}
	}
	if len(n.None) > 0 {
		x.add(c.group(opNone, n.None, at, path))
	}
	return x.settle()
}

func (c *compiler) group(op exprOp, nodes []Node, at place, path []string) *expr {
	x := &expr{op: op}
	for i := range nodes {
		x.add(c.node(&nodes[i], at, path))
	}
	return x.settle()
}

// test compiles the test of n itself.
func (c *compiler) test(n *Node, at place, path []string) *expr {
	if at.field == nil {
		c.report(&Error{Line: n.Line, Msg: fmt.Sprintf("%s needs the name of a field", n.Op), Candidates: at.names()})
		return &expr{}
	}
	f := field{Field: at.field, name: strings.Join(path, "."), node: n}
	l, err := f.leaf()
	if err != nil {
		if at.field.Type.Kind == event.ObjectRef && n.Op != Present {
			err.Candidates = at.names()
			err.Hint = "name one of its fields: " + list(err.Candidates)
		}
		c.report(err)
		return &expr{}
	}
	return &expr{op: opSingle, steps: at.steps, leaf: l}
}

// reportPath tells of a path whose last element names nothing.
func (c *compiler) reportPath(line int, err *PathError) {
	e := &Error{
		Line: line,
		Path: strings.Join(err.Path, "."),
		Msg:  err.Error(),
		Hint: err.Hint(),
		Word: err.Word(), Candidates: err.Candidates,
	}
	if err.method && nearest(e.Word, e.Candidates) == "" {
		e.Hint = "call it in `when`"
	}
	c.report(e)
}

// measure refuses nodes beyond the limits, before anything walks them deeper.
func measure(n *Node) *Error {
	nodes, values := 0, 0
	var visit func(n *Node, depth int) *Error
	visit = func(n *Node, depth int) *Error {
		nodes++
		values += len(n.Values)
		switch {
		case depth > MaxDepth || len(n.Path) > MaxDepth:
			return &Error{Line: n.Line, Msg: fmt.Sprintf("conditions are nested deeper than %d", MaxDepth)}
		case nodes > MaxNodes:
			return &Error{Line: n.Line, Msg: fmt.Sprintf("more than %d conditions; put what they list into a store", MaxNodes)}
		case values > MaxValues:
			return &Error{Line: n.Line, Msg: fmt.Sprintf("more than %d values; put them into a store", MaxValues)}
		}
		for _, kids := range [][]Node{n.All, n.Any, n.None} {
			for i := range kids {
				if err := visit(&kids[i], depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return visit(n, 1)
}
