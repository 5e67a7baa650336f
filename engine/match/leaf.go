package match

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
)

// leaf is a compiled test of one field.
type leaf struct {
	test   func(o any) bool // o holds the field, which is not absent
	absent bool             // what holds of an absent field
	cost   int
}

// What evaluating takes, in rough nanoseconds: only the order of conditions
// hangs on it.
const (
	costStep    = 3
	costCompare = 1
	costList    = 4
	costLookup  = 15
	costStore   = 30
	costSearch  = 40
	costRegex   = 400
	// costly and above is evaluated after everything below it, even where a
	// costly condition shares its object with a cheap one.
	costly = 25
)

func costOf(c event.Cost) int {
	switch c {
	case event.Cheap:
		return 8
	case event.Copy:
		return 80
	}
	return 1
}

// field is a field under test, with the node that asks.
type field struct {
	*event.Field
	name string // dotted, as written
	node *Node
}

// leaf compiles the test of the node.
func (f field) leaf() (leaf, *Error) {
	l, err := f.dispatch()
	if err != nil {
		return leaf{}, err
	}
	l.cost += costOf(f.Cost)
	if has := f.Get.Present; has != nil {
		test, absent := l.test, l.absent
		l.test = func(o any) bool {
			if !has(o) {
				return absent
			}
			return test(o)
		}
	}
	return l, nil
}

func (f field) dispatch() (leaf, *Error) {
	if err := f.arity(); err != nil {
		return leaf{}, err
	}
	if f.node.Op == Present {
		return f.presence()
	}
	switch f.Type.Kind {
	case event.Bool:
		return f.boolean()
	case event.Uint, event.Int, event.Time, event.Duration, event.Size:
		return f.integer(integersOf(f.Type))
	case event.Float:
		return f.float()
	case event.String, event.Bytes, event.Strings:
		return f.text()
	case event.Enum:
		return f.enum()
	case event.IP, event.Endpoint:
		return f.address()
	case event.ObjectRef:
		return leaf{}, f.fail("it cannot be compared")
	}
	return leaf{}, f.fail("match cannot compare it").instead("look into it in `when`")
}

// fail makes an error that starts with what the field is.
func (f field) fail(format string, args ...any) *Error {
	return &Error{
		Line: f.node.Line,
		Path: f.name,
		Msg:  fmt.Sprintf("%s is %s: ", f.name, describe(f.Type)) + fmt.Sprintf(format, args...),
	}
}

// instead adds what to write.
func (e *Error) instead(hint string) *Error {
	e.Hint = hint
	return e
}

// about marks the literal at fault.
func (e *Error) about(v Value) *Error {
	e.Word = v.Text
	return e
}

// never makes the error for a value that no field of this type can have; instead
// is what the author should write where that can be told.
func (f field) never(v Value, instead string) *Error {
	if v.Kind == NoValue {
		return f.fail("comparing it with nil never matches").instead("write is.present(false)")
	}
	text := v.String()
	if v.Kind == SetValue && v.Set != nil {
		text = "store " + text + " has " + keyWords(v.Set.KeyKind()) + " as keys, it"
	}
	if f.node.Op == Ne {
		text += " is never its value"
	} else {
		text += " never matches"
	}
	if instead != "" {
		instead = "write " + instead
	}
	return f.fail("%s", text).about(v).instead(instead)
}

func keyWords(k event.Kind) string {
	switch k {
	case event.IP:
		return "addresses"
	case event.Endpoint:
		return "endpoints"
	case event.String:
		return "texts"
	case event.Plain:
		return "scalars"
	}
	return "numbers"
}

// holds reports whether the keys of s are of that kind, or of any scalar.
func holds(s Set, kind event.Kind) bool {
	k := s.KeyKind()
	return k == kind || k == event.Plain && (kind == event.String || kind == event.Float)
}

// arity checks how many values the test has.
func (f field) arity() *Error {
	n, least, most := len(f.node.Values), 1, 0
	switch f.node.Op {
	case Eq, Ne, Prefix, Suffix, Contains, Glob, Regex, CIDR:
		if n == 0 {
			return f.fail("%s takes at least one value", f.node.Op)
		}
	case Range:
		least, most = 2, 2
	case Gt, Ge, Lt, Le:
		most = 1
	case Present:
		least, most = 0, 1
	}
	switch {
	case most > 0 && (n < least || n > most):
		return f.fail("%s takes %s, not %d", f.node.Op, []string{"at most one value", "one value", "two values"}[least], n)
	case f.node.Op > Present:
		return f.fail("test %d is none", f.node.Op)
	case n > MaxPatterns && (f.node.Op == Contains || f.node.Op == Glob || f.node.Op == Regex):
		return f.fail("%s takes at most %d values, not %d", f.node.Op, MaxPatterns, n)
	}
	return nil
}

// refuse makes the error for a test that the field's type does not have.
func (f field) refuse(ops ...Op) *Error {
	words := make([]string, len(ops))
	for i, op := range ops {
		words[i] = op.String()
	}
	return f.fail("%s does not apply", f.node.Op).instead("what applies: " + strings.Join(words, ", "))
}

// negate says whether the test denies.
func (f field) negate() bool { return f.node.Op == Ne }

// presence tests whether there is a value at all. A list of texts has one if it
// is not empty, an object if it is not nil.
func (f field) presence() (leaf, *Error) {
	want := true
	if len(f.node.Values) == 1 {
		if f.node.Values[0].Kind != BoolValue {
			return leaf{}, f.fail("is.present takes true or false, not %s", f.node.Values[0])
		}
		want = f.node.Values[0].Bool
	}
	filled := f.filled()
	test := func(o any) bool { return filled(o) == want }
	return leaf{test: test, absent: !want, cost: costCompare}, nil
}

// filled returns what tells of kinds that can be empty whether they are not.
func (f field) filled() func(any) bool {
	switch f.Type.Kind {
	case event.ObjectRef, event.Plain:
		get := f.Get.Object
		return func(o any) bool { return get(o) != nil }
	case event.Strings:
		get := f.Get.Strings
		return func(o any) bool { return len(get(o)) != 0 }
	}
	return func(any) bool { return true }
}

func (f field) boolean() (leaf, *Error) {
	if f.node.Op != Eq && f.node.Op != Ne {
		return leaf{}, f.refuse(Eq, Ne, Present)
	}
	var want [2]bool
	for _, v := range f.node.Values {
		if v.Kind != BoolValue {
			return leaf{}, f.never(v, map[string]string{"true": "true", "false": "false"}[v.Text])
		}
		if v.Bool {
			want[1] = true
		} else {
			want[0] = true
		}
	}
	if f.negate() {
		want[0], want[1] = !want[0], !want[1]
	}
	get, yes, no := f.Get.Bool, want[1], want[0]
	test := func(o any) bool {
		if get(o) {
			return yes
		}
		return no
	}
	return leaf{test: test, absent: f.negate(), cost: costCompare}, nil
}

// enum tests run on the words at compile time; at run time one bit is looked up.
func (f field) enum() (leaf, *Error) {
	accepts, err := f.enumWords()
	if err != nil {
		return leaf{}, err
	}
	bits := make([]uint64, len(f.Type.Names)/64+1)
	for i, name := range f.Type.Names {
		if accepts(name) != f.negate() {
			bits[i/64] |= 1 << (i % 64)
		}
	}
	get := f.Get.Uint
	l := leaf{absent: f.negate(), cost: costCompare}
	if len(bits) == 1 {
		mask := bits[0]
		l.test = func(o any) bool { return mask>>(get(o)&63)&1 != 0 }
		return l, nil
	}
	l.test = func(o any) bool {
		i := get(o)
		return i/64 < uint64(len(bits)) && bits[i/64]>>(i%64)&1 != 0
	}
	return l, nil
}

// enumWords returns which words of the enumeration the test selects.
func (f field) enumWords() (func(string) bool, *Error) {
	switch f.node.Op {
	case Eq, Ne, Prefix, Suffix, Contains, Glob, Regex:
	default:
		return nil, f.refuse(Eq, Ne, Prefix, Suffix, Contains, Glob, Regex, Present)
	}
	exact := f.node.Op == Eq || f.node.Op == Ne
	for _, v := range f.node.Values {
		if v.Kind == SetValue {
			return nil, f.never(v, "the words here")
		}
		if exact && (v.Kind != TextValue || !slices.Contains(f.Type.Names, v.Text)) {
			err := f.never(v, "")
			err.Candidates, err.Hint = f.Type.Names, nearest(v.Text, f.Type.Names)
			return nil, err
		}
	}
	accepts, _, err := f.textTest()
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(f.Type.Names, accepts) {
		return nil, f.fail("%s %s never matches", f.node.Op, f.node.Values[0])
	}
	return accepts, nil
}

// holder reads a value and tests it: the general form of a leaf's test.
func holder[T any](get func(any) T, test func(T) bool, negate bool) func(any) bool {
	if negate {
		return func(o any) bool { return !test(get(o)) }
	}
	return func(o any) bool { return test(get(o)) }
}

// either joins tests of which any may hold.
func either[T any](tests []func(T) bool) func(T) bool {
	switch len(tests) {
	case 1:
		return tests[0]
	case 2:
		a, b := tests[0], tests[1]
		return func(v T) bool { return a(v) || b(v) }
	}
	return func(v T) bool {
		for _, t := range tests {
			if t(v) {
				return true
			}
		}
		return false
	}
}
