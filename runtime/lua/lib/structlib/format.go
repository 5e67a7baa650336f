package structlib

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/hookd/hookd/runtime/lua/lib/call"
)

// kind is what an item of a format is.
type kind uint8

const (
	kindNone    kind = iota
	kindInt          // signed
	kindUint         // unsigned
	kindFloat        // IEEE 754
	kindChars        // so many bytes
	kindCounted      // bytes behind their count
	kindZero         // bytes up to a zero
	kindPad          // a byte that is nothing
)

// item is one item of a format: what it is, how many bytes it takes (of a
// counted string: its count), and how many bytes stand before it so that it is
// aligned.
type item struct {
	kind      kind
	size, pad int
}

type byteOrder uint8

const (
	littleEndian byteOrder = iota
	bigEndian
)

func (o byteOrder) binary() binary.ByteOrder {
	if o == bigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (o byteOrder) appender() binary.AppendByteOrder {
	if o == bigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

const (
	maxInt         = 16 // bytes of the largest integer
	nativeAlign    = 8
	nativeInt      = 4
	nativeLong     = 8
	maxFixedString = math.MaxInt32
)

// format reads the items of a format text.
type format struct {
	c     call.Call
	text  string
	at    int
	order byteOrder
	align int // the most that is aligned to
}

// next returns the next item with its padding behind total bytes; false at the
// end. A format that is none is a mistake of the script, and raised.
func (f *format) next(total int) (item, bool) {
	for f.at < len(f.text) {
		f.c.Spend(stepsPerItem)
		letter := f.text[f.at]
		f.at++
		switch letter {
		case ' ':
		case '<', '=':
			f.order = littleEndian
		case '>':
			f.order = bigEndian
		case '!':
			f.align = f.limited(nativeAlign)
		case 'X':
			it := f.following()
			return item{pad: f.padding(it, total)}, true
		default:
			it := f.item(letter)
			it.pad = f.padding(it, total)
			return it, true
		}
	}
	return item{}, false
}

// following reads the item behind X, whose alignment it takes.
func (f *format) following() item {
	if f.at < len(f.text) {
		letter := f.text[f.at]
		f.at++
		if letter != 'X' && letter != 'c' {
			if it := f.item(letter); it.size > 0 {
				return it
			}
		}
	}
	f.c.Bad(1, "invalid next option for option 'X'")
	return item{}
}

// padding returns how many bytes align an item.
func (f *format) padding(it item, total int) int {
	if it.size <= 1 || it.kind == kindChars {
		return 0
	}
	align := min(it.size, f.align)
	if align&(align-1) != 0 {
		f.c.Bad(1, "format asks for alignment not power of 2")
	}
	return (align - total&(align-1)) & (align - 1)
}

func (f *format) item(letter byte) item {
	switch letter {
	case 'b':
		return item{kind: kindInt, size: 1}
	case 'B':
		return item{kind: kindUint, size: 1}
	case 'h':
		return item{kind: kindInt, size: 2}
	case 'H':
		return item{kind: kindUint, size: 2}
	case 'i':
		return item{kind: kindInt, size: f.limited(nativeInt)}
	case 'I':
		return item{kind: kindUint, size: f.limited(nativeInt)}
	case 'l', 'j':
		return item{kind: kindInt, size: nativeLong}
	case 'L', 'J', 'T':
		return item{kind: kindUint, size: nativeLong}
	case 'f':
		return item{kind: kindFloat, size: 4}
	case 'd', 'n':
		return item{kind: kindFloat, size: 8}
	case 's':
		return item{kind: kindCounted, size: f.limited(nativeLong)}
	case 'c':
		n, ok := f.number()
		if !ok {
			f.c.Bad(1, "missing size for format option 'c'")
		}
		return item{kind: kindChars, size: n}
	case 'z':
		return item{kind: kindZero}
	case 'x':
		return item{kind: kindPad, size: 1}
	}
	f.c.Bad(1, fmt.Sprintf("invalid format option %q", letter))
	return item{}
}

// number reads the digits behind a letter.
func (f *format) number() (n int, ok bool) {
	for f.at < len(f.text) && '0' <= f.text[f.at] && f.text[f.at] <= '9' {
		if n = 10*n + int(f.text[f.at]-'0'); n > maxFixedString {
			f.c.Bad(1, "a size in the format is too large")
		}
		f.at++
		ok = true
	}
	return n, ok
}

// limited reads the size of an integer.
func (f *format) limited(absent int) int {
	n, ok := f.number()
	if !ok {
		return absent
	}
	if n < 1 || n > maxInt {
		f.c.Bad(1, fmt.Sprintf("integral size (%d) out of limits [1,%d]", n, maxInt))
	}
	return n
}

// wholeArg returns the bits of argument n, a whole number that fits the item.
func wholeArg(c call.Call, n int, it item) uint64 {
	v := c.Number(n)
	if v != math.Trunc(v) || math.IsInf(v, 0) {
		c.Bad(n, "number has no integer representation")
	}
	bits := min(8*it.size, 64)
	if it.kind == kindInt {
		if limit := math.Ldexp(1, bits-1); v < -limit || v >= limit {
			c.Bad(n, "integer overflow")
		}
		return uint64(int64(v))
	}
	if v < 0 || v >= math.Ldexp(1, bits) {
		c.Bad(n, "unsigned overflow")
	}
	return uint64(v)
}
