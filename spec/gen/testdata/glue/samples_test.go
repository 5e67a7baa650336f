// This file is laid over package bind by a test of the generator, together with
// what the samples of sip, sock and loop become. It shows that their glue works.
package bind

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/engine/event/netev"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/engine/event/sockev"
)

type uri struct {
	sipev.URI
	user    string
	port    uint16
	hasPort bool
}

func (u *uri) User() (string, bool) { return u.user, u.user != "" }
func (u *uri) Host() string         { return "example.net" }
func (u *uri) Port() (uint16, bool) { return u.port, u.hasPort }

func (u *uri) SetUser(_ *event.Caller, user string) error {
	if strings.Contains(user, "@") {
		return errors.New("a user part has no @")
	}
	u.user = user
	return nil
}

func (u *uri) SetPort(_ *event.Caller, port uint16, given bool) error {
	u.port, u.hasPort = port, given
	return nil
}

type message struct {
	sipev.Message
	to      uri
	headers map[string]string
}

func (m *message) RURI() sipev.URI            { return &m.to }
func (m *message) Code() (uint16, bool)       { return 0, false }
func (m *message) Method() string             { return "INVITE" }
func (m *message) Source() netip.AddrPort     { return netip.MustParseAddrPort("192.0.2.1:5060") }
func (m *message) Transport() sipev.Transport { return sipev.TransportWS }

func (m *message) Header(name string, index uint16, given bool) (string, bool) {
	v, ok := m.headers[name]
	return fmt.Sprint(v, index, given), ok
}

func (m *message) SetHeader(_ *event.Caller, name, value string) (string, bool, error) {
	old, ok := m.headers[name]
	m.headers[name] = value
	return old, ok, nil
}

type tx struct {
	sipev.Tx
	request sipev.Message
	timeout time.Duration
	ended   bool
	done    func(uint16, bool, error)
}

func (x *tx) ID() uint64             { return 3 }
func (x *tx) Label() string          { return "transaction 3" }
func (x *tx) Ended() bool            { return x.ended }
func (x *tx) CallID() string         { return "abc" }
func (x *tx) Request() sipev.Message { return x.request }
func (x *tx) Timeout() time.Duration { return x.timeout }

func (x *tx) SetTimeout(_ *event.Caller, d time.Duration) error {
	x.timeout = d
	return nil
}

func (x *tx) Cancel(_ *event.Caller, wait time.Duration, given bool, done func(uint16, bool, error)) {
	switch {
	case !given:
		done(487, true, nil)
	case wait == 0:
		done(0, false, nil)
	default:
		done(0, false, fmt.Errorf("no reply within %v", wait))
	}
}

// results runs one line of Lua and compares what it returns.
func results(t *testing.T, L *lua.LState, h *host, source string, want ...string) {
	t.Helper()
	got, err := run(t, h, L, nil, source)
	if diff := cmp.Diff(want, texts(got)); diff != "" || err != nil {
		t.Errorf("%s: %v %s", source, err, diff)
	}
}

// raises runs one line of Lua that fails.
func raises(t *testing.T, L *lua.LState, h *host, source, want string) {
	t.Helper()
	if _, err := run(t, h, L, nil, source); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v, want %s", source, err, want)
	}
}

func sample() (*lua.LState, *host, *tx) {
	L := lua.NewState()
	h := newHost(L)
	x := &tx{timeout: 5 * time.Second}
	L.SetGlobal("tx", h.Object(SIPTx, x))
	L.SetGlobal("m", h.Object(SIPMessage, &message{to: uri{user: "a"}, headers: map[string]string{"X": "1"}}))
	return L, h, x
}

func TestSampleWritableFields(t *testing.T) {
	L, h, x := sample()
	results(t, L, h, `m.ruri.user = "b" m.ruri.port = 5070 return m.ruri.user, m.ruri.port, m.ruri.host`, "b", "5070", "example.net")
	results(t, L, h, `m.ruri.user = nil m.ruri.port = nil return m.ruri.user, m.ruri.port`, "nil", "nil")
	results(t, L, h, `tx.timeout = "250ms" return tx.timeout`, "0.25")
	raises(t, L, h, `tx.timeout = "soon"`, `cannot assign timeout: duration such as "10s" expected, got "soon"`)
	raises(t, L, h, `m.ruri.port = 70000`, "cannot assign port: 0 to 65535 expected, got 70000")
	raises(t, L, h, `m.ruri.user = "a@b"`, "cannot assign user: a user part has no @")
	raises(t, L, h, `m.ruri.host = "x"`, "sip.uri has no writable field host")
	h.pure = true
	raises(t, L, h, `tx.timeout = 1`, "not while loading: 'timeout'")
	h.pure, x.ended = false, true
	raises(t, L, h, `tx.timeout = 1`, "transaction 3 ended")
	results(t, L, h, `return tx.id, tx.call_id`, "3", "abc")
}

func TestSampleOptionalObjects(t *testing.T) {
	L, h, x := sample()
	results(t, L, h, `return tx.request, m.code, m.transport`, "nil", "nil", "ws")
	x.request = &message{}
	results(t, L, h, `return tx.request.method, tx.request.source`, "INVITE", "192.0.2.1:5060")
	results(t, L, h, `return m:header "X", m:header("X", 2), m:header "Y"`, "10 false", "12 true", "nil")
	results(t, L, h, `return m:set_header("X", "2"), m:set_header("Z", "3")`, "1", "nil")
}

func TestSampleWaiting(t *testing.T) {
	L, h, _ := sample()
	results(t, L, h, `return tx:cancel()`, "487")
	results(t, L, h, `return tx:cancel(0)`, "nil")
	results(t, L, h, `return tx:cancel "1s"`, "nil", "no reply within 1s")
	raises(t, L, h, `tx:cancel "x"`, "bad argument #1 to 'cancel'")
}

func TestSampleVerdicts(t *testing.T) {
	L, h, _ := sample()
	var got any
	for _, v := range Verdicts() {
		if v.Family == "sip" && v.Args != nil {
			L.SetGlobal(v.Info.Name, L.NewFunction(func(L *lua.LState) int {
				got = v.Args(h, L)
				return 0
			}))
		}
	}
	for source, want := range map[string]any{
		`reply(403)`:                           &sipev.ReplyArgs{Code: 403},
		`reply(302, "Moved", { Contact = 1 })`: &sipev.ReplyArgs{Code: 302, Reason: "Moved", Headers: []event.KV{{Key: "Contact", Value: 1.0}}},
		`relay {}`:                             &sipev.RelayArgs{},
		`relay { to = { "a", "b" }, fork = true, timeout = 0, on_failure = "backup" }`: &sipev.RelayArgs{
			To: []string{"a", "b"}, Fork: true, HasTimeout: true, OnFailure: lua.LString("backup"),
		},
	} {
		if _, err := run(t, h, L, nil, source); err != nil {
			t.Errorf("%s: %v", source, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", source, diff)
		}
	}
	raises(t, L, h, `reply()`, "bad argument #1 to 'sip.reply' (number expected, got no value)")
	raises(t, L, h, `relay { too = 1 }`, "unknown argument 'too' to 'sip.relay'")
	raises(t, L, h, `relay { timeout = {} }`, "bad argument 'timeout' to 'sip.relay'")
}

type loopConn struct{ loopev.Conn }

func (*loopConn) ID() uint64                              { return 9 }
func (*loopConn) Label() string                           { return "connection 9" }
func (*loopConn) Ended() bool                             { return false }
func (*loopConn) Remote() netip.AddrPort                  { return netip.MustParseAddrPort("[::1]:80") }
func (*loopConn) Listener() (string, bool)                { return "", false }
func (*loopConn) Flush(_ *event.Caller, done func(error)) { done(nil) }

func (*loopConn) Send(_ *event.Caller, data []byte) (int64, error) { return int64(len(data)), nil }

func (*loopConn) Read(_ *event.Caller, n uint32, hasN bool, _ time.Duration, _ bool, done func([]byte, bool, error)) {
	if !hasN {
		done(nil, false, nil)
		return
	}
	done([]byte(strings.Repeat("x", int(n))), true, nil)
}

type link struct{ netev.Link }

func (*link) Label() string              { return "link 1" }
func (*link) Ended() bool                { return false }
func (*link) Name() string               { return "eth0" }
func (*link) Speed() (netev.Speed, bool) { return netev.SpeedFast, true }

type dialler struct{ via, speed, url string }

func (d *dialler) Dial(_ *event.Caller, url string, _ time.Duration, _ bool, via netev.Link, speed netev.Speed, hasSpeed bool, done func(loopev.Conn, error)) {
	d.url, d.via, d.speed = url, "", fmt.Sprint(speed, hasSpeed)
	if via != nil {
		d.via = via.Name()
	}
	done(&loopConn{}, nil)
}

func TestSampleScalarArguments(t *testing.T) {
	L, h, _ := sample()
	types := map[string]*EventType{}
	for _, e := range Events() {
		types[e.Info.Name] = e
	}
	c := &loopConn{}
	recv := &loopev.Recv{C: c, N: 12}
	if got := texts(types["loop.recv"].Args(h, L, recv, nil)[1:]); !cmp.Equal(got, []string{"12"}) {
		t.Errorf("arguments of recv: %v", got)
	}
	if v, ok := types["loop.recv"].This(h, L, recv, "left"); !ok || v != lua.LNil {
		t.Errorf("an absent field: %v, %v", v, ok)
	}
	if got := texts(types["loop.connect"].Args(h, L, &loopev.Connect{Tries: 2, HasTries: true}, nil)); !cmp.Equal(got, []string{"nil", "nil", "2"}) {
		t.Errorf("arguments of connect: %v", got)
	}
	record := string(types["loop.accept"].Info.AppendJSON(nil, &loopev.Accept{C: c, Link: &link{}}))
	if want := `,"conn":9,"remote":"[::1]:80","link":"eth0","speed":"fast"`; record != want {
		t.Errorf("record of accept: %s, want %s", record, want)
	}
	record = string(types["loop.connect"].Info.AppendJSON(nil, &loopev.Connect{}))
	if record != "" {
		t.Errorf("record of a failed connect: %s", record)
	}
}

func TestSampleCallsAndOtherFamilies(t *testing.T) {
	L, h, _ := sample()
	d := &dialler{}
	for _, fn := range LoopFunctions(d) {
		L.SetGlobal("dial", L.NewFunction(func(L *lua.LState) int { return fn.Call(h, L) }))
	}
	L.SetGlobal("c", h.Object(LoopConn, &loopConn{}))
	L.SetGlobal("link", h.Object(NetLink, &link{}))
	results(t, L, h, `return c:send "abc", c:read(2), c:read(), c:flush()`, "3", "xx", "nil", "true")
	results(t, L, h, `return dial({ url = "tcp://a", via = link, speed = "fast" }).id`, "9")
	if diff := cmp.Diff(&dialler{url: "tcp://a", via: "eth0", speed: "fast true"}, d, cmp.AllowUnexported(dialler{})); diff != "" {
		t.Error(diff)
	}
	results(t, L, h, `return dial({ url = "tcp://b" }).remote`, "[::1]:80")
	if d.via != "" || d.speed != "unknown false" {
		t.Errorf("absent arguments: %+v", d)
	}
	raises(t, L, h, `dial { url = "x", via = c }`, "bad argument 'via' to 'loop.dial' (net.link expected, got userdata)")
}

type image struct {
	sockev.Image
	labels []string
	notes  any
}

func (i *image) ID() uint64       { return 1 }
func (i *image) Label() string    { return "image 1" }
func (i *image) Ended() bool      { return false }
func (i *image) Labels() []string { return i.labels }
func (i *image) Notes() any       { return i.notes }

func (i *image) SetLabels(_ *event.Caller, list []string) error {
	i.labels = list
	return nil
}

func (i *image) SetNotes(_ *event.Caller, v any) error {
	i.notes = v
	return nil
}

func (i *image) Trim(_ *event.Caller, keep int64, given bool) (int64, int64, error) {
	return keep, map[bool]int64{true: 1}[given], nil
}

func TestSamplePlainFieldsAndSeveralResults(t *testing.T) {
	L, h, _ := sample()
	L.SetGlobal("i", h.Object(SockImage, &image{}))
	results(t, L, h, `return i:trim "2KiB"`, "2048", "1")
	results(t, L, h, `return i:trim()`, "0", "0")
	results(t, L, h, `i.labels = { "a", "b" } i.notes = { deep = { 1, 2 } } return i.labels[2], i.notes.deep[2], i.notes.x`, "b", "2", "nil")
	results(t, L, h, `i.notes = nil return i.notes`, "nil")
	closed := &sockev.Closed{ID: 4}
	for _, e := range Events() {
		if e.Info.Name == "sock.closed" {
			if got := string(e.Info.AppendJSON(nil, closed)); got != `,"image":4` {
				t.Errorf("record of closed: %s", got)
			}
			field := e.Info.Field("error")
			if err := field.Set(closed, "no route"); err != nil || !closed.HasError || closed.Error != "no route" || !field.Get.Present(closed) {
				t.Errorf("an optional field: %v %+v", err, closed)
			}
			if err := field.Set(closed, nil); err != nil || closed.HasError {
				t.Errorf("an optional field taken away: %v %+v", err, closed)
			}
		}
	}
}
