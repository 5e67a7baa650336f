package engine_test

import (
	"fmt"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
)

// TestTimers checks first deadlines, periods, order and event time in handlers.
func TestTimers(t *testing.T) {
	var log []string
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		add := func(name string, every, after time.Duration) {
			vm.plan.Timers = append(vm.plan.Timers, &engine.TimerDecl{
				Name: name, Every: every, After: after,
				Run: vm.fn(func(c *engine.Call) (engine.Decision, error) {
					log = append(log, fmt.Sprintf("%s@%d#%d", name, c.Shard.Now()/1e9-1000, c.Count))
					return engine.Decision{}, nil
				}),
			})
		}
		add("every", 10*time.Second, 0)
		add("soon", 10*time.Second, 3*time.Second)
		add("once", 0, 10*time.Second)
	}}).up()
	r.advance(25 * time.Second)
	want := []string{"soon@3#1", "every@10#1", "once@10#1", "soon@13#2", "every@20#2", "soon@23#3"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
	// A reload keeps the phase of a timer whose period stays.
	if _, diags := r.Apply(r.sources("2")); diags.HasErrors() {
		t.Fatal(diags)
	}
	log = nil
	r.advance(10 * time.Second)
	if diff := cmp.Diff([]string{"every@30#3", "soon@33#4"}, log); diff != "" {
		t.Error(diff)
	}
}

// TestTimersAtTheEndOfTime checks that timers come to rest where no later
// deadline can be told: a capture may claim any time.
func TestTimersAtTheEndOfTime(t *testing.T) {
	ran := map[string]int{}
	r := newRig(t, engine.Limits{TimerCatchUp: 5}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		for name, every := range map[string]time.Duration{"short": time.Millisecond, "long": 200 * 365 * 24 * time.Hour} {
			vm.plan.Timers = append(vm.plan.Timers, &engine.TimerDecl{Name: name, Every: every, Run: vm.fn(func(c *engine.Call) (engine.Decision, error) {
				ran[name]++
				if ran[name] > 100 {
					t.Fatalf("timer %s runs for ever", name)
				}
				return engine.Decision{}, nil
			})})
		}
	}}).up()
	r.in(func(s *event.Shard) {
		s.Advance(math.MaxInt64 - 1)
		s.Advance(math.MaxInt64)
	})
	if ran["short"] < 5 || ran["long"] != 1 {
		t.Errorf("got runs %v", ran)
	}
}

// TestTimerCatchUp checks that a jump of years does not run a timer for every
// second of them.
func TestTimerCatchUp(t *testing.T) {
	ran := 0
	r := newRig(t, engine.Limits{TimerCatchUp: 5}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		vm.plan.Timers = []*engine.TimerDecl{{Name: "t", Every: time.Second, Run: vm.fn(func(*engine.Call) (engine.Decision, error) {
			ran++
			return engine.Decision{}, nil
		})}}
	}}).up()
	r.advance(10 * 365 * 24 * time.Hour)
	if ran > 10 || ran < 5 {
		t.Errorf("ran %d times", ran)
	}
	if skips := r.Stats().TimerSkips; skips+uint64(ran) != 10*365*24*3600 {
		t.Errorf("skipped %d periods and ran %d, together not %d", skips, ran, 10*365*24*3600)
	}
	ran = 0
	r.advance(3 * time.Second)
	if ran != 3 {
		t.Errorf("after the jump it ran %d times in 3 s", ran)
	}
}

// TestThreshold checks sliding counts per key, in both ways of firing.
func TestThreshold(t *testing.T) {
	// Seconds at which one client connects; another connects each time too, and must
	// not add to its count. At 70 the window has let go of 60, so that the event
	// fills it again.
	at := []int{0, 1, 2, 3, 60, 64, 69, 70}
	for _, tt := range []struct {
		fire string
		want []int
	}{
		{"each", []int{2, 3, 69, 70}},
		{"once", []int{2, 69, 70}},
	} {
		t.Run(tt.fire, func(t *testing.T) {
			var fired []int
			r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
				vm.rule("many", startSnd, func(d *engine.RuleDecl) {
					d.Threshold = &engine.ThresholdDecl{By: []string{"client", "ip"}, Count: 3, Within: 10 * time.Second, Fire: tt.fire}
					d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
						if subject(c).ID() == 1 {
							fired = append(fired, int(c.Shard.Now()/1e9-1000))
						}
						return engine.Decision{}, nil
					})
				})
			}}).up()
			now := 0
			for _, sec := range at {
				r.advance(time.Duration(sec-now) * time.Second)
				now = sec
				r.start(newConn(1, "10.0.0.1:1000", "10.0.0.2:80"))
				r.start(newConn(2, "10.0.0.9:1000", "10.0.0.2:80"))
			}
			if diff := cmp.Diff(tt.want, fired); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestReload checks what stays over a publish: generation numbers, unchanged
// scripts' VMs, state, data of connections; and what a failed one leaves.
func TestReload(t *testing.T) {
	var seen []string
	vms := map[string][]*fakeVM{}
	script := func(path string) func(*fakeVM) {
		return func(vm *fakeVM) {
			vms[path] = append(vms[path], vm)
			vm.rule("count", startSnd, func(d *engine.RuleDecl) {
				d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
					n, err := vm.env.State.Table().Incr(record.String("n"), 1)
					if err != nil {
						return engine.Decision{}, err
					}
					data := vm.env.Services.Data(subject(c), path)
					m, err := data.Table().Incr(record.String("m"), 1)
					seen = append(seen, fmt.Sprint(path, " gen ", c.Gen, " state ", n, " data ", m))
					return engine.Decision{}, err
				})
			})
			vm.rule("told", []string{"hookd.reloaded", "hookd.reload_failed", "hookd.start"}, func(d *engine.RuleDecl) {
				d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
					if path == "a.lua" {
						seen = append(seen, c.Info.Name)
					}
					return engine.Decision{}, nil
				})
			})
		}
	}
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": script("a.lua"), "b.lua": script("b.lua")})
	r.up()
	c := newConn(1, "10.0.0.1:1000", "10.0.0.2:80")
	r.start(c)
	changed := []engine.Source{{Path: "a.lua", Text: []byte("1")}, {Path: "b.lua", Text: []byte("2")}}
	gen, diags := r.Apply(changed)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if gen.Number != 2 || len(gen.Changed) != 1 || gen.Changed[0] != "b.lua" {
		t.Errorf("generation %d changed %v", gen.Number, gen.Changed)
	}
	r.start(c)
	if _, diags := r.Apply([]engine.Source{{Path: "a.lua", Text: []byte("broken")}}); !diags.HasErrors() {
		t.Error("a broken script was published")
	}
	r.start(c)
	want := []string{
		"hookd.start",
		"a.lua gen 1 state 1 data 1", "b.lua gen 1 state 1 data 1",
		"hookd.reloaded",
		"a.lua gen 2 state 2 data 2", "b.lua gen 2 state 2 data 2",
		"hookd.reload_failed",
		"a.lua gen 2 state 3 data 3", "b.lua gen 2 state 3 data 3",
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	if len(vms["a.lua"]) != 1 || vms["a.lua"][0].close != 0 {
		t.Errorf("the unchanged script has %d VMs", len(vms["a.lua"]))
	}
	if len(vms["b.lua"]) != 2 || vms["b.lua"][0].close != 1 || vms["b.lua"][1].close != 0 {
		t.Error("the changed script's first VM was not closed, or its second was")
	}
	if st := r.Stats(); st.Reloads != 1 || st.ReloadFailures != 1 {
		t.Errorf("%d reloads, %d failures", st.Reloads, st.ReloadFailures)
	}
}

// subject is the connection a call is about.
func subject(c *engine.Call) event.Kept { return c.Info.Subject().Get.Object(c.Event).(event.Kept) }

// TestStageChangesNothing checks that state written while staging is seen only
// after the publish.
func TestStageChangesNothing(t *testing.T) {
	version := 0.0
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": func(vm *fakeVM) {
		version++
		if err := vm.env.State.Table().Set(record.String("v"), record.Number(version)); err != nil {
			t.Error(err)
		}
	}}).up()
	st, diags := r.Stage(r.sources("2"))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if got := r.State("a.lua").Table().Get(record.String("v")); !got.Equal(record.Number(1)) {
		t.Errorf("before the publish v is %s", got)
	}
	if _, err := st.Publish(); err != nil {
		t.Fatal(err)
	}
	if got := r.State("a.lua").Table().Get(record.String("v")); !got.Equal(record.Number(2)) {
		t.Errorf("after the publish v is %s", got)
	}
	if _, err := st.Publish(); err == nil {
		t.Error("published twice")
	}
}

// TestFunctions checks alert and log: origin, severity, limit a second.
func TestFunctions(t *testing.T) {
	r := newRig(t, engine.Limits{LogLines: 1, Alerts: 2}, fakeRuntime{})
	fns := r.Functions()
	var errs int
	r.rt["a.lua"] = func(vm *fakeVM) {
		vm.rule("talk", startSnd, func(d *engine.RuleDecl) {
			d.Severity = "high"
			d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
				if fns.Alert(&c.Caller, "found", []event.KV{{Key: "n", Value: 1.0}}) != nil {
					errs++
				}
				if fns.LogWarn(&c.Caller, "hm", nil) != nil {
					errs++
				}
				return engine.Decision{}, nil
			})
		})
	}
	r.up()
	c := newConn(5, "10.0.0.1:1000", "10.0.0.2:80")
	r.start(c)
	r.start(c)
	r.start(c)
	if len(r.sink.alerts) != 2 || len(r.sink.logs) != 1 || errs != 3 {
		t.Fatalf("%d alerts, %d logs, %d errors", len(r.sink.alerts), len(r.sink.logs), errs)
	}
	a, l := r.sink.alerts[0], r.sink.logs[0]
	if a.Severity != "high" || a.Rule != "talk" || a.Conn != 5 || a.TS != 1000e9 || a.Name != "found" {
		t.Errorf("alert %+v", a)
	}
	if l.Level != slog.LevelWarn || l.Message != "hm" {
		t.Errorf("log %+v", l)
	}
	r.advance(time.Second)
	r.start(c)
	if len(r.sink.logs) != 2 {
		t.Error("nothing is written in the next second")
	}
	if st := r.Stats(); st.LinesDropped != 2 || st.AlertsDropped != 1 {
		t.Errorf("%d lines and %d alerts dropped, want 2 and 1", st.LinesDropped, st.AlertsDropped)
	}
}
