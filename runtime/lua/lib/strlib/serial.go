package strlib

import (
	"sync/atomic"
	"weak"

	lua "github.com/yuin/gopher-lua"
)

// serials numbers the values that have an identity and no text of their own.
// One counter serves all types. Numbers are given in the order of asking and
// never again, so they depend on what a script does and on nothing else.
type serials struct {
	last      uint64
	shared    *atomic.Uint64 // takes the place of last
	tables    idMap[lua.LTable]
	functions idMap[lua.LFunction]
	userdata  idMap[lua.LUserData]
	threads   idMap[lua.LState]
}

const serialsKey = "hookd.serials"

// serialsOf returns the numbers of a state, which all its threads share.
func serialsOf(L *lua.LState) *serials {
	registry := L.Get(lua.RegistryIndex).(*lua.LTable)
	if ud, ok := registry.RawGetString(serialsKey).(*lua.LUserData); ok {
		return ud.Value.(*serials)
	}
	ud := L.NewUserData()
	s := &serials{}
	ud.Value = s
	registry.RawSetString(serialsKey, ud)
	return s
}

// ShareSerials gives a state its further serials from a counter that several states
// have, behind those that it gave so far.
func ShareSerials(L *lua.LState, counter *atomic.Uint64) {
	s := serialsOf(L)
	for n := counter.Load(); n < s.last && !counter.CompareAndSwap(n, s.last); n = counter.Load() {
	}
	s.shared = counter
}

// next returns a number that was not given yet.
func (s *serials) next() uint64 {
	if s.shared != nil {
		return s.shared.Add(1)
	}
	s.last++
	return s.last
}

func (s *serials) of(v lua.LValue) (uint64, bool) {
	switch v := v.(type) {
	case *lua.LTable:
		return s.tables.of(v, s.next), true
	case *lua.LFunction:
		return s.functions.of(v, s.next), true
	case *lua.LUserData:
		return s.userdata.of(v, s.next), true
	case *lua.LState:
		return s.threads.of(v, s.next), true
	}
	return 0, false
}

// idMap holds no value alive. Entries of collected values go when there are
// twice as many entries as were alive the last time.
type idMap[T any] struct {
	ids     map[weak.Pointer[T]]uint64
	sweepAt int
}

const firstSweep = 256

func (m *idMap[T]) of(v *T, next func() uint64) uint64 {
	key := weak.Make(v)
	if id, ok := m.ids[key]; ok {
		return id
	}
	if m.ids == nil {
		m.ids, m.sweepAt = make(map[weak.Pointer[T]]uint64), firstSweep
	}
	if len(m.ids) >= m.sweepAt {
		m.sweep()
	}
	id := next()
	m.ids[key] = id
	return id
}

func (m *idMap[T]) sweep() {
	for key := range m.ids {
		if key.Value() == nil {
			delete(m.ids, key)
		}
	}
	m.sweepAt = max(firstSweep, 2*len(m.ids))
}
