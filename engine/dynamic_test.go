package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// asks is a family whose verdicts combine by first: one object, one event that a
// transaction asks something with.
type ask struct{ tx *transaction }

type transaction struct {
	event.Kept
	slots event.Slots
	ended bool
}

func (x *transaction) ID() uint64          { return 7 }
func (x *transaction) Label() string       { return "transaction 7" }
func (x *transaction) Ended() bool         { return x.ended }
func (x *transaction) Slots() *event.Slots { return &x.slots }

var (
	onAsk = event.MakePoint[ask](500)
	asks  = &event.Family{
		Name:     "asks",
		Verdicts: []event.VerdictInfo{{Kind: 1, Name: "yes"}, {Kind: 2, Name: "no"}},
		Objects:  []*event.Object{{Name: "asks.tx", Kept: true}},
		Events: []*event.Info{{
			Family: "asks", Name: "asks.ask", Combine: event.First, Verdicts: []event.VerdictKind{1, 2},
			Points: []event.PointInfo{{ID: 500, Name: "asks.ask"}},
			Args:   []string{"tx"},
			Fields: []event.Field{{
				Name: "tx", Type: event.Type{Kind: event.ObjectRef, Object: "asks.tx"},
				Get: event.Getter{Object: func(e any) any { return e.(*ask).tx }},
			}},
			New:   func() any { return &ask{} },
			Clone: func(e any) any { c := *e.(*ask); return &c },
		}},
	}
)

func answer(k event.VerdictKind) engine.Decision {
	return engine.Decision{Family: asks, Verdict: event.Verdict{Kind: k}}
}

// askRig is an engine with that family.
func askRig(t *testing.T, scripts fakeRuntime) (*engine.Engine, func(*transaction) event.VerdictKind) {
	t.Helper()
	e := engine.New(engine.Config{Catalogue: catalogue.New(append(catalogue.All(), asks)...)})
	e.Use(scripts)
	t.Cleanup(e.Close)
	r := &rig{Engine: e, t: t, rt: scripts}
	r.up()
	return e, func(tx *transaction) (v event.VerdictKind) {
		r.in(func(s *event.Shard) { v = onAsk.Emit(s, &ask{tx: tx}).Kind })
		return v
	}
}

// TestFirst checks that where the first verdict decides, there is one order over
// the hook point and all user-defined events on it, that an event is asked once
// and only when it is needed, and that bound handlers stand in the same order.
func TestFirst(t *testing.T) {
	var log []string
	var bind func(c *engine.Call, name string)
	rule := func(vm *fakeVM, name, on string, priority int, says event.VerdictKind) {
		vm.rule(name, []string{on}, func(d *engine.RuleDecl) {
			d.Priority, d.Handler = priority, name[0] == 'h'
			d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
				log = append(log, name)
				if name == "bind" {
					bind(c, "h high")
					bind(c, "h low")
				}
				return answer(says), nil
			})
		})
	}
	when := func(vm *fakeVM, name string, ok bool) engine.FuncID {
		return vm.fn(func(*engine.Call) (engine.Decision, error) {
			log = append(log, "when "+name)
			return engine.Decision{Verdict: event.Verdict{Kind: map[bool]event.VerdictKind{true: 1}[ok]}}, nil
		})
	}
	tx := &transaction{}
	_, raise := askRig(t, fakeRuntime{
		"a.lua": func(vm *fakeVM) {
			bind = func(c *engine.Call, name string) {
				at := &engine.Attachment{Object: tx, Type: "asks.tx"}
				point := map[string]string{"h high": "asks.ask", "h low": "event.held"}[name]
				if err := vm.env.Services.Bind(c, at, point, &engine.Handler{Name: name}); err != nil {
					t.Error(err)
				}
			}
			vm.event("held", "asks.ask", when(vm, "held", true))
			vm.event("inner", "event.held", when(vm, "inner", true))
			vm.event("not", "asks.ask", when(vm, "not", false))
			vm.event("under", "event.not", when(vm, "under", true))
			rule(vm, "base", "asks.ask", 0, 0)
			rule(vm, "on inner", "event.inner", 5, 0)
			rule(vm, "h high", "asks.ask", 4, 0)
			rule(vm, "on held", "event.held", -1, 0)
			rule(vm, "on under", "event.under", 7, 2)
			rule(vm, "h low", "event.held", -5, 1)
			rule(vm, "bind", "asks.ask", -9, 0)
			rule(vm, "never", "asks.ask", -8, 0)
		},
	})
	steps := []struct {
		want event.VerdictKind
		log  []string
	}{
		{0, []string{"when not", "when held", "when inner", "on inner", "base", "on held", "never", "bind"}},
		{1, []string{"when not", "when held", "when inner", "on inner", "h high", "base", "on held", "h low"}},
	}
	for i, step := range steps {
		log = nil
		if got := raise(tx); got != step.want {
			t.Errorf("%d: verdict %d, want %d", i, got, step.want)
		}
		if diff := cmp.Diff(step.log, log); diff != "" {
			t.Errorf("%d: %s", i, diff)
		}
	}
}

// binder is a script whose rule binds functions as the test says.
type binder struct {
	vm  *fakeVM
	act func(c *engine.Call)
}

// script declares the rule and, if there are some, handlers.
func (b *binder) script(handlers ...string) func(*fakeVM) {
	return func(vm *fakeVM) {
		b.vm = vm
		vm.rule("bind", startSnd, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
				b.act(c)
				return engine.Decision{}, nil
			})
		})
		for _, name := range handlers {
			vm.rule(name, []string{"flow.new_data", "flow.conn_end"}, func(d *engine.RuleDecl) { d.Handler, d.Run = true, vm.when(false) })
		}
	}
}

func (b *binder) bind(c *engine.Call, to *conn, point string, fn func(*engine.Call) (engine.Decision, error)) error {
	h := &engine.Handler{Instance: b.vm, Func: b.vm.fn(fn), Line: 9}
	return b.vm.env.Services.Bind(c, &engine.Attachment{Object: to, Type: "flow.conn"}, point, h)
}

var nothing = func(*engine.Call) (engine.Decision, error) { return engine.Decision{}, nil }

// data emits flow.new_data about c.
func (r *rig) data(c *conn) (v event.Verdict) {
	r.in(func(s *event.Shard) { v = flowev.OnNewData.Emit(s, &flowev.NewData{C: c, Side: flowev.SideServer}) })
	return v
}

// end tells everybody that c ended.
func (r *rig) end(c *conn) {
	r.in(func(*event.Shard) {
		c.ended = true
		c.slots.End()
	})
}

func (r *rig) wanted() (w bool) {
	r.in(func(s *event.Shard) { w = flowev.OnNewData.Wanted(s) })
	return w
}

// TestWantedFollowsBindings checks that stacks raise an event from the first
// binding to the last, whatever ends it, and over a publish.
func TestWantedFollowsBindings(t *testing.T) {
	c, d := newConn(1, "10.0.0.1:1000", "10.0.0.2:80"), newConn(2, "10.0.0.1:1001", "10.0.0.2:80")
	var b binder
	var errs []error
	b.act = func(call *engine.Call) {
		for _, to := range []*conn{c, d} {
			errs = append(errs, b.bind(call, to, "flow.new_data", nothing))
		}
	}
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": b.script()}).up()
	if r.wanted() {
		t.Error("wanted before anything is bound")
	}
	r.start(c)
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if !r.wanted() {
		t.Error("not wanted though it is bound")
	}
	if _, diags := r.Apply(r.sources("1")); diags.HasErrors() {
		t.Fatal(diags)
	}
	if !r.wanted() || r.Stats().Draining != 0 {
		t.Errorf("after a reload that changed nothing: wanted %t, %+v", r.wanted(), r.Stats().DynamicStats)
	}
	r.end(c)
	if !r.wanted() {
		t.Error("not wanted though one is left")
	}
	b.act = func(call *engine.Call) {
		at := &engine.Attachment{Object: d, Type: "flow.conn"}
		if err := b.vm.env.Services.Unbind(call, at, "flow.new_data"); err != nil {
			t.Error(err)
		}
	}
	r.start(d)
	if r.wanted() {
		t.Error("wanted though nothing is bound")
	}
	if len(b.vm.released) != 2 || r.Stats().Bindings != 0 {
		t.Errorf("released %v, %d bindings left", b.vm.released, r.Stats().Bindings)
	}
}

// TestChangesWhileAnEventIsHandled checks that what is taken off does not run any
// more, and what comes runs from the next event on.
func TestChangesWhileAnEventIsHandled(t *testing.T) {
	var log []string
	c := newConn(1, "10.0.0.1:1000", "10.0.0.2:80")
	var a, z binder
	say := func(word string) func(*engine.Call) (engine.Decision, error) {
		return func(*engine.Call) (engine.Decision, error) {
			log = append(log, word)
			return engine.Decision{}, nil
		}
	}
	a.act = func(call *engine.Call) {
		err := a.bind(call, c, "flow.new_data", func(call *engine.Call) (engine.Decision, error) {
			log = append(log, "a")
			return engine.Decision{}, a.bind(call, c, "flow.new_data", say("a again"))
		})
		if err != nil {
			t.Error(err)
		}
	}
	z.act = func(call *engine.Call) {
		if err := z.bind(call, c, "flow.new_data", say("z")); err != nil {
			t.Error(err)
		}
	}
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": a.script(), "z.lua": z.script()}).up()
	r.start(c)
	r.data(c)
	r.data(c)
	r.end(c)
	r.data(c)
	if diff := cmp.Diff([]string{"a", "z", "a again", "z"}, log); diff != "" {
		t.Error(diff)
	}
}

// TestReloadOfBindings goes through what a reload does to bindings, many times,
// and checks that no machine is left.
func TestReloadOfBindings(t *testing.T) {
	var b binder
	var machines []*fakeVM
	var dropped []string
	c := newConn(1, "10.0.0.1:1000", "10.0.0.2:80")
	rt := fakeRuntime{"a.lua": nil, "watch.lua": func(vm *fakeVM) {
		vm.rule("dropped", []string{"hookd.handler_dropped"}, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(call *engine.Call) (engine.Decision, error) {
				e := call.Event.(*hookdev.HandlerDropped)
				dropped = append(dropped, fmt.Sprint(e.Name, " ", e.Bindings))
				return engine.Decision{}, nil
			})
		})
	}}
	declare := func(handlers ...string) {
		rt["a.lua"] = func(vm *fakeVM) {
			b.script(handlers...)(vm)
			machines = append(machines, vm)
		}
	}
	declare("kept", "lost")
	r := newRig(t, engine.Limits{}, rt).up()
	at := &engine.Attachment{Object: c, Type: "flow.conn"}
	b.act = func(call *engine.Call) {
		for point, name := range map[string]string{"flow.new_data": "kept", "flow.conn_end": "lost"} {
			if err := b.vm.env.Services.Bind(call, at, point, &engine.Handler{Name: name}); err != nil {
				t.Error(err)
			}
		}
		if err := b.vm.env.Services.Delay(call, at, time.Hour, true, &engine.Handler{Instance: b.vm, Func: b.vm.fn(nothing)}); err != nil {
			t.Error(err)
		}
	}
	r.start(c)
	declare("kept")
	for i := range 20 {
		if _, diags := r.Apply([]engine.Source{{Path: "a.lua", Text: []byte(fmt.Sprint(i))}, {Path: "watch.lua", Text: []byte("1")}}); diags.HasErrors() {
			t.Fatal(diags)
		}
		b.act = func(call *engine.Call) {
			if err := b.bind(call, c, "flow.rexmit", nothing); err != nil {
				t.Error(err)
			}
		}
		if i > 15 {
			b.act = func(*engine.Call) {}
		}
		r.start(c)
	}
	if diff := cmp.Diff([]string{"lost 1"}, dropped); diff != "" {
		t.Error(diff)
	}
	r.end(c)
	live := 0
	for _, vm := range machines {
		live += 1 - vm.close
	}
	if st := r.Stats(); live != 1 || st.Draining != 0 || st.Bindings != 0 || st.Delays != 0 {
		t.Errorf("%d machines live, %+v", live, st.DynamicStats)
	}
}

// TestBindingsOfAnEventThatGoes checks that functions on user-defined events end
// with the event.
func TestBindingsOfAnEventThatGoes(t *testing.T) {
	var b binder
	c := newConn(1, "10.0.0.1:1000", "10.0.0.2:80")
	rt := fakeRuntime{"a.lua": b.script(), "e.lua": func(vm *fakeVM) { vm.event("web", "flow.new_data", 0) }}
	r := newRig(t, engine.Limits{}, rt).up()
	hits := 0
	b.act = func(call *engine.Call) {
		if err := b.bind(call, c, "event.web", func(*engine.Call) (engine.Decision, error) { hits++; return engine.Decision{}, nil }); err != nil {
			t.Error(err)
		}
	}
	r.start(c)
	r.data(c)
	apply := func(text string) {
		if _, diags := r.Apply([]engine.Source{{Path: "a.lua", Text: []byte("1")}, {Path: "e.lua", Text: []byte(text)}}); diags.HasErrors() {
			t.Fatal(diags)
		}
	}
	rt["e.lua"] = func(vm *fakeVM) { vm.event("web", "flow.new_data", vm.when(false)) }
	apply("2")
	r.data(c)
	rt["e.lua"] = func(vm *fakeVM) { vm.event("web", "flow.rexmit", 0) }
	apply("3")
	r.data(c)
	if st := r.Stats(); hits != 1 || st.HandlersDropped != 1 || st.Bindings != 0 || r.wanted() {
		t.Errorf("%d hits, %+v, wanted %t", hits, st.DynamicStats, r.wanted())
	}
}

// TestUnboundConnectionsAllocateNothing checks events of connections that nothing
// is bound to, while it is to another, and of that one.
func TestUnboundConnectionsAllocateNothing(t *testing.T) {
	var b binder
	c, other := newConn(1, "10.0.0.1:1000", "10.0.0.2:80"), newConn(2, "10.0.0.1:1001", "10.0.0.2:80")
	b.act = func(call *engine.Call) {
		if err := b.bind(call, c, "flow.new_data", nothing); err != nil {
			t.Error(err)
		}
	}
	r := newRigTo(t, &quiet{}, engine.Limits{}, fakeRuntime{"a.lua": b.script()}).up()
	r.start(c)
	r.in(func(s *event.Shard) {
		for name, to := range map[string]*conn{"bound": c, "other": other} {
			e := &flowev.NewData{C: to}
			if n := testing.AllocsPerRun(1000, func() { flowev.OnNewData.Emit(s, e) }); n != 0 {
				t.Errorf("%s: %v allocations an event", name, n)
			}
		}
	})
}

// TestBrokenMachineDropsItsFunctions checks that functions go with the machine
// that made them.
func TestBrokenMachineDropsItsFunctions(t *testing.T) {
	var b binder
	c := newConn(1, "10.0.0.1:1000", "10.0.0.2:80")
	b.act = func(call *engine.Call) {
		for _, point := range []string{"flow.new_data", "flow.rexmit"} {
			err := b.bind(call, c, point, func(*engine.Call) (engine.Decision, error) {
				return engine.Decision{}, &engine.ScriptError{Script: "a.lua", Poisoned: true}
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": b.script()}).up()
	r.start(c)
	r.data(c)
	if st := r.Stats(); st.HandlersDropped != 2 || st.Bindings != 0 || len(b.vm.released) != 2 || r.wanted() {
		t.Errorf("%+v, released %v", st.DynamicStats, b.vm.released)
	}
}

func BenchmarkBoundHandlers(b *testing.B) {
	c, other := newConn(1, "10.0.0.1:1000", "10.0.0.2:80"), newConn(2, "10.0.0.1:1001", "10.0.0.2:80")
	for _, bench := range []struct {
		name string
		bind bool
		to   *conn
	}{{"nothing bound", false, c}, {"to another", true, other}, {"to this one", true, c}} {
		b.Run(bench.name, func(b *testing.B) {
			var script binder
			script.act = func(call *engine.Call) {
				if bench.bind {
					if err := script.bind(call, c, "flow.new_data", nothing); err != nil {
						b.Error(err)
					}
				}
			}
			e := engine.New(engine.Config{Catalogue: catalogue.New(catalogue.All()...)})
			defer e.Close()
			e.Use(fakeRuntime{"a.lua": script.script()})
			if _, diags := e.Apply([]engine.Source{{Path: "a.lua"}}); diags.HasErrors() {
				b.Fatal(diags)
			}
			e.Start(1)
			s := e.Shard(0)
			s.Enter()
			defer s.Leave()
			flowev.OnConnStartSnd.Emit(s, &flowev.ConnStart{C: c})
			ev := &flowev.NewData{C: bench.to}
			b.ReportAllocs()
			for b.Loop() {
				if flowev.OnNewData.Wanted(s) {
					flowev.OnNewData.Emit(s, ev)
				}
			}
			c.slots = event.Slots{}
		})
	}
}
