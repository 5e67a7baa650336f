package engine_test

import (
	"strings"
	"testing"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
)

// says makes a maker of native forms that always give one answer.
func says(a engine.Answer) engine.NativeMaker {
	return func(*event.Info) engine.Native { return func(any) engine.Answer { return a } }
}

// TestNative checks who decides: the native form, or the function where that
// asks.
func TestNative(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name              string
		when, guard       engine.NativeMaker
		function, decides bool
		asked             int // calls of when's function
	}{
		{"no native form", nil, nil, true, true, 1},
		{"yes", says(engine.Yes), nil, false, true, 0},
		{"no", says(engine.No), nil, true, false, 0},
		{"asks, yes", says(engine.Ask), nil, true, true, 1},
		{"asks, no", says(engine.Ask), nil, false, false, 1},
		{"guard says no", says(engine.Yes), says(engine.No), true, false, 0},
		{"guard says yes", says(engine.Yes), says(engine.Yes), true, true, 0},
		{"guard asks", says(engine.Yes), says(engine.Ask), true, true, 0},
		{"no form for the event", func(*event.Info) engine.Native { return nil }, nil, true, true, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
				vm.rule("r", startSnd, func(d *engine.RuleDecl) {
					d.NativeWhen, d.Guard = tt.when, tt.guard
					d.When = vm.fn(func(*engine.Call) (engine.Decision, error) {
						asked++
						if tt.function {
							return verdict(flowev.VerdictCut).Decision, nil
						}
						return engine.Decision{}, nil
					})
					d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) {
						return verdict(flowev.VerdictCut).Decision, nil
					})
				})
			}}).up()
			v := r.start(newConn(1, "10.0.0.1:1000", "10.0.0.2:80"))
			if v.Decided() != tt.decides || asked != tt.asked {
				t.Errorf("decided %t, asked %d", v.Decided(), asked)
			}
		})
	}
}

// TestCheckNative checks that native forms which are wrong are found.
func TestCheckNative(t *testing.T) {
	t.Parallel()
	vm := func(vm *fakeVM) {
		vm.rule("wrong when", startSnd, func(d *engine.RuleDecl) {
			d.NativeWhen, d.When, d.Verdict = says(engine.No), vm.when(true), verdict(flowev.VerdictCut)
		})
		vm.rule("wrong guard", startSnd, func(d *engine.RuleDecl) {
			d.Guard = says(engine.No)
			d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) { return verdict(flowev.VerdictCut).Decision, nil })
		})
		vm.rule("right", startSnd, func(d *engine.RuleDecl) {
			d.NativeWhen, d.When, d.Verdict = says(engine.Yes), vm.when(true), verdict(flowev.VerdictCut)
		})
		vm.event("wrong", "flow.conn_start", vm.when(true))
		vm.plan.Events[0].NativeWhen = says(engine.No)
		vm.rule("on wrong", []string{"event.wrong"}, func(d *engine.RuleDecl) { d.Verdict = verdict(flowev.VerdictCut) })
	}
	s := &sink{}
	e := engine.New(engine.Config{Catalogue: catalogue.New(catalogue.All()...), Sink: s, CheckNative: true})
	t.Cleanup(e.Close)
	e.Use(fakeRuntime{"a.lua": vm})
	if _, diags := e.Apply([]engine.Source{{Path: "a.lua", Text: []byte("1")}}); diags.HasErrors() {
		t.Fatal(diags)
	}
	e.Start(1000e9)
	sh := e.Shard(0)
	sh.Enter()
	flowev.OnConnStartSnd.Emit(sh, &flowev.ConnStart{C: newConn(1, "10.0.0.1:1000", "10.0.0.2:80")})
	sh.Leave()
	var said []string
	for _, rec := range s.errors {
		said = append(said, rec.Rule)
		if !strings.Contains(rec.Err.Message, "native form") {
			t.Errorf("%s: %s", rec.Rule, rec.Err.Message)
		}
	}
	if got := strings.Join(said, ", "); got != "wrong when, wrong guard, wrong" {
		t.Errorf("reported: %s", got)
	}
}
