package engine

import "fmt"

// quiet reports whether events have to ask [shard.silent] before the rule runs.
func (st *ruleState) quiet() bool { return st.muted > 0 || st.off.Load() }

// silent reports whether a rule does not run for the event: it is switched off,
// or unbound from the event's subject.
func (s *shard) silent(o *outcome, st *ruleState) bool {
	if st.off.Load() {
		return true
	}
	k := o.subject()
	if k == nil {
		return false
	}
	b := s.boundTo(k)
	return b != nil && b.silences(st)
}

func (b *bound) silences(st *ruleState) bool {
	for _, m := range b.muted {
		if m.state == st && m.era == st.era {
			return true
		}
	}
	return false
}

// leaveHere unbinds what returned rule.off from the event's subject: a bound
// handler for good, a rule until the object ends or the script changes.
func (s *shard) leaveHere(o *outcome, en *entry, x *binding) error {
	if x != nil {
		s.release(x)
		return nil
	}
	k, st := o.subject(), en.rule.state
	if k == nil || k.Slots() == nil {
		return &ScriptError{
			Script: en.rule.script.path, Line: en.rule.decl.Line,
			Message: fmt.Sprintf("rule %q returned rule.off at %s, which is about nothing that it could be unbound from", en.rule.decl.Name, o.plan.where.Name),
		}
	}
	if k.Ended() {
		return nil
	}
	b := s.attach(k)
	if b.silences(st) {
		return nil
	}
	kept := b.muted[:0]
	for _, m := range b.muted {
		if m.era == m.state.era {
			kept = append(kept, m)
		}
	}
	b.muted = append(kept, mute{st, st.era})
	st.muted++
	return nil
}

// Switch implements [Services].
func (s *shard) Switch(call *Call, name string, on bool) error {
	r := s.gen.rule(call.Script, name)
	switch {
	case r == nil:
		return fmt.Errorf("no rule named %q", name)
	case r.state.off.Load() != on:
		word := "off"
		if on {
			word = "on"
		}
		return fmt.Errorf("%q is %s already", name, word)
	}
	r.state.off.Store(!on)
	return nil
}
