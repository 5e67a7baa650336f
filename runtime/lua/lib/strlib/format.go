package strlib

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// strFormat is C's sprintf within the bounds of 5.1: flags -+ #0, width and
// precision of two digits at most.
func (l *lib) strFormat(L *lua.LState) int {
	f := checkString(L, 1, "format")
	sc := l.acquire()
	buf, arg := sc.buf[:0], 1
	for {
		i := strings.IndexByte(f, '%')
		if i < 0 {
			break
		}
		l.bound(L, "string.format", len(buf)+i)
		buf, f = append(buf, f[:i]...), f[i+1:]
		if f != "" && f[0] == '%' {
			buf, f = append(buf, '%'), f[1:]
			continue
		}
		arg++
		if arg > L.GetTop() {
			argError(L, arg, "format", "no value")
		}
		sp, n := parseSpec(L, f)
		f = f[n:]
		buf = l.appendItem(L, buf, sp, arg)
	}
	l.bound(L, "string.format", len(buf)+len(f))
	buf = append(buf, f...)
	l.charge(L, len(buf)/2+1) // writing a number costs more than copying it
	L.Push(lua.LString(buf))
	sc.buf = buf
	l.release(sc)
	return 1
}

// parseSpec reads a conversion and returns its length. The conversion letter of
// an unfinished one is 0.
func parseSpec(L *lua.LState, f string) (spec, int) {
	sp, i := spec{prec: -1}, 0
	for ; i < len(f) && sp.flag(f[i]); i++ {
	}
	if i >= len("-+ #0")+1 {
		L.RaiseError("invalid format (repeated flags)")
	}
	sp.width, i = twoDigits(f, i)
	if i < len(f) && f[i] == '.' {
		sp.prec, i = twoDigits(f, i+1)
	}
	if i >= len(f) {
		return sp, i
	}
	if isDecimal(f[i]) {
		L.RaiseError("invalid format (width or precision too long)")
	}
	sp.verb = f[i]
	return sp, i + 1
}

func twoDigits(f string, i int) (n, end int) {
	for end = i; end < len(f) && end < i+2 && isDecimal(f[end]); end++ {
		n = n*10 + int(f[end]-'0')
	}
	return n, end
}

func (l *lib) appendItem(L *lua.LState, buf []byte, sp spec, arg int) []byte {
	l.bound(L, "string.format", len(buf)+sp.width)
	switch sp.verb {
	case 'd', 'i':
		return sp.appendInt(buf, checkNumber(L, arg, "format"))
	case 'u', 'o', 'x', 'X':
		return sp.appendUint(buf, checkNumber(L, arg, "format"))
	case 'e', 'E', 'f', 'F', 'g', 'G':
		return sp.appendFloat(buf, checkNumber(L, arg, "format"))
	case 'c':
		c := byte(toInt64(checkNumber(L, arg, "format")))
		return pad(sp, buf, []byte{c})
	case 's':
		s := checkString(L, arg, "format")
		if sp.prec >= 0 && sp.prec < len(s) {
			s = s[:sp.prec]
		}
		l.bound(L, "string.format", len(buf)+len(s))
		return pad(sp, buf, s)
	case 'q':
		s := checkString(L, arg, "format")
		l.bound(L, "string.format", len(buf)+len(s)+2)
		buf = appendQuoted(buf, s)
		l.bound(L, "string.format", len(buf))
		return buf
	}
	letter := ""
	if sp.verb != 0 {
		letter = string([]byte{sp.verb})
	}
	L.RaiseError("invalid option '%%%s' to 'format'", letter)
	return buf
}

// appendQuoted writes s so that the Lua 5.1 compiler reads it back.
func appendQuoted(buf []byte, s string) []byte {
	buf = append(buf, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			buf = append(buf, '\\', c)
		case '\r':
			buf = append(buf, '\\', 'r')
		case 0:
			buf = append(buf, '\\', '0', '0', '0')
		default:
			buf = append(buf, c)
		}
	}
	return append(buf, '"')
}

// toInt64 converts as x86-64 does: toward zero, and what does not fit becomes
// the least int64.
func toInt64(f float64) int64 {
	if f >= -1<<63 && f < 1<<63 {
		return int64(f)
	}
	return -1 << 63
}

// toUint64 converts as C compilers on x86-64 do: a negative number is modulo
// 2^64, what is too large becomes 0.
func toUint64(f float64) uint64 {
	if f >= 1<<63 {
		if f < 1<<64 {
			return uint64(f)
		}
		return 0
	}
	return uint64(toInt64(f))
}
