package strlib

import (
	"strconv"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/pattern"
)

const (
	// DefaultMaxString is the longest string, in bytes, that a function of this
	// package returns unless told otherwise.
	DefaultMaxString = 1 << 20
	// MaxStack is how many values unpack and string.byte may have on the stack,
	// arguments included (LUAI_MAXCSTACK of PUC Lua 5.1).
	MaxStack = 8000

	bytesPerStep = 16       // bytes copied or scanned in about the time of one step
	maxSpareBuf  = 64 << 10 // longest buffer kept for the next call
)

// Limits bounds what the functions do. It is read at each call, so its owner
// may change it between calls. The zero value has the default length and
// counts nothing.
type Limits struct {
	// MaxString is the length in bytes of the longest result;
	// [DefaultMaxString] when it is not positive.
	MaxString int
	// Steps, unless nil, is told of work done inside a call, in steps of the
	// order of a nanosecond: one for a byte that a pattern looks at, one for
	// 16 bytes copied or searched. A long call tells about every thousand
	// steps. An error ends the call: its text is raised as a Lua error.
	// The numbers depend on the arguments only, not on time or earlier calls.
	Steps func(n int) error
}

// lib is one state's instance of the library.
type lib struct {
	lim   *Limits
	cache *pattern.Cache
	spare []*scratch
}

// scratch is the memory of one running call.
type scratch struct {
	caps pattern.Captures
	buf  []byte
}

func newLib(lim *Limits) *lib {
	if lim == nil {
		lim = &Limits{}
	}
	return &lib{lim: lim}
}

// acquire lends the memory for one call. Calls nest when a function given to
// gsub calls gsub. A call that raises does not release, and what it held goes
// to the collector.
func (l *lib) acquire() *scratch {
	if n := len(l.spare); n > 0 {
		sc := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return sc
	}
	return &scratch{}
}

func (l *lib) release(sc *scratch) {
	if cap(sc.buf) > maxSpareBuf {
		sc.buf = nil
	}
	if len(l.spare) < 4 {
		l.spare = append(l.spare, sc)
	}
}

// Spend makes lib the budget of its patterns.
func (l *lib) Spend(n int) error {
	if l.lim.Steps == nil {
		return nil
	}
	return l.lim.Steps(n)
}

// charge tells of n steps and raises when they are refused.
func (l *lib) charge(L *lua.LState, n int) {
	if err := l.Spend(n); err != nil {
		raise(L, err)
	}
}

func (l *lib) chargeBytes(L *lua.LState, n int) { l.charge(L, n/bytesPerStep+1) }

func (l *lib) maxString() int {
	if l.lim.MaxString > 0 {
		return l.lim.MaxString
	}
	return DefaultMaxString
}

// bound raises when a result of n bytes is too long. It is asked before the
// memory is taken.
func (l *lib) bound(L *lua.LState, fn string, n int) {
	if n > l.maxString() {
		l.tooLong(L, fn, strconv.Itoa(n))
	}
}

func (l *lib) tooLong(L *lua.LState, fn, size string) {
	L.RaiseError("%s: result of %s bytes exceeds the limit of %s", fn, size, binarySize(l.maxString()))
}

func binarySize(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.Itoa(n>>20) + " MiB"
	case n >= 1<<10 && n%(1<<10) == 0:
		return strconv.Itoa(n>>10) + " KiB"
	}
	return strconv.Itoa(n) + " bytes"
}

func raise(L *lua.LState, err error) { L.RaiseError("%s", err.Error()) }
