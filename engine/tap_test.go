package engine_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// apply publishes the scripts with that text.
func (r *rig) apply(text string) {
	r.t.Helper()
	if _, diags := r.Apply(r.sources(text)); diags.HasErrors() {
		r.t.Error(diags)
	}
}

// TestAttach checks that taps come and go, and that stacks are asked for events
// only meanwhile.
func TestAttach(t *testing.T) {
	r := spreadRig(t, 2, event.Apart, fakeRuntime{}).up()
	wanted := func() (w [2]bool) {
		for i := range w {
			s := r.Shard(i)
			s.Enter()
			w[i] = flowev.OnConnStartSnd.Wanted(s)
			s.Leave()
		}
		return w
	}
	var log []string
	raise := func(i int) {
		s := r.Shard(i)
		s.Enter()
		defer s.Leave()
		flowev.OnConnStartSnd.Emit(s, &flowev.ConnStart{C: newConn(1, "10.0.0.1:1", "10.0.0.2:2")})
	}
	tap := func(word string) engine.Tap {
		return func(s *event.Shard, _ *event.Info, where *event.PointInfo, _ any) {
			log = append(log, fmt.Sprint(word, " ", s.Index(), " ", where.Name))
		}
	}
	id := flowev.OnConnStartSnd.ID()
	raise(0)
	first := r.Attach([]event.PointID{id, id}, tap("first"))
	raise(0)
	second := r.Attach([]event.PointID{id, flowev.OnConnEnd.ID()}, tap("second"))
	raise(1)
	if got := wanted(); got != [2]bool{true, true} {
		t.Errorf("wanted %v", got)
	}
	first()
	first()
	raise(1)
	r.apply("2") // taps outlive a reload
	raise(0)
	second()
	raise(0)
	want := []string{
		"first 0 flow.conn_start.snd", "first 1 flow.conn_start.snd", "second 1 flow.conn_start.snd",
		"second 1 flow.conn_start.snd", "second 0 flow.conn_start.snd",
	}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
	if got := wanted(); got != [2]bool{} {
		t.Errorf("wanted afterwards: %v", got)
	}
}

// TestAttachUnderTraffic lets taps come and go, and generations be published,
// while shards raise events: each tap sees every event between its two ends, and
// none after.
func TestAttachUnderTraffic(t *testing.T) {
	r := spreadRig(t, 3, event.Apart, fakeRuntime{"a.lua": func(vm *fakeVM) {
		vm.rule("r", startSnd, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) { return engine.Decision{}, nil })
		})
	}}).up()
	var done atomic.Bool
	var traffic, taps sync.WaitGroup
	var raised [3]atomic.Uint64
	for i := range 3 {
		traffic.Go(func() {
			s, c := r.Shard(i), newConn(uint64(i), "10.0.0.1:1", "10.0.0.2:2")
			for !done.Load() {
				s.Enter()
				flowev.OnConnStartSnd.Emit(s, &flowev.ConnStart{C: c})
				raised[i].Add(1)
				s.Leave()
			}
		})
	}
	for range 4 {
		taps.Go(func() {
			for range 10 {
				var seen [3]atomic.Uint64
				var gone atomic.Bool
				var before [3]uint64
				detach := r.Attach([]event.PointID{flowev.OnConnStartSnd.ID()}, func(s *event.Shard, _ *event.Info, _ *event.PointInfo, _ any) {
					if gone.Load() {
						t.Error("a tap is called that is gone")
					}
					seen[s.Index()].Add(1)
				})
				for i := range before {
					before[i] = raised[i].Load()
				}
				for i := range before {
					for raised[i].Load() < before[i]+3 {
						runtime.Gosched()
					}
				}
				detach()
				gone.Store(true)
				for i := range seen {
					if n := seen[i].Load(); n < 2 {
						t.Errorf("shard %d: %d events seen", i, n)
					}
				}
			}
		})
	}
	for i := range 20 {
		r.apply(fmt.Sprint(i))
	}
	taps.Wait()
	done.Store(true)
	traffic.Wait()
	for i := range 3 {
		s := r.Shard(i)
		s.Enter()
		if flowev.OnPktInSnd.Wanted(s) || !flowev.OnConnStartSnd.Wanted(s) {
			t.Error("what is wanted is not what the rules want")
		}
		s.Leave()
	}
}

// TestSwitchRule checks what a person switches, beside what scripts do.
func TestSwitchRule(t *testing.T) {
	runs := 0
	r := spreadRig(t, 2, event.Together, fakeRuntime{"a.lua": func(vm *fakeVM) {
		count := vm.fn(func(*engine.Call) (engine.Decision, error) { runs++; return engine.Decision{}, nil })
		vm.rule("r", startSnd, func(d *engine.RuleDecl) { d.Run = count })
		vm.rule("declared", startSnd, func(d *engine.RuleDecl) { d.Run, d.Disabled = count, true })
	}}).up()
	raise := func(want int) {
		t.Helper()
		runs = 0
		for i := range 2 {
			s := r.Shard(i)
			s.Enter()
			flowev.OnConnStartSnd.Emit(s, &flowev.ConnStart{C: newConn(1, "10.0.0.1:1", "10.0.0.2:2")})
			s.Leave()
		}
		if runs != want {
			t.Errorf("%d runs, want %d", runs, want)
		}
	}
	turn := func(name string, on, changed bool, why error) {
		t.Helper()
		if got, err := r.SwitchRule("a.lua", name, on); got != changed || !errors.Is(err, why) {
			t.Errorf("%s: %t, %v", name, got, err)
		}
	}
	raise(2)
	turn("r", false, true, nil)
	turn("r", false, false, nil)
	raise(0)
	if st := r.Rules(); !st[0].Halted || st[0].Off || st[0].Seen != 4 || st[0].Matched != 2 || !st[1].Disabled {
		t.Errorf("%+v", st)
	}
	turn("r", true, true, nil)
	raise(2)
	turn("x", true, false, engine.ErrNoRule)
	turn("declared", true, false, engine.ErrDeclared)
	turn("r", false, true, nil)
	r.apply("1") // unchanged: it stays off
	raise(0)
	r.rt["a.lua"] = func(vm *fakeVM) {
		vm.rule("r", startSnd, func(d *engine.RuleDecl) {
			d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) { runs++; return engine.Decision{}, nil })
		})
	}
	r.apply("2")
	raise(2)
}
