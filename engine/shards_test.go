package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// spreadRig is an engine of n shards over fake scripts.
func spreadRig(t *testing.T, n int, drive event.Drive, scripts fakeRuntime) *rig {
	t.Helper()
	s := &sink{}
	e := engine.New(engine.Config{
		Catalogue: catalogue.New(catalogue.All()...), Sink: s, Shards: n, Drive: drive, Limits: engine.Limits{Errors: 3},
	})
	e.Use(scripts)
	t.Cleanup(e.Close)
	return &rig{Engine: e, t: t, rt: scripts, sink: s}
}

// TestShards checks what is one for all shards and what each has.
func TestShards(t *testing.T) {
	for _, drive := range []event.Drive{event.Together, event.Apart} {
		t.Run(fmt.Sprint(drive), func(t *testing.T) {
			machines := 0
			var log []string
			r := spreadRig(t, 3, drive, fakeRuntime{"a.lua": func(vm *fakeVM) {
				machines++
				me := machines
				note := func(word string) engine.FuncID {
					return vm.fn(func(c *engine.Call) (engine.Decision, error) {
						log = append(log, fmt.Sprintf("%s: shard %d, machine %d, count %d", word, c.Shard.Index(), me, c.Matches()))
						return engine.Decision{}, nil
					})
				}
				vm.rule("start", []string{"hookd.start"}, func(d *engine.RuleDecl) { d.Run = note("start") })
				vm.rule("third", startSnd, func(d *engine.RuleDecl) {
					d.Threshold = &engine.ThresholdDecl{Count: 3, Within: time.Minute, Fire: "each"}
					d.Run = note("third")
				})
				vm.rule("all", startSnd, func(d *engine.RuleDecl) { d.Run = note("all") })
				vm.rule("fails", startSnd, func(d *engine.RuleDecl) {
					d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) { return engine.Decision{}, errors.New("no") })
				})
				vm.plan.Timers = []*engine.TimerDecl{{Name: "t", Every: 10 * time.Second, Run: note("timer")}}
			}}).up()
			for i := range 4 {
				s := r.Shard(i % 3)
				s.Enter()
				s.Advance(1000e9 + int64(i))
				flowev.OnConnStartSnd.Emit(s, &flowev.ConnStart{C: newConn(uint64(i+1), "10.0.0.1:1000", "10.0.0.2:80"), Side: flowev.SideClient})
				s.Leave()
			}
			for i := range 3 {
				s := r.Shard(i)
				s.Enter()
				s.Advance(1010e9)
				s.Leave()
			}
			want := []string{
				"start: shard 0, machine 1, count 1",
				"all: shard 0, machine 1, count 1",
				"all: shard 1, machine 2, count 2",
				"third: shard 2, machine 3, count 1",
				"all: shard 2, machine 3, count 3",
				"third: shard 0, machine 1, count 2",
				"all: shard 0, machine 1, count 4",
				"timer: shard 0, machine 1, count 1",
			}
			if diff := cmp.Diff(want, log); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(r.sink.errors) != 3 || !r.sink.errors[2].Suspended {
				t.Errorf("%d errors, not 3 of which the last suspends the rule on all shards", len(r.sink.errors))
			}
			for _, st := range r.Rules() {
				if st.Name == "all" && (st.Seen != 4 || st.Matched != 4) {
					t.Errorf("rule all: %+v", st.RuleStats)
				}
				if st.Name == "fails" && (!st.Suspended || st.Errors != 3) {
					t.Errorf("rule fails: suspended %t, %+v", st.Suspended, st.RuleStats)
				}
			}
			if now := r.Shards().Clock().Now(); now != 1010e9 {
				t.Errorf("the clock of all says %d", now)
			}
			// Counters and counts go on over a reload; a suspension does not.
			log = nil
			if _, diags := r.Apply(r.sources("2")); diags.HasErrors() {
				t.Fatal(diags)
			}
			s := r.Shard(1)
			s.Enter()
			flowev.OnConnStartSnd.Emit(s, &flowev.ConnStart{C: newConn(9, "10.0.0.1:1000", "10.0.0.2:80"), Side: flowev.SideClient})
			s.Leave()
			if diff := cmp.Diff([]string{"third: shard 1, machine 5, count 3", "all: shard 1, machine 5, count 5"}, log); diff != "" {
				t.Errorf("after a reload (-want +got):\n%s", diff)
			}
			if len(r.sink.errors) != 4 {
				t.Errorf("%d errors, not one more", len(r.sink.errors))
			}
		})
	}
}

// TestTopLevelsDiffer checks that a top level which declares something else on
// another shard is refused, at its line.
func TestTopLevelsDiffer(t *testing.T) {
	for _, tt := range []struct {
		name    string
		declare func(vm *fakeVM, first bool)
		want    string
	}{
		{"one rule more", func(vm *fakeVM, first bool) {
			if !first {
				vm.rule("b", startSnd, func(*engine.RuleDecl) {})
			}
		}, `a.lua:2: rule "b" is declared otherwise on shard 1`},
		{"one rule less", func(vm *fakeVM, first bool) {
			if first {
				vm.rule("b", startSnd, func(*engine.RuleDecl) {})
			}
		}, `a.lua:2: rule "b" is declared otherwise on shard 1`},
		{"another scope", func(vm *fakeVM, first bool) {
			vm.rule("b", startSnd, func(d *engine.RuleDecl) { d.Always = first })
		}, `a.lua:2: rule "b" is declared otherwise on shard 1`},
		{"another period", func(vm *fakeVM, first bool) {
			d := &engine.TimerDecl{Name: "t", Line: 7, Every: time.Second, Run: 1}
			if first {
				d.Every = time.Minute
			}
			vm.plan.Timers = append(vm.plan.Timers, d)
		}, `a.lua:7: timer "t" is declared otherwise on shard 1`},
		{"another event", func(vm *fakeVM, first bool) {
			name := "e"
			if first {
				name = "f"
			}
			vm.event(name, "flow.conn_start", 0)
		}, `a.lua:1: event "f" is declared otherwise on shard 1`},
		{"the same", func(*fakeVM, bool) {}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := true
			r := spreadRig(t, 2, event.Together, fakeRuntime{"a.lua": func(vm *fakeVM) {
				vm.rule("a", startSnd, func(*engine.RuleDecl) {})
				tt.declare(vm, first)
				first = false
			}})
			_, diags := r.Apply(r.sources("1"))
			got := ""
			if len(diags) > 0 {
				d := *diags[0]
				d.Col = 0
				got = d.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestKeptPerShard checks when a script that keeps something in its machine loads.
func TestKeptPerShard(t *testing.T) {
	for _, tt := range []struct {
		shards int
		each   bool
		ok     bool
	}{{1, false, true}, {2, false, false}, {2, true, true}} {
		r := spreadRig(t, tt.shards, event.Together, fakeRuntime{"a.lua": func(vm *fakeVM) {
			vm.plan.Script.EachShard = tt.each
			vm.plan.PerShard = diag.List{{File: "a.lua", Line: 3, Msg: "it keeps something"}}
		}})
		_, diags := r.Apply(r.sources("1"))
		if diags.HasErrors() == tt.ok || !tt.ok && len(diags) != 1 {
			t.Errorf("%d shards, each %t: %v", tt.shards, tt.each, diags)
		}
	}
}

// TestTimersOfShards checks the order of timers over shards that are driven
// together: by deadline, then by place, then by arming.
func TestTimersOfShards(t *testing.T) {
	set := event.NewShards(3, event.Together, 0)
	var log []string
	timers := make([]event.Timer, 6)
	arm := func(i, shard int, when int64, place uint64) {
		run := func(now int64) {
			for j := range set.Len() {
				if set.At(j).Now() != now {
					t.Errorf("timer %d at %d: shard %d is at %d", i, now, j, set.At(j).Now())
				}
			}
			log = append(log, fmt.Sprintf("%d@%d", i, now))
		}
		if q := set.At(shard).Timers(); place != 0 {
			q.ArmAt(&timers[i], when, place, run)
		} else {
			q.Arm(&timers[i], when, run)
		}
	}
	arm(0, 2, 20, 0)
	arm(1, 0, 20, 0)
	arm(2, 1, 10, 0)
	arm(3, 1, 20, 7)
	arm(4, 2, 20, 5)
	arm(5, 0, 31, 0)
	set.At(1).Enter()
	set.At(1).Advance(30)
	set.At(1).Leave()
	if diff := cmp.Diff([]string{"2@10", "4@20", "3@20", "0@20", "1@20"}, log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if set.Clock().Now() != 30 || set.At(2).Now() != 30 {
		t.Errorf("clock %d, shard 2 %d", set.Clock().Now(), set.At(2).Now())
	}
}

// TestPost checks that posts run in order before the next event, and are bounded.
func TestPost(t *testing.T) {
	set := event.NewShards(2, event.Apart, 2)
	var log []int
	s := set.At(1)
	for i := range 3 {
		if ok := s.Post(func() { log = append(log, i) }); ok != (i < 2) {
			t.Errorf("post %d: %t", i, ok)
		}
	}
	s.Enter()
	s.Advance(5)
	s.Leave()
	if diff := cmp.Diff([]int{0, 1}, log); diff != "" || s.PostsRefused() != 1 {
		t.Errorf("ran %v, refused %d", log, s.PostsRefused())
	}
}

// TestNestedOverShards checks that an event which a handler causes in another shard
// waits for that handler, where shards are driven together.
func TestNestedOverShards(t *testing.T) {
	var log []string
	var r *rig
	r = spreadRig(t, 2, event.Together, fakeRuntime{"a.lua": func(vm *fakeVM) {
		vm.rule("first", startSnd, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) {
				flowev.OnConnEnd.Emit(r.Shard(1), &flowev.ConnEnd{C: newConn(2, "10.0.0.1:1", "10.0.0.2:2")})
				log = append(log, "first returned")
				return engine.Decision{}, nil
			})
		})
		vm.rule("end", []string{"flow.conn_end"}, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(c *engine.Call) (engine.Decision, error) {
				log = append(log, fmt.Sprint("end in shard ", c.Shard.Index()))
				return engine.Decision{}, nil
			})
		})
	}}).up()
	r.start(newConn(1, "10.0.0.1:1", "10.0.0.2:2"))
	if diff := cmp.Diff([]string{"first returned", "end in shard 1"}, log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.Stop(hookdev.StopReasonDone)
}
