package match

import (
	"net/netip"
	"slices"

	"github.com/hookd/hookd/engine/event"
)

// Limits on what one match may hold. What is larger belongs in a store or in a
// function.
const (
	MaxDepth    = 16      // nodes inside one another
	MaxNodes    = 10_000  // nodes in all
	MaxValues   = 100_000 // values in all
	MaxPatterns = 256     // values of one contains, glob or regex
)

// Node is a match as its author wrote it: a conjunction of whatever it holds.
// A table of fields is a node whose All has one child per key; the zero Node
// holds of everything.
//
//	{ method = "INVITE", ruri = { user = is.prefix "00900" } }
//
//	Node{All: []Node{
//		{Path: []string{"method"}, Op: Eq, Values: []Value{Text("INVITE")}},
//		{Path: []string{"ruri"}, All: []Node{
//			{Path: []string{"user"}, Op: Prefix, Values: []Value{Text("00900")}}}},
//	}}
type Node struct {
	// Line is where the author wrote it, 0 where unknown.
	Line int
	// Path leads from the enclosing node's object to the one that this node is
	// about; empty means the same.
	Path []string
	// All holds conditions of which each must hold.
	All []Node
	// Any holds conditions of which at least one must hold; nil means there is
	// no such demand, empty is an error.
	Any []Node
	// None holds conditions of which none may hold.
	None []Node
	// Op tests the value at Path against Values; NoOp tests nothing.
	Op     Op
	Values []Value
}

// Op is a test of one value.
type Op uint8

// The tests. Where several values are given, all but Range ask for any of them.
const (
	NoOp     Op = iota
	Eq          // equal to a value, or in a store
	Ne          // equal to no value, in no store
	Prefix      // text that starts with
	Suffix      // text that ends with
	Contains    // text that has in it
	Glob        // text as a whole, with * ? and [a-z]
	Regex       // text, anywhere in it (RE2)
	CIDR        // address in a network
	Range       // from the first value to the second, both included
	Gt          // greater than
	Ge          // greater than or equal
	Lt          // less than
	Le          // less than or equal
	Present     // has a value, or none if the value is false
)

// Word describes a word of the table `is` that authors write tests with.
type Word struct {
	Name string // "prefix"
	Op   Op
	// Min and Max bound how many values it takes; Max 0 means any number.
	Min, Max int
	Doc      string
	Example  string
}

// Words returns the words of `is`, in the order of the documentation. A word's
// arguments, or the elements of the one list that is its argument, become the
// values of a [Node] with its Op.
func Words() []Word {
	return []Word{
		{"one_of", Eq, 1, 0, "Equal to one of the values, or in one of the stores; a plain list means the same.", `port = is.one_of { 80, 443 }`},
		{"none_of", Ne, 1, 0, "Equal to none of the values, in none of the stores; holds where there is no value.", `port = is.none_of { 22, 23 }`},
		{"ne", Ne, 1, 1, "Not equal to the value; holds where there is no value.", `reason = is.ne "fin"`},
		{"prefix", Prefix, 1, 0, "Text that starts with one of the values.", `user = is.prefix "00900"`},
		{"suffix", Suffix, 1, 0, "Text that ends with one of the values.", `host = is.suffix ".example.net"`},
		{"contains", Contains, 1, 0, "Text that has one of the values in it.", `agent = is.contains "scanner"`},
		{"glob", Glob, 1, 0, "Text that is as a whole like one of the values: * any bytes, ? one byte, [a-z] [!a-z] one of a set, \\ takes the next as it is.", `path = is.glob "/api/*/status"`},
		{"regex", Regex, 1, 0, "Text in which one of the values is found (RE2 syntax; ^ and $ to anchor).", `path = is.regex "^/(a|b)/"`},
		{"cidr", CIDR, 1, 0, "Address in one of the networks.", `ip = is.cidr "10.0.0.0/8"`},
		{"range", Range, 2, 2, "From the first value to the second, both included.", `port = is.range(1, 1023)`},
		{"gt", Gt, 1, 1, "Greater than the value.", `len = is.gt(1400)`},
		{"ge", Ge, 1, 1, "Greater than the value or equal to it.", `len = is.ge(1400)`},
		{"lt", Lt, 1, 1, "Less than the value.", `ttl = is.lt(5)`},
		{"le", Le, 1, 1, "Less than the value or equal to it.", `ttl = is.le(5)`},
		{"present", Present, 0, 1, "There is a value; present(false): there is none.", `pkt = is.present()`},
	}
}

// String returns the word that authors write for o.
func (o Op) String() string {
	for _, w := range Words() {
		if w.Op == o {
			return "is." + w.Name
		}
	}
	return "no test"
}

// ValueKind is the kind of a [Value].
type ValueKind uint8

// The kinds of values. The zero kind is no value and an error everywhere.
const (
	NoValue ValueKind = iota
	BoolValue
	NumberValue
	TextValue
	SetValue
)

// Value is a literal or a store that a field is compared with.
type Value struct {
	Kind   ValueKind
	Bool   bool
	Number float64
	Text   string
	Set    Set
}

// Bool returns the value b.
func Bool(b bool) Value { return Value{Kind: BoolValue, Bool: b} }

// Number returns the value f.
func Number(f float64) Value { return Value{Kind: NumberValue, Number: f} }

// Text returns the value s.
func Text(s string) Value { return Value{Kind: TextValue, Text: s} }

// In returns the value that stands for everything in s.
func In(s Set) Value { return Value{Kind: SetValue, Set: s} }

// Equal reports whether n says the same as o, stores compared by their names;
// either may be nil.
func (n *Node) Equal(o *Node) bool {
	if n == nil || o == nil {
		return n == o
	}
	return n.Line == o.Line && slices.Equal(n.Path, o.Path) && n.Op == o.Op &&
		slices.EqualFunc(n.Values, o.Values, Value.equal) &&
		equalNodes(n.All, o.All) && equalNodes(n.None, o.None) &&
		(n.Any == nil) == (o.Any == nil) && equalNodes(n.Any, o.Any)
}

func equalNodes(a, b []Node) bool {
	return slices.EqualFunc(a, b, func(x, y Node) bool { return x.Equal(&y) })
}

func (v Value) equal(w Value) bool {
	if v.Kind == SetValue && w.Kind == SetValue {
		return v.Set.Name() == w.Set.Name()
	}
	return v.Kind == w.Kind && v.Bool == w.Bool && v.Number == w.Number && v.Text == w.Text
}

// Set is a store whose keys a field is looked up among. Beside this interface
// it implements those of [IPSet], [EndpointSet], [StringSet], [NumberSet] that
// fit its keys. Lookups run under the shard, so they must neither block
// nor allocate.
type Set interface {
	// Name returns the store's name, for messages.
	Name() string
	// KeyKind returns what its keys are: event.IP (addresses or networks),
	// event.Endpoint, event.String, event.Float for numbers, or event.Plain for
	// any scalar, which serves texts and numbers.
	KeyKind() event.Kind
}

// IPSet is a [Set] of addresses or networks.
type IPSet interface {
	// HasIP reports whether addr is a key or in a network that is one.
	HasIP(addr netip.Addr) bool
}

// EndpointSet is a [Set] of endpoints.
type EndpointSet interface {
	// HasEndpoint reports whether ep is a key.
	HasEndpoint(ep netip.AddrPort) bool
}

// StringSet is a [Set] of texts.
type StringSet interface {
	// HasString reports whether s is a key. It must not keep s, whose bytes may
	// be lent.
	HasString(s string) bool
}

// NumberSet is a [Set] of numbers.
type NumberSet interface {
	// HasNumber reports whether f is a key.
	HasNumber(f float64) bool
}
