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
	old := e.live
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
	e.live = st.gen
	e.adopt(old, st.gen)
	first.take(st.gen)
	first.Leave()
	for i, s := range e.shards[1:] {
		s.Enter()
		s.take(st.gen.others[i])
		s.Leave()
	}
	e.number.Store(st.gen.Number)
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

// take makes g live on its shard, which is entered, and closes what it leaves
// behind.
func (s *shard) take(g *Generation) {
	old := s.gen
	s.takeCounts(g)
	s.engine.installLocked(s, g)
	s.rebindTimers(g)
	for _, sc := range old.order {
		if now := g.scripts[sc.path]; now == nil || now.instance != sc.instance {
			sc.instance.Close()
		}
	}
}

// takeCounts lets the rules of g go on with what they counted on this shard.
func (s *shard) takeCounts(g *Generation) {
	rules := make(map[ruleKey]*ruleState)
	for _, sc := range g.order {
		for _, r := range sc.rules {
			key := ruleKey{sc.path, r.decl.Name}
			if st := s.rules[key]; st != nil {
				r.state.RuleStats = st.RuleStats
			}
			rules[key] = r.state
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
			other.users[name].fareAs(u.health)
		}
	}
	kept := make(map[ruleKey]*ruleShared)
	for i, sc := range g.order {
		for k, r := range sc.rules {
			key := ruleKey{sc.path, r.decl.Name}
			st := &ruleShared{matched: new(uint64)}
			was := e.rules[key]
			if was != nil {
				*st = *was
			}
			if sc.fresh || was == nil {
				st.health = &health{}
			}
			st.threshold = st.threshold.adopt(r.threshold)
			kept[key] = st
			r.state = &ruleState{ruleShared: *st}
			for _, other := range g.others {
				other.order[i].rules[k].state = &ruleState{ruleShared: *st}
			}
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
