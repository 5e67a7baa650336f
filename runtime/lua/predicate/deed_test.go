package predicate_test

import (
	"strings"
	"testing"
	"time"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/engine/store"
	"github.com/hookd/hookd/runtime/lua/access"
	"github.com/hookd/hookd/runtime/lua/bind"
	"github.com/hookd/hookd/runtime/lua/predicate"
)

// call is an event with a thing that leads to a part.
type call struct{ t *thing }

// thing is a kept object.
type thing struct {
	slots event.Slots
	ended bool
}

func (t *thing) ID() uint64          { return 1 }
func (t *thing) Label() string       { return "thing 1" }
func (t *thing) Ended() bool         { return t.ended }
func (t *thing) Slots() *event.Slots { return &t.slots }

// objects are a thing and its part, a lent object that says one word.
type objects map[string]*event.Object

func (o objects) Object(name string) *event.Object { return o[name] }

func newObjects(afterEnd bool) objects {
	part := event.Field{
		Name: "part", Type: event.Type{Kind: event.ObjectRef, Object: "test.part"}, AfterEnd: afterEnd,
		Get: event.Getter{Object: func(any) any { return "spoken" }},
	}
	word := event.Field{Name: "word", Type: event.Type{Kind: event.String}, Get: event.Getter{String: func(o any) string { return o.(string) }}}
	return objects{
		"test.thing": {Name: "test.thing", Kept: true, Fields: []event.Field{part}},
		"test.part":  {Name: "test.part", Fields: []event.Field{word}},
	}
}

// bench compiles handlers of one event, which passes a thing.
type bench struct {
	names   *predicate.Names
	machine *predicate.Machine
	info    *event.Info
}

// newBench makes one whose handlers have the variables a and b around them. Fields of a
// part are read with others as "near".
func newBench(afterEnd bool) *bench {
	info := &event.Info{Name: "test.call", Args: []string{"t"}, Fields: []event.Field{{
		Name: "t", Type: event.Type{Kind: event.ObjectRef, Object: "test.thing"},
		Get: event.Getter{Object: func(e any) any { return e.(*call).t }},
	}}}
	typ := &bind.EventType{
		Info: info, Near: []string{"t", "t.part"},
		Read: func(dst []glua.LValue, e any, groups []bind.Group, _ *bind.Values) ([]glua.LValue, bool) {
			return append(dst, glua.LString("near")), len(groups) == 1 && (afterEnd || !e.(*call).t.ended)
		},
	}
	cells := map[string]*glua.Upvalue{}
	for _, name := range []string{"a", "b"} {
		cell := &glua.Upvalue{}
		cell.Close()
		cell.SetValue(glua.LNil)
		cells[name] = cell
	}
	return &bench{
		names: &predicate.Names{
			Objects: newObjects(afterEnd), Constants: map[string]any{}, Upvalues: map[string]bool{"a": true, "b": true},
			Assigned: map[string]bool{"a": true, "b": true},
		},
		machine: &predicate.Machine{
			Cells: cells, Values: &bind.Values{}, Same: func(a, b glua.LValue) bool { return false },
			Event:   func(*event.Info) *bind.EventType { return typ },
			Verdict: func(string, string) *engine.Decision { return nil },
		},
		info: info,
	}
}

// deed compiles the body of a handler. The function word reads the state's key of that
// name.
func (b *bench) deed(t *testing.T, body string) *engine.Deed {
	t.Helper()
	chunk, err := parse.Parse(strings.NewReader("return function(t) "+body+" end"), "t.lua")
	if err != nil {
		t.Fatal(err)
	}
	fn := chunk[0].(*ast.ReturnStmt).Exprs[0].(*ast.FunctionExpr)
	if s, ok := fn.Stmts[0].(*ast.LocalAssignStmt); ok {
		if x, ok := s.Exprs[0].(*ast.FuncCallExpr); ok && x.Method == "" {
			x.Func = &ast.IdentExpr{Value: access.StateName + "word"}
		}
	}
	d, err := predicate.Deed(fn, b.info, b.names, b.machine)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// left is what a and b hold.
func (b *bench) left() string {
	return b.machine.Cells["a"].Value().String() + " " + b.machine.Cells["b"].Value().String()
}

// restless is a clock that goes on each time that somebody looks at it.
type restless struct{ now, step int64 }

func (c *restless) Now() int64 {
	c.now += c.step
	return c.now
}

// TestDeedReadsOnce checks that a local holds one value where another shard writes between
// its uses: a record, and stores of which an entry is gone at the second look.
func TestDeedReadsOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, want string }{
		{"a key of the state", `local w = word() a, b = w, w`, "1 1"},
		{"two reads of it", `local w = word() local v = w a, b = v, w`, "1 1"},
		{"it decides and is kept", `local w = word() if w == 1 then a = w else b = w end`, "1 nil"},
		{"a counter", `local n = hits:get "x" if n > 5 then a = n end b = n`, "7 7"},
		{"whether a key is there", `local is = hits:has "x" if is then a = is end b = is`, "true true"},
		{"the size of a store", `local n = hits:size() a, b = n, n`, "1 1"},
		{"its length", `local n = #hits a, b = n, n`, "1 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(false)
			reads := 0.0
			limits := record.StateLimits()
			b.machine.State = record.NewRoot("state", &limits).Table()
			b.machine.Held = func(record.Value) glua.LValue {
				reads++
				return glua.LNumber(reads)
			}
			clock := &restless{}
			hits, err := store.NewRegistry(clock, 0).Declare(store.Config{Name: "hits", Kind: store.Counter, Key: store.KeyString, TTL: 10 * time.Second}, "t.lua")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := hits.Incr(store.StringKey("x"), 7, 0); err != nil {
				t.Fatal(err)
			}
			clock.step = int64(6 * time.Second)
			b.names.Constants["hits"] = hits
			d := b.deed(t, tt.body)
			if answer, _ := d.Do(&call{}); answer != engine.Yes || b.left() != tt.want {
				t.Errorf("answer %d, left %s, want %s", answer, b.left(), tt.want)
			}
			if d.Foresee(&call{}) == nil {
				t.Error("it asks")
			}
			if answer, _ := d.Do(&call{}); answer != engine.Yes || b.left() == tt.want {
				t.Errorf("at the second event: answer %d, left %s", answer, b.left())
			}
		})
	}
}

// TestDeedLooksWhetherTheWayEnded checks that an object is not read by way of one that has
// ended, unless that leads there still: neither with others at the end nor where it decides.
func TestDeedLooksWhetherTheWayEnded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		ended, afterEnd bool
		answer          engine.Answer
	}{
		{"alive", false, false, engine.Yes},
		{"ended", true, false, engine.Ask},
		{"alive, leads there still", false, true, engine.Yes},
		{"ended, leads there still", true, true, engine.Yes},
	} {
		for body, want := range map[string]string{
			`a = t.part.word`: "near nil",
			`if t.part.word == "spoken" then a = 1 end`: "1 nil",
		} {
			b := newBench(tt.afterEnd)
			if tt.answer == engine.Ask {
				want = "nil nil"
			}
			if answer, _ := b.deed(t, body).Do(&call{&thing{ended: tt.ended}}); answer != tt.answer || b.left() != want {
				t.Errorf("%s: %s: answer %d, left %s, want %s", tt.name, body, answer, b.left(), want)
			}
		}
	}
}
