package lua

import (
	"math"
	"slices"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/access"
	"github.com/hookd/hookd/runtime/lua/bind"
	"github.com/hookd/hookd/runtime/lua/predicate"
)

// sum computes an argument from fields of the events that it was made for.
type sum struct {
	near    []bind.Group
	numbers func(dst []float64, e any, groups []bind.Group) ([]float64, bool)
	code    []instruction
	terms   []float64 // of the event at hand
	stack   []float64 // below the number at hand
}

// instruction is one or two steps of a sum.
type instruction struct {
	op byte // 0: the operand becomes the number at hand
	// from says where the operand is: 'f' a term, 'k' number, 0 what is at hand, to
	// be combined with what is below it.
	from   byte
	term   int
	number float64
}

// compile joins an operator with the operand that was pushed just before it.
func compile(steps []access.Step) []instruction {
	var code []instruction
	for _, s := range steps {
		n := len(code)
		switch {
		case s.Op == 'f' || s.Op == 'k':
			code = append(code, instruction{from: s.Op, term: s.Term, number: s.Number})
		case s.Op == 'n' || n < 2 || code[n-1].op != 0:
			code = append(code, instruction{op: s.Op})
		default:
			code[n-1].op = s.Op
		}
	}
	return code
}

// sumOf resolves a sum on one event.
func (rt *Runtime) sumOf(s *access.Sum, info *event.Info, et *bind.EventType) (sum, bool) {
	x := sum{code: compile(s.Steps), terms: make([]float64, 0, len(s.Terms)), stack: make([]float64, len(s.Steps))}
	if et == nil || et.Numbers == nil {
		return x, false
	}
	x.numbers = et.Numbers
	for i, p := range s.Terms {
		r, ok := rt.pathReader(p, info, nil)
		at := slices.Index(et.Near, p.Holder(info))
		if !ok || at < 0 || r.owner == nil {
			return x, false
		}
		if i == 0 || !s.Terms[i-1].Beside(p) {
			x.near = append(x.near, bind.Group{Near: uint8(at)})
		}
		g := &x.near[len(x.near)-1]
		g.Alive = g.Alive || r.alive()
		g.Fields = append(g.Fields, r.place)
	}
	return x, true
}

// compute returns the value; false where an object is not there or has ended.
func (x *sum) compute(e any) (float64, bool) {
	terms, ok := x.numbers(x.terms, e, x.near)
	if !ok || len(terms) != cap(x.terms) {
		return 0, false
	}
	at, n := 0.0, 0 // what is below the first number is never looked at
	for i := range x.code {
		c := &x.code[i]
		operand := c.number
		if c.from == 'f' {
			operand = terms[c.term]
		}
		switch {
		case c.op == 0:
			x.stack[n] = at
			at, n = operand, n+1
			continue
		case c.op == 'n':
			at = -at
			continue
		case c.from == 0:
			n--
			at, operand = x.stack[n], at
		}
		// The results of these have no negative zero in the machine: adding zero makes it
		// positive.
		switch c.op {
		case '+':
			at = at + operand + 0
		case '-':
			at = at - operand + 0
		case '*':
			at = at*operand + 0
		case '/':
			at = at/operand + 0
		case '%':
			at = predicate.Modulo(at, operand) + 0
		default:
			at = math.Pow(at, operand) + 0
		}
	}
	return at, true
}
