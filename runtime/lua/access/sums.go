package access

import (
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/event"
)

// Sum is arithmetic on fields that becomes an argument: it is done natively, and
// one value is passed in the place of several.
type Sum struct {
	// Terms are the fields, those of one object together.
	Terms []Path
	// Steps compute the value, operands first.
	Steps []Step

	text string // canonical, so that no two have the same
}

// Step is one step of a computation on a stack of numbers.
type Step struct {
	// Op is one of + - * / % ^, 'n' for a negation, 'f' to push the term at place
	// Term, 'k' to push Number.
	Op     byte
	Term   int
	Number float64
}

// Bounds of a sum.
const (
	maxTerms = 16
	maxSteps = 2 * maxTerms
	maxSums  = 8 // of one handler
)

// name is that of the argument.
func (s *Sum) name() string { return "(" + s.text + ")" }

// Written renders a sum as the script has it, without spaces.
func (s *Sum) Written(params []string) string {
	var stack []string
	for _, st := range s.Steps {
		switch n := len(stack); st.Op {
		case 'f':
			stack = append(stack, s.Terms[st.Term].Written(params))
		case 'k':
			stack = append(stack, strconv.FormatFloat(st.Number, 'g', -1, 64))
		case 'n':
			stack[n-1] = "-" + stack[n-1]
		default:
			stack = append(stack[:n-2], "("+stack[n-2]+" "+string(st.Op)+" "+stack[n-1]+")")
		}
	}
	if text := stack[0]; s.Steps[len(s.Steps)-1].Op != 'n' {
		return text[1 : len(text)-1] // without the outermost parentheses
	}
	return stack[0]
}

// Computed lists the sums as the script has them.
func (h *Handler) Computed() []string {
	var list []string
	for _, s := range h.Sums {
		list = append(list, s.Written(h.Params))
	}
	return list
}

// sum reads an expression as one. A helper's are left as they are: its handler does
// not compute for it.
func (b *body) sum(x ast.Expr) (*Sum, bool) {
	switch x.(type) {
	case *ast.ArithmeticOpExpr, *ast.UnaryMinusOpExpr:
	default:
		return nil, false
	}
	if !b.follow {
		return nil, false
	}
	s := &Sum{}
	if !b.steps(s, x) || len(s.Terms) == 0 {
		return nil, false
	}
	s.arrange()
	return s, true
}

// steps appends what computes x; false where something in it is no number of a
// field and no literal.
func (b *body) steps(s *Sum, x ast.Expr) bool {
	if len(s.Steps) >= maxSteps {
		return false
	}
	switch x := x.(type) {
	case *ast.NumberExpr:
		n, ok := literal(x.Value)
		s.Steps = append(s.Steps, Step{Op: 'k', Number: n})
		return ok
	case *ast.UnaryMinusOpExpr:
		if _, constant := x.Expr.(*ast.NumberExpr); constant || !b.steps(s, x.Expr) {
			return false
		}
		s.Steps = append(s.Steps, Step{Op: 'n'})
		return true
	case *ast.ArithmeticOpExpr:
		_, left := x.Lhs.(*ast.NumberExpr)
		_, right := x.Rhs.(*ast.NumberExpr)
		// What has no field in it the compiler computes.
		if left && right || len(x.Operator) != 1 || !b.steps(s, x.Lhs) || !b.steps(s, x.Rhs) {
			return false
		}
		s.Steps = append(s.Steps, Step{Op: x.Operator[0]})
		return true
	}
	p, fields, ok := b.path(x)
	if !ok || !hoistable(p, fields) || !numeric(p, fields) || len(s.Terms) >= maxTerms {
		return false
	}
	s.Steps = append(s.Steps, Step{Op: 'f', Term: len(s.Terms)})
	s.Terms = append(s.Terms, p)
	return true
}

// literal reads a number as the compiler does.
func literal(text string) (float64, bool) {
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return float64(n), true
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

// numeric reports whether a field of an object near the event always is a number.
func numeric(p Path, fields []*event.Field) bool {
	if p.Arg == This || len(p.Fields) > 2 {
		return false
	}
	for _, f := range fields {
		switch f.Type.Kind {
		case event.Uint, event.Int, event.Size, event.Float, event.Time, event.Duration:
		default:
			return false
		}
		if f.Get.Present != nil {
			return false
		}
	}
	return true
}

// arrange puts terms of one object together and makes the text.
func (s *Sum) arrange() {
	written := s.Terms
	s.Terms = beside(written)
	var text strings.Builder
	for i := range s.Steps {
		st := &s.Steps[i]
		switch st.Op {
		case 'f':
			p := written[st.Term]
			st.Term = slices.IndexFunc(s.Terms, func(o Path) bool { return o.String() == p.String() })
			text.WriteString(p.String())
		case 'k':
			text.WriteString(strconv.FormatFloat(st.Number, 'g', -1, 64))
		default:
			text.WriteByte(st.Op)
		}
		text.WriteByte(' ')
	}
	s.text = strings.TrimSpace(text.String())
}

// beside puts paths to fields of one object together, in the order in which the
// first of each object comes, each path once.
func beside(paths []Path) []Path {
	var list []Path
	has := func(p Path) bool {
		return slices.ContainsFunc(list, func(o Path) bool { return o.String() == p.String() })
	}
	for _, p := range paths {
		for _, q := range paths {
			if q.Beside(p) && !has(q) {
				list = append(list, q)
			}
		}
	}
	return list
}

// summed replaces a sum by its argument, if it is one.
func (b *body) summed(slot *ast.Expr) bool {
	if len(b.h.Sums) == 0 {
		return false
	}
	s, ok := b.sum(*slot)
	if !ok || !slices.ContainsFunc(b.h.Sums, func(o *Sum) bool { return o.text == s.text }) {
		return false
	}
	*slot = at(&ast.IdentExpr{Value: s.name()}, (*slot).Line())
	return true
}
