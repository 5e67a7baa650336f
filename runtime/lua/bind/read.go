package bind

import (
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
)

// Holder leads from an event to the object that a field is of. Nil where there
// is none, or where reading the field raises because the object ended.
type Holder func(e any) any

// Reader returns what reads a field of the event or object o as scripts see it,
// apart from whether the object ended; nil for kinds that need a machine. The values
// are made by values.
func Reader(f *event.Field, values *Values) func(o any) lua.LValue {
	read := reader(f, values)
	has := f.Get.Present
	if has == nil || read == nil {
		return read
	}
	return func(o any) lua.LValue {
		if !has(o) {
			return lua.LNil
		}
		return read(o)
	}
}

func reader(f *event.Field, values *Values) func(o any) lua.LValue {
	switch g := f.Get; f.Type.Kind {
	case event.Bool:
		return func(o any) lua.LValue { return fromBool(g.Bool(o)) }
	case event.Uint:
		get := g.Uint
		return func(o any) lua.LValue { return values.uint(get(o)) }
	case event.Int, event.Size:
		return func(o any) lua.LValue { return values.int(g.Int(o)) }
	case event.Float:
		return func(o any) lua.LValue { return values.Number(g.Float(o)) }
	case event.Time:
		return func(o any) lua.LValue { return values.time(g.Int(o)) }
	case event.Duration:
		return func(o any) lua.LValue { return values.duration(time.Duration(g.Int(o))) }
	case event.String:
		return func(o any) lua.LValue { return fromString(g.String(o)) }
	case event.Bytes:
		return func(o any) lua.LValue { return fromBytes(g.Bytes(o)) }
	case event.IP:
		return func(o any) lua.LValue { return values.address(g.IP(o)) }
	case event.Endpoint:
		return func(o any) lua.LValue { return fromEndpoint(g.Endpoint(o)) }
	case event.Enum:
		list := words(f.Type.Names)
		return func(o any) lua.LValue {
			if i := g.Uint(o); i < uint64(len(list)) {
				return list[i]
			}
			return lua.LNil
		}
	}
	return nil
}
