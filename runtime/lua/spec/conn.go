package spec

import (
	"maps"
	"slices"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
)

// connType is the registry name of the metatable of hand-made connections.
const connType = "spec.connection"

// openConn makes the type of hand-made connections. Every method returns the
// strictest verdict that its packets got, or nil.
func (r *Runner) openConn(L *glua.LState) {
	methods := L.NewTable()
	for name, fn := range map[string]func(Conn, *glua.LState) error{
		"open":   func(c Conn, _ *glua.LState) error { c.Open(); return nil },
		"syn":    func(c Conn, _ *glua.LState) error { c.SYN(); return nil },
		"synack": func(c Conn, _ *glua.LState) error { c.SYNACK(); return nil },
		"close":  func(c Conn, _ *glua.LState) error { c.Close(); return nil },
		"ack":    func(c Conn, L *glua.LState) error { return c.ACK(L.CheckString(2)) },
		"resend": func(c Conn, L *glua.LState) error { return c.Resend(L.CheckString(2)) },
		"fin":    func(c Conn, L *glua.LState) error { return c.FIN(L.CheckString(2)) },
		"rst":    func(c Conn, L *glua.LState) error { return c.RST(L.CheckString(2)) },
		"send": func(c Conn, L *glua.LState) error {
			return c.Send(L.CheckString(2), []byte(L.CheckString(3)))
		},
	} {
		methods.RawSetString(name, L.NewFunction(r.inTest(name, r.connMethod(fn))))
	}
	meta := L.NewTypeMetatable(connType)
	meta.RawSetString("__index", methods)
	meta.RawSetString("__metatable", glua.LString(connType))
}

func (r *Runner) connMethod(fn func(Conn, *glua.LState) error) glua.LGFunction {
	return func(L *glua.LState) int {
		ud, ok := L.Get(1).(*glua.LUserData)
		var h *heldConn
		if ok {
			h, ok = ud.Value.(*heldConn)
		}
		switch {
		case !ok:
			L.RaiseError("call it with a colon: c:open()")
		case h.world != r.world:
			L.RaiseError("this connection belongs to another test")
		}
		return r.decided(L, func() error {
			return r.world.in(func() error { return fn(h.conn, L) })
		})
	}
}

// heldConn is a connection with the world it was made in.
type heldConn struct {
	conn  Conn
	world *world
}

// connection makes a connection that has sent nothing yet.
func (r *Runner) connection(L *glua.LState) int {
	t := L.CheckTable(1)
	cfg := ConnConfig{Client: parseEndpoint(L, t, "client"), Server: parseEndpoint(L, t, "server")}
	for k := first(t); k != glua.LNil; k, _ = t.Next(k) {
		switch k.String() {
		case "client", "server":
		case "vlan":
			n, ok := t.RawGetString("vlan").(glua.LNumber)
			if !ok || n < 1 || n > 4094 {
				L.RaiseError("connection: vlan: a number from 1 to 4094 expected")
			}
			cfg.VLAN = uint16(n)
		default:
			L.RaiseError("connection: there is no option %s; client, server and vlan are", k.String())
		}
	}
	conn, err := r.world.traffic.Connect(cfg)
	if err != nil {
		L.RaiseError("connection: %s", err)
	}
	ud := L.NewUserData()
	ud.Value = &heldConn{conn, r.world}
	L.SetMetatable(ud, L.GetTypeMetatable(connType))
	L.Push(ud)
	return 1
}

// goValue makes plain data of a Lua value of a spec.
func goValue(v glua.LValue) any {
	switch v := v.(type) {
	case glua.LBool:
		return bool(v)
	case glua.LNumber:
		return float64(v)
	case glua.LString:
		return string(v)
	case *glua.LTable:
		list := []any{}
		for i := 1; i <= v.Len(); i++ {
			list = append(list, goValue(v.RawGetInt(i)))
		}
		return list
	default:
		return nil
	}
}

// luaValue makes a Lua value of plain data or of what JSON decodes to.
func luaValue(L *glua.LState, v any) glua.LValue {
	switch v := v.(type) {
	case bool:
		return glua.LBool(v)
	case float64:
		return glua.LNumber(v)
	case string:
		return glua.LString(v)
	case []any:
		t := L.CreateTable(len(v), 0)
		for _, item := range v {
			t.Append(luaValue(L, item))
		}
		return t
	case []event.KV:
		t := L.CreateTable(0, len(v))
		for _, kv := range v {
			t.RawSetString(kv.Key, luaValue(L, kv.Value))
		}
		return t
	case map[string]any:
		t := L.CreateTable(0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			t.RawSetString(key, luaValue(L, v[key]))
		}
		return t
	case interface{ String() string }:
		return glua.LString(v.String())
	case event.Kept:
		return glua.LNumber(v.ID())
	default:
		return glua.LNil
	}
}
