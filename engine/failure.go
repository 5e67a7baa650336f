package engine

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// fail counts a rule's failure, reports it, and suspends the rule when it keeps
// failing.
func (s *shard) fail(o *outcome, r *rule, err error) {
	se := asScriptError(err, r.script.path)
	st := r.state
	st.Errors++
	if se.Overrun {
		st.Overruns++
	}
	suspend := st.failures.add(s.Now(), se.Overrun, &s.engine.cfg.Limits) && !st.suspended
	if suspend {
		st.suspended = true
	}
	rec := &ErrorRecord{
		Origin:    s.origin(o, r.script, r.decl.Name, se.Line),
		Point:     o.plan.where.Name,
		Err:       se,
		Suspended: suspend,
	}
	s.report(rec, o.plan.where.ID)
	if suspend {
		s.raiseOwn(hookdev.OnRuleSuspended.ID(), &hookdev.RuleSuspended{
			Script: r.script.path, Name: r.decl.Name, Message: se.Error(),
		})
	}
}

// failEvent reports the failure of a user-defined event's filter; the event
// does not hold.
func (s *shard) failEvent(o *outcome, n *node, err error) {
	se := asScriptError(err, n.script.path)
	s.report(&ErrorRecord{
		Origin: s.origin(o, n.script, n.decl.Name, se.Line),
		Point:  o.plan.where.Name,
		Err:    se,
	}, o.plan.where.ID)
}

// report hands a failure to the sink and raises hookd.script_error, except for
// failures of the handlers of that very event.
func (s *shard) report(rec *ErrorRecord, at event.PointID) {
	s.errors++
	s.engine.cfg.Sink.ScriptError(rec)
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
