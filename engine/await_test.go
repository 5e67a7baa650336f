package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
)

// patientRig is a rig with flow.conn_start as a hook point where handlers wait.
type patientRig struct {
	*rig
	log []string
	vms []*fakeVM
}

func newPatientRig(t *testing.T, limits engine.Limits, declare func(p *patientRig, vm *fakeVM)) *patientRig {
	t.Helper()
	p := &patientRig{}
	flow := *flowev.Family
	flow.Events = append([]*event.Info(nil), flow.Events...)
	for i, info := range flow.Events {
		if info.Name == "flow.conn_start" {
			own := *info
			own.Waits = event.WaitsSuspend
			flow.Events[i] = &own
		}
	}
	families := []*event.Family{&flow}
	for _, f := range catalogue.All() {
		if f.Name == "hookd" {
			families = append(families, f)
		}
	}
	s := &sink{}
	e := engine.New(engine.Config{Catalogue: catalogue.New(families...), Sink: s, Limits: limits})
	rt := fakeRuntime{"a.lua": func(vm *fakeVM) {
		p.vms = append(p.vms, vm)
		declare(p, vm)
	}}
	e.Use(rt)
	t.Cleanup(e.Close)
	p.rig = &rig{Engine: e, t: t, rt: rt, sink: s}
	p.up()
	return p
}

func (p *patientRig) note(format string, args ...any) {
	p.log = append(p.log, fmt.Sprintf(format, args...))
}

// await raises flow.conn_start about c; side tells its events apart.
func (p *patientRig) await(c *conn, word string) {
	p.in(func(s *event.Shard) {
		flowev.OnConnStartSnd.Await(s, &flowev.ConnStart{C: c, Side: flowev.SideClient}, func(v event.Verdict, err error) {
			p.note("%s: kind %d, %v", word, v.Kind, err)
		})
	})
}

// last is the wait that began last, first the oldest.
func (p *patientRig) end(vm, i int, d engine.Decision, err error) {
	p.in(func(*event.Shard) { p.vms[vm].waits[i].end(d, err) })
}

func (p *patientRig) want(lines ...string) {
	p.t.Helper()
	if diff := cmp.Diff(lines, p.log); diff != "" {
		p.t.Errorf("(-want +got):\n%s", diff)
	}
	p.log = nil
}

func (p *patientRig) cut() engine.Decision {
	return engine.Decision{Family: p.Catalogue().Family("flow"), Verdict: event.Verdict{Kind: flowev.VerdictCut}}
}

// waits makes a handler that waits on connections with an odd number.
func (p *patientRig) waits(vm *fakeVM, word string) engine.FuncID {
	return vm.fn(func(c *engine.Call) (engine.Decision, error) {
		id := c.Event.(*flowev.ConnStart).C.ID()
		p.note("%s %d", word, id)
		if id%2 == 1 {
			return engine.Decision{}, errWait
		}
		return engine.Decision{}, nil
	})
}

func twoRules(p *patientRig, vm *fakeVM) {
	for _, name := range []string{"one", "two"} {
		vm.rule(name, []string{"flow.conn_start"}, func(d *engine.RuleDecl) { d.Run = p.waits(vm, name) })
	}
	vm.rule("last", []string{"flow.conn_start"}, func(d *engine.RuleDecl) { d.Run, d.Always = vm.note(&p.log, "last"), true })
}

func TestARuleThatWaitsHoldsTheNext(t *testing.T) {
	t.Parallel()
	p := newPatientRig(t, engine.Limits{}, twoRules)
	a, b := newConn(1, "10.0.0.1:1", "10.0.0.2:2"), newConn(2, "10.0.0.1:1", "10.0.0.2:2")
	p.await(a, "a")
	p.await(b, "b")
	p.want("one 1", "one 2", "two 2", "last", "b: kind 0, <nil>")
	p.end(0, 0, p.cut(), nil)
	p.want("two 1")
	p.end(0, 0, engine.Decision{}, errors.New("it failed"))
	p.want("last", fmt.Sprintf("a: kind %d, <nil>", flowev.VerdictCut))
	if len(p.sink.errors) != 1 || p.sink.errors[0].Rule != "two" || p.sink.errors[0].Point != "flow.conn_start.snd" {
		t.Errorf("errors: %+v", p.sink.errors)
	}
}

func TestEventsOfASubjectKeepTheirOrder(t *testing.T) {
	t.Parallel()
	p := newPatientRig(t, engine.Limits{SubjectQueue: 3}, func(p *patientRig, vm *fakeVM) {
		vm.rule("one", []string{"flow.conn_start"}, func(d *engine.RuleDecl) { d.Run = p.waits(vm, "one") })
	})
	a, b := newConn(1, "10.0.0.1:1", "10.0.0.2:2"), newConn(3, "10.0.0.1:1", "10.0.0.2:2")
	for i := range 5 {
		p.await(a, fmt.Sprint("a", i))
	}
	p.await(b, "b0")
	p.want("one 1", "a4: kind 0, "+event.ErrQueue.Error(), "one 3")
	p.end(0, 1, engine.Decision{}, nil)
	p.want("b0: kind 0, <nil>")
	for i := range 3 {
		p.end(0, 0, engine.Decision{}, nil)
		p.want(fmt.Sprintf("a%d: kind 0, <nil>", i), "one 1")
	}
	p.await(a, "a5")
	p.end(0, 0, engine.Decision{}, nil)
	p.want("a3: kind 0, <nil>", "one 1")
	p.in(func(s *event.Shard) { s.CancelWaits(a) })
	p.want("a5: kind 0, " + event.ErrCanceled.Error())
	if st := p.Stats(); st.QueueRefused != 1 || st.Canceled != 1 || st.Waiting != 0 {
		t.Errorf("counted: %+v", st.WaitStats)
	}
}

// TestWaitingOverAReload: the event that waits goes on with the rules that it
// began with, later ones see the new.
func TestWaitingOverAReload(t *testing.T) {
	t.Parallel()
	p := newPatientRig(t, engine.Limits{}, twoRules)
	a := newConn(1, "10.0.0.1:1", "10.0.0.2:2")
	p.await(a, "a0")
	p.await(a, "a1")
	if _, diags := p.Apply(p.sources("2")); diags.HasErrors() {
		t.Fatal(diags)
	}
	p.want("one 1")
	p.end(0, 0, engine.Decision{}, nil)
	p.want("two 1")
	if p.vms[0].close != 0 {
		t.Error("the machine of the event that waits was closed")
	}
	p.end(0, 0, engine.Decision{}, nil)
	p.want("last", "a0: kind 0, <nil>", "one 1")
	if p.vms[0].close != 1 || len(p.vms[1].waits) != 1 {
		t.Errorf("the old machine was closed %d times, %d wait in the new", p.vms[0].close, len(p.vms[1].waits))
	}
	p.Close()
	p.want("a1: kind 0, " + event.ErrCanceled.Error())
}

// TestWhatAHandlerRaisedBeforeItWaits is delivered before it goes on, and may wait
// itself.
func TestWhatAHandlerRaisedBeforeItWaits(t *testing.T) {
	t.Parallel()
	p := newPatientRig(t, engine.Limits{}, func(p *patientRig, vm *fakeVM) {
		vm.event("mine", "flow.conn_start", vm.when(false))
		vm.rule("one", []string{"flow.conn_start"}, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
				p.note("one")
				if err := vm.env.Services.Raise(c, "mine", nil); err != nil {
					return engine.Decision{}, err
				}
				return engine.Decision{}, errWait
			})
		})
		vm.rule("raised", []string{"event.mine"}, func(d *engine.RuleDecl) { d.Run = p.waits(vm, "raised") })
		vm.rule("two", []string{"flow.conn_start"}, func(d *engine.RuleDecl) { d.Run = vm.note(&p.log, "two") })
	})
	a := newConn(1, "10.0.0.1:1", "10.0.0.2:2")
	p.await(a, "a0")
	p.want("one", "raised 1")
	p.end(0, 0, engine.Decision{}, nil) // of one, while what it raised waits
	p.want()
	p.end(0, 0, p.cut(), nil)
	p.want("two", fmt.Sprintf("a0: kind %d, <nil>", flowev.VerdictCut))
	p.await(a, "a1")
	p.in(func(s *event.Shard) { s.CancelWaits(a) })
	p.want("one", "raised 1", "a1: kind 0, "+event.ErrCanceled.Error())
	if st := p.Stats(); st.Waiting != 0 {
		t.Errorf("%d wait", st.Waiting)
	}
	p.advance(time.Second)
}

// TestWaitingKeepsTheOrder has rules, handlers bound to the connection, rules of events
// below the point and those that always run wait, each in its turn: it is the one in which they run
// where none waits.
func TestWaitingKeepsTheOrder(t *testing.T) {
	t.Parallel()
	even, odd := newConn(2, "10.0.0.1:1", "10.0.0.2:2"), newConn(1, "10.0.0.1:1", "10.0.0.2:2")
	p := newPatientRig(t, engine.Limits{}, func(p *patientRig, vm *fakeVM) {
		rule := func(name, on string, priority int, edit func(*engine.RuleDecl)) {
			vm.rule(name, []string{on}, func(d *engine.RuleDecl) {
				d.Run, d.Priority = p.waits(vm, name), priority
				edit(d)
			})
		}
		plain := func(*engine.RuleDecl) {}
		vm.event("mine", "flow.conn_start", vm.when(true))
		vm.event("inner", "event.mine", vm.when(true))
		rule("low", "flow.conn_start", -2, plain)
		rule("high", "flow.conn_start", 5, plain)
		rule("inner", "event.inner", 2, plain)
		rule("mine", "event.mine", 4, plain)
		for i, name := range []string{"first always", "second always"} {
			rule(name, "flow.conn_start", i, func(d *engine.RuleDecl) { d.Always = true })
		}
		bound := map[string]string{"flow.conn_start": "h3", "event.mine": "h-9"}
		rule("h3", "flow.conn_start", 3, func(d *engine.RuleDecl) { d.Handler = true })
		rule("h-9", "event.mine", -9, func(d *engine.RuleDecl) { d.Handler = true })
		vm.rule("bind", []string{"flow.conn_start"}, func(d *engine.RuleDecl) {
			d.Priority = 9
			d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
				at := &engine.Attachment{Object: c.Event.(*flowev.ConnStart).C.(*conn), Type: "flow.conn"}
				for point, name := range bound {
					if at.Object.(*conn).slots.Get("bound "+name) != nil {
						continue // what is bound anew does not run at this event
					}
					at.Object.(*conn).slots.Set("bound "+name, true)
					if err := vm.env.Services.Bind(c, at, point, &engine.Handler{Name: name}); err != nil {
						t.Error(err)
					}
				}
				return engine.Decision{}, nil
			})
		})
	})
	order := func(c *conn) []string {
		p.log = nil
		p.await(c, "end")
		for len(p.vms[0].waits) > 0 {
			before := len(p.log)
			p.end(0, 0, engine.Decision{}, nil)
			if c == odd && len(p.log) > before+1 && p.log[len(p.log)-1] != "end: kind 0, <nil>" {
				t.Errorf("goes on while one waits: %q", p.log[before:])
			}
		}
		return p.log
	}
	for round := range 2 {
		want, got := order(even), order(odd)
		for i := range want {
			want[i] = strings.TrimSuffix(want[i], " 2") + map[bool]string{true: " 1"}[i < len(want)-1]
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want) != 7+2*round {
			t.Errorf("round %d, where none waits and where all do:\n%s\nof %q", round, diff, want)
		}
	}
}
