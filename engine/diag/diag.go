// Package diag holds what is said to authors about their files: a position, a
// sentence, the line with a caret under it, and a hint. It knows no stack and
// no scripting language beyond comments and quotes (see Locate), and prints
// nothing by itself. Values are plain data: share them between goroutines once
// built, do not change them then.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says how grave a Diagnostic is. The zero value is Error, so that a
// forgotten severity stops a load rather than letting it through.
type Severity uint8

const (
	// Error means that what was read cannot be used.
	Error Severity = iota
	// Warning means that it can be used, but likely does not do what was meant.
	Warning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// MarshalText writes the severity's name, so that JSON has words and no numbers.
func (s Severity) MarshalText() ([]byte, error) {
	if s > Warning {
		return nil, fmt.Errorf("diag: marshal severity %d: unknown", uint8(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads a severity's name.
func (s *Severity) UnmarshalText(text []byte) error {
	switch string(text) {
	case "error":
		*s = Error
	case "warning":
		*s = Warning
	default:
		return fmt.Errorf("diag: unmarshal severity %q: unknown", text)
	}
	return nil
}

// Diagnostic is one thing said about one place of a file. It is an error, so
// that functions which can only fail in one way may return it as such.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	File     string   `json:"file"`
	// Line and Col count from 1; 0 is unknown. Col counts bytes, as compilers do.
	Line int `json:"line,omitempty"`
	Col  int `json:"col,omitempty"`
	// Msg is one sentence without a final stop, in lower case.
	Msg string `json:"msg"`
	// Source is the text of Line, without its line end.
	Source string `json:"source,omitempty"`
	// Width is how many bytes from Col on are meant; 0 counts as 1.
	Width int `json:"width,omitempty"`
	// Hint says what to do about it, if that is known.
	Hint string `json:"hint,omitempty"`
}

// Error returns "file:line:col: msg" on one line, without the parts that are
// unknown.
func (d *Diagnostic) Error() string {
	if p := d.position(); p != "" {
		return p + ": " + d.Msg
	}
	return d.Msg
}

func (d *Diagnostic) position() string {
	var b strings.Builder
	b.WriteString(d.File)
	for _, n := range []int{d.Line, d.Col} {
		if n <= 0 {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%d", n)
	}
	return b.String()
}

// List is what was found in one go, in any number of files. A List that has no
// errors may hold warnings, so return Err, not the List, where an error is
// expected.
type List []*Diagnostic

// Error returns the first error of the list, and how many more there are.
func (l List) Error() string {
	var first *Diagnostic
	errors := 0
	for _, d := range l {
		if d.Severity != Error {
			continue
		}
		if errors++; first == nil {
			first = d
		}
	}
	switch {
	case errors == 1:
		return first.Error()
	case errors > 1:
		return fmt.Sprintf("%s (and %d more)", first.Error(), errors-1)
	case len(l) > 0:
		return l[0].Error()
	}
	return "no diagnostics"
}

// Unwrap gives errors.As and errors.Is every entry of the list.
func (l List) Unwrap() []error {
	errs := make([]error, len(l))
	for i, d := range l {
		errs[i] = d
	}
	return errs
}

// Err returns the list as an error if it holds one, else nil.
func (l List) Err() error {
	if l.HasErrors() {
		return l
	}
	return nil
}

// HasErrors tells whether anything in the list is graver than a warning.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d *Diagnostic) bool { return d.Severity == Error })
}

// Sort orders the list by file, line and column, errors before warnings at one
// place, and keeps the order in which equals were found.
func (l List) Sort() {
	slices.SortStableFunc(l, func(a, b *Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Col, b.Col),
			cmp.Compare(a.Severity, b.Severity),
		)
	})
}
