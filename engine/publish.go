package engine

import (
	"fmt"
	"time"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// Publish makes the staged generation live: declared stores and state take
// effect, then in each shard, between two of its events, the bindings are
// swapped; timers are re-armed with their phase kept. Traffic may flow
// meanwhile. It returns what is live now, on all shards.
func (st *Staged) Publish() (*Generation, error) {
	e := st.engine
	e.changing.Lock()
	defer e.changing.Unlock()
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
	dropped := e.dropped()
	first := e.shards[0]
	var err error
	e.enter(first, func() {
		if err = st.stores.Publish(); err == nil {
			for _, r := range st.states {
				r.Publish()
			}
		}
	})
	if err != nil {
		st.discard()
		return err
	}
	st.done = true
	for _, name := range st.damaged {
		e.damaged[name] = true
	}
	if e.cfg.Reading != nil {
		e.cfg.Reading(func(fields ...string) bool { return e.readsOf(next, fields) })
	}
	e.live = next
	e.adopt(old, next)
	e.inherit(next)
	list := e.take(next)
	for _, c := range st.changes {
		c.Commit()
	}
	e.number.Store(next.Number)
	e.keep(next)
	st.gen.Handover = st.handover(old, list, dropped)
	if old.Number == 0 {
		return nil
	}
	e.reloads++
	if e.started {
		e.told(st.gen)
	}
	return nil
}

// enter runs what takes a shard from its events, for as short as that is.
func (e *Engine) enter(s *shard, do func()) {
	s.Enter()
	defer s.Leave()
	if e.cfg.Publishing != nil {
		e.cfg.Publishing(do)
		return
	}
	do()
}

// take makes g live on all shards: those that are driven together at once.
func (e *Engine) take(g *Generation) []*handover {
	var all []*handover
	for i, g := range g.shards() {
		all = append(all, e.shards[i].handover(g))
	}
	for _, s := range e.shards {
		if s.turn.shards[0] != s {
			continue // taken with the first
		}
		list := make([]*handover, 0, len(s.turn.shards))
		for _, t := range s.turn.shards {
			list = append(list, all[t.Index()])
		}
		e.enter(s, func() {
			for _, h := range list {
				h.take()
			}
			for _, h := range list {
				h.rebind()
			}
		})
	}
	for _, h := range all {
		for _, sc := range h.closing {
			e.enter(h.shard, func() { sc.close() })
		}
	}
	return all
}

// handover sums up what became of what there was.
func (st *Staged) handover(old *Generation, list []*handover, dropped uint64) Handover {
	var to Handover
	for _, sc := range st.gen.order {
		switch before := old.scripts[sc.path]; {
		case before == nil:
		case !sc.fresh:
			to.Scripts++
		default:
			for range sc.kept.state.Table().All() {
				to.States++
				break
			}
		}
	}
	for _, d := range st.stores.Declarations() {
		if d.Live {
			to.Stores++
		}
	}
	for _, h := range list {
		h.shard.Enter()
		h.count(&to)
		h.shard.Leave()
	}
	to.Dropped = st.engine.dropped() - dropped
	to.Duration = time.Since(st.begun)
	return to
}

// dropped counts what handlers bound and reloads ended, on all shards.
func (e *Engine) dropped() (n uint64) {
	for _, s := range e.shards {
		s.Enter()
		n += s.bound.HandlersDropped
		s.Leave()
	}
	return n
}

// told raises hookd.reloaded.
func (e *Engine) told(g *Generation) {
	h := &g.Handover
	ev := &hookdev.Reloaded{
		Generation: g.Number, Hash: g.Hash, Scripts: g.Scripts(), Changed: g.Changed, Duration: h.Duration,
		Unchanged: uint64(h.Scripts), States: uint64(h.States), Records: uint64(h.Records), Stores: uint64(h.Stores),
		Handlers: uint64(h.Handlers), Timers: uint64(h.Timers),
		Functions: uint64(h.Functions), Waiting: uint64(h.Waiting), Draining: uint64(h.Draining), Dropped: h.Dropped,
	}
	s := e.shards[0]
	s.Enter()
	defer s.Leave()
	emit(s, hookdev.OnReloaded, ev)
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
// diags, that new scripts were not taken: those that were staged last, unless diags
// are about something else.
func (e *Engine) Refuse(diags diag.List) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ev := &hookdev.ReloadFailed{Generation: e.live.Number}
	if st := e.refused; st != nil {
		ev.Hash, ev.Changed, ev.Duration = st.hash, st.changed, time.Since(st.begun)
	}
	e.refused = nil
	for _, d := range diags {
		if d.Severity == diag.Error {
			ev.Message = d.Error()
			break
		}
	}
	if !e.started || ev.Message == "" {
		return
	}
	s := e.shards[0]
	s.Enter()
	defer s.Leave()
	emit(s, hookdev.OnReloadFailed, ev)
}

// keep notes what the scripts of the live generation keep.
func (e *Engine) keep(g *Generation) {
	for _, sc := range g.order {
		sc.kept.last = g.Number
		sc.kept.gone.Store(false)
		e.kept[sc.path] = sc.kept
	}
	e.refused = nil
	e.forget()
}

// forget drops what scripts keep that are neither live nor were in the generation
// before, which a rollback may bring back.
func (e *Engine) forget() {
	for path, k := range e.kept {
		if k.last+1 < e.live.Number {
			k.gone.Store(true)
			delete(e.kept, path)
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
			if same := other.users[name]; same != nil { // guests may be in some shards alone
				same.fareAs(u.health)
			}
		}
	}
	kept := make(map[ruleKey]*ruleShared)
	for _, part := range g.shards() {
		for _, sc := range part.order {
			for _, r := range sc.rules {
				if key := (ruleKey{sc.path, r.decl.Name}); kept[key] == nil {
					kept[key] = e.shared(key, sc, r)
				}
			}
		}
	}
	e.rules = kept
}

// shared returns what a rule keeps under its name, on all shards.
func (e *Engine) shared(key ruleKey, sc *script, r *rule) *ruleShared {
	st := e.rules[key]
	switch {
	case st == nil:
		return &ruleShared{threshold: r.threshold, matched: e.newTally()}
	case sc.fresh:
		return &ruleShared{threshold: st.threshold.adopt(r.threshold), matched: st.matched}
	}
	return st
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
