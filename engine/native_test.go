package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/match"
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
		vm.rule("wrong deed", startSnd, func(d *engine.RuleDecl) {
			d.Deed = func(*event.Info) *engine.Deed {
				return &engine.Deed{Foresee: func(any) func(*engine.Decision) error {
					return func(*engine.Decision) error { return errors.New("the native form does something else") }
				}}
			}
			d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) { return engine.Decision{}, nil })
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
	if got := strings.Join(said, ", "); got != "wrong when, wrong guard, wrong deed, wrong" {
		t.Errorf("reported: %s", got)
	}
}

// TestDeed checks what becomes of a handler with a native form.
func TestDeed(t *testing.T) {
	t.Parallel()
	cut := verdict(flowev.VerdictCut).Decision
	for _, tt := range []struct {
		name          string
		answer        engine.Answer
		decides       *engine.Decision
		match         *match.Node
		guard         engine.NativeMaker
		asked, called int // the native form, the function
		calls         uint64
		verdict       bool
	}{
		{"done", engine.Yes, nil, nil, nil, 1, 0, 1, false},
		{"done, behind a match", engine.Yes, nil, &match.Node{}, nil, 1, 0, 1, false},
		{"done, and decides", engine.Yes, &cut, nil, nil, 1, 0, 1, true},
		{"turned away", engine.No, nil, nil, nil, 1, 0, 0, false},
		{"turned away, behind a match", engine.No, nil, &match.Node{}, nil, 1, 0, 0, false},
		{"asks", engine.Ask, nil, nil, nil, 1, 1, 1, true},
		{"asks, behind a match", engine.Ask, nil, &match.Node{}, nil, 1, 1, 1, true},
		{"asks where it may decide", engine.Ask, &cut, nil, nil, 1, 1, 1, true},
		{"a guard is not needed", engine.No, nil, nil, says(engine.No), 1, 0, 0, false},
		{"a guard turns away where it may decide", engine.Yes, &cut, nil, says(engine.No), 0, 0, 0, false},
		{"a guard lets by where it may decide", engine.Yes, &cut, nil, says(engine.Yes), 1, 0, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			called, asked := 0, 0
			r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
				vm.rule("r", startSnd, func(d *engine.RuleDecl) {
					d.Match, d.Guard = tt.match, tt.guard
					d.Deed = func(*event.Info) *engine.Deed {
						return &engine.Deed{Decides: tt.decides != nil, Do: func(any) (engine.Answer, *engine.Decision) {
							asked++
							return tt.answer, tt.decides
						}}
					}
					d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) {
						called++
						return cut, nil
					})
				})
			}}).up()
			v := r.start(newConn(1, "10.0.0.1:1000", "10.0.0.2:80"))
			st := r.Rules()[0]
			if v.Decided() != tt.verdict || called != tt.called || asked != tt.asked {
				t.Errorf("decided %t, function called %d times, native form %d times", v.Decided(), called, asked)
			}
			if st.Seen != 1 || st.Matched != 1 || st.Calls != tt.calls {
				t.Errorf("seen %d, matched %d, calls %d", st.Seen, st.Matched, st.Calls)
			}
		})
	}
}

// TestDeedsAreMeasured checks that of what is done natively as much is measured as of
// calls.
func TestDeedsAreMeasured(t *testing.T) {
	t.Parallel()
	var clock int64
	e := engine.New(engine.Config{Catalogue: catalogue.New(catalogue.All()...), Sink: &sink{}, ThreadCPU: func() int64 {
		clock += 5
		return clock
	}})
	t.Cleanup(e.Close)
	e.Use(fakeRuntime{"a.lua": func(vm *fakeVM) {
		for name, match := range map[string]*match.Node{"at once": nil, "behind a match": {}} {
			vm.rule(name, startSnd, func(d *engine.RuleDecl) {
				d.Match = match
				d.Deed = func(*event.Info) *engine.Deed {
					return &engine.Deed{Do: func(any) (engine.Answer, *engine.Decision) { return engine.Yes, nil }}
				}
				d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) { return engine.Decision{}, errors.New("called") })
			})
		}
	}})
	if _, diags := e.Apply([]engine.Source{{Path: "a.lua", Text: []byte("1")}}); diags.HasErrors() {
		t.Fatal(diags)
	}
	e.Start(1000e9)
	sh := e.Shard(0)
	sh.Enter()
	for range 2*engine.SampleEvery + 1 {
		flowev.OnConnStartSnd.Emit(sh, &flowev.ConnStart{C: newConn(1, "10.0.0.1:1000", "10.0.0.2:80")})
	}
	sh.Leave()
	for _, r := range e.Rules() {
		if r.Calls != 2*engine.SampleEvery+1 || r.Errors != 0 || r.CPU.Samples != 3 || r.CPU.Nanos != 15 {
			t.Errorf("%s: %d calls, %d errors, %d samples of %d ns", r.Name, r.Calls, r.Errors, r.CPU.Samples, r.CPU.Nanos)
		}
	}
}
