package record

import "fmt"

// AppendValue appends one value as AppendJSON writes those of a tree. A table
// belongs to a frozen tree.
func AppendValue(dst []byte, v Value) []byte { return appendValue(dst, v) }

// DecodeValue reads what AppendValue wrote, within limits. A table is that of a
// frozen tree.
func DecodeValue(name string, limits *Limits, data []byte) (Value, error) {
	// The value stands in a table of its own, one level deeper than it counts.
	inner := *limits
	inner.Depth++
	inner.Total += tableCost + slotCost
	r := NewRoot(name, &inner)
	err := decode(r, data, func(d *decoder, b *Builder) error {
		d.marks = true
		return d.value(b, intKey(1))
	})
	if err != nil {
		return Value{}, err
	}
	r.Freeze()
	return r.top.Get(intKey(1)), nil
}

// SyntaxError says where a text is not what it should be.
type SyntaxError struct {
	Name string
	Line int
	Err  error
}

// Error names the line.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("record: decode %s: line %d: %v", e.Name, e.Line, e.Err)
}

// Unwrap returns what is wrong there.
func (e *SyntaxError) Unwrap() error { return e.Err }
