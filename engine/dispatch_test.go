package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/engine/match"
)

var startSnd = []string{"flow.conn_start"}

// verdict names a verdict of the flow family.
func verdict(k event.VerdictKind) *engine.VerdictDecl {
	return &engine.VerdictDecl{Decision: engine.Decision{Family: flowev.Family, Verdict: event.Verdict{Kind: k}}}
}

// TestOrder checks priority, then script path, then place in the file.
func TestOrder(t *testing.T) {
	var log []string
	add := func(vm *fakeVM, name string, priority int) {
		vm.rule(name, startSnd, func(d *engine.RuleDecl) {
			d.Priority = priority
			d.Run = vm.note(&log, name)
		})
	}
	r := newRig(t, engine.Limits{}, fakeRuntime{
		"b.lua": func(vm *fakeVM) { add(vm, "b1", 0); add(vm, "b2", 5) },
		"a.lua": func(vm *fakeVM) { add(vm, "a1", 0); add(vm, "a2", 0); add(vm, "a3", -1) },
	}).up()
	r.start(newConn(1, "10.0.0.1:1000", "10.0.0.2:80"))
	want := []string{"b2", "a1", "a2", "b1", "a3"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
}

// TestStrictest checks that all rules run and the highest rank wins whatever the
// order, and that an observed verdict does not count.
func TestStrictest(t *testing.T) {
	decide := func(vm *fakeVM, k event.VerdictKind, observe bool) {
		vm.rule(fmt.Sprint(k, observe), startSnd, func(d *engine.RuleDecl) { d.Verdict, d.Observe = verdict(k), observe })
	}
	tests := []struct {
		name string
		give func(vm *fakeVM)
		want event.VerdictKind
		said int
	}{
		{"none", func(*fakeVM) {}, event.None, 0},
		{"one", func(vm *fakeVM) { decide(vm, flowev.VerdictCut, false) }, flowev.VerdictCut, 1},
		{"stricter last", func(vm *fakeVM) {
			decide(vm, flowev.VerdictCut, false)
			decide(vm, flowev.VerdictReset, false)
		}, flowev.VerdictReset, 2},
		{"stricter first", func(vm *fakeVM) {
			decide(vm, flowev.VerdictReset, false)
			decide(vm, flowev.VerdictCut, false)
		}, flowev.VerdictReset, 2},
		{"observed", func(vm *fakeVM) {
			decide(vm, flowev.VerdictReset, true)
			decide(vm, flowev.VerdictCut, false)
		}, flowev.VerdictCut, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": tt.give}).up()
			if got := r.start(newConn(7, "10.0.0.1:1000", "10.0.0.2:80")); got.Kind != tt.want {
				t.Errorf("verdict %d, want %d", got.Kind, tt.want)
			}
			if len(r.sink.decisions) != tt.said {
				t.Errorf("%d decisions recorded, want %d", len(r.sink.decisions), tt.said)
			}
			for _, d := range r.sink.decisions {
				if d.Conn != 7 || d.Point != "flow.conn_start.snd" || d.Gen != 1 {
					t.Errorf("decision %+v", d)
				}
			}
		})
	}
}

// TestFilters checks that each filter stops a rule and that what is cheaper is
// asked first.
func TestFilters(t *testing.T) {
	var log []string
	clientIs := func(ip string) *match.Node {
		return &match.Node{All: []match.Node{{Path: []string{"client", "ip"}, Op: match.Eq, Values: []match.Value{match.Text(ip)}}}}
	}
	rule := func(vm *fakeVM, name string, edit func(*engine.RuleDecl)) {
		vm.rule(name, startSnd, func(d *engine.RuleDecl) {
			d.Run = vm.note(&log, name)
			edit(d)
		})
	}
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		asked := vm.fn(func(*engine.Call) (engine.Decision, error) {
			log = append(log, "asked")
			return engine.Decision{}, nil
		})
		rule(vm, "scope hit", func(d *engine.RuleDecl) { d.Scope = "10.0.0.2:80" })
		rule(vm, "scope miss", func(d *engine.RuleDecl) { d.Scope, d.When = "10.0.0.2:81", asked })
		rule(vm, "match hit", func(d *engine.RuleDecl) { d.Match = clientIs("10.0.0.1") })
		rule(vm, "match miss", func(d *engine.RuleDecl) { d.Match, d.When = clientIs("10.0.0.9"), asked })
		rule(vm, "when hit", func(d *engine.RuleDecl) { d.When = vm.when(true) })
		rule(vm, "when miss", func(d *engine.RuleDecl) { d.When = vm.when(false) })
		rule(vm, "disabled", func(d *engine.RuleDecl) { d.Disabled = true })
	}}).up()
	r.start(newConn(1, "10.0.0.1:1000", "10.0.0.2:80"))
	if diff := cmp.Diff([]string{"scope hit", "match hit", "when hit"}, log); diff != "" {
		t.Error(diff)
	}
	for _, st := range r.Rules() {
		wantMatched := uint64(0)
		if st.Name == "scope hit" || st.Name == "match hit" || st.Name == "when hit" {
			wantMatched = 1
		}
		if st.Matched != wantMatched {
			t.Errorf("%s matched %d times, want %d", st.Name, st.Matched, wantMatched)
		}
	}
}

// TestUserEvents checks trees of events, their order and the phase they take.
func TestUserEvents(t *testing.T) {
	var log []string
	r := newRig(t, engine.Limits{}, fakeRuntime{
		"a.lua": func(vm *fakeVM) {
			on := func(name string, points ...string) {
				vm.rule(name, points, func(d *engine.RuleDecl) { d.Run = vm.note(&log, name) })
			}
			on("web rule", "event.web")
			on("get rule", "event.get")
			on("at receiver", "event.web.rcv")
			on("never rule", "event.below_never")
			on("base rule", "flow.conn_start")
		},
		"z.lua": func(vm *fakeVM) {
			vm.event("get", "event.web", vm.when(true))
			vm.event("web", "flow.conn_start", vm.when(true))
			vm.event("never", "flow.conn_start", vm.when(false))
			vm.event("below_never", "event.never", vm.when(true))
			vm.event("unbound", "flow.conn_start", vm.fn(func(*engine.Call) (engine.Decision, error) {
				t.Error("an event that nothing is bound to was asked for")
				return engine.Decision{}, nil
			}))
		},
	}).up()
	r.start(newConn(1, "10.0.0.1:1000", "10.0.0.2:80"))
	if diff := cmp.Diff([]string{"web rule", "get rule", "base rule"}, log); diff != "" {
		t.Error(diff)
	}
	log = nil
	r.in(func(s *event.Shard) {
		flowev.OnConnStartRcv.Emit(s, &flowev.ConnStart{C: newConn(1, "10.0.0.1:1000", "10.0.0.2:80")})
	})
	if diff := cmp.Diff([]string{"at receiver"}, log); diff != "" {
		t.Error(diff)
	}
}

// TestRaise checks that what a handler raises comes after it, in order, and not
// deeper than the limit.
func TestRaise(t *testing.T) {
	var log []string
	r := newRig(t, engine.Limits{RaiseDepth: 3}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		vm.event("free", "", 0)
		vm.event("again", "", 0)
		vm.rule("first", startSnd, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
				for _, word := range []string{"one", "two"} {
					if err := vm.env.Services.Raise(c, "free", word); err != nil {
						return engine.Decision{}, err
					}
				}
				log = append(log, "first")
				return engine.Decision{}, nil
			})
		})
		vm.rule("second", startSnd, func(d *engine.RuleDecl) { d.Run = vm.note(&log, "second") })
		vm.rule("on free", []string{"event.free"}, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
				log = append(log, fmt.Sprint("free ", c.Payload))
				return engine.Decision{}, nil
			})
		})
		vm.rule("endless", []string{"event.again", "flow.conn_end"}, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
				log = append(log, "again")
				return engine.Decision{}, vm.env.Services.Raise(c, "again", nil)
			})
		})
	}}).up()
	r.start(newConn(1, "10.0.0.1:1000", "10.0.0.2:80"))
	if diff := cmp.Diff([]string{"first", "second", "free one", "free two"}, log); diff != "" {
		t.Error(diff)
	}
	log = nil
	r.in(func(s *event.Shard) {
		flowev.OnConnEnd.Emit(s, &flowev.ConnEnd{C: newConn(1, "10.0.0.1:1000", "10.0.0.2:80")})
	})
	if diff := cmp.Diff([]string{"again", "again", "again", "again"}, log); diff != "" {
		t.Error(diff)
	}
	if got := r.Stats().Refused; got != 1 {
		t.Errorf("refused %d raised events, want 1", got)
	}
}

// TestSuspension checks that a rule which keeps failing stops, answers on_error,
// says so, and runs again after a reload of its script.
func TestSuspension(t *testing.T) {
	var suspended []string
	calls := 0
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		vm.rule("sick", startSnd, func(d *engine.RuleDecl) {
			d.OnError = verdict(flowev.VerdictCut)
			d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) {
				calls++
				return engine.Decision{}, &engine.ScriptError{Script: "a.lua", Line: 3, Message: "no", Overrun: true}
			})
		})
		vm.rule("nurse", []string{"hookd.rule_suspended"}, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
				suspended = append(suspended, c.Event.(*hookdev.RuleSuspended).Name)
				return engine.Decision{}, nil
			})
		})
	}}).up()
	c := newConn(1, "10.0.0.1:1000", "10.0.0.2:80")
	for range 5 {
		if v := r.start(c); v.Kind != flowev.VerdictCut {
			t.Errorf("verdict %d, want on_error's", v.Kind)
		}
	}
	if calls != 3 {
		t.Errorf("ran %d times, want 3 overruns", calls)
	}
	if diff := cmp.Diff([]string{"sick"}, suspended); diff != "" {
		t.Error(diff)
	}
	if _, diags := r.Apply(r.sources("2")); diags.HasErrors() {
		t.Fatal(diags)
	}
	r.start(c)
	if calls != 4 {
		t.Errorf("ran %d times, want once more after the reload", calls)
	}
}

// TestFailed checks that who raises an event hears that a rule which could have
// decided had no say, where no other decided.
func TestFailed(t *testing.T) {
	for _, tt := range []struct {
		name    string
		edit    func(d *engine.RuleDecl)
		healthy bool // another rule decides
		want    event.Verdict
	}{
		{"fails", func(*engine.RuleDecl) {}, false, event.Verdict{Failed: true}},
		{"another decides", func(*engine.RuleDecl) {}, true, verdict(flowev.VerdictCut).Verdict},
		{"on_error", func(d *engine.RuleDecl) { d.OnError = verdict(flowev.VerdictReset) }, false, verdict(flowev.VerdictReset).Verdict},
		{"its filter", func(d *engine.RuleDecl) { d.When = d.Run }, false, event.Verdict{Failed: true}},
		{"decides nothing in any case", func(d *engine.RuleDecl) { d.Always = true }, false, event.Verdict{}},
		{"observed", func(d *engine.RuleDecl) { d.Observe = true }, false, event.Verdict{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			calls := 0
			r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
				if tt.healthy {
					vm.rule("healthy", startSnd, func(d *engine.RuleDecl) { d.Verdict = verdict(flowev.VerdictCut) })
				}
				vm.rule("sick", startSnd, func(d *engine.RuleDecl) {
					d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) {
						calls++
						return engine.Decision{}, errors.New("no")
					})
					tt.edit(d)
				})
			}}).up()
			c := newConn(1, "10.0.0.1:1000", "10.0.0.2:80")
			for range 12 { // two of them when it is suspended
				if v := r.start(c); v != tt.want {
					t.Errorf("verdict %+v, want %+v", v, tt.want)
				}
			}
			if calls != 10 {
				t.Errorf("ran %d times, want 10 until it was suspended", calls)
			}
		})
	}
}

// TestFailedEvent is [TestFailed] where the filter of a user-defined event fails, and so none of the rules on it is
// asked, and then is suspended.
func TestFailedEvent(t *testing.T) {
	for other, want := range map[string]event.Verdict{"10.0.0.1": {Failed: true}, "10.0.0.9": {}} {
		calls := 0
		r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
			vm.event("mine", "flow.conn_start", vm.fn(func(*engine.Call) (engine.Decision, error) {
				calls++
				return engine.Decision{}, errors.New("no")
			}))
			vm.rule("on it", []string{"event.mine"}, func(d *engine.RuleDecl) {
				d.Match = &match.Node{All: []match.Node{{Path: []string{"client", "ip"}, Op: match.Eq, Values: []match.Value{match.Text(other)}}}}
				d.Verdict = verdict(flowev.VerdictCut)
			})
		}}).up()
		for range 12 {
			if v := r.start(newConn(1, "10.0.0.1:1000", "10.0.0.2:80")); v != want {
				t.Errorf("of a rule for %s: verdict %+v, want %+v", other, v, want)
			}
		}
		if calls != 10 {
			t.Errorf("ran %d times, want 10 until it was suspended", calls)
		}
	}
}

// TestFailedForOthers asks the native form of a suspended rule whether an event is for it at all.
func TestFailedForOthers(t *testing.T) {
	says := engine.Ask
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		vm.rule("sick", startSnd, func(d *engine.RuleDecl) {
			d.When = vm.fn(func(*engine.Call) (engine.Decision, error) { return engine.Decision{}, errors.New("no") })
			d.NativeWhen = func(*event.Info) engine.Native { return func(any) engine.Answer { return says } }
			d.Verdict = verdict(flowev.VerdictCut)
		})
	}}).up()
	c := newConn(1, "10.0.0.1:1000", "10.0.0.2:80")
	for range 11 {
		if v := r.start(c); !v.Failed {
			t.Errorf("verdict %+v, want a failed one", v)
		}
	}
	if says = engine.No; r.start(c).Failed {
		t.Error("failed for an event that is not for the rule")
	}
}

// TestErrorsFarApart checks that failures outside the window do not add up.
func TestErrorsFarApart(t *testing.T) {
	calls := 0
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		vm.rule("cough", startSnd, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) {
				calls++
				return engine.Decision{}, errors.New("no")
			})
		})
	}}).up()
	c := newConn(1, "10.0.0.1:1000", "10.0.0.2:80")
	for range 30 {
		r.start(c)
		r.advance(2 * time.Second)
	}
	if calls != 30 {
		t.Errorf("ran %d times, want 30", calls)
	}
}

// TestVerdictOfAnotherKind checks that a handler's verdict that the point does not
// take is an error of the script.
func TestVerdictOfAnotherKind(t *testing.T) {
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		vm.rule("wrong", startSnd, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) {
				return verdict(flowev.VerdictDrop).Decision, nil
			})
		})
	}}).up()
	if v := r.start(newConn(1, "10.0.0.1:1000", "10.0.0.2:80")); v.Decided() {
		t.Errorf("verdict %v", v)
	}
	want := `a.lua:1: rule "wrong" decided flow.drop: flow.conn_start.snd takes flow.cut, flow.reset`
	if len(r.sink.errors) != 1 || r.sink.errors[0].Err.Error() != want {
		t.Errorf("errors %v, want %s", r.sink.errors, want)
	}
}
