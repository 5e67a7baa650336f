package engine

import (
	"fmt"
	"math"
	"time"

	"github.com/hookd/hookd/engine/event"
)

// delay is a timer that a handler started.
type delay struct {
	event.Timer
	shard *shard
	of    *binding
	kind  string // type of the object
	every int64  // 0: it runs once
	next  int64
	fired uint64
}

// Delay implements [Services]. at is nil for a timer that belongs to no object.
// A named handler has one timer on an object, and one on none: starting it again
// moves it.
func (s *shard) Delay(call *Call, at *Attachment, after time.Duration, repeat bool, h *Handler) error {
	if at != nil {
		if err := reach(at); err != nil {
			return err
		}
	}
	if int64(after) > math.MaxInt64-s.Now() {
		return fmt.Errorf("%s from now is behind the end of time", after)
	}
	u := s.usage(call.Script)
	var b *bound
	if at != nil {
		b = s.attach(at.Object)
	}
	old := s.delayNamed(u, b, call.Script, h.Name)
	if old == nil {
		if err := s.room(b, u.delays, s.engine.cfg.Limits.Timers, "timers started"); err != nil {
			return err
		}
	}
	t, err := s.target(call.Script, h)
	if err != nil {
		return err
	}
	if t.source == nil && len(t.rule.decl.On) > 0 {
		s.letGo(t)
		return fmt.Errorf("handler %q is not for timers%s: one without on is", h.Name, t.rule.bindable())
	}
	x := &binding{target: t, owner: b, on: s, param: h.Param}
	x.delay = &delay{shard: s, of: x, next: s.Now() + int64(after)}
	if repeat {
		x.delay.every = int64(after)
	}
	switch {
	case b != nil:
		b.timers = append(b.timers, x)
		x.delay.kind = at.Type
	case h.Name != "":
		u.named[h.Name] = x
	}
	u.delays++
	s.bound.Delays++
	t.hold(x)
	s.Timers().Arm(&x.delay.Timer, x.delay.next, x.delay.fire)
	if old != nil {
		s.release(old)
	}
	return nil
}

// delayNamed returns the timer of a named handler on an object, or on none.
func (s *shard) delayNamed(u *usage, b *bound, script, name string) *binding {
	switch {
	case name == "":
	case b == nil:
		return u.named[name]
	default:
		for _, x := range b.timers {
			if x.target.key == (ruleKey{script, name}) {
				return x
			}
		}
	}
	return nil
}

// Cancel implements [Services].
func (s *shard) Cancel(call *Call, at *Attachment, name string) error {
	if err := reach(at); err != nil {
		return err
	}
	if b := s.boundTo(at.Object); b != nil {
		if x := s.delayNamed(nil, b, call.Script, name); x != nil {
			s.release(x)
			return nil
		}
	}
	return fmt.Errorf("not bound: no timer of %s runs a handler %q", at.Object.Label(), name)
}

// fire runs the handler and sets the next deadline, a whole number of periods
// after the first one.
func (d *delay) fire(int64) {
	s, x := d.shard, d.of
	s.busy = true
	switch {
	case d.every == 0:
		s.release(x)
	default:
		skip := periodsToSkip(d.next, d.every, s.Goal(), s.engine.cfg.Limits.TimerCatchUp)
		s.skips += uint64(skip)
		d.next += skip * d.every
		if d.every > math.MaxInt64-d.next {
			s.release(x)
			break
		}
		d.next += d.every
		s.Timers().Arm(&d.Timer, d.next, d.fire)
	}
	if st := x.target.rule.state; st.off.Load() == 0 && !st.suspended() {
		d.fired++
		s.runDelay(x)
		s.drain(nil)
	}
	s.busy = false
	s.tidy()
	s.settle()
}

// runDelay calls the handler of a timer.
func (s *shard) runDelay(x *binding) {
	r, d := x.target.rule, x.delay
	r.state.Seen++
	r.state.Matched++
	c := &s.call
	s.handed = c
	*c = Call{Count: d.fired, Param: x.param}
	c.Shard, c.Script, c.Rule, c.Gen = s.Shard, r.script.path, r.decl.Name, s.gen.Number
	c.Observe = r.decl.Observe || s.engine.cfg.Observe
	from := Origin{TS: s.Now(), Gen: s.gen.Number, Script: r.script.path, Rule: r.decl.Name}
	if x.owner != nil {
		c.Object, c.Type = x.owner.object, d.kind
		from.Subject, from.Conn = c.Object, c.Object.ID()
	}
	dec, err := r.script.instance.Run(r.run, c)
	if err == nil && dec != nil && dec.Decided() {
		err = &ScriptError{
			Script: r.script.path, Line: r.decl.Line,
			Message: fmt.Sprintf("handler %q decided %s: a timer decides nothing", r.decl.Name, decisionName(*dec)),
		}
	}
	if err == nil && dec != nil && dec.Off {
		s.release(x)
	}
	if err == nil {
		return
	}
	se := asScriptError(err, r.script.path)
	r.state.Errors++
	if se.Overrun {
		r.state.Overruns++
	}
	from.Line = se.Line
	s.blame(&r.state.health, from, nil, se)
	s.poisoned(r.script.instance, se)
}

// periodsToSkip returns how many periods a repeating timer that is due leaves
// out, when time jumped so far that running them one by one would take for ever.
func periodsToSkip(next, every, goal int64, most int) int64 {
	late := (goal-next)/every - 1 // the next one is due a period from now
	return max(0, late-int64(most))
}

// stopDelays disarms all timers that handlers started.
func (s *shard) stopDelays() {
	stop := func(t *target) {
		for x := t.held; x != nil; x = x.next {
			if x.delay != nil {
				s.Timers().Stop(&x.delay.Timer)
			}
		}
	}
	for _, t := range s.targets {
		stop(t)
	}
	for _, src := range s.sources {
		for _, t := range src.targets {
			stop(t)
		}
	}
}
