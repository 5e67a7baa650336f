package engine

import (
	"errors"
	"fmt"
)

// quiet reports whether events have to ask [shard.silent] before the rule runs.
func (st *ruleState) quiet() bool { return st.muted > 0 || st.off.Load() != 0 }

// silent reports whether a rule does not run for the event: it is switched off,
// or unbound from the event's subject.
func (s *shard) silent(o *outcome, st *ruleState) bool {
	if st.off.Load() != 0 {
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
	case r.state.off.Load()&offByScript != 0 != on:
		word := "off"
		if on {
			word = "on"
		}
		return fmt.Errorf("%q is %s already", name, word)
	}
	r.state.set(offByScript, !on)
	return nil
}

// Who may switch a rule off. It runs where nobody did.
const (
	offByScript = 1 << iota
	offByHand
)

func (st *ruleShared) set(by uint32, off bool) {
	if off {
		st.off.Or(by)
	} else {
		st.off.And(^by)
	}
}

// Errors of [Engine.SwitchRule].
var (
	ErrNoRule   = errors.New("there is no such rule")
	ErrDeclared = errors.New("its declaration says enabled = false")
)

// SwitchRule turns a live rule or handler off or on by hand, on all shards, until
// its script changes. It reports whether that changed anything. What the script
// itself switched off stays off.
func (e *Engine) SwitchRule(script, name string, on bool) (changed bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.live.rule(script, name)
	switch {
	case r == nil:
		return false, ErrNoRule
	case r.decl.Disabled && on:
		return false, ErrDeclared
	}
	st := e.rules[ruleKey{script, name}]
	was := st.off.Load()&offByHand == 0
	st.set(offByHand, !on)
	return was != on, nil
}
