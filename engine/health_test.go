package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// TestFailingFiltersAndTimers checks that the filter of an event and a timer
// which keep failing are suspended as rules are, say so, and run again after a
// reload of their script only.
func TestFailingFiltersAndTimers(t *testing.T) {
	asked, fired := 0, 0
	var suspended []string
	r := newRig(t, engine.Limits{}, fakeRuntime{
		"a.lua": func(vm *fakeVM) {
			var log []string
			vm.event("sick", "flow.conn_start", vm.fn(func(*engine.Call) (engine.Decision, error) {
				asked++
				return engine.Decision{}, errors.New("no")
			}))
			vm.rule("on sick", []string{"event.sick"}, func(d *engine.RuleDecl) { d.Run = vm.note(&log, "never") })
			vm.plan.Timers = []*engine.TimerDecl{{Name: "ill", Every: 10 * time.Millisecond, Run: vm.fn(func(*engine.Call) (engine.Decision, error) {
				fired++
				return engine.Decision{}, errors.New("no")
			})}}
		},
		"b.lua": func(vm *fakeVM) {
			vm.rule("nurse", []string{"hookd.rule_suspended"}, func(d *engine.RuleDecl) {
				d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
					suspended = append(suspended, c.Event.(*hookdev.RuleSuspended).Name)
					return engine.Decision{}, nil
				})
			})
		},
	}).up()
	c := newConn(1, "10.0.0.1:1000", "10.0.0.2:80")
	run := func(want int) {
		t.Helper()
		for range 30 {
			r.start(c)
			r.advance(20 * time.Millisecond)
		}
		if asked != want || fired != want {
			t.Errorf("asked %d times, fired %d times, want %d of each", asked, fired, want)
		}
	}
	run(10)
	if diff := cmp.Diff([]string{"ill", "sick"}, suspended); diff != "" {
		t.Error(diff)
	}
	sources := r.sources("1")
	for i := range sources {
		if sources[i].Path == "b.lua" {
			sources[i].Text = []byte("another script changes")
		}
	}
	if _, diags := r.Apply(sources); diags.HasErrors() {
		t.Fatal(diags)
	}
	run(10)
	if _, diags := r.Apply(r.sources("2")); diags.HasErrors() {
		t.Fatal(diags)
	}
	run(20)
}
