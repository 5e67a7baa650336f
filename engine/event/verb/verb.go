// Package verb is what a stack gives to specs: words that make its traffic. A stack
// writes them over plain data and knows nothing of who runs specs; the runner knows
// nothing of stacks.
//
// Goroutines: none; words are called by the one that runs the test.
package verb

import (
	"fmt"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
)

// Word is a word of specs, or a method of an object that a word returned. It is called with no shard entered, when
// event time has begun. What it has a stack do is done when [Call.Settle] returned. An
// error ends the test at the line of the call.
type Word func(Call) error

// Call is one call of a word.
type Call interface {
	// Arg returns the i-th argument, from 0: plain data (nil, bool, float64, string, []any,
	// []event.KV), a [Func], or an object of a stack; nil where there is none.
	Arg(i int) any
	// Return adds results: plain data, or objects of a stack. Those have Kind() string, what
	// messages call them, and Member(name string) any: a field, a Word, or nil.
	Return(list ...any)
	// Settle has all stacks do what there is to do at the test's time, until there is
	// nothing left.
	Settle() error
}

// Func is a function of the spec. It takes and returns what arguments are. It is
// called with no shard entered. A failure in it ends the test: it does not return.
type Func func(args ...any) []any

// Text returns the i-th argument of a call, a text that is called what in messages.
func Text(c Call, i int, what string) (s string, err error) {
	if err := plain.SetString(&s, c.Arg(i)); err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return s, nil
}

// Table returns the i-th argument of a call: a table of names and values, or nothing.
func Table(c Call, i int, what string) ([]event.KV, error) {
	switch v := c.Arg(i).(type) {
	case nil:
		return nil, nil
	case []event.KV:
		return v, nil
	case []any:
		if len(v) == 0 {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("%s: a table of names and values expected, got %s", what, plain.Describe(c.Arg(i)))
}
