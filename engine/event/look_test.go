package event_test

import (
	"sync"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
)

// pair is what a shard shows: two numbers that are the same wherever others may look.
type pair struct{ a, b int }

// looker changes its shard's pair, and looks from handlers at those of the others.
type looker struct {
	sh     *event.Shard
	all    []*looker
	shown  pair
	looks  int
	torn   int
	nested int
}

// change is what one packet does: an event is raised in the middle, when what is shown is whole.
func (l *looker) change(at event.Point[int]) {
	l.sh.Change()
	l.shown.a++
	l.shown.b++
	at.Emit(l.sh, new(int))
	l.shown.a++
	l.shown.b++
	l.sh.Changed()
}

// Dispatch implements [event.Dispatcher]: a handler that changes something, as c:tag does, and looks around.
func (l *looker) Dispatch(*event.Shard, event.PointID, any) event.Verdict {
	l.sh.Change()
	l.shown.a++
	l.shown.b++
	l.nested++
	l.sh.Changed()
	if l.nested%16 != 0 {
		return event.Verdict{}
	}
	for _, other := range l.all {
		l.sh.Look(other.sh, func() {
			l.looks++
			if other.shown.a != other.shown.b {
				l.torn++
			}
		})
	}
	return event.Verdict{}
}

// TestLook has shards, each driven by a goroutine, whose handlers look at all shards, their own too: none of them
// waits for ever, and nobody sees a change half made. One shard is entered for ever shorter and one for long.
func TestLook(t *testing.T) {
	t.Parallel()
	const shards, packets = 4, 20000
	point := event.MakePoint[int](3)
	set := event.NewShards(shards, event.Apart, 0)
	all := make([]*looker, shards)
	for i := range all {
		all[i] = &looker{sh: set.At(i), all: all}
		all[i].sh.Bind(all[i], func(id event.PointID) bool { return id == point.ID() })
	}
	var running sync.WaitGroup
	for i, l := range all {
		running.Go(func() {
			for n := 0; n < packets; {
				l.sh.Enter()
				for range 1 + i*i*32 { // packets an entry
					l.change(point)
					n++
				}
				l.sh.Leave()
			}
		})
	}
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("shards wait for each other")
	}
	for i, l := range all {
		if l.torn > 0 || l.looks != l.nested/16*shards || l.nested < packets || l.shown != (pair{3 * l.nested, 3 * l.nested}) {
			t.Errorf("shard %d: %d of %d looks saw half a change; %d events, shown %v", i, l.torn, l.looks, l.nested, l.shown)
		}
	}
}

// TestLookInAnEntry checks that who looks at a shard gets his turn while that is still entered, and needs no turn
// where nobody is there.
func TestLookInAnEntry(t *testing.T) {
	t.Parallel()
	set := event.NewShards(2, event.Apart, 0)
	changing, looking := set.At(0), set.At(1)
	changing.Enter()
	changing.Change()
	changing.Changed()
	looked := make(chan struct{})
	go func() {
		looking.Enter()
		looking.Look(changing, func() {})
		looking.Leave()
		close(looked)
	}()
	for waited := time.Now(); ; {
		changing.Change()
		changing.Changed()
		select {
		case <-looked:
			changing.Leave()
			looking.Enter()
			looking.Look(changing, func() {})
			looking.Leave()
			return
		default:
		}
		if time.Since(waited) > 10*time.Second {
			t.Fatal("nobody gives way")
		}
	}
}

// TestClockOfShards checks that the clock is the greatest time that a shard told, wherever that is, and that all have
// reached the least, once each told one.
func TestClockOfShards(t *testing.T) {
	t.Parallel()
	set := event.NewShards(3, event.Apart, 0)
	for i, ts := range []int64{50, 70, 60} {
		if least := set.Clock().Least(); least != 0 {
			t.Errorf("all have reached %d with %d at 0", least, 3-i)
		}
		s := set.At(i)
		s.Enter()
		s.Advance(ts)
		s.Leave()
	}
	if now, least := set.Clock().Now(), set.Clock().Least(); now != 70 || least != 50 {
		t.Errorf("it is %d, and all have reached %d", now, least)
	}
}

// TestLookWhileATimerRuns checks that who looks at a shard need not wait for what runs in it outside of changes, for
// as long as that takes: a timer, or what was posted.
func TestLookWhileATimerRuns(t *testing.T) {
	t.Parallel()
	set := event.NewShards(2, event.Apart, 0)
	s, looking := set.At(0), set.At(1)
	ran := 0
	lookedAt := func() {
		ran++
		looked := make(chan struct{})
		go func() {
			looking.Enter()
			looking.Look(s, func() {})
			looking.Leave()
			close(looked)
		}()
		select {
		case <-looked:
		case <-time.After(time.Minute):
			t.Error("who looks waits for a handler")
		}
	}
	change := func() {
		s.Change()
		s.Changed()
	}
	s.Enter()
	defer s.Leave()
	change()
	var timer event.Timer
	s.Timers().Arm(&timer, 5, func(int64) { lookedAt() })
	s.Advance(5)
	change()
	s.Post(func() { lookedAt(); change() })
	s.Post(lookedAt)
	s.Timers().Arm(&timer, 6, func(int64) { lookedAt() })
	s.Advance(6)
	if ran != 4 {
		t.Errorf("%d ran", ran)
	}
}
