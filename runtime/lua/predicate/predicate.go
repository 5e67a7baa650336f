package predicate

import (
	"fmt"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/match"
	"github.com/hookd/hookd/engine/store"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// Names says what the names stand for that a function uses and does not declare.
// It is read while compiling only.
type Names struct {
	// Objects knows the objects that events pass.
	Objects match.Objects
	// Constants are the function's upvalues that never change: nil, bool,
	// float64, string or *[store.Store].
	Constants map[string]any
	// Upvalues are all names that the function finds in the functions around
	// it; those that are no constant are refused.
	Upvalues map[string]bool
	// Assigned are the names that the script assigns to somewhere: a parameter
	// or local of such a name is not followed.
	Assigned map[string]bool
	// This says that the global `this` is the runtime's own.
	This bool
}

// Refusal says why a function has no native form.
type Refusal struct {
	Line   int
	Reason string
}

// Error returns "line 7: a call of a function".
func (r *Refusal) Error() string { return fmt.Sprintf("line %d: %s", r.Line, r.Reason) }

// maxNodes bounds the closures of one predicate, and how many one decision runs:
// branches that rejoin are compiled once for each way in, and what a local stands for
// is computed wherever its name is used.
const maxNodes = 500

// Filter compiles a function that decides yes or no on the events of info. The
// error is a [*Refusal].
func Filter(fn *ast.FunctionExpr, info *event.Info, names *Names) (engine.Native, error) {
	c, err := newCompiler(fn, info, names)
	if err != nil {
		return nil, err
	}
	t, err := c.flow(&cont{stmts: fn.Stmts, scope: c.params(fn)})
	if err != nil {
		return nil, err
	}
	return c.native(t), nil
}

// Guard compiles the tests that a handler begins with: the result says no to the
// events of info on which the handler returns nothing before it did anything.
// The error is a [*Refusal]; it names the first statement that is no guard where
// there is none before it.
func Guard(fn *ast.FunctionExpr, info *event.Info, names *Names) (engine.Native, error) {
	c, err := newCompiler(fn, info, names)
	if err != nil {
		return nil, err
	}
	c.guard = true
	t, err := c.flow(&cont{stmts: fn.Stmts, scope: c.params(fn)})
	switch {
	case err != nil:
		return nil, err
	case t.always && t.is && c.first != nil:
		return nil, c.first
	case t.always && t.is:
		return nil, &Refusal{fn.Line(), "it begins with no guard"}
	}
	return c.native(t), nil
}

// compiler makes the closures of one predicate.
type compiler struct {
	info  *event.Info
	names *Names
	guard bool
	nodes int
	first *Refusal // of what ends the guards
	// state is what the closures share while they decide.
	state *state
	// machine is there while a whole handler is compiled, and the way then is what is
	// known at the place that the compiler has come to.
	machine  *Machine
	event    *bind.EventType
	decisive bool // a way of the handler decides something
	way
}

// state is written while a predicate runs.
type state struct {
	// ask: the function would raise an error, or might.
	ask bool
	// turn counts the events that a handler was shown.
	turn uint64
	// leaf is where a handler's way ended, if it is to be marked; dry says that nothing
	// is to be written there.
	leaf      *leaf
	mark, dry bool
}

func newCompiler(fn *ast.FunctionExpr, info *event.Info, names *Names) (*compiler, error) {
	c := &compiler{info: info, names: names, state: &state{}}
	if fn.ParList.HasVargs {
		return nil, &Refusal{fn.Line(), "it takes any number of arguments"}
	}
	return c, nil
}

// native makes the engine's form of a test.
func (c *compiler) native(t test) engine.Native {
	if t.always {
		answer := answerOf(t.is)
		return func(any) engine.Answer { return answer }
	}
	st, holds := c.state, t.holds
	return func(e any) engine.Answer {
		is := holds(e)
		if st.ask {
			st.ask = false
			return engine.Ask
		}
		return answerOf(is)
	}
}

func answerOf(is bool) engine.Answer {
	if is {
		return engine.Yes
	}
	return engine.No
}

// refuse makes the error about a node.
func refuse(at ast.PositionHolder, format string, args ...any) error {
	return &Refusal{at.Line(), fmt.Sprintf(format, args...)}
}

// scope holds the values of locals.
type scope struct {
	up    *scope
	names map[string]value
}

// find returns what a name was declared as, and in which scope.
func (s *scope) find(name string) (value, *scope, bool) {
	for ; s != nil; s = s.up {
		if v, ok := s.names[name]; ok {
			return v, s, true
		}
	}
	return value{}, nil, false
}

// params declares what handlers of the event receive.
func (c *compiler) params(fn *ast.FunctionExpr) *scope {
	s := &scope{names: map[string]value{}}
	for i, name := range fn.ParList.Names {
		v := constant(nil)
		if i < len(c.info.Args) {
			v = c.field(c.info.Field(c.info.Args[i]), nil)
			v.path = c.info.Args[i]
		}
		s.names[name] = v
	}
	return s
}

// storeOf returns the store that a value is.
func storeOf(v value) *store.Store {
	s, _ := v.known.(*store.Store)
	return s
}
