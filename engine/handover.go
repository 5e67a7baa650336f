package engine

import "time"

// Handover says what became of what there was when a generation took the place of
// another, over all shards.
type Handover struct {
	// What goes on as it was: scripts that did not change, with their machines; scripts
	// that changed and have their state; records of scripts on connections and the like;
	// stores.
	Scripts int `json:"scripts"`
	States  int `json:"states"`
	Records int `json:"records"`
	Stores  int `json:"stores"`
	// What is bound anew: named handlers that are bound to objects, and started as
	// timers; declared timers that keep their phase.
	Handlers int `json:"handlers"`
	Timers   int `json:"timers"`
	// What goes on in machines of the generation before: functions that are bound,
	// coroutines and handlers that wait, and the machines that stay for them.
	Functions int `json:"functions"`
	Waiting   int `json:"waiting"`
	Draining  int `json:"draining"`
	// Dropped are the bindings, timers and coroutines that ended before their time.
	Dropped uint64 `json:"dropped"`
	// Duration is from the beginning of staging until all shards ran the generation, in
	// time of the clock on the wall.
	Duration time.Duration `json:"-"`
}

// handover is what one shard takes over: made while it goes on, so that it is held
// up shortly.
type handover struct {
	shard    *shard
	old, gen *Generation
	rules    map[ruleKey]*ruleState
	renew    []renewal // of rules whose script changed
	timers   map[timerKey]*timer
	turns    []timerTurn
	stop     []*timer
	leaving  []*script // whose machine is not live any more
	closing  []*script // of those, the ones that nothing needs
	phases   int       // timers that keep theirs
}

// renewal is a rule that goes on with another script's text.
type renewal struct {
	state  *ruleState
	shared *ruleShared
}

// timerTurn is a declared timer and what it runs from now on.
type timerTurn struct {
	timer  *timer
	script *script
	decl   *TimerDecl
}

// handover makes what s needs to go on with g. Nothing that runs changes.
func (s *shard) handover(g *Generation) *handover {
	h := &handover{shard: s, old: s.gen, gen: g, rules: make(map[ruleKey]*ruleState, len(s.rules))}
	for _, sc := range g.order {
		for _, r := range sc.rules {
			key := ruleKey{sc.path, r.decl.Name}
			st, shared := s.rules[key], s.engine.rules[key]
			switch {
			case st == nil:
				st = &ruleState{ruleShared: shared}
			case sc.fresh:
				h.renew = append(h.renew, renewal{st, shared})
			}
			r.state, h.rules[key] = st, st
		}
	}
	for _, sc := range h.old.order {
		if now := g.scripts[sc.path]; now == nil || now.instance != sc.instance {
			h.leaving = append(h.leaving, sc)
		}
	}
	if s.Index() == 0 {
		h.prepareTimers()
	}
	return h
}

// prepareTimers finds the timers of the generation: they run once a process, so
// they are the first shard's. One that exists under the same script and name with
// the same period goes on as it was.
func (h *handover) prepareTimers() {
	s := h.shard
	h.timers = make(map[timerKey]*timer, len(s.timers))
	for _, sc := range h.gen.order {
		for _, d := range sc.plan.Timers {
			key := timerKey{sc.path, d.Name}
			t := s.timers[key]
			if t == nil || t.decl.Every != d.Every || t.decl.After != d.After {
				t = &timer{shard: s}
			} else {
				h.phases++
			}
			h.timers[key] = t
			h.turns = append(h.turns, timerTurn{t, sc, d})
		}
	}
	for key, t := range s.timers {
		if h.timers[key] != t {
			h.stop = append(h.stop, t)
		}
	}
}

// take makes the generation live on the shard, which is entered.
func (h *handover) take() {
	s := h.shard
	for _, r := range h.renew {
		r.state.muted = 0
		r.state.era++
		r.state.ruleShared = r.shared
	}
	s.rules = h.rules
	s.handed = nil // of a rule of the generation before
	s.engine.installLocked(s, h.gen)
	if h.timers == nil {
		return
	}
	for _, t := range h.stop {
		s.Timers().Stop(&t.Timer)
	}
	s.timers = h.timers
	for _, turn := range h.turns {
		t := turn.timer
		t.script, t.decl = turn.script, turn.decl
		if turn.script.fresh || t.health == nil {
			t.health = &health{}
		}
		if s.engine.started && !t.Armed() && !t.done {
			t.arm(s.Now())
		}
	}
}

// count adds what the shard took over to what is told of the publication.
func (h *handover) count(to *Handover) {
	s := h.shard
	to.Handlers += s.bound.Named
	to.Timers += h.phases
	to.Records += s.bound.Data
	for _, sc := range h.leaving {
		if src := s.sources[sc.instance]; src != nil && src.retired {
			to.Draining++
			to.Functions += src.held
			to.Waiting += sc.instance.Waiting()
		}
	}
}
