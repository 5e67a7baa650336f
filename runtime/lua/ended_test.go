package lua

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// tx is a transaction whose URI does not outlive it; its source does.
type tx struct {
	sipev.Tx
	ended bool
	slots event.Slots
}

func (x *tx) ID() uint64          { return 3 }
func (x *tx) Label() string       { return "transaction 3" }
func (x *tx) Ended() bool         { return x.ended }
func (x *tx) Slots() *event.Slots { return &x.slots }
func (x *tx) Code() uint16        { return 180 }
func (x *tx) RURI() sipev.URI     { return uri{} }
func (x *tx) Source() sipev.Hop   { return hop{} }

type uri struct{ sipev.URI }

func (uri) Port() uint16 { return 5060 }

type hop struct{ sipev.Hop }

func (hop) Port() uint16 { return 5062 }

// endable is an event whose objects ended, or did not.
type endable struct {
	point string
	e     any
	emit  func(s *event.Shard)
}

// endables are a connection and its client, and a transaction, in events of their own.
func endables(first, last bool) map[string]endable {
	c := &anyConn{conn: *newConn(17)}
	c.ended = first
	c.a = anyPeer{peer: c.client, isn: 77, ended: last}
	start := &flowev.ConnStart{C: c, Pkt: &packet{len: 60}}
	request := &sipev.RequestIn{Tx: &tx{ended: first}}
	return map[string]endable{
		"c":  {"flow.conn_start", start, func(s *event.Shard) { flowev.OnConnStartSnd.Emit(s, start) }},
		"tx": {"sip.request_in", request, func(s *event.Shard) { sipev.OnRequestIn.Emit(s, request) }},
	}
}

// TestFieldsOfWhatEnded reads fields on all ways from an event, where the first object on the
// way ended, the last, both or none. A handler gets the same of each as a script that gets
// there step by step, whatever form it has, and so do those who read many fields at once.
func TestFieldsOfWhatEnded(t *testing.T) {
	t.Parallel()
	for _, ended := range []struct{ first, last bool }{{}, {true, false}, {false, true}, {true, true}} {
		for name, e := range endables(ended.first, ended.last) {
			paths := []string{"c.id", "c.duration", "c.client.port", "c.client.isn"}
			if name == "tx" {
				paths = []string{"tx.id", "tx.code", "tx.source.port", "tx.ruri.port"}
			}
			for _, path := range paths {
				want := e.read(t, name, fmt.Sprintf("print(itself(%s)%s)", name, strings.TrimPrefix(path, name)), "")
				for form, body := range map[string]string{
					"native":         "a = " + path,
					"in the machine": "local x = " + path + " if w > 'x' then w = '' end a = x",
					"a sum":          "local x = " + path + " + 0 if w > 'x' then w = '' end a = x",
					"when it is met": "local t = {} if #t == 0 then a = " + path + " end",
				} {
					if got := e.read(t, name, body, form); got != want {
						t.Errorf("%+v, %s: %s, %s", ended, body, got, want)
					}
				}
				if got := e.together(t, path); got != want && (got != "" || !strings.HasPrefix(want, "error t.lua:2: ")) {
					t.Errorf("%+v, %s with others: %q, %s", ended, path, got, want)
				}
			}
		}
	}
}

// read runs a handler of the event and returns what it left, or the error.
func (e endable) read(t *testing.T, subject, body, form string) string {
	h := up(t, `local a, w = nil, "" local function itself(x) return x end
		rule "reads" { on = `+e.point+`, priority = 1, run = function(`+subject+`) `+body+` end }
		rule "shows" { on = `+e.point+`, run = function() if a then print(a) end end }`)
	if is := strings.Join(h.Live().Explain(), "\n"); (form == "native") != strings.Contains(is, "run: native") {
		t.Errorf("%s: is not %s:\n%s", body, form, is)
	}
	h.in(e.emit)
	return strings.TrimSpace(h.take())
}

// together reads a field by what reads many fields near an event at once, in all three
// ways; empty where it cannot be read.
func (e endable) together(t *testing.T, path string) string {
	h := newHouse(t, engine.Limits{})
	et, group := near(t, h, e.point, path)
	L := glua.NewState()
	defer L.Close()
	pushed := et.Push(L, e.e, group, &bind.Values{})
	list, listed := et.Read(nil, e.e, group, &bind.Values{})
	numbers, counted := et.Numbers(nil, e.e, group)
	if pushed != listed || listed != counted || len(list) != len(numbers) || L.GetTop() != len(list) {
		t.Fatalf("%s: pushed %t, listed %t, counted %t", path, pushed, listed, counted)
	}
	if !pushed {
		return ""
	}
	if number := fmt.Sprint(numbers[0]); list[0].String() != number || L.Get(-1) != list[0] {
		t.Errorf("%s: pushed as %s, listed as %s, counted as %s", path, L.Get(-1), list[0], number)
	}
	return list[0].String()
}

// near finds an event and the group that a path is of.
func near(t *testing.T, h *house, name, path string) (*bind.EventType, []bind.Group) {
	t.Helper()
	all := bind.Events()
	et := all[slices.IndexFunc(all, func(et *bind.EventType) bool { return et.Info.Name == name })]
	names := strings.Split(path, ".")
	var o *event.Object
	f := et.Info.Field(names[0])
	for _, n := range names[1:] {
		o = h.Catalogue().Object(f.Type.Object)
		f = o.Field(n)
	}
	at := slices.Index(et.Near, strings.Join(names[:len(names)-1], "."))
	if at < 0 {
		t.Fatalf("%s is not near %s", path, name)
	}
	return et, []bind.Group{{Near: uint8(at), Alive: o.Kept && !f.AfterEnd, Fields: []uint8{placeOf(o, f.Name)}}}
}
