package bind

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// conn is a connection that a test can end. What it does not define panics.
type conn struct {
	flowev.Conn
	id             uint64
	ended          bool
	slots          event.Slots
	tags           []string
	client, server peer
	refuse         error
}

func (c *conn) ID() uint64              { return c.id }
func (c *conn) Label() string           { return fmt.Sprintf("connection %d", c.id) }
func (c *conn) Ended() bool             { return c.ended }
func (c *conn) Slots() *event.Slots     { return &c.slots }
func (c *conn) CID() string             { return "1:abc" }
func (c *conn) Proto() flowev.Proto     { return flowev.ProtoTCP }
func (c *conn) Client() flowev.Peer     { return &c.client }
func (c *conn) Server() flowev.Peer     { return &c.server }
func (c *conn) Duration() time.Duration { return 1500 * time.Millisecond }
func (c *conn) Started() int64          { return 2e9 }
func (c *conn) Tags() []string          { return c.tags }

func (c *conn) Tag(_ *event.Caller, word string) error {
	c.tags = append(c.tags, word)
	return c.refuse
}

func (c *conn) Tagged(word string) bool { return len(c.tags) != 0 && c.tags[0] == word }

type peer struct {
	flowev.Peer
	at    netip.AddrPort
	ended bool
}

func (p *peer) ID() uint64               { return 1 }
func (p *peer) Label() string            { return "peer 1" }
func (p *peer) Ended() bool              { return p.ended }
func (p *peer) Endpoint() netip.AddrPort { return p.at }
func (p *peer) IP() netip.Addr           { return p.at.Addr() }
func (p *peer) Port() uint16             { return p.at.Port() }
func (p *peer) State() flowev.TCPState   { return flowev.TCPStateEstablished }
func (p *peer) Bytes() uint64            { return 5000 }

// data is lent bytes.
type data struct {
	flowev.Data
	text string
}

func (d *data) From() flowev.Side       { return flowev.SideClient }
func (d *data) Len() uint32             { return uint32(len(d.text)) }
func (d *data) Offset() uint64          { return 0 }
func (d *data) Starts(text []byte) bool { return strings.HasPrefix(d.text, string(text)) }
func (d *data) U8(at uint32) (uint8, bool) {
	if int(at) >= len(d.text) {
		return 0, false
	}
	return d.text[at], true
}

func (d *data) Peek(n uint32, given bool) []byte {
	if given {
		return []byte(d.text[:min(int(n), len(d.text))])
	}
	return []byte(d.text)
}

func (d *data) Find(text []byte) (int64, bool) {
	i := strings.Index(d.text, string(text))
	return int64(i), i >= 0
}

// held is what a userdata of the test host stands for.
type held struct {
	t TypeID
	o any
}

// host is a VM with just enough around it to call the glue.
type host struct {
	types   []*ObjectType
	metas   []*lua.LTable
	values  map[any]*lua.LUserData
	caller  event.Caller
	pure    bool // effects are refused
	effects []string
	shadow  bool // effects are not done
	undone  []string
}

func newHost(L *lua.LState) *host {
	h := &host{types: Objects(), values: map[any]*lua.LUserData{}}
	for _, t := range h.types {
		h.metas = append(h.metas, h.meta(L, t))
	}
	return h
}

func (h *host) meta(L *lua.LState, t *ObjectType) *lua.LTable {
	methods := map[string]*lua.LFunction{}
	for name, m := range t.Methods {
		methods[name] = L.NewFunction(func(L *lua.LState) int { return m(h, L) })
	}
	meta := L.NewTable()
	meta.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		key := L.CheckString(2)
		if fn := methods[key]; fn != nil {
			L.Push(fn)
			return 1
		}
		v, ok := t.Index(h, L, L.CheckUserData(1).Value.(held).o, key)
		if !ok {
			L.RaiseError("%s has no field %s", t.Info.Name, key)
		}
		L.Push(v)
		return 1
	}))
	meta.RawSetString("__newindex", L.NewFunction(func(L *lua.LState) int {
		key := L.CheckString(2)
		if t.SetIndex == nil || !t.SetIndex(h, L, L.CheckUserData(1).Value.(held).o, key, L.Get(3)) {
			L.RaiseError("%s has no writable field %s", t.Info.Name, key)
		}
		return 0
	}))
	return meta
}

func (h *host) Object(t TypeID, o any) lua.LValue {
	if o == nil {
		return lua.LNil
	}
	if ud := h.values[o]; ud != nil {
		return ud
	}
	ud := &lua.LUserData{Value: held{t, o}, Metatable: h.metas[t]}
	h.values[o] = ud
	return ud
}

func (h *host) Live(v lua.LValue, t TypeID) (any, error) {
	ud, ok := v.(*lua.LUserData)
	if !ok || ud.Value.(held).t != t {
		return nil, fmt.Errorf("%s expected, got %s", h.types[t].Info.Name, v.Type())
	}
	o := ud.Value.(held).o
	if k, kept := o.(event.Kept); kept && k.Ended() {
		return nil, &EndedError{Label: k.Label()}
	}
	return o, nil
}

func (h *host) Data(L *lua.LState, o event.Kept) lua.LValue {
	return lua.LString("data of " + o.Label())
}

func (h *host) Caller(*lua.LState) *event.Caller { return &h.caller }

func (h *host) Effect(L *lua.LState, what string) {
	if h.pure {
		L.RaiseError("not while loading: '%s' has effects", what)
	}
	h.effects = append(h.effects, what)
}

func (h *host) Does(what string) bool {
	if h.shadow {
		h.undone = append(h.undone, what)
	}
	return !h.shadow
}

func (h *host) Plain(ud *lua.LUserData) (any, error) {
	if k, ok := ud.Value.(held).o.(event.Kept); ok {
		return k, nil
	}
	return nil, errors.New("lent: its handler returned; copy what you need")
}

func (h *host) Handler(_ *lua.LState, v lua.LValue) (any, error) {
	switch v.Type() {
	case lua.LTFunction, lua.LTString:
		return v, nil
	}
	return nil, fmt.Errorf("function or name of a handler expected, got %s", v.Type())
}

func (h *host) Wait(L *lua.LState, _ string, start func(done func(...lua.LValue))) int {
	n := -1
	start(func(results ...lua.LValue) {
		n = len(results)
		for _, v := range results {
			L.Push(v)
		}
	})
	if n < 0 {
		L.RaiseError("the test host cannot wait")
	}
	return n
}

// run runs Lua with some globals and returns what it returns.
func run(t *testing.T, h *host, L *lua.LState, globals map[string]lua.LValue, source string) ([]lua.LValue, error) {
	t.Helper()
	for name, v := range globals {
		L.SetGlobal(name, v)
	}
	top := L.GetTop()
	fn, err := L.LoadString(source)
	if err != nil {
		t.Fatal(err)
	}
	L.Push(fn)
	if err := L.PCall(0, lua.MultRet, nil); err != nil {
		return nil, err
	}
	var results []lua.LValue
	for i := top + 1; i <= L.GetTop(); i++ {
		results = append(results, L.Get(i))
	}
	L.SetTop(top)
	return results, nil
}
