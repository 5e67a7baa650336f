package bind

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event/flowev"
)

func newConn() *conn {
	return &conn{
		id:     17,
		client: peer{at: netip.MustParseAddrPort("10.0.0.1:5060")},
		server: peer{at: netip.MustParseAddrPort("[2001:db8::1]:80")},
	}
}

// globals are c, a connection, and d, lent bytes.
func globals(h *host, c *conn) map[string]lua.LValue {
	return map[string]lua.LValue{
		"c": h.Object(FlowConn, c),
		"d": h.Object(FlowData, &data{text: "GET / HTTP/1.1"}),
	}
}

func texts(values []lua.LValue) []string {
	list := []string{}
	for _, v := range values {
		list = append(list, v.String())
	}
	return list
}

func TestFieldsAndMethods(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		lua  string
		want []string
	}{
		{`return c.id, c.cid, c.proto`, []string{"17", "1:abc", "tcp"}},
		{`return c.client.endpoint, c.server.endpoint`, []string{"10.0.0.1:5060", "[2001:db8::1]:80"}},
		{`return c.client.ip, c.client.port, c.client.state, c.client.bytes`, []string{"10.0.0.1", "5060", "established", "5000"}},
		{`return c.duration, c.started`, []string{"1.5", "2"}},
		{`return c.client == c.client, c.client == c.server`, []string{"true", "false"}},
		{`return c.data`, []string{"data of connection 17"}},
		{`return #c.tags, c:tag("a"), c:tagged "a", c.tags[1]`, []string{"0", "true", "true", "a"}},
		{`return c:tag(42), c.tags[1]`, []string{"true", "42"}},
		{`return d.from, d.len, d:starts "GET ", d:starts "PUT"`, []string{"client", "14", "true", "false"}},
		{`return d:peek(3), d:peek(), d:peek(nil)`, []string{"GET", "GET / HTTP/1.1", "GET / HTTP/1.1"}},
		{`return d:find "HTTP", d:find "nothing"`, []string{"6", "nil"}},
		{`return d:u8(0), d:u8(99)`, []string{"71", "nil"}},
	} {
		L := lua.NewState()
		h := newHost(L)
		got, err := run(t, h, L, globals(h, newConn()), test.lua)
		if err != nil {
			t.Errorf("%s: %v", test.lua, err)
			continue
		}
		if diff := cmp.Diff(test.want, texts(got)); diff != "" {
			t.Errorf("%s: %s", test.lua, diff)
		}
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ lua, want string }{
		{`c:tag()`, "bad argument #1 to 'tag' (string expected, got no value)"},
		{`c:tag(nil)`, "bad argument #1 to 'tag' (string expected, got nil)"},
		{`c:tag {}`, "bad argument #1 to 'tag' (string expected, got table)"},
		{`c.tag "x"`, "'tag' is a method: call it with a colon, as in x:tag()"},
		{`d.peek()`, "'peek' is a method: call it with a colon, as in x:peek()"},
		{`c.tag(d, "x")`, "calling 'tag': flow.conn expected, got userdata"},
		{`d:u8(-1)`, "bad argument #1 to 'u8' (0 to 4294967295 expected, got -1)"},
		{`d:u8(2^32)`, "bad argument #1 to 'u8' (0 to 4294967295 expected, got 4294967296)"},
		{`d:u8(1.5)`, "bad argument #1 to 'u8' (integer expected, got 1.5)"},
		{`d:u8(0/0)`, "bad argument #1 to 'u8' (integer expected, got NaN)"},
		{`d:u8 "1"`, "bad argument #1 to 'u8' (number expected, got string)"},
		{`d:peek(true)`, "bad argument #1 to 'peek' (number expected, got boolean)"},
	} {
		L := lua.NewState()
		h := newHost(L)
		_, err := run(t, h, L, globals(h, newConn()), test.lua)
		if err == nil || !strings.Contains(err.Error(), "<string>:1: "+test.want+"\n") {
			t.Errorf("%s: got %v, want %s", test.lua, err, test.want)
		}
	}
}

func TestEndedObject(t *testing.T) {
	t.Parallel()
	L := lua.NewState()
	h := newHost(L)
	c := newConn()
	c.ended, c.client.ended = true, true
	got, err := run(t, h, L, globals(h, c), `return c.id, c.client.endpoint, c.client.state`)
	if diff := cmp.Diff([]string{"17", "10.0.0.1:5060", "established"}, texts(got)); diff != "" || err != nil {
		t.Errorf("what outlives the connection: %v %s", err, diff)
	}
	for source, want := range map[string]string{
		`return c.duration`:   "connection 17 ended",
		`return c.data`:       "connection 17 ended",
		`return c.client.isn`: "peer 1 ended",
		`c:tagged "x"`:        "calling 'tagged': connection 17 ended",
	} {
		if _, err := run(t, h, L, nil, source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", source, err, want)
		}
	}
	got, err = run(t, h, L, nil, `return c:tag "x"`)
	if diff := cmp.Diff([]string{"nil", "connection 17 has ended"}, texts(got)); diff != "" || err != nil {
		t.Errorf("an effect on it: %v %s", err, diff)
	}
	if _, ok := h.types[FlowConn].Index(h, L, c, "no_such_field"); ok {
		t.Error("an unknown field of an ended connection was found")
	}
}

func TestEffects(t *testing.T) {
	t.Parallel()
	L := lua.NewState()
	h := newHost(L)
	c := newConn()
	c.refuse = errors.New("a connection has at most 32 tags")
	got, err := run(t, h, L, globals(h, c), `return c:tag "x"`)
	if diff := cmp.Diff([]string{"nil", "a connection has at most 32 tags"}, texts(got)); diff != "" || err != nil {
		t.Errorf("a refused effect: %v %s", err, diff)
	}
	if diff := cmp.Diff([]string{"tag"}, h.effects); diff != "" {
		t.Errorf("effects asked for: %s", diff)
	}
	h.pure, c.tags = true, nil
	if _, err := run(t, h, L, nil, `c:tag "x"`); err == nil || !strings.Contains(err.Error(), "not while loading: 'tag' has effects") {
		t.Errorf("an effect while loading: %v", err)
	}
	if len(c.tags) != 0 {
		t.Error("a forbidden effect took place")
	}
	if _, err := run(t, h, L, nil, `return c:tagged "x", d:peek()`); err != nil {
		t.Errorf("a pure method while loading: %v", err)
	}
}

func TestEventTypes(t *testing.T) {
	t.Parallel()
	types := map[string]*EventType{}
	for _, e := range Events() {
		types[e.Info.Name] = e
	}
	L := lua.NewState()
	h := newHost(L)
	c := newConn()
	e := &flowev.TCPStateChange{C: c, Side: flowev.SideServer, Old: flowev.TCPStateListen, New: flowev.TCPStateEstablished}
	change := types["flow.tcp_state_change"]
	args := change.Args(h, L, e, nil)
	if len(args) != 2 || args[0] != h.Object(FlowConn, c) || args[1] != lua.LNil {
		t.Errorf("arguments: %v", args)
	}
	for key, want := range map[string]string{"side": "server", "old": "listen", "new": "established"} {
		if v, ok := change.This(h, L, e, key); !ok || v.String() != want {
			t.Errorf("this.%s = %v, %v; want %s", key, v, ok, want)
		}
	}
	if _, ok := change.This(h, L, e, "c"); ok {
		t.Error("this has an argument")
	}
	if _, ok := types["flow.orphan"].This(h, L, &flowev.Orphan{}, "side"); ok {
		t.Error("this of an event without own fields has one")
	}
	if got := types["hookd.start"].Args(h, L, nil, nil); got != nil {
		t.Errorf("arguments of hookd.start: %v", got)
	}
}

func TestTypeIDsAndVerdicts(t *testing.T) {
	t.Parallel()
	for i, o := range Objects() {
		if int(o.ID) != i {
			t.Errorf("%s has id %d at place %d", o.Info.Name, o.ID, i)
		}
		for _, m := range o.Info.Methods {
			if o.Methods[m.Name] == nil != m.Native {
				t.Errorf("%s: method %s has no body", o.Info.Name, m.Name)
			}
		}
	}
	if id, ok := TypeOf(newConn()); !ok || id != FlowConn {
		t.Errorf("type of a connection: %v, %v", id, ok)
	}
	if id, ok := TypeOf(&peer{}); !ok || id != FlowPeer {
		t.Errorf("type of a peer: %v, %v", id, ok)
	}
	names := []string{}
	for _, v := range Verdicts() {
		if v.Family == "flow" {
			names = append(names, v.Family+"."+v.Info.Name)
		}
		if (v.Args == nil) != (len(v.Info.Args) == 0) {
			t.Errorf("verdict %s: reader and declaration disagree", v.Info.Name)
		}
	}
	if diff := cmp.Diff([]string{"flow.replace", "flow.drop", "flow.cut", "flow.reset"}, names); diff != "" {
		t.Error(diff)
	}
}

// Reading what is neither text nor a great number allocates nothing.
func TestIndexAllocations(t *testing.T) {
	L := lua.NewState()
	h := newHost(L)
	c, d := newConn(), &data{text: "GET / HTTP/1.1"}
	h.Object(FlowPeer, c.Client())
	conns, datas := h.types[FlowConn], h.types[FlowData]
	event := &flowev.NewData{C: c, D: d, Side: flowev.SideServer}
	h.Object(FlowConn, c)
	h.Object(FlowData, d)
	args := make([]lua.LValue, 0, 2)
	newData := Events()[slices.IndexFunc(Events(), func(e *EventType) bool { return e.Info.Name == "flow.new_data" })]
	for name, read := range map[string]func(){
		"c.id":      func() { conns.Index(h, L, c, "id") },
		"c.proto":   func() { conns.Index(h, L, c, "proto") },
		"c.client":  func() { conns.Index(h, L, c, "client") },
		"d.offset":  func() { datas.Index(h, L, d, "offset") },
		"d.len":     func() { datas.Index(h, L, d, "len") },
		"this.side": func() { newData.This(h, L, event, "side") },
		"arguments": func() { args = newData.Args(h, L, event, args[:0]) },
	} {
		if n := testing.AllocsPerRun(100, read); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Calling a method with a short text or number allocates nothing in the glue.
func TestCallAllocations(t *testing.T) {
	L := lua.NewState()
	h := newHost(L)
	d := h.Object(FlowData, &data{text: "GET / HTTP/1.1"})
	methods := h.types[FlowData].Methods
	var text, place lua.LValue = lua.LString("GET "), lua.LNumber(1)
	for name, arg := range map[string]lua.LValue{"starts": text, "u8": place} {
		fn := L.NewFunction(func(L *lua.LState) int { return methods[name](h, L) })
		n := testing.AllocsPerRun(100, func() {
			L.Push(fn)
			L.Push(d)
			L.Push(arg)
			L.Call(2, 1)
			L.Pop(1)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestShadow checks that a script which is only tried changes nothing of what
// others see, and hears that it did.
func TestShadow(t *testing.T) {
	t.Parallel()
	L := lua.NewState()
	defer L.Close()
	h := newHost(L)
	h.shadow = true
	c := newConn()
	for name, v := range globals(h, c) {
		L.SetGlobal(name, v)
	}
	if err := L.DoString(`tagged, untagged, is = c:tag "a", c:untag "b", c:tagged "a"`); err != nil {
		t.Fatal(err)
	}
	got := texts([]lua.LValue{L.GetGlobal("tagged"), L.GetGlobal("untagged"), L.GetGlobal("is")})
	if diff := cmp.Diff([]string{"true", "true", "false"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"flow.conn:tag", "flow.conn:untag"}, h.undone); diff != "" {
		t.Error(diff)
	}
	if err := L.DoString(`c:tag()`); err == nil {
		t.Error("arguments are not checked")
	}
}
