package strlib

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/pattern"
)

func (l *lib) strFind(L *lua.LState) int {
	s, p := checkString(L, 1, "find"), checkString(L, 2, "find")
	init := startAt(L, "find", len(s))
	if lua.LVAsBool(L.Get(4)) || !pattern.HasSpecials(p) {
		return l.findPlain(L, s, p, init)
	}
	sc := l.acquire()
	if !l.search(L, l.compiled(L, p, false), sc, s, init) {
		l.release(sc)
		L.Push(lua.LNil)
		return 1
	}
	pushInt(L, sc.caps.Start+1)
	pushInt(L, sc.caps.End)
	n := pushCaptures(L, &sc.caps, s, sc.caps.Len())
	l.release(sc)
	return n + 2
}

func (l *lib) strMatch(L *lua.LState) int {
	s, p := checkString(L, 1, "match"), checkString(L, 2, "match")
	init := startAt(L, "match", len(s))
	sc := l.acquire()
	n := 1
	if l.search(L, l.compiled(L, p, false), sc, s, init) {
		n = pushCaptures(L, &sc.caps, s, max(sc.caps.Len(), 1))
	} else {
		L.Push(lua.LNil)
	}
	l.release(sc)
	return n
}

// startAt returns the offset at which a search begins: argument 3, brought
// into the string.
func startAt(L *lua.LState, fn string, length int) int {
	return min(max(position(optInt(L, 3, fn, 1), length)-1, 0), length)
}

func (l *lib) findPlain(L *lua.LState, s, p string, init int) int {
	i := strings.Index(s[init:], p)
	looked := i
	if i < 0 {
		looked = len(s) - init
	}
	if len(p) > 1 {
		// What begins as p does takes longer than a byte that is not there.
		l.charge(L, looked)
	}
	l.chargeBytes(L, looked+len(p))
	if i < 0 {
		L.Push(lua.LNil)
		return 1
	}
	pushInt(L, init+i+1)
	pushInt(L, init+i+len(p))
	return 2
}

// compiled returns the pattern p. What the cache does not keep costs its
// length each time.
func (l *lib) compiled(L *lua.LState, p string, iterated bool) *pattern.Pattern {
	if len(p) > pattern.MaxCached {
		l.charge(L, 16*len(p))
	}
	if iterated {
		return l.cache.GetIterated(p)
	}
	return l.cache.Get(p)
}

// matching is the budget of a pattern: one of its steps takes longer than others.
type matching struct{ *lib }

// Spend implements [pattern.Budget].
func (m matching) Spend(n int) error { return m.lib.Spend(2 * n) }

func (l *lib) search(L *lua.LState, p *pattern.Pattern, sc *scratch, s string, init int) bool {
	found, err := p.Find(&sc.caps, s, init, matching{l})
	if err != nil {
		raise(L, err)
	}
	return found
}

// pushCaptures pushes the first n captures; capture 0 of a pattern without any
// is the whole match.
func pushCaptures(L *lua.LState, c *pattern.Captures, s string, n int) int {
	for i := range n {
		L.Push(capture(L, c, s, i))
	}
	return n
}

func capture(L *lua.LState, c *pattern.Captures, s string, i int) lua.LValue {
	span, err := c.Capture(i)
	if err != nil {
		raise(L, err)
	}
	if span.IsPosition() {
		return intValue(span.Start + 1)
	}
	return piece(s, span.Start, span.End)
}

// strGmatch returns an iterator. After an empty match the next search begins one
// byte further on.
func (l *lib) strGmatch(L *lua.LState) int {
	s, p := checkString(L, 1, "gmatch"), checkString(L, 2, "gmatch")
	pat := l.compiled(L, p, true)
	next := 0
	L.Push(L.NewFunction(func(L *lua.LState) int {
		if next > len(s) {
			return 0
		}
		sc := l.acquire()
		if !l.search(L, pat, sc, s, next) {
			next = len(s) + 1
			l.release(sc)
			return 0
		}
		next = sc.caps.End
		if sc.caps.End == sc.caps.Start {
			next++
		}
		n := pushCaptures(L, &sc.caps, s, max(sc.caps.Len(), 1))
		l.release(sc)
		return n
	}))
	return 1
}
