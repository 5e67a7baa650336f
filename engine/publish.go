package engine

import (
	"fmt"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// Publish makes the staged generation live: declared stores and state take
// effect, then in each shard, between two of its events, the bindings are
// swapped; timers are re-armed with their phase kept. Traffic may flow
// meanwhile. It returns what is live now, on all shards.
func (st *Staged) Publish() (*Generation, error) {
	e := st.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case st.done:
		return nil, fmt.Errorf("engine: publish generation %d: it was published or discarded before", st.gen.Number)
	case st.gen.Number != e.live.Number+1:
		st.discard()
		return nil, fmt.Errorf("engine: publish generation %d: %d is live meanwhile", st.gen.Number, e.live.Number)
	}
	if err := st.saveLeaving(); err != nil {
		st.discard()
		return nil, fmt.Errorf("engine: publish generation %d: %w", st.gen.Number, err)
	}
	if err := e.swap(st); err != nil {
		return nil, fmt.Errorf("engine: publish generation %d: %w", st.gen.Number, err)
	}
	return st.gen, nil
}

// swap puts the staged generation in the place of the live one.
func (e *Engine) swap(st *Staged) error {
	old, next := e.live, e.fit(st.gen)
	e.edit(next)
	first := e.shards[0]
	first.Enter()
	if err := st.stores.Publish(); err != nil {
		first.Leave()
		st.discard()
		return err
	}
	st.done = true
	for _, name := range st.damaged {
		e.damaged[name] = true
	}
	for _, r := range st.states {
		r.Publish()
	}
	e.live = next
	e.adopt(old, next)
	first.Leave()
	e.take(next)
	e.number.Store(next.Number)
	if old.Number == 0 {
		return nil
	}
	e.reloads++
	if e.started {
		first.Enter()
		emit(first, hookdev.OnReloaded, &hookdev.Reloaded{
			Generation: st.gen.Number, Hash: st.gen.Hash,
			Scripts: st.gen.Scripts(), Changed: st.gen.Changed,
		})
		first.Leave()
	}
	return nil
}

// take makes g live on all shards: those that are driven together at once.
func (e *Engine) take(g *Generation) {
	parts := g.shards()
	for i, s := range e.shards {
		if s.turn.shards[0] != s {
			continue // taken with the first
		}
		s.Enter()
		for k, t := range s.turn.shards {
			t.takeRules(parts[i+k])
		}
		for k, t := range s.turn.shards {
			old := t.gen
			e.installLocked(t, parts[i+k])
			t.rebindTimers(parts[i+k])
			t.leaving = old
		}
		for _, t := range s.turn.shards {
			t.rebind(t.leaving)
			t.leaving = nil
		}
		s.Leave()
	}
}

// takeRules lets the rules of g go on with what they are on this shard.
func (s *shard) takeRules(g *Generation) {
	rules := make(map[ruleKey]*ruleState)
	for _, sc := range g.order {
		for _, r := range sc.rules {
			key := ruleKey{sc.path, r.decl.Name}
			st := s.rules[key]
			if st == nil {
				st = &ruleState{}
			}
			if sc.fresh {
				st.muted = 0
				st.era++
			}
			st.ruleShared = s.engine.rules[key]
			r.state, rules[key] = st, st
		}
	}
	s.rules = rules
}

// Apply stages the sources and publishes them; on errors the live generation
// goes on, and its rules hear of it by hookd.reload_failed.
func (e *Engine) Apply(sources []Source) (*Generation, diag.List) {
	st, diags := e.Stage(sources)
	if st == nil {
		e.Refuse(diags)
		return nil, diags
	}
	gen, err := st.Publish()
	if err != nil {
		diags = append(diags, &diag.Diagnostic{Msg: err.Error()})
		return nil, diags
	}
	return gen, diags
}

// Refuse tells the live generation, by hookd.reload_failed with the first error of
// diags, that new scripts were not taken.
func (e *Engine) Refuse(diags diag.List) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.shards[0]
	s.Enter()
	defer s.Leave()
	if !e.started {
		return
	}
	for _, d := range diags {
		if d.Severity == diag.Error {
			emit(s, hookdev.OnReloadFailed, &hookdev.ReloadFailed{Generation: e.live.Number, Message: d.Error()})
			return
		}
	}
}

// adopt gives the generation's rules and events the state they keep under their
// names and forgets that of rules which are gone. A reload ends suspensions of
// the scripts that changed.
func (e *Engine) adopt(old, g *Generation) {
	for name, u := range g.users {
		if before := old.users[name]; before != nil && !u.script.fresh {
			u.fareAs(before.health)
		}
		for _, other := range g.others {
			if same := other.users[name]; same != nil { // guests are in the first shard alone
				same.fareAs(u.health)
			}
		}
	}
	kept := make(map[ruleKey]*ruleShared)
	for _, sc := range g.order {
		for _, r := range sc.rules {
			key := ruleKey{sc.path, r.decl.Name}
			st := e.rules[key]
			switch {
			case st == nil:
				st = &ruleShared{threshold: r.threshold, matched: new(uint64)}
			case sc.fresh:
				st = &ruleShared{threshold: st.threshold.adopt(r.threshold), matched: st.matched}
			}
			kept[key] = st
		}
	}
	e.rules = kept
}

// fareAs lets an event be suspended when another with that health is.
func (u *userEvent) fareAs(h *health) {
	u.health = h
	for _, n := range u.nodes {
		n.health = h
	}
}

// install binds g on every shard.
func (e *Engine) install(g *Generation) {
	for i, g := range g.shards() {
		s := e.shards[i]
		s.Enter()
		e.installLocked(s, g)
		s.Leave()
	}
}
