package event_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
)

// planned is an armed timer as the naive list knows it.
type planned struct {
	at  int64
	seq int
	id  int
}

// TestTimers arms, moves, stops and runs timers at random and compares with a
// sorted list: order by deadline, then by arming; time stands at the deadline.
func TestTimers(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	s := event.NewShard(0)
	s.Enter()
	defer s.Leave()
	timers := make([]event.Timer, 50)
	var list []planned
	var got []string
	seq := 0
	forget := func(id int) {
		list = slices.DeleteFunc(list, func(p planned) bool { return p.id == id })
	}
	for range 5000 {
		id := rng.IntN(len(timers))
		switch rng.IntN(4) {
		case 0, 1:
			at := s.Now() + rng.Int64N(40) - 5
			seq++
			forget(id)
			list = append(list, planned{at, seq, id})
			s.Timers().Arm(&timers[id], at, func(now int64) { got = append(got, fmt.Sprint(id, now)) })
		case 2:
			if s.Timers().Stop(&timers[id]) != slices.ContainsFunc(list, func(p planned) bool { return p.id == id }) {
				t.Fatal("Stop says otherwise than the list")
			}
			forget(id)
		case 3:
			checkAdvance(t, s, &list, &got, s.Now()+rng.Int64N(20))
		}
		if s.Timers().Len() != len(list) {
			t.Fatalf("%d timers are armed, want %d", s.Timers().Len(), len(list))
		}
	}
}

// checkAdvance advances to ts and wants the list's due timers to have run.
func checkAdvance(t *testing.T, s *event.Shard, list *[]planned, got *[]string, ts int64) {
	t.Helper()
	slices.SortFunc(*list, func(a, b planned) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return a.seq - b.seq
	})
	var want []string
	now := s.Now()
	for len(*list) > 0 && (*list)[0].at <= ts {
		now = max(now, (*list)[0].at)
		want = append(want, fmt.Sprint((*list)[0].id, now))
		*list = (*list)[1:]
	}
	*got = nil
	s.Advance(ts)
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Fatal(diff)
	}
	if s.Now() != max(now, ts) {
		t.Fatalf("time is %d, want %d", s.Now(), max(now, ts))
	}
}

// TestTimerThatRearms checks that a timer which arms itself again while it runs
// runs as often as the time allows, and that time never goes back.
func TestTimerThatRearms(t *testing.T) {
	t.Parallel()
	s := event.NewShard(0)
	s.Enter()
	defer s.Leave()
	var timer event.Timer
	var at []int64
	var run func(int64)
	run = func(now int64) {
		at = append(at, now)
		if s.Goal() != 35 {
			t.Errorf("the goal is %d", s.Goal())
		}
		s.Timers().Arm(&timer, now+10, run)
	}
	s.Timers().Arm(&timer, 10, run)
	s.Advance(35)
	s.Advance(20)
	if diff := cmp.Diff([]int64{10, 20, 30}, at); diff != "" {
		t.Error(diff)
	}
	if s.Now() != 35 || !timer.Armed() || timer.When() != 40 {
		t.Errorf("time %d, armed %v for %d", s.Now(), timer.Armed(), timer.When())
	}
}

// TestSlots checks what is attached to an object.
func TestSlots(t *testing.T) {
	t.Parallel()
	var s event.Slots
	if s.Used() || s.Get("a") != nil {
		t.Error("empty slots hold something")
	}
	s.Set("a", 1)
	s.Set("b", 2)
	s.Set("a", 3)
	if s.Get("a") != 3 || s.Get("b") != 2 || !s.Used() {
		t.Errorf("a %v, b %v", s.Get("a"), s.Get("b"))
	}
	s.Set("a", nil)
	s.Set("missing", nil)
	s.Set("b", nil)
	if s.Used() || s.Get("b") != nil {
		t.Error("slots that were emptied hold something")
	}
}

// TestUnbound checks that a shard without a dispatcher, or with nothing bound,
// costs no dispatch.
func TestUnbound(t *testing.T) {
	t.Parallel()
	s := event.NewShard(3)
	p := event.MakePoint[int](77)
	n := 5
	if p.Wanted(s) || p.Emit(s, &n).Decided() || s.Index() != 3 || p.ID() != 77 {
		t.Error("an unbound point is wanted")
	}
	calls := 0
	s.Bind(dispatch(func() { calls++ }), func(id event.PointID) bool { return id == 77 })
	other := event.MakePoint[int](78)
	p.Emit(s, &n)
	other.Emit(s, &n)
	if calls != 1 {
		t.Errorf("%d dispatches, want 1", calls)
	}
}

type dispatch func()

func (d dispatch) Dispatch(*event.Shard, event.PointID, any) event.Verdict {
	d()
	return event.Verdict{}
}
