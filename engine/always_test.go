package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// TestAlwaysRunsLast checks that rules which always run come behind all others
// of the hook point, those of user-defined events and what handlers raised
// included, and see what was decided.
func TestAlwaysRunsLast(t *testing.T) {
	var log []string
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		rule := func(name, on string, always bool, verdict *engine.VerdictDecl) {
			vm.rule(name, []string{on}, func(d *engine.RuleDecl) {
				d.Always = always
				d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
					log = append(log, name)
					if always && c.Verdict.Kind != flowev.VerdictCut {
						t.Errorf("%s sees the verdict %d, want cut", name, c.Verdict.Kind)
					}
					if name == "base" {
						if err := vm.env.Services.Raise(c, "raised", nil); err != nil {
							return engine.Decision{}, err
						}
					}
					if verdict != nil {
						return verdict.Decision, nil
					}
					return engine.Decision{}, nil
				})
			})
		}
		vm.event("web", "flow.conn_start", vm.when(true))
		vm.event("raised", "flow.conn_start", vm.when(false))
		rule("last", "flow.conn_start", true, nil)
		rule("last of web", "event.web", true, nil)
		rule("base", "flow.conn_start", false, nil)
		rule("web", "event.web", false, nil)
		rule("raised", "event.raised", false, verdict(flowev.VerdictCut))
	}}).up()
	if v := r.start(newConn(1, "10.0.0.1:1000", "10.0.0.2:80")); v.Kind != flowev.VerdictCut {
		t.Errorf("verdict %d, want cut", v.Kind)
	}
	if diff := cmp.Diff([]string{"base", "web", "raised", "last", "last of web"}, log); diff != "" {
		t.Error(diff)
	}
}

// TestAlwaysDecidesNothing checks that a rule which always runs cannot decide,
// neither by its declaration nor by what its handler returns.
func TestAlwaysDecidesNothing(t *testing.T) {
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		vm.rule("late", startSnd, func(d *engine.RuleDecl) {
			d.Always = true
			d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) {
				return verdict(flowev.VerdictCut).Decision, nil
			})
		})
	}}).up()
	if v := r.start(newConn(1, "10.0.0.1:1000", "10.0.0.2:80")); v.Decided() {
		t.Errorf("verdict %v", v)
	}
	want := `a.lua:1: rule "late" decided flow.cut: a rule that always runs decides nothing`
	if len(r.sink.errors) != 1 || r.sink.errors[0].Err.Error() != want {
		t.Errorf("errors %v, want %s", r.sink.errors, want)
	}
	r.rt["a.lua"] = func(vm *fakeVM) {
		vm.rule("late", startSnd, func(d *engine.RuleDecl) {
			d.Always, d.OnError = true, verdict(flowev.VerdictCut)
			d.OnError.Line = 1
		})
	}
	_, diags := r.Apply(r.sources("rule { always = true, on_error = flow.cut }"))
	if len(diags) != 1 || diags[0].Col != 39 || !strings.Contains(diags[0].Msg, "a rule that always runs decides nothing") {
		t.Errorf("got %v", diags)
	}
}

// TestMistakesArePointedAt checks that what is found when names are resolved
// comes with the column of the word that is meant.
func TestMistakesArePointedAt(t *testing.T) {
	const text = `rule "r" { on = event.nope, scope = "x", verdict = flow.drop }`
	at := func(word string) int { return strings.Index(text, word) + 1 }
	tests := []struct {
		name string
		edit func(vm *fakeVM, d *engine.RuleDecl)
		want int
	}{
		{"event", func(_ *fakeVM, d *engine.RuleDecl) { d.On[0].Name = "event.nope" }, at("nope")},
		{"verdict", func(_ *fakeVM, d *engine.RuleDecl) {
			d.Verdict = verdict(flowev.VerdictDrop)
			d.Verdict.Line = 1
		}, at("drop")},
		{"scope", func(_ *fakeVM, d *engine.RuleDecl) {
			d.On[0].Name, d.Scope, d.ScopeLine = "hookd.start", "x", 1
		}, at("scope")},
		{"name", func(vm *fakeVM, _ *engine.RuleDecl) {
			vm.plan.Rules = append(vm.plan.Rules, &engine.RuleDecl{Name: "r", Line: 1})
		}, at("rule")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
				vm.rule("r", startSnd, func(d *engine.RuleDecl) { tt.edit(vm, d) })
			}})
			_, diags := r.Apply([]engine.Source{{Path: "a.lua", Text: []byte(text)}})
			if len(diags) != 1 || diags[0].Line != 1 || diags[0].Col != tt.want || diags[0].Width == 0 {
				t.Errorf("got %v, want column %d", diags, tt.want)
			}
		})
	}
}

// TestFilterOfAnAlwaysRule checks that what is bound to nothing that always runs
// is not asked a second time.
func TestFilterOfAnAlwaysRule(t *testing.T) {
	asked := 0
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		var log []string
		vm.event("web", "flow.conn_start", vm.fn(func(*engine.Call) (engine.Decision, error) {
			asked++
			return engine.Decision{Verdict: event.Verdict{Kind: 1}}, nil
		}))
		vm.rule("web", []string{"event.web"}, func(d *engine.RuleDecl) { d.Run = vm.note(&log, "web") })
		vm.rule("last", startSnd, func(d *engine.RuleDecl) { d.Always, d.Run = true, vm.note(&log, "last") })
	}}).up()
	r.start(newConn(1, "10.0.0.1:1000", "10.0.0.2:80"))
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}
