package access

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine/event"
)

// This is the Arg of a path that starts at `this`.
const This = -1

// Path leads from an event to a field.
type Path struct {
	// Arg is the number of the handler's argument that it starts at, from 0, or
	// [This].
	Arg int
	// Fields are the names, at least one.
	Fields []string
	// Key is that of a record that the last field is; Keyed says that there is
	// one.
	Key   string
	Keyed bool
}

// String renders a path so that no two have the same text.
func (p Path) String() string {
	text := "this"
	if p.Arg != This {
		text = strconv.Itoa(p.Arg)
	}
	text += "." + strings.Join(p.Fields, ".")
	if p.Keyed {
		text += "[" + strconv.Quote(p.Key) + "]"
	}
	return text
}

// Beside reports whether two paths lead to fields of the same object.
func (p Path) Beside(o Path) bool {
	n := len(p.Fields) - 1
	return p.Arg == o.Arg && n == len(o.Fields)-1 && slices.Equal(p.Fields[:n], o.Fields[:n])
}

// Holder names the object that the path's field is of, by way of the event's
// fields: "c.client"; empty for the event itself.
func (p Path) Holder(info *event.Info) string {
	names := p.Fields[:len(p.Fields)-1]
	if p.Arg != This {
		return strings.Join(append([]string{info.Args[p.Arg]}, names...), ".")
	}
	return strings.Join(names, ".")
}

// Written renders a path as the script has it.
func (p Path) Written(params []string) string {
	root := "this"
	if p.Arg != This {
		root = params[p.Arg]
	}
	text := root + "." + strings.Join(p.Fields, ".")
	if p.Keyed {
		text += "." + p.Key
	}
	return text
}

// Names of the hidden functions; no script can write them.
const (
	// PairName is called with both forms of a handler and returns the first.
	PairName = "(pair)"
	// StateName reads the state's key that follows, SetStateName assigns it.
	StateName    = "(state)"
	SetStateName = "(state=)"
)

// GetName is the function that reads a path of the event at hand.
func (p Path) GetName() string { return "(" + p.String() + ")" }

// CheckName is the function that raises where the record of a path cannot be
// reached, which an assignment finds out before it computes the value.
func (p Path) CheckName() string { return "(" + p.String() + "?)" }

// SetName is the function that assigns to a key of a record: it takes what the
// check returned, and the value.
func (p Path) SetName() string { return "(" + p.String() + "=)" }

// MethodName is the function that is a method of an object.
func MethodName(object, method string) string { return "(" + object + ":" + method + ")" }

// Use says what a handler does with an argument.
type Use uint8

// Uses, each more than the one before.
const (
	Unused  Use = iota // nothing is left of it
	Held               // it is looked at, and cannot be kept
	Escapes            // the handler might keep it
)

// Handler is what is known of one handler.
type Handler struct {
	Title  string // `rule "x"`
	Key    string // "when", "run"
	Line   int
	Params []string
	Infos  []*event.Info
	// Objects are the types of the arguments, nil where one is no object.
	Objects []*event.Object
	// Uses are of the arguments in the second form, and EscapeLines where one
	// escapes first.
	Uses        []Use
	EscapeLines []int
	// Hoisted are the further arguments of the second form.
	Hoisted []Path
	// Sums are the arguments behind those.
	Sums []*Sum
	// Read are the paths that are read by native functions.
	Read []Path
	// Needs are objects that the first form would reach and the second does not
	// look for: where one is out of reach, the first has to be called.
	Needs []Path
	// Helpers are the local functions that have second forms of their own for
	// this handler, as they are written: "name (line 3)".
	Helpers []string
}

// Result is what rewriting a script made.
type Result struct {
	// Handlers are the second forms, by function.
	Handlers []*Handler
	// Paths are those that hidden functions are needed for.
	Paths []Path
	// Methods are the names of the hidden functions that are methods.
	Methods map[string]bool
	// StateKeys are the keys of the state that hidden functions are needed for.
	StateKeys []string
}
