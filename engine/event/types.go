package event

import "net/netip"

// Kind is the shape of a value that a field, argument or result has.
type Kind uint8

// The kinds. What Lua sees is in parentheses.
const (
	Invalid   Kind = iota
	Bool           // (boolean)
	Uint           // unsigned integer of Type.Bits bits (number)
	Int            // signed integer (number)
	Float          // (number)
	String         // text (string)
	Bytes          // lent bytes, copied when Lua takes them (string)
	IP             // netip.Addr (string)
	Endpoint       // netip.AddrPort (string, "10.0.0.1:5060", "[::1]:5060")
	Time           // int64 nanoseconds since the epoch (number of seconds)
	Duration       // int64 nanoseconds (number of seconds; "10s" as an argument)
	Size           // int64 bytes (number; "64KiB" as an argument)
	Enum           // one of Type.Names (string)
	Strings        // list of text (table)
	ObjectRef      // an object of Type.Object (userdata)
	Plain          // plain data: nil, boolean, number, string, table of those
	Record         // per-script data that outlives a VM: c.data (userdata)
	Handler        // a function or the name of a handler
	Any            // any Lua value, only of functions that the runtime has the body of
)

// Type is a field's, argument's or result's full type.
type Type struct {
	Kind   Kind
	Bits   uint8    // Uint, Int: 8, 16, 32 or 64
	Names  []string // Enum: the allowed words, index = value
	Object string   // ObjectRef: "flow.conn"
}

// Getter reads one field of an event or object behind an interface. Exactly the
// function that fits the field's kind is set:
//
//	Bool                     Bool
//	Uint, Enum (its index)   Uint
//	Int, Time, Duration, Size Int
//	Float                    Float
//	String                   String
//	Bytes                    Bytes
//	IP                       IP
//	Endpoint                 Endpoint
//	Strings                  Strings
//	ObjectRef, Plain         Object
//
// The argument is the event pointer (*flowev.Rexmit) or the object's value as
// the event holds it. Getters allocate nothing unless the field's cost is Copy.
type Getter struct {
	Bool     func(any) bool
	Uint     func(any) uint64
	Int      func(any) int64
	Float    func(any) float64
	String   func(any) string
	Bytes    func(any) []byte
	IP       func(any) netip.Addr
	Endpoint func(any) netip.AddrPort
	Strings  func(any) []string
	Object   func(any) any
	// Present says whether an optional field has a value; nil means always.
	Present func(any) bool
}

// Stable says how long a field keeps its value.
type Stable uint8

// How long a value holds.
const (
	StableNo     Stable = iota // may change at any time
	StableEvent                // holds while one event is handled
	StableObject               // holds for the object's life
)

// Cost says what reading a field takes.
type Cost uint8

// What reading takes.
const (
	Free  Cost = iota // a load
	Cheap             // a small computation
	Copy              // allocates or copies bytes
)

// Field describes a field of an event or object.
type Field struct {
	Name     string
	Type     Type
	Doc      string
	Unit     string // "bytes", "seconds", ...; empty where the type says it
	Valid    string // when the field means something; empty = always
	Stable   Stable
	Cost     Cost
	Optional bool // may be nil
	Writable bool // may be assigned by handlers
	AfterEnd bool // of a kept object: readable once it ended
	// Declared is the function by which scripts declare what a value is the name of:
	// "loop.listen"; empty where a value is anything.
	Declared string
	Get      Getter
	// Set stores a plain value or object in this field of an event struct, with
	// an error that says what was expected. Only events' fields have it: tests
	// and raised events are built with it.
	Set func(e, value any) error
}

// Param describes an argument or result of a method, function or verdict.
type Param struct {
	Name     string
	Type     Type
	Doc      string
	Optional bool
	Front    bool // the first of two, absent where one is given
	Rest     bool // may come any number of times
}
