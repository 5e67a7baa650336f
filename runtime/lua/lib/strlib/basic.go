package strlib

import (
	"math/bits"
	"strconv"
	"strings"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// position turns a Lua index, which counts from the end when it is negative,
// into one from 1; what is before the beginning becomes 0.
func position(i, length int) int {
	if i < 0 {
		i += length + 1
	}
	return max(i, 0)
}

// sharedParent is the length up to which a part of a string shares its memory.
const sharedParent = 4 << 10

// piece returns part of s. A small part of a long string is copied: else one
// word kept by a script would keep the megabyte that it came from.
func piece(s string, from, to int) lua.LString {
	part := s[from:to]
	if len(s) > sharedParent && len(part) < len(s)/8 {
		part = strings.Clone(part)
	}
	return lua.LString(part)
}

// handOver makes a string of a buffer that nobody else has and nobody will
// write to again.
func handOver(buf []byte) lua.LString {
	return lua.LString(unsafe.String(unsafe.SliceData(buf), len(buf)))
}

func (l *lib) strLen(L *lua.LState) int {
	pushInt(L, len(checkString(L, 1, "len")))
	return 1
}

func (l *lib) strSub(L *lua.LState) int {
	s := checkString(L, 1, "sub")
	from := max(position(checkInt(L, 2, "sub"), len(s)), 1)
	to := min(position(optInt(L, 3, "sub", -1), len(s)), len(s))
	if from > to {
		L.Push(lua.LString(""))
		return 1
	}
	L.Push(piece(s, from-1, to))
	return 1
}

func (l *lib) strByte(L *lua.LState) int {
	s := checkString(L, 1, "byte")
	from := position(optInt(L, 2, "byte", 1), len(s))
	to := min(position(optInt(L, 3, "byte", from), len(s)), len(s))
	from = max(from, 1)
	if from > to {
		return 0
	}
	n := to - from + 1
	if L.GetTop()+n > MaxStack {
		L.RaiseError("stack overflow (string slice too long)")
	}
	l.charge(L, 2*n)
	for i := from - 1; i < to; i++ {
		pushInt(L, int(s[i]))
	}
	return n
}

func (l *lib) strChar(L *lua.LState) int {
	n := L.GetTop()
	l.bound(L, "string.char", n)
	l.charge(L, 2*n)
	buf := make([]byte, n)
	for i := range buf {
		c := checkInt(L, i+1, "char")
		if c < 0 || c > 255 {
			argError(L, i+1, "char", "invalid value")
		}
		buf[i] = byte(c)
	}
	L.Push(handOver(buf))
	return 1
}

func (l *lib) strRep(L *lua.LState) int {
	s, n := checkString(L, 1, "rep"), checkInt(L, 2, "rep")
	if n <= 0 || s == "" {
		L.Push(lua.LString(""))
		return 1
	}
	if hi, size := bits.Mul64(uint64(len(s)), uint64(n)); hi > 0 || size > uint64(l.maxString()) {
		text := strconv.FormatUint(size, 10)
		if hi > 0 {
			text = "more than 18446744073709551615"
		}
		l.tooLong(L, "string.rep", text)
	}
	l.chargeBytes(L, len(s)*n)
	L.Push(lua.LString(strings.Repeat(s, n)))
	return 1
}

func (l *lib) strReverse(L *lua.LState) int {
	s := checkString(L, 1, "reverse")
	l.bound(L, "string.reverse", len(s))
	l.charge(L, len(s)/2+1)
	buf := make([]byte, len(s))
	for i := range buf {
		buf[i] = s[len(s)-1-i]
	}
	L.Push(handOver(buf))
	return 1
}

func (l *lib) strLower(L *lua.LState) int { return l.mapCase(L, "string.lower", 'A', 'Z') }

func (l *lib) strUpper(L *lua.LState) int { return l.mapCase(L, "string.upper", 'a', 'z') }

// mapCase changes the case of the letters from first to last, byte by byte:
// a string is not text to Lua.
func (l *lib) mapCase(L *lua.LState, fn string, first, last byte) int {
	s := checkString(L, 1, fn[len("string."):])
	l.charge(L, len(s)+1)
	i := 0
	for i < len(s) && (s[i] < first || s[i] > last) {
		i++
	}
	if i == len(s) {
		pushSame(L, 1, s)
		return 1
	}
	l.bound(L, fn, len(s))
	buf := []byte(s)
	for ; i < len(buf); i++ {
		if buf[i] >= first && buf[i] <= last {
			buf[i] ^= 0x20
		}
	}
	L.Push(handOver(buf))
	return 1
}
