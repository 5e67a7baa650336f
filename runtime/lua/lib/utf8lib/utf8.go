// Package utf8lib is the table utf8 of scripts, as Lua 5.3 has it: code points
// up to 10FFFF, halves of surrogate pairs included. Functions are pure; those of
// one state are called on its goroutine.
package utf8lib

import (
	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/call"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// Charpattern matches one code point in text that is UTF-8. %z is how patterns
// of 5.1 write the zero byte.
const Charpattern = "[%z\x01-\x7F\xC2-\xF4][\x80-\xBF]*"

// maxRune is the greatest code point.
const maxRune = 0x10FFFF

// Open returns the functions and values of the table.
func Open(L *lua.LState, lim *strlib.Limits) map[string]lua.LValue {
	members := call.Functions(L, lim, "utf8", map[string]call.Body{
		"char": char, "codepoint": codepoint, "len": length, "offset": offset,
	})
	step := call.Functions(L, lim, "utf8", map[string]call.Body{"codes": next})["codes"]
	codes := call.Functions(L, lim, "utf8", map[string]call.Body{"codes": func(c call.Call) int {
		c.String(1)
		return c.Push(step) + c.Push(c.Arg(1)) + c.PushNumber(0)
	}})
	members["codes"] = codes["codes"]
	members["charpattern"] = lua.LString(Charpattern)
	return members
}

// decode reads the code point at the start of s and returns its length, 0 where
// none is. It takes what Lua 5.3 does: no overlong forms, nothing above 10FFFF,
// but surrogates.
func decode(s string) (r rune, n int) {
	if s == "" {
		return 0, 0
	}
	first := s[0]
	if first < 0x80 {
		return rune(first), 1
	}
	least := [...]rune{0, 0, 0x80, 0x800, 0x10000}
	for n = 2; n <= 4; n++ {
		if first>>(7-n)&1 == 0 {
			break
		}
	}
	if first < 0xC0 || n > 4 || len(s) < n {
		return 0, 0
	}
	r = rune(first & (0x7F >> n))
	for i := 1; i < n; i++ {
		if s[i]&0xC0 != 0x80 {
			return 0, 0
		}
		r = r<<6 | rune(s[i]&0x3F)
	}
	if r < least[n] || r > maxRune {
		return 0, 0
	}
	return r, n
}

// appendRune writes a code point, surrogates too.
func appendRune(b []byte, r rune) []byte {
	switch {
	case r < 0x80:
		return append(b, byte(r))
	case r < 0x800:
		return append(b, 0xC0|byte(r>>6), 0x80|byte(r&0x3F))
	case r < 0x10000:
		return append(b, 0xE0|byte(r>>12), 0x80|byte(r>>6&0x3F), 0x80|byte(r&0x3F))
	}
	return append(b, 0xF0|byte(r>>18), 0x80|byte(r>>12&0x3F), 0x80|byte(r>>6&0x3F), 0x80|byte(r&0x3F))
}

func char(c call.Call) int {
	c.Spend(4 * c.Top())
	var b []byte
	for i := 1; i <= c.Top(); i++ {
		r := c.Int(i)
		if r < 0 || r > maxRune {
			c.Bad(i, "value out of range")
		}
		b = appendRune(b, rune(r))
	}
	return c.PushString(string(b))
}

// position turns an index that counts from the end when it is negative into one
// from 1; before the beginning is 0.
func position(i, length int) int {
	switch {
	case i >= 0:
		return i
	case -i > length:
		return 0
	}
	return length + i + 1
}

func codepoint(c call.Call) int {
	s := c.String(1)
	from := position(c.OptInt(2, 1), len(s))
	to := position(c.OptInt(3, from), len(s))
	if from < 1 {
		c.Bad(2, "out of range")
	}
	if to > len(s) {
		c.Bad(3, "out of range")
	}
	if from > to {
		return 0
	}
	c.Spend(2 * (to - from + 1))
	n := 0
	for at := from - 1; at < to; n++ {
		r, size := decode(s[at:])
		if size == 0 {
			c.Raise("invalid UTF-8 code")
		}
		if n >= strlib.MaxStack-c.Top() {
			c.Raise("string slice too long")
		}
		at += size
		c.PushNumber(float64(r))
	}
	return n
}

// length counts the code points that start between two bytes; where one is not
// valid it returns nil and the place.
func length(c call.Call) int {
	s := c.String(1)
	at := position(c.OptInt(2, 1), len(s)) - 1
	last := position(c.OptInt(3, -1), len(s)) - 1
	if at < 0 || at > len(s) {
		c.Bad(2, "initial position out of string")
	}
	if last >= len(s) {
		c.Bad(3, "final position out of string")
	}
	c.Spend(max(last-at, 0) + 1)
	n := 0
	for at <= last {
		_, size := decode(s[at:])
		if size == 0 {
			return c.Push(lua.LNil) + c.PushNumber(float64(at+1))
		}
		at += size
		n++
	}
	return c.PushNumber(float64(n))
}

func continues(s string, at int) bool { return at < len(s) && s[at]&0xC0 == 0x80 }

// offset returns where the n-th code point from a place starts.
func offset(c call.Call) int {
	s, n := c.String(1), c.Int(2)
	start := 1
	if n <= 0 {
		start = len(s) + 1
	}
	at := position(c.OptInt(3, start), len(s)) - 1
	if at < 0 || at > len(s) {
		c.Bad(3, "position out of range")
	}
	c.Spend(len(s)/4 + 1)
	if n == 0 {
		for at > 0 && continues(s, at) {
			at--
		}
		return c.PushNumber(float64(at + 1))
	}
	if continues(s, at) {
		c.Raise("initial position is a continuation byte")
	}
	for ; n < 0 && at > 0; n++ {
		for at--; at > 0 && continues(s, at); at-- {
		}
	}
	if n > 0 {
		for n--; n > 0 && at < len(s); n-- {
			for at++; continues(s, at); at++ {
			}
		}
	}
	if n != 0 {
		return c.Push(lua.LNil)
	}
	return c.PushNumber(float64(at + 1))
}

// next is the iterator of codes.
func next(c call.Call) int {
	s, at := c.String(1), c.Int(2)-1
	if at < 0 {
		at = 0
	} else if at < len(s) {
		for at++; continues(s, at); at++ {
		}
	}
	c.Spend(4)
	if at >= len(s) {
		return 0
	}
	r, size := decode(s[at:])
	if size == 0 || continues(s, at+size) {
		c.Raise("invalid UTF-8 code")
	}
	return c.PushNumber(float64(at+1)) + c.PushNumber(float64(r))
}
