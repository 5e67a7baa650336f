package engine

import (
	"errors"
	"math"
	"time"

	"github.com/hookd/hookd/engine/event"
)

// WaitStats counts what waits and what became of it.
type WaitStats struct {
	Waiting      int    // handlers and coroutines that wait now
	Canceled     uint64 // whose waiting was ended early
	QueueRefused uint64 // events that did not fit the queue behind a handler that waits
}

func (w *WaitStats) add(s *shard) {
	for _, sc := range s.gen.order {
		w.Waiting += sc.instance.Waiting()
	}
	for _, src := range s.sources {
		if src.retired {
			w.Waiting += src.instance.Waiting()
		}
	}
	w.Canceled += s.canceled
	w.QueueRefused += s.queueRefused
}

// Later implements [Services].
func (s *shard) Later(run func()) {
	s.ready = append(s.ready, run)
	s.settle()
}

// maxSettle is how many of those run at once. What a script starts again and
// again would otherwise never let the next event come.
const maxSettle = 1000

// settle runs what waited until no handler runs, in order. What it causes is
// delivered behind each.
func (s *shard) settle() {
	if s.busy || len(s.ready) == 0 {
		return
	}
	for n := 0; len(s.ready) > 0 && n < maxSettle; n++ {
		run := s.ready[0]
		s.ready[0] = nil
		s.ready = s.ready[1:]
		s.busy = true
		run()
		s.drain(nil)
		s.busy = false
		s.tidy()
	}
	if len(s.ready) == 0 {
		s.ready = nil
	} else if !s.rest.Armed() {
		s.turn.shards[0].Timers().Arm(&s.rest, s.due(0), func(int64) { s.settle() })
	}
	s.sweep()
}

// minSleep is the shortest sleep.
const minSleep = time.Millisecond

// due returns when something is to happen that a script asked for in d from now.
// A script that wakes up again and again while time jumps is put off behind the
// jump when that was too often.
func (s *shard) due(d time.Duration) int64 {
	at := s.Now() + int64(max(d, minSleep))
	if at < s.Now() {
		return math.MaxInt64
	}
	if goal := s.Goal(); at <= goal {
		if s.jump != goal {
			s.jump, s.wakes = goal, 0
		}
		if s.wakes++; s.wakes > s.engine.cfg.Limits.SleepCatchUp {
			s.skips++
			at = goal + int64(minSleep)
		}
	}
	return at
}

// Failed implements [Services].
func (s *shard) Failed(in Instance, call *Call, err error) {
	if errors.Is(err, errCanceled) {
		return
	}
	se := asScriptError(err, call.Script)
	from := Origin{TS: s.Now(), Gen: call.Gen, Script: call.Script, Rule: call.Rule, Line: se.Line}
	from.about(call.Info, call.Event)
	h := &health{}
	if r := s.gen.rule(call.Script, call.Rule); r != nil {
		r.state.Errors++
		if se.Overrun {
			r.state.Overruns++
		}
		h = &r.state.health
	} else if t := s.timers[timerKey{call.Script, call.Rule}]; t != nil {
		h = t.health
	}
	s.blame(h, from, call.Where, se)
	s.poisoned(in, se)
}

// sleeper is a sleep on its way.
type sleeper struct{ event.Timer }

// Sleep implements [hookdev.Functions].
func (f functions) Sleep(c *event.Caller, d time.Duration, done func(error)) {
	if d < 0 {
		done(errors.New("sleep: a time is not negative"))
		return
	}
	s := f.engine.shards[c.Shard.Index()]
	t := &sleeper{}
	c.Waiter.OnCancel(func() { s.Timers().Stop(&t.Timer) })
	s.Timers().Arm(&t.Timer, s.due(d), func(int64) { done(nil) })
}

// needed reports whether something waits in a script's machine, or an event that
// waits is yet to be shown to its rules.
func (s *shard) needed(sc *script) bool {
	if sc.instance.Waiting() > 0 {
		return true
	}
	for w := range s.walks {
		if own := w.gen.scripts[sc.path]; own != nil && own.instance == sc.instance {
			return true
		}
	}
	return false
}

// sweep closes the draining machines that nothing needs any more.
func (s *shard) sweep() {
	if s.bound.Draining == 0 {
		return
	}
	for _, src := range s.inOrder() {
		if src.retired && len(src.targets) == 0 && !s.needed(src.script) {
			s.closeSource(src)
		}
	}
}

// cancel ends what waits in a machine and returns how much that is.
func (s *shard) cancel(in Instance) uint64 {
	n := uint64(in.Waiting())
	switch {
	case n == 0:
	case s.busy:
		s.Later(func() { in.CancelWaits(errCanceled) })
	default:
		s.busy = true
		in.CancelWaits(errCanceled)
		s.drain(nil)
		s.busy = false
		s.tidy()
		s.sweep()
	}
	s.canceled += n
	return n
}

// cancelAll ends everything that waits, and lets nothing wait any more.
func (s *shard) cancelAll() {
	s.closed = true
	for _, sc := range s.gen.order {
		s.cancel(sc.instance)
	}
	for _, src := range s.inOrder() {
		if src.retired {
			s.cancel(src.instance)
		}
	}
	s.ready = nil // what is left has been canceled
	s.Timers().Stop(&s.rest)
}
