package engine

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// target is a handler as it is bound: a declared one by its name, which means
// that of the live generation, or a function of one machine.
type target struct {
	rule   *rule
	key    ruleKey  // of a declared one
	source *source  // of a function
	held   *binding // the latest of its bindings
	// standings are made when it is first bound at a place.
	standings map[place]*standing
}

// standing is what a target is at a place, one for all that is bound there: so that
// objects which no event comes of do not keep the generation of which it was.
type standing struct{ *entry }

// source is a machine that handlers have bound functions of, or of an earlier
// generation in which something waits. When its script changes it goes on for
// those alone, and goes with the last.
type source struct {
	on       *shard
	script   *script // of the generation that made the machine
	instance Instance
	gen      uint64
	targets  map[FuncID]*target
	// states are those of the functions made at a line: one that keeps failing is
	// suspended in all its copies.
	states  map[int]*functionState
	held    int // how often functions are bound
	retired bool
}

// functionState is what functions made at one line have in common.
type functionState struct {
	decl  *RuleDecl
	state ruleState
}

// usage is what a script has bound on a shard.
type usage struct {
	bindings, delays int
	named            map[string]*binding // timers of no object, by handler
	draining         []*source           // oldest first
}

// DynamicStats counts what handlers bind.
type DynamicStats struct {
	Bindings int // handlers bound at hook points now
	Named    int // of Bindings and Delays, those by the name of a declared handler
	Data     int // records that scripts have on connections and the like
	Delays   int // timers started by handlers that wait now
	Draining int // machines that go on for the functions they bound, or for what waits in them
	// Unbindable counts what was refused for want of room, HandlersDropped the
	// bindings and timers that a reload or a broken machine ended.
	Unbindable, HandlersDropped uint64
}

func (d *DynamicStats) add(x *DynamicStats) {
	d.Bindings += x.Bindings
	d.Delays += x.Delays
	d.Named += x.Named
	d.Data += x.Data
	d.Draining += x.Draining
	d.Unbindable += x.Unbindable
	d.HandlersDropped += x.HandlersDropped
}

// usage returns what a script has bound, made on first use.
func (s *shard) usage(script string) *usage {
	u := s.used[script]
	if u == nil {
		u = &usage{named: map[string]*binding{}}
		s.used[script] = u
	}
	return u
}

// room refuses what would be one more than a script or an object may have; b is
// nil where there is no object.
func (s *shard) room(b *bound, has, limit int, what string) error {
	var err error
	switch most := s.engine.cfg.Limits.ObjectBindings; {
	case has >= limit:
		err = fmt.Errorf("the script has %d %s already", has, what)
	case b != nil && b.size() >= most:
		err = fmt.Errorf("%s has %d handlers and timers already", b.object.Label(), most)
	default:
		return nil
	}
	s.bound.Unbindable++
	return err
}

// script returns the path of the script whose handler it is.
func (t *target) script() string {
	if t.source != nil {
		return t.source.script.path
	}
	return t.key.script
}

// at returns the standing at a place; nil where a declared handler is not for it.
func (t *target) at(s *shard, p place) *standing {
	st, en := t.standings[p], t.rule.places[p]
	if t.source == nil && en == nil {
		return nil
	}
	if st == nil {
		if en == nil {
			en = &entry{rule: t.rule, user: p.user}
		}
		st = &standing{en}
		if t.standings == nil {
			t.standings = map[place]*standing{}
		}
		t.standings[p] = st
	}
	switch u := s.gen.users[p.user]; {
	case t.source == nil:
		st.entry = en
	case u != nil:
		st.node = u.nodes[p.id]
	}
	return st
}

// means gives a declared handler its rule of the live generation.
func (t *target) means(r *rule) {
	t.rule = r
	for p, st := range t.standings {
		if en := r.places[p]; en != nil {
			st.entry = en
		}
	}
}

// hold and drop keep the list of t's bindings.
func (t *target) hold(x *binding) {
	if x.next = t.held; x.next != nil {
		x.next.prev = x
	}
	t.held = x
	t.counted(x, 1)
}

// counted counts what is bound, by names and by functions.
func (t *target) counted(x *binding, by int) {
	if t.source != nil {
		t.source.held += by
	} else {
		x.on.bound.Named += by
	}
}

func (t *target) drop(x *binding) {
	if x.next != nil {
		x.next.prev = x.prev
	}
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		t.held = x.next
	}
	x.prev, x.next = nil, nil
	t.counted(x, -1)
}

// target finds what a script binds. One that nothing is bound to in the end has
// to be let go of.
func (s *shard) target(path string, h *Handler) (*target, error) {
	if h.Name == "" {
		src := s.source(path, h.Instance)
		if src == nil {
			return nil, fmt.Errorf("the generation of %s that this function belongs to is gone", path)
		}
		return src.target(h), nil
	}
	r := s.gen.rule(path, h.Name)
	switch {
	case r == nil:
		return nil, fmt.Errorf("no handler named %q", h.Name)
	case !r.decl.Handler:
		return nil, fmt.Errorf("%q is a rule: what is bound by name is declared with handler %q { … }", h.Name, h.Name)
	}
	key := ruleKey{path, h.Name}
	t := s.targets[key]
	if t == nil {
		t = &target{key: key, rule: r}
		s.targets[key] = t
	}
	return t, nil
}

// source returns a machine's, made on first use; nil for one that is neither
// live nor draining.
func (s *shard) source(path string, in Instance) *source {
	src := s.sources[in]
	if sc := s.gen.scripts[path]; src == nil && sc != nil && sc.instance == in {
		src = &source{on: s, script: sc, instance: in, gen: s.gen.Number, targets: map[FuncID]*target{}, states: map[int]*functionState{}}
		s.sources[in] = src
	}
	return src
}

// target returns the function's, made on first use.
func (src *source) target(h *Handler) *target {
	t := src.targets[h.Func]
	if t == nil {
		f := src.states[h.Line]
		if f == nil {
			f = &functionState{state: ruleState{ruleShared: &ruleShared{matched: &tally{}}}, decl: &RuleDecl{Name: fmt.Sprintf("%s:%d", src.script.path, h.Line), Line: h.Line, Handler: true}}
			src.states[h.Line] = f
		}
		t = &target{source: src, rule: &rule{decl: f.decl, script: src.script, index: math.MaxInt, run: h.Func, state: &f.state, waits: h.Instance.MayWait(h.Func)}}
		src.targets[h.Func] = t
	}
	return t
}

// loosen lets go of a target without bindings, once nothing runs.
func (s *shard) loosen(t *target) {
	if s.busy {
		s.loose = append(s.loose, t)
		return
	}
	s.letGo(t)
}

// tidy lets go of what lost its last binding while handlers ran.
func (s *shard) tidy() {
	for i, t := range s.loose {
		s.letGo(t)
		s.loose[i] = nil
	}
	s.loose = s.loose[:0]
}

// letGo forgets a target without bindings, the function that it is, and the
// machine if that waited for it.
func (s *shard) letGo(t *target) {
	src := t.source
	switch {
	case t.held != nil:
	case src == nil:
		if s.targets[t.key] == t {
			delete(s.targets, t.key)
		}
	case src.targets[t.rule.run] == t:
		delete(src.targets, t.rule.run)
		src.instance.Release(t.rule.run)
		if src.retired && len(src.targets) == 0 && !s.needed(src.script) {
			s.closeSource(src)
		}
	}
}

// closeSource ends a draining machine.
func (s *shard) closeSource(src *source) {
	u := s.usage(src.script.path)
	if i := slices.Index(u.draining, src); i >= 0 {
		u.draining = slices.Delete(u.draining, i, i+1)
		src.on.bound.Draining--
	}
	delete(src.on.sources, src.instance)
	src.script.close()
}

// closeDraining ends all of them.
func (s *shard) closeDraining() {
	for _, u := range s.used {
		for len(u.draining) > 0 {
			s.closeSource(u.draining[0])
		}
	}
}

// functionsOf lists the functions that a live script has bound, by line.
func (s *shard) functionsOf(sc *script) []RuleStatus {
	src := s.sources[sc.instance]
	if src == nil {
		return nil
	}
	var list []RuleStatus
	for _, line := range slices.Sorted(maps.Keys(src.states)) {
		f := src.states[line]
		list = append(list, RuleStatus{
			Script: sc.path, Name: f.decl.Name, Line: line, Handler: true,
			Suspended: f.state.suspended(), RuleStats: f.state.RuleStats,
		})
	}
	return list
}
