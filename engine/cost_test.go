package engine_test

import (
	"testing"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/match"
)

// quiet is a sink that keeps nothing.
type quiet struct{ engine.Discard }

// TestNativeRulesAllocateNothing checks native rules that match, those that do
// not, and events that nothing is bound to.
func TestNativeRulesAllocateNothing(t *testing.T) {
	rules := func(vm *fakeVM) {
		vm.rule("hit", startSnd, func(d *engine.RuleDecl) { d.Verdict = verdict(flowev.VerdictCut) })
		vm.rule("miss", startSnd, func(d *engine.RuleDecl) {
			d.Verdict = verdict(flowev.VerdictReset)
			d.Match = &match.Node{All: []match.Node{{Path: []string{"server", "port"}, Op: match.Eq, Values: []match.Value{match.Number(443)}}}}
		})
	}
	r := newRigTo(t, &quiet{}, engine.Limits{}, fakeRuntime{"a.lua": rules}).up()
	start := &flowev.ConnStart{C: newConn(1, "10.0.0.1:1000", "10.0.0.2:80")}
	r.in(func(s *event.Shard) {
		for name, emit := range map[string]func(){
			"bound":   func() { flowev.OnConnStartSnd.Emit(s, start) },
			"unbound": func() { flowev.OnConnStartRcv.Emit(s, start) },
		} {
			if n := testing.AllocsPerRun(1000, emit); n != 0 {
				t.Errorf("%s: %v allocations an event", name, n)
			}
		}
	})
	for _, st := range r.Rules() {
		if want := map[string]bool{"hit": true}[st.Name]; (st.Decided > 0) != want {
			t.Errorf("%s decided %d times", st.Name, st.Decided)
		}
	}
}
