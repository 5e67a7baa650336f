// Package structlib is the table struct of scripts: binary data by formats, with
// the letters of string.pack of Lua 5.3. "Native" means the same everywhere:
// little-endian, int of 4 bytes, long and size_t of 8, alignment to 8. Whole
// numbers that a Lua number does not hold exactly are refused, never rounded.
// Functions are pure; those of one state are called on its goroutine.
package structlib

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/call"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// Open returns the functions of the table.
func Open(L *lua.LState, lim *strlib.Limits) map[string]lua.LValue {
	return call.Functions(L, lim, "struct", map[string]call.Body{"pack": pack, "unpack": unpack, "size": size})
}

// stepsPerItem is what one item of a format costs.
const stepsPerItem = 20

// exact bounds the whole numbers that a Lua number holds exactly.
const exact = 1 << 53

// pack makes bytes of values.
func pack(c call.Call) int {
	f := format{c: c, text: c.String(1), align: 1}
	var buf []byte
	arg := 1
	for {
		it, ok := f.next(len(buf))
		if !ok {
			return c.PushString(string(buf))
		}
		c.Bound(len(buf) + it.pad + it.size)
		c.Spend((it.pad + it.size) / 8)
		buf = append(buf, make([]byte, it.pad)...)
		switch it.kind {
		case kindInt, kindUint:
			arg++
			buf = appendInt(buf, f.order, wholeArg(c, arg, it), it)
		case kindFloat:
			arg++
			buf = appendFloat(buf, f.order, c.Number(arg), it.size)
		case kindChars, kindCounted, kindZero:
			arg++
			buf = appendText(c, buf, f.order, arg, it)
		case kindPad:
			buf = append(buf, 0)
		}
	}
}

// appendText writes a string in one of its forms.
func appendText(c call.Call, buf []byte, order byteOrder, n int, it item) []byte {
	s := c.String(n)
	c.Spend(len(s) / 8)
	c.Bound(len(buf) + len(s) + 16)
	switch it.kind {
	case kindChars:
		if len(s) > it.size {
			c.Bad(n, "string longer than given size")
		}
		return append(append(buf, s...), make([]byte, it.size-len(s))...)
	case kindCounted:
		if it.size < 8 && uint64(len(s)) >= 1<<(8*it.size) {
			c.Bad(n, "string length does not fit in given size")
		}
		return append(appendInt(buf, order, uint64(len(s)), item{kind: kindUint, size: it.size}), s...)
	}
	if strings.IndexByte(s, 0) >= 0 {
		c.Bad(n, "string contains zeros")
	}
	return append(append(buf, s...), 0)
}

// size is how many bytes a format takes.
func size(c call.Call) int {
	f := format{c: c, text: c.String(1), align: 1}
	total := 0
	for {
		it, ok := f.next(total)
		if !ok {
			return c.PushNumber(float64(total))
		}
		if it.kind == kindCounted || it.kind == kindZero {
			c.Bad(1, "the format has no fixed size")
		}
		if total += it.pad + it.size; total > math.MaxInt32 {
			c.Bad(1, "format result too large")
		}
	}
}

// unpack reads values, and returns where it stopped behind them. Data that is
// too short or holds what a number cannot is no mistake of the script.
func unpack(c call.Call) int {
	f := format{c: c, text: c.String(1), align: 1}
	data := c.String(2)
	at := c.OptInt(3, 1)
	if at < 0 {
		at += len(data) + 1
	}
	if at--; at < 0 || at > len(data) {
		c.Bad(3, "initial position out of string")
	}
	r := reader{data: data, at: at}
	var values []lua.LValue
	for {
		it, ok := f.next(r.at)
		if !ok {
			break
		}
		v, err := r.read(it, f.order)
		if err != nil {
			return c.Fail(fmt.Sprintf("struct: offset %d: %s", r.at, err))
		}
		if v == nil {
			continue
		}
		if s, isText := v.(lua.LString); isText {
			c.Spend(len(s) / 8)
		}
		if values = append(values, v); len(values) >= strlib.MaxStack {
			c.Raise("too many results")
		}
	}
	for _, v := range values {
		c.L.Push(v)
	}
	c.L.Push(lua.LNumber(r.at + 1))
	return len(values) + 1
}

// reader reads items off data.
type reader struct {
	data string
	at   int
}

// take returns the next n bytes.
func (r *reader) take(n int) (string, error) {
	if n > len(r.data)-r.at {
		return "", fmt.Errorf("data too short: %d bytes expected, %d left", n, len(r.data)-r.at)
	}
	s := r.data[r.at : r.at+n]
	r.at += n
	return s, nil
}

// read returns the value of an item, nil where it has none.
func (r *reader) read(it item, order byteOrder) (lua.LValue, error) {
	if _, err := r.take(it.pad); err != nil {
		return nil, err
	}
	if it.kind == kindZero {
		n := strings.IndexByte(r.data[r.at:], 0)
		if n < 0 {
			return nil, fmt.Errorf("unfinished string: no zero byte follows")
		}
		s := strings.Clone(r.data[r.at : r.at+n])
		r.at += n + 1
		return lua.LString(s), nil
	}
	from := r.at
	raw, err := r.take(it.size)
	if err != nil {
		return nil, err
	}
	var v lua.LValue
	switch it.kind {
	case kindInt, kindUint:
		v, err = whole(raw, order, it.kind == kindInt)
	case kindFloat:
		v = float(raw, order)
	case kindChars:
		v = lua.LString(strings.Clone(raw))
	case kindCounted:
		var n lua.LNumber
		if n, err = whole(raw, order, false); err == nil {
			if n > lua.LNumber(len(r.data)-r.at) {
				err = fmt.Errorf("data too short: %.0f bytes expected, %d left", float64(n), len(r.data)-r.at)
			} else {
				raw, err = r.take(int(n))
				v = lua.LString(strings.Clone(raw))
			}
		}
	}
	if err != nil {
		r.at = from
		return nil, err
	}
	return v, nil
}

// whole reads an integer of any size.
func whole(raw string, order byteOrder, signed bool) (lua.LNumber, error) {
	var b [16]byte // little-endian
	for i := range len(raw) {
		if order == bigEndian {
			b[i] = raw[len(raw)-1-i]
		} else {
			b[i] = raw[i]
		}
	}
	negative := signed && b[len(raw)-1]&0x80 != 0
	if negative {
		for i := len(raw); i < len(b); i++ {
			b[i] = 0xff
		}
	}
	low, high := binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])
	switch {
	case negative && high == math.MaxUint64 && int64(low) < 0 && int64(low) >= -exact:
		return lua.LNumber(int64(low)), nil
	case !negative && high == 0 && low <= exact:
		return lua.LNumber(low), nil
	}
	return 0, fmt.Errorf("an integer of %d bytes is beyond 2^53, which numbers hold exactly; read it in parts, or as c%d", len(raw), len(raw))
}

func float(raw string, order byteOrder) lua.LNumber {
	b := []byte(raw)
	if len(raw) == 4 {
		return lua.LNumber(math.Float32frombits(order.binary().Uint32(b)))
	}
	return lua.LNumber(math.Float64frombits(order.binary().Uint64(b)))
}

func appendFloat(buf []byte, order byteOrder, f float64, size int) []byte {
	if size == 4 {
		return order.appender().AppendUint32(buf, math.Float32bits(float32(f)))
	}
	return order.appender().AppendUint64(buf, math.Float64bits(f))
}

// appendInt writes the bits of a two's complement number.
func appendInt(buf []byte, order byteOrder, v uint64, it item) []byte {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], v)
	if it.kind == kindInt && int64(v) < 0 {
		binary.LittleEndian.PutUint64(b[8:], math.MaxUint64)
	}
	for i := range it.size {
		if order == bigEndian {
			buf = append(buf, b[it.size-1-i])
		} else {
			buf = append(buf, b[i])
		}
	}
	return buf
}
