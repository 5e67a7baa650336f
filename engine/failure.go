package engine

import (
	"sync"
	"sync/atomic"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// health tells how a rule, the filter of an event or a timer fares, on all shards:
// what keeps failing is suspended until its script changes.
type health struct {
	off atomic.Bool // suspended

	mu       sync.Mutex // guards failures
	failures failures
}

// suspended reports whether the thing does not run.
func (h *health) suspended() bool { return h.off.Load() }

// fail notes a failure at event time now and reports whether it suspended the
// thing.
func (h *health) fail(now int64, overrun bool, l *Limits) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failures.add(now, overrun, l) && !h.off.Swap(true)
}

// fail counts a rule's failure, reports it, and suspends the rule when it keeps
// failing.
func (s *shard) fail(o *outcome, r *rule, err error) {
	se := asScriptError(err, r.script.path)
	st := r.state
	st.Errors++
	if se.Overrun {
		st.Overruns++
	}
	s.missed(o, r)
	s.blame(&st.health, s.origin(o, r.script, r.decl.Name, se.Line), o.plan.where, se)
	s.poisoned(r.script.instance, se)
}

// missed notes that a rule has no say about an event which it is for. What it
// answers on errors comes behind.
func (s *shard) missed(o *outcome, r *rule) {
	if !o.verdict.Decided() && !r.decl.Always && !r.decl.Observe && !s.engine.cfg.Observe {
		o.verdict.Failed = true
	}
}

// missedAll is missed for the rules on a user-defined event of which nobody knows whether it holds.
func (s *shard) missedAll(o *outcome, n *node) {
	for _, en := range n.order {
		if en.matches == nil || en.matches(o.event) {
			s.missed(o, en.rule)
		}
	}
}

// failEvent reports the failure of a user-defined event's filter; the event
// does not hold.
func (s *shard) failEvent(o *outcome, n *node, err error) {
	s.missedAll(o, n)
	se := asScriptError(err, n.script.path)
	s.blame(n.health, s.origin(o, n.script, n.decl.Name, se.Line), o.plan.where, se)
	s.poisoned(n.script.instance, se)
}

// failTimer reports the failure of a timer.
func (s *shard) failTimer(t *timer, err error) {
	se := asScriptError(err, t.script.path)
	s.blame(t.health, Origin{TS: s.Now(), Gen: s.gen.Number, Script: t.script.path, Rule: t.decl.Name, Line: se.Line}, nil, se)
	s.poisoned(t.script.instance, se)
}

// blame reports a failure and suspends what h is the health of when it was one
// too many. A nil where is no hook point.
func (s *shard) blame(h *health, from Origin, where *event.PointInfo, se *ScriptError) {
	rec := &ErrorRecord{Origin: from, Err: se}
	var at event.PointID
	if where != nil {
		rec.Point, at = where.Name, where.ID
	}
	rec.Suspended = h.fail(s.Now(), se.Overrun, &s.engine.cfg.Limits)
	s.report(rec, at)
	if k, ok := from.Subject.(event.Blamed); ok && s.shadow == nil {
		k.HandlerFailed(at, se.Error())
	}
	if rec.Suspended {
		s.raiseOwn(hookdev.OnRuleSuspended.ID(), &hookdev.RuleSuspended{
			Script: from.Script, Name: from.Rule, Message: se.Error(),
		})
	}
}

// report hands a failure to the sink and raises hookd.script_error, except for
// failures of the handlers of that very event.
func (s *shard) report(rec *ErrorRecord, at event.PointID) {
	s.errors++
	s.sink.ScriptError(rec)
	if at == hookdev.OnScriptError.ID() {
		return
	}
	s.raiseOwn(hookdev.OnScriptError.ID(), &hookdev.ScriptError{
		Script:  rec.Script,
		File:    rec.Err.In(),
		Name:    rec.Rule,
		Line:    uint32(max(rec.Err.Line, 0)),
		Message: rec.Err.Error(),
		Overrun: rec.Err.Overrun,
	})
}

// raiseOwn queues one of the engine's own events behind the running handler, or
// raises it at once where none runs.
func (s *shard) raiseOwn(id event.PointID, e any) {
	p := s.plans[id]
	if p == nil {
		return
	}
	if s.busy {
		// A refusal is counted by the queue.
		_ = s.queue.push(s, raised{plan: p, event: e, depth: s.depth + 1})
		return
	}
	s.Dispatch(s.Shard, id, e)
}
