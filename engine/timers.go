package engine

import (
	"math"

	"github.com/hookd/hookd/engine/event"
)

type timerKey struct{ script, name string }

// timer is a declared timer on its shard; it keeps its phase over reloads.
type timer struct {
	event.Timer
	shard  *shard
	script *script
	decl   *TimerDecl
	next   int64 // deadline, kept while disarmed
	done   bool  // it never runs again
	fired  uint64
	health *health
}

// armAll arms every timer in declaration order, at the start.
func (s *shard) armAll() {
	if s.Index() != 0 {
		return
	}
	for _, sc := range s.gen.order {
		for _, d := range sc.plan.Timers {
			if t := s.timers[timerKey{sc.path, d.Name}]; !t.Armed() && !t.done {
				t.arm(s.Now())
			}
		}
	}
}

func (t *timer) arm(now int64) {
	first := t.decl.After
	if first == 0 {
		first = t.decl.Every
	}
	t.next = now
	t.push(int64(first))
}

// push moves the deadline by d and arms the timer. One whose deadline lies
// behind the end of time, which a capture may claim to reach, stays disarmed.
func (t *timer) push(d int64) {
	if d > math.MaxInt64-t.next {
		t.done = true
		return
	}
	t.next += d
	t.shard.Timers().Arm(&t.Timer, t.next, t.fire)
}

// fire runs the timer's handler and sets the next deadline, a whole number of
// periods after the first one.
func (t *timer) fire(int64) {
	s := t.shard
	if t.decl.Every == 0 {
		t.done = true
	} else {
		t.catchUp()
		t.push(int64(t.decl.Every))
	}
	if t.health.suspended() {
		return // it keeps its phase for the reload
	}
	t.fired++
	s.runTimer(t)
}

// catchUp skips periods when time jumped so far that running them one by one
// would take for ever, and counts them.
func (t *timer) catchUp() {
	s, every := t.shard, int64(t.decl.Every)
	skip := periodsToSkip(t.next, every, s.Goal(), s.engine.cfg.Limits.TimerCatchUp)
	t.next += skip * every
	s.skips += uint64(skip)
}

func (s *shard) runTimer(t *timer) {
	s.busy = true
	c := &s.call
	s.handed = c
	*c = Call{Count: t.fired}
	c.Shard, c.Script, c.Rule, c.Gen = s.Shard, t.script.path, t.decl.Name, s.gen.Number
	c.Observe = s.engine.cfg.Observe
	if _, err := t.script.instance.Run(t.decl.Run, c); err != nil {
		s.failTimer(t, err)
	}
	s.drain(nil)
	s.busy = false
	s.tidy()
	s.settle()
}
