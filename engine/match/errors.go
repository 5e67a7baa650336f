package match

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
)

// Error is one mistake in a match, told to its author.
type Error struct {
	Line int    // of the node, 0 where unknown
	Path string // dotted path of the field; empty where the mistake is not about one
	Msg  string // what is wrong
	Hint string // what to write instead, empty where that is not clear
	// Word is the name or literal at fault, to be marked in the source; empty
	// where it is none in particular.
	Word string
	// Candidates are the names that could stand in the place of Word.
	Candidates []string
}

// Error returns the message and, after it, the hint. The line is not in it.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Msg
	}
	return e.Msg + "; " + e.Hint
}

// Errors are the mistakes of one match, in the order of the nodes; at most
// [MaxErrors] of them.
type Errors []*Error

// MaxErrors bounds how many mistakes one compilation reports.
const MaxErrors = 20

// Error returns the first mistake and how many there are.
func (e Errors) Error() string {
	switch len(e) {
	case 0:
		return "no mistakes"
	case 1:
		return e[0].Error()
	}
	return fmt.Sprintf("%s (and %d more)", e[0].Error(), len(e)-1)
}

// Unwrap returns the mistakes for errors.As.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i := range e {
		list[i] = e[i]
	}
	return list
}

// AsError returns the first mistake that err holds, or nil.
func AsError(err error) *Error {
	var e *Error
	errors.As(err, &e)
	return e
}

// Diagnostics returns the mistakes as said about file; those of no line are said
// about the given one.
func (e Errors) Diagnostics(file string, line int) diag.List {
	out := make(diag.List, len(e))
	for i, m := range e {
		out[i] = &diag.Diagnostic{File: file, Line: m.Line, Msg: "match: " + m.Msg, Hint: m.Hint}
		if m.Line == 0 {
			out[i].Line = line
		}
	}
	return out
}

// suggest makes the hint for a name that is none of the candidates.
func suggest(name string, candidates []string) string {
	if hint := nearest(name, candidates); hint != "" || len(candidates) == 0 {
		return hint
	}
	return "there is " + list(candidates)
}

// nearest asks whether the candidate was meant that is most like name.
func nearest(name string, candidates []string) string {
	if near := diag.Nearest(name, candidates); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// describe says what a type takes, in the words of messages.
func describe(t event.Type) string {
	switch t.Kind {
	case event.Bool:
		return "true or false"
	case event.Uint, event.Int:
		d := integersOf(t)
		return fmt.Sprintf("a number (%s to %s)", d.text(0), d.text(d.max))
	case event.Float:
		return "a number"
	case event.String:
		return "text"
	case event.Bytes:
		return "bytes"
	case event.IP:
		return "an address"
	case event.Endpoint:
		return "an endpoint (address:port)"
	case event.Time:
		return "a time (seconds since 1970)"
	case event.Duration:
		return `a duration ("10s" or seconds)`
	case event.Size:
		return `a size ("64KiB" or bytes)`
	case event.Enum:
		return "one of " + list(t.Names)
	case event.Strings:
		return "a list of texts"
	case event.ObjectRef:
		return "an object (" + t.Object + ")"
	case event.Plain:
		return "a table"
	case event.Record:
		return "a record of the script's own"
	case event.Handler:
		return "a function"
	}
	return "nothing that can be compared"
}

// list joins words, no more of them than a line of a message bears.
func list(words []string) string {
	const most = 12
	if len(words) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
	}
	return strings.Join(words, ", ")
}

// String renders v as an author would write it, cut where it is long.
func (v Value) String() string {
	switch v.Kind {
	case BoolValue:
		return strconv.FormatBool(v.Bool)
	case NumberValue:
		return formatNumber(v.Number)
	case TextValue:
		return quote(v.Text)
	case SetValue:
		if v.Set == nil {
			return "no store"
		}
		return v.Set.Name()
	}
	return "nil"
}

// formatNumber writes whole numbers out as far as a float64 counts exactly.
func formatNumber(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// quote shows at most the first 64 bytes: a literal may be long.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}
