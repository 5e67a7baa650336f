package strlib

import (
	"weak"

	lua "github.com/yuin/gopher-lua"
)

// serials numbers the values that have an identity and no text of their own.
// One counter serves all types. Numbers are given in the order of asking and
// never again, so they depend on what a script does and on nothing else.
type serials struct {
	last      uint64
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

func (s *serials) of(v lua.LValue) (uint64, bool) {
	switch v := v.(type) {
	case *lua.LTable:
		return s.tables.of(v, &s.last), true
	case *lua.LFunction:
		return s.functions.of(v, &s.last), true
	case *lua.LUserData:
		return s.userdata.of(v, &s.last), true
	case *lua.LState:
		return s.threads.of(v, &s.last), true
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

func (m *idMap[T]) of(v *T, last *uint64) uint64 {
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
	*last++
	m.ids[key] = *last
	return *last
}

func (m *idMap[T]) sweep() {
	for key := range m.ids {
		if key.Value() == nil {
			delete(m.ids, key)
		}
	}
	m.sweepAt = max(firstSweep, 2*len(m.ids))
}
