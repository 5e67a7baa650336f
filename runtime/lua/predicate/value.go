package predicate

import (
	"net/netip"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// kind is the Lua type that a value has where it is not nil.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	object
	stored
	unknown  // whatever a variable holds
	recorded // a record
)

// String names the type in a refusal.
func (k kind) String() string {
	return [...]string{"nil", "a boolean", "a number", "a string", "an object", "a store", "what a variable holds", "a record"}[k]
}

// value is what is known of an expression: its type, and closures that compute
// it. Those that compute an absent value give the zero value.
type value struct {
	kind  kind
	fixed bool // the value is known
	known any

	// present says whether the value is not nil; nil means always.
	present func(e any) bool
	// touch computes the value for the error that it may raise; nil where it
	// raises none.
	touch func(e any)

	boolean func(e any) bool
	number  func(e any) float64
	text    func(e any) string // may be nil where addr or endpoint is there
	object  func(e any) any

	// What a value of a field has beside its general form.
	small    func(e any) uint64 // an unsigned integer that a float64 holds exactly
	most     uint64             // the largest one that small gives
	word     func(e any) uint64 // the index of an enumeration's word
	words    []string
	addr     func(e any) netip.Addr
	endpoint func(e any) netip.AddrPort
	info     *event.Object // of an object
	path     string        // of an object or record, as [bind.EventType] names it; empty where it is none of those

	// lua makes the value that a script sees, where the general form is not enough for
	// it; cell is the variable that the value is read from.
	lua  func(e any) glua.LValue
	cell *glua.Upvalue
	near *bind.Group // where the value is a field that can be read with others

	table func(e any) *record.Table // of a record; nil asks

	weight int // how many nodes the expression has, with those that its names stand for
	origin *origin
}

// once makes a handler read only once for an event what another shard may write in
// between: a local holds one value, however often it is used.
func once[T any](c *compiler, get func(any) T) func(any) T {
	if c.machine == nil {
		return get
	}
	var at uint64
	var have T
	st := c.state
	return func(e any) T {
		if at != st.turn {
			at, have = st.turn, get(e)
		}
		return have
	}
}

// constant makes a value of what a script holds.
func constant(x any) value {
	v := value{fixed: true, known: x}
	switch x := x.(type) {
	case bool:
		v.kind, v.boolean = boolean, func(any) bool { return x }
	case float64:
		v.kind, v.number = number, func(any) float64 { return x }
	case string:
		v.kind, v.text = text, func(any) string { return x }
	case nil:
		v.present = func(any) bool { return false }
	default:
		v.kind = stored
	}
	return v
}

// computed makes a number.
func computed(fn func(any) float64, touch func(any)) value {
	return value{kind: number, number: fn, touch: touch}
}

// decided makes a boolean of a test.
func decided(t test, touch func(any)) value {
	if t.always {
		return constant(t.is)
	}
	return value{kind: boolean, boolean: t.holds, touch: touch}
}

// there is the test that a value is not nil.
func (v value) there() test {
	switch {
	case v.kind == null:
		return fixed(false)
	case v.present == nil && v.touch == nil:
		return fixed(true)
	case v.present == nil:
		touch := v.touch
		return test{holds: func(e any) bool { touch(e); return true }}
	}
	return test{holds: v.present}
}

// touches joins what must be computed for its errors.
func touches(list ...func(any)) func(any) {
	var some []func(any)
	for _, t := range list {
		if t != nil {
			some = append(some, t)
		}
	}
	switch len(some) {
	case 0:
		return nil
	case 1:
		return some[0]
	}
	return func(e any) {
		for _, t := range some {
			t(e)
		}
	}
}

// needNumber returns the number that arithmetic and order need; nil asks.
func (c *compiler) needNumber(v value) func(any) float64 {
	return need(c.state, v.present, v.number)
}

// needText is needNumber for strings.
func (c *compiler) needText(v value) func(any) string { return need(c.state, v.present, v.text) }

func need[T any](st *state, present func(any) bool, get func(any) T) func(any) T {
	if present == nil {
		return get
	}
	return func(e any) (x T) {
		if !present(e) {
			st.ask = true
			return x
		}
		return get(e)
	}
}
