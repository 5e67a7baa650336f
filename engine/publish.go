package engine

import (
	"fmt"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// Publish makes the staged generation live: between two events of the shard the
// bindings are swapped, declared stores and state take effect, timers are
// re-armed with their phase kept. It returns what is live now.
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
	old := e.live
	next := e.fit(st.gen)
	e.editions++
	next.edition = e.editions
	s := e.shards[0]
	s.Enter()
	defer s.Leave()
	if err := st.stores.Publish(); err != nil {
		st.discard()
		return nil, fmt.Errorf("engine: publish generation %d: %w", st.gen.Number, err)
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
	e.installLocked(s, next)
	s.rebindTimers(next)
	s.rebind(old)
	if old.Number > 0 {
		e.reloads++
	}
	if old.Number > 0 && e.started {
		emit(s, hookdev.OnReloaded, &hookdev.Reloaded{
			Generation: st.gen.Number, Hash: st.gen.Hash,
			Scripts: st.gen.Scripts(), Changed: st.gen.Changed,
		})
	}
	return st.gen, nil
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
			*u.health = *before.health
		}
	}
	kept := make(map[ruleKey]*ruleState)
	for _, sc := range g.order {
		for _, r := range sc.rules {
			key := ruleKey{sc.path, r.decl.Name}
			st := e.rules[key]
			if st == nil {
				st = &ruleState{}
			}
			if sc.fresh {
				st.renew()
			}
			st.threshold = st.threshold.adopt(r.threshold)
			kept[key] = st
			r.state = st
		}
	}
	e.rules = kept
}

// install binds g on every shard.
func (e *Engine) install(g *Generation) {
	for _, s := range e.shards {
		s.Enter()
		e.installLocked(s, g)
		s.Leave()
	}
}
