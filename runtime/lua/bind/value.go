package bind

import (
	"errors"
	"net/netip"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
)

// words turns the words of an enum into Lua strings, once.
func words(names []string) []lua.LValue {
	list := make([]lua.LValue, len(names))
	for i, name := range names {
		list[i] = lua.LString(name)
	}
	return list
}

// fromEnum returns the word of v; nil for a value that has none.
func fromEnum[T ~uint8](list []lua.LValue, v T) lua.LValue {
	if int(v) >= len(list) {
		return lua.LNil
	}
	return list[v]
}

func fromUint[T ~uint8 | ~uint16 | ~uint32 | ~uint64](v T) lua.LValue {
	if uint64(v) < uint64(len(smallNumbers)) {
		return number(&smallNumbers[v])
	}
	return lua.LNumber(v)
}

func fromInt(v int64) lua.LValue {
	if v >= 0 && v < int64(len(smallNumbers)) {
		return number(&smallNumbers[v])
	}
	return lua.LNumber(v)
}

func fromFloat(v float64) lua.LValue { return lua.LNumber(v) }

func fromBool(v bool) lua.LValue { return lua.LBool(v) }

func fromString(v string) lua.LValue { return lua.LString(v) }

func fromBytes(v []byte) lua.LValue { return lua.LString(v) }

// fromIP returns the address as text, nil for none.
func fromIP(v netip.Addr) lua.LValue {
	if !v.IsValid() {
		return lua.LNil
	}
	return lua.LString(v.String())
}

// fromEndpoint returns address and port as text, nil for none.
func fromEndpoint(v netip.AddrPort) lua.LValue {
	if !v.IsValid() {
		return lua.LNil
	}
	return lua.LString(v.String())
}

// fromTime returns nanoseconds since the epoch as seconds.
func fromTime(v int64) lua.LValue { return lua.LNumber(float64(v) / 1e9) }

func fromDuration(v time.Duration) lua.LValue { return lua.LNumber(v.Seconds()) }

func fromStrings(L *lua.LState, list []string) lua.LValue {
	t := L.CreateTable(len(list), 0)
	for _, text := range list {
		t.Append(lua.LString(text))
	}
	return t
}

// Value returns a plain value, as [event.KV] may hold one, as Lua has it. Lists
// and fields become new tables; a kept object of an unknown type becomes its
// number.
func Value(h Host, L *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return fromFloat(v)
	case string:
		return lua.LString(v)
	case []any:
		t := L.CreateTable(len(v), 0)
		for i, item := range v {
			t.RawSetInt(i+1, Value(h, L, item))
		}
		return t
	case []event.KV:
		t := L.CreateTable(0, len(v))
		for _, kv := range v {
			t.RawSetString(kv.Key, Value(h, L, kv.Value))
		}
		return t
	case event.Kept:
		if id, ok := TypeOf(v); ok {
			return h.Object(id, v)
		}
		return fromUint(v.ID())
	default:
		return lua.LNil
	}
}

// alive raises a Lua error if the object that a field is read from ended.
func alive(L *lua.LState, o event.Kept) {
	if o.Ended() {
		L.RaiseError("%s ended", o.Label())
	}
}

// fail returns nil and the message of err: what a call that can fail gives Lua.
func fail(L *lua.LState, err error) int {
	L.Push(lua.LNil)
	L.Push(lua.LString(err.Error()))
	return 2
}

// ErrShadow is what a script gets that only is tried, where there is no answer.
var ErrShadow = errors.New("not done: these scripts run in a shadow")

// succeed returns true: what a call without results gives Lua.
func succeed(L *lua.LState) int {
	L.Push(lua.LTrue)
	return 1
}

// refuse raises the error of an assignment to a field.
func refuse(L *lua.LState, key string, err error) {
	if err != nil {
		L.RaiseError("cannot assign %s: %s", key, err.Error())
	}
}

// noArgs is the Args of an event without arguments.
func noArgs(_ Host, _ *lua.LState, _ any, dst []lua.LValue) []lua.LValue { return dst }

// noFields is the This of an event without fields of its own.
func noFields(Host, *lua.LState, any, string) (lua.LValue, bool) { return nil, false }
