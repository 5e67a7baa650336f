package record

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unsafe"
)

// Kind says what a Value holds.
type Kind uint8

// The kinds of a Value. The zero Value is Nil.
const (
	KindNil Kind = iota
	KindBool
	KindNumber
	KindString
	KindTable

	// In an overlay only, never seen outside the package.
	kindGone // the key was deleted
	kindAdd  // bits are added to whatever number the live table holds
)

// String names the kind as Lua's type() does.
func (k Kind) String() string {
	switch k {
	case KindNil:
		return "nil"
	case KindBool:
		return "boolean"
	case KindNumber:
		return "number"
	case KindString:
		return "string"
	case KindTable:
		return "table"
	}
	return "overlay mark"
}

// Value is one piece of plain data: nil, a boolean, a number, a byte string or
// a table. It is a small value type to be passed around by copy; the zero Value
// is nil. Values are not comparable with ==, see Equal.
type Value struct {
	_    [0]func()
	ref  unsafe.Pointer // string bytes or *Table
	bits uint64         // boolean, float64 bits, or string length
	kind Kind
}

// Bool makes a boolean.
func Bool(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.bits = 1
	}
	return v
}

// Number makes a number.
func Number(f float64) Value {
	return Value{kind: KindNumber, bits: math.Float64bits(f)}
}

// String makes a byte string. It shares s; what a table stores is a copy, so
// that ten bytes cut from a megabyte do not keep the megabyte.
func String(s string) Value {
	return Value{kind: KindString, ref: unsafe.Pointer(unsafe.StringData(s)), bits: uint64(len(s))}
}

// FromTable makes a value that refers to t, or nil when t is nil.
func FromTable(t *Table) Value {
	if t == nil {
		return Value{}
	}
	return Value{kind: KindTable, ref: unsafe.Pointer(t)}
}

// Kind says what v holds.
func (v Value) Kind() Kind { return v.kind }

// IsNil says whether v is nil.
func (v Value) IsNil() bool { return v.kind == KindNil }

// AsBool returns the boolean that v holds; ok is false for any other kind.
func (v Value) AsBool() (b, ok bool) {
	return v.bits == 1 && v.kind == KindBool, v.kind == KindBool
}

// AsNumber returns the number that v holds; ok is false for any other kind.
func (v Value) AsNumber() (f float64, ok bool) {
	if v.kind != KindNumber {
		return 0, false
	}
	return v.num(), true
}

// AsString returns the bytes that v holds; ok is false for any other kind,
// numbers too.
func (v Value) AsString() (s string, ok bool) {
	if v.kind != KindString {
		return "", false
	}
	return v.str(), true
}

// AsTable returns the table that v refers to; ok is false for any other kind.
func (v Value) AsTable() (t *Table, ok bool) {
	if v.kind != KindTable {
		return nil, false
	}
	return v.tab(), true
}

// Equal says whether v and u are the same scalar or refer to the same table. As
// in Lua, NaN differs from itself.
func (v Value) Equal(u Value) bool {
	if v.kind != u.kind {
		return false
	}
	switch v.kind {
	case KindNumber:
		return v.num() == u.num()
	case KindString:
		return v.str() == u.str()
	case KindTable:
		return v.tab().Same(u.tab())
	}
	return v.bits == u.bits
}

// String renders v for messages and logs: strings are quoted, numbers written
// as Lua's tostring does, tables as "table".
func (v Value) String() string {
	switch v.kind {
	case KindBool:
		return strconv.FormatBool(v.bits == 1)
	case KindNumber:
		return strconv.FormatFloat(v.num(), 'g', 14, 64)
	case KindString:
		return quote(v.str())
	case KindTable:
		return "table"
	case kindAdd:
		return fmt.Sprintf("add %v", v.num())
	}
	return v.kind.String()
}

// quote shows at most the first 64 bytes: a message must not grow with what a
// peer sent.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}

func (v Value) num() float64 { return math.Float64frombits(v.bits) }
func (v Value) str() string  { return unsafe.String((*byte)(v.ref), int(v.bits)) }
func (v Value) tab() *Table  { return (*Table)(v.ref) }

// own returns v with bytes of its own.
func (v Value) own() Value {
	if v.kind == KindString {
		return String(strings.Clone(v.str()))
	}
	return v
}

// identical says whether storing u in v's place would change nothing, so NaN is
// identical to NaN and 0 is not to -0.
func (v Value) identical(u Value) bool {
	if v.kind != u.kind || v.bits != u.bits {
		return false
	}
	if v.kind == KindString {
		return v.str() == u.str()
	}
	return v.ref == u.ref
}

// index returns the array position that a key denotes: an integral number from
// 1 up.
func (v Value) index() (int, bool) {
	if v.kind != KindNumber {
		return 0, false
	}
	f := v.num()
	if !(f >= 1 && f <= math.MaxInt32) {
		return 0, false
	}
	i := int(f)
	return i, float64(i) == f
}

func intKey(i int) Value { return Number(float64(i)) }
