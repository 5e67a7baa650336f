package strlib

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/pattern"
)

// stepsPerMatch is what replacing one match counts for, beside searching it.
const stepsPerMatch = 15

// strGsub copies the subject once, from left to right, whatever the number of
// replacements.
func (l *lib) strGsub(L *lua.LState) int {
	s, p := checkString(L, 1, "gsub"), checkString(L, 2, "gsub")
	limit := optInt(L, 4, "gsub", len(s)+1)
	r := newReplacement(l, L, L.Get(3))
	pat := l.compiled(L, p, false)
	sc := l.acquire()
	buf, copied, n := sc.buf[:0], 0, 0
	for at := 0; n < limit && at <= len(s); {
		if !l.search(L, pat, sc, s, at) {
			break
		}
		n++
		l.charge(L, stepsPerMatch)
		start, end := sc.caps.Start, sc.caps.End
		l.bound(L, "string.gsub", len(buf)+start-copied)
		buf = append(buf, s[copied:start]...)
		buf = r.appendTo(buf, &sc.caps, s)
		copied, at = end, end
		if end == start {
			at++
		}
		if pat.Anchored() {
			break
		}
	}
	if n == 0 {
		pushSame(L, 1, s)
	} else {
		l.bound(L, "string.gsub", len(buf)+len(s)-copied)
		buf = append(buf, s[copied:]...)
		l.chargeBytes(L, len(buf))
		L.Push(lua.LString(buf))
	}
	sc.buf = buf
	l.release(sc)
	pushInt(L, n)
	return 2
}

// replacement is the third argument of gsub.
type replacement struct {
	l     *lib
	L     *lua.LState
	text  string // when fn and table are nil
	plain bool   // text has no %
	fn    *lua.LFunction
	table *lua.LTable
}

func newReplacement(l *lib, L *lua.LState, v lua.LValue) replacement {
	r := replacement{l: l, L: L}
	switch v := v.(type) {
	case *lua.LFunction:
		r.fn = v
	case *lua.LTable:
		r.table = v
	default:
		text, ok := toString(v)
		if !ok {
			argError(L, 3, "gsub", "string/function/table expected")
		}
		r.text, r.plain = text, strings.IndexByte(text, '%') < 0
	}
	return r
}

func (r *replacement) appendTo(buf []byte, c *pattern.Captures, s string) []byte {
	switch {
	case r.fn != nil:
		r.L.Push(r.fn)
		n := pushCaptures(r.L, c, s, max(c.Len(), 1))
		r.L.Call(n, 1)
		v := r.L.Get(-1)
		r.L.Pop(1)
		return r.appendValue(buf, v, s[c.Start:c.End])
	case r.table != nil:
		v := r.L.GetTable(r.table, capture(r.L, c, s, 0))
		return r.appendValue(buf, v, s[c.Start:c.End])
	case r.plain:
		return r.appendText(buf, r.text)
	}
	return r.appendTemplate(buf, c, s)
}

// appendValue appends what a function or table gave; nil and false keep the
// match as it is.
func (r *replacement) appendValue(buf []byte, v lua.LValue, match string) []byte {
	if lua.LVIsFalse(v) {
		return r.appendText(buf, match)
	}
	text, ok := toString(v)
	if !ok {
		r.L.RaiseError("invalid replacement value (a %s)", v.Type().String())
	}
	return r.appendText(buf, text)
}

// appendTemplate replaces %0 to %9. A % before anything else is dropped, and
// one at the end stands for a zero byte, which is what 5.1 makes of it.
func (r *replacement) appendTemplate(buf []byte, c *pattern.Captures, s string) []byte {
	r.l.chargeBytes(r.L, len(r.text))
	for rest := r.text; rest != ""; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			return r.appendText(buf, rest)
		}
		buf = r.appendText(buf, rest[:i])
		d := byte(0)
		if i+1 < len(rest) {
			d = rest[i+1]
		}
		rest = rest[min(i+2, len(rest)):]
		switch {
		case d == '0':
			buf = r.appendText(buf, s[c.Start:c.End])
		case '1' <= d && d <= '9':
			text, _ := toString(capture(r.L, c, s, int(d-'1')))
			buf = r.appendText(buf, text)
		default:
			buf = append(buf, d)
		}
	}
	return buf
}

func (r *replacement) appendText(buf []byte, text string) []byte {
	r.l.bound(r.L, "string.gsub", len(buf)+len(text))
	return append(buf, text...)
}
