package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/match"
	"github.com/hookd/hookd/engine/threshold"
)

// decides lists the verdicts that the declaration itself names.
func (d *RuleDecl) decides() []*VerdictDecl {
	var list []*VerdictDecl
	for _, v := range []*VerdictDecl{d.Verdict, d.OnError} {
		if v != nil {
			list = append(list, v)
		}
	}
	return list
}

// bindRules resolves a script's rules and hangs them on their hook points.
func (r *resolver) bindRules(sc *script) {
	sc.rules, sc.named = nil, make(map[string]*rule, len(sc.plan.Rules))
	names := map[string]int{}
	if limit := r.st.engine.cfg.Limits.Rules; len(sc.plan.Rules) > limit {
		r.errorf(sc.plan.Rules[limit].Line, "rule", "a script may declare %d rules", limit)
		return
	}
	for i, d := range sc.plan.Rules {
		if line, ok := names[d.Name]; ok {
			r.errorf(d.Line, "rule", "rule %q is declared already, at line %d", d.Name, line)
			continue
		}
		names[d.Name] = d.Line
		ru := &rule{decl: d, script: sc, index: i, run: d.Run, waits: d.mayWait(sc.instance)}
		if d.Handler {
			ru.places = map[place]*entry{}
		}
		sc.rules = append(sc.rules, ru)
		sc.named[d.Name] = ru
		if d.Verdict != nil {
			ru.verdict = d.Verdict.Verdict
		}
		if d.OnError != nil {
			ru.onError = d.OnError.Verdict
		}
		r.makeThreshold(ru)
		for k := range d.On {
			r.bindRule(ru, &d.On[k])
		}
	}
}

// makeThreshold makes what a rule's threshold counts with.
func (r *resolver) makeThreshold(ru *rule) {
	d := ru.decl.Threshold
	if d == nil {
		return
	}
	cfg, err := d.config(r.st.engine.cfg.Limits.ThresholdKeys, len(ru.decl.decides()) > 0)
	if err == nil {
		var t *threshold.Threshold
		if t, err = threshold.New(cfg); err == nil {
			t.Follow(r.st.engine.set.Clock())
			ru.threshold = &counted{t, d.By}
		}
	}
	if err != nil {
		r.errorf(d.Line, "threshold", "threshold: %s", err)
	}
}

// bindRule hangs one rule on one hook point.
func (r *resolver) bindRule(ru *rule, ref *PointRef) {
	p, n, user := r.place(ref)
	if p == nil {
		return
	}
	ru.bindTo(p.info)
	en := &entry{rule: ru, node: n.from(), user: user, when: ru.decl.NativeWhen.Make(p.info), deed: ru.decl.Deed.Make(p.info)}
	if en.deed == nil || en.deed.Decides {
		en.guard = ru.decl.Guard.Make(p.info)
	}
	for _, v := range ru.decl.decides() {
		switch name := decisionName(v.Decision); {
		case !v.Decided():
		case ru.decl.Always:
			r.errorAt(v.Line, lastWord(name), "", name+" cannot be decided here: a rule that always runs decides nothing")
		case p.check(ru, v.Decision) != nil:
			r.errorAt(v.Line, lastWord(name), "", name+" cannot be decided here: "+p.takes())
		}
	}
	if ru.decl.Scope != "" {
		en.scope = r.compileScope(ru.decl, p.info)
	}
	r.wantOverlap(ru, p, en.scope)
	if ru.decl.Match != nil {
		en.matches = r.compileMatch(ru.decl.Match, p.info)
	}
	if t := ru.decl.Threshold; t != nil && len(t.By) > 0 {
		path, err := match.Resolve(t.By, p.info, r.st.engine.cfg.Catalogue)
		var pe *match.PathError
		switch {
		case errors.As(err, &pe):
			r.errorAt(t.Line, pe.Word(), pe.Hint(), "threshold: by: "+err.Error())
		case err != nil:
			r.errorf(t.Line, "by", "threshold: by: %s", err)
		case !path.Keyed():
			r.errorf(t.Line, "by", "threshold: by: %s has no single value to count by", strings.Join(t.By, "."))
		}
		en.by = path
	}
	en.way = wayOf(en)
	switch {
	case ru.decl.Handler:
		ru.places[place{p.where.ID, user}] = en
	case ru.decl.Disabled:
	case ru.decl.Always:
		n.always = append(n.always, en)
	default:
		n.entries = append(n.entries, en)
	}
}

// place finds the node that a reference names.
func (r *resolver) place(ref *PointRef) (p *pointPlan, n *node, user string) {
	name, phase, isUser := splitUser(ref.Name)
	if !isUser {
		info, where := r.find(ref)
		if info == nil {
			return nil, nil, ""
		}
		p = r.plan(info, where)
		return p, &p.root, ""
	}
	u := r.gen.users[name]
	switch {
	case u == nil:
		r.unknownEvent(ref, name)
		return nil, nil, ""
	case u.free != nil:
		return u.free, &u.free.root, name
	case u.base == nil:
		return nil, nil, "" // reported where it is declared
	}
	at := u.phase
	if phase != "" {
		if at = phaseNamed(u.base, phase); at < 0 {
			r.errorf(ref.Line, phase, "event.%s has no phase %s; %s has %s", name, phase, u.base.Name, phaseWords(u.base))
			return nil, nil, ""
		}
	}
	p = r.plan(u.base, &u.base.Points[at])
	return p, r.node(u, p), name
}

// placeNamed finds where a handler is to be bound to an object.
func (s *shard) placeNamed(at *Attachment, point string) (place, error) {
	info, where, user, err := s.pointNamed(point)
	if err != nil {
		return place{}, err
	}
	if f := info.Subject(); f == nil || f.Type.Object != at.Type {
		return place{}, fmt.Errorf("%s is not about a %s", point, at.Type)
	}
	if info.Global {
		return place{}, fmt.Errorf("%s is global: it is the first event of a %s", point, at.Type)
	}
	return place{where.ID, user}, nil
}

// pointNamed looks a hook point or user-defined event of the live generation up.
func (s *shard) pointNamed(point string) (*event.Info, *event.PointInfo, string, error) {
	name, phase, isUser := splitUser(point)
	if !isUser {
		info, where, err := s.engine.cfg.Catalogue.Find(point)
		return info, where, "", err
	}
	u := s.gen.users[name]
	switch {
	case u == nil:
		return nil, nil, "", fmt.Errorf("there is no event.%s%s", name, s.gen.didYouMeanEvent(name))
	case u.free != nil:
		return u.free.info, u.free.where, name, nil
	}
	at := u.phase
	if phase != "" {
		if at = phaseNamed(u.base, phase); at < 0 {
			return nil, nil, "", fmt.Errorf("event.%s has no phase %s; %s has %s", name, phase, u.base.Name, phaseWords(u.base))
		}
	}
	return u.base, &u.base.Points[at], name, nil
}

// compileScope compiles a rule's scope for the family of its hook point.
func (r *resolver) compileScope(d *RuleDecl, info *event.Info) func(any) bool {
	compile := r.st.engine.cfg.Scopes[info.Family]
	if compile == nil || info.Subject() == nil {
		r.errorf(d.ScopeLine, "scope", "%s has no connection that a scope could choose", info.Name)
		return nil
	}
	scope, err := compile(d.Scope)
	if err != nil {
		r.errorf(d.ScopeLine, "scope", "scope: %s", err)
	}
	return scope
}

// checkTimers reports what is wrong with a script's timers.
func (r *resolver) checkTimers(sc *script) {
	names := map[string]int{}
	if limit := r.st.engine.cfg.Limits.Timers; len(sc.plan.Timers) > limit {
		r.errorf(sc.plan.Timers[limit].Line, "timer", "a script may declare %d timers", limit)
	}
	for _, t := range sc.plan.Timers {
		if line, ok := names[t.Name]; ok {
			r.errorf(t.Line, "timer", "timer %q is declared already, at line %d", t.Name, line)
		}
		names[t.Name] = t.Line
	}
}

// installLocked binds g on s, with the shard's taps; s is entered.
func (e *Engine) installLocked(s *shard, g *Generation) {
	s.gen = g
	s.plans = [event.MaxPoints]*pointPlan{}
	for id := range g.plans {
		s.plans[id] = s.planOf(id)
	}
	for id := range s.taps {
		s.plans[id] = s.planOf(id)
	}
	if s.follower != nil {
		for id := range s.follower.trial.plans {
			s.plans[id] = s.planOf(event.PointID(id))
		}
	}
	for id, n := range s.dynamic {
		if n > 0 {
			s.plans[id] = s.planOf(event.PointID(id))
		}
	}
	s.Shard.Bind(s, func(id event.PointID) bool { return s.plans[id] != nil })
}

// tapsOf returns who sees the events of a point before rules do.
func (s *shard) tapsOf(id event.PointID) []*tapping {
	taps := s.taps[id]
	if s.follower != nil && s.follower.wants(id) {
		taps = append(slices.Clip(taps), &tapping{tap: s.follower.see})
	}
	return taps
}

// planOf returns what runs at a point of the live generation: its rules, its
// taps, and what is bound to single objects. It is nil where nothing does.
func (s *shard) planOf(id event.PointID) *pointPlan {
	p, taps := s.gen.plans[id], s.tapsOf(id)
	if (p == nil || p.root.empty()) && len(taps) == 0 && s.dynamic[id] == 0 {
		return nil
	}
	if p == nil {
		info, where := s.engine.cfg.Catalogue.Point(id)
		p = newPointPlan(s.engine, info, where)
	}
	if len(taps) > 0 {
		with := *p
		with.taps = taps
		p = &with
	}
	p.quick = s.quick(p)
	return p
}

// count changes how many handlers are bound at a point; the first and the last
// of them change whether stacks raise its events.
func (s *shard) count(id event.PointID, by int) {
	was := s.dynamic[id] > 0
	s.dynamic[id] = uint32(int(s.dynamic[id]) + by)
	if is := s.dynamic[id] > 0; is == was {
		return
	}
	for _, t := range s.turn.shards {
		t.plans[id] = t.planOf(id)
		t.Want(id, t.plans[id] != nil)
		if t.shadow != nil {
			live := t.shadow.live
			live.plans[id] = live.planOf(id)
			live.Want(id, live.plans[id] != nil)
		}
	}
}

// Plan renders the order in which rules run, one line a rule, hook points in
// the order of the catalogue, then events that are only raised; a rule on a
// user-defined event says so. Handlers follow with where they may be bound.
func (g *Generation) Plan() []string {
	var lines []string
	for _, id := range slices.Sorted(maps.Keys(g.plans)) {
		lines = g.plans[id].render(lines)
	}
	for _, name := range slices.Sorted(maps.Keys(g.users)) {
		if p := g.users[name].free; p != nil {
			lines = p.render(lines)
		}
	}
	for _, sc := range g.order {
		for _, r := range sc.rules {
			if r.decl.Handler {
				lines = append(lines, fmt.Sprintf("handler %s: %s%s", sc.path, r.decl.Name, r.bindable()))
			}
		}
	}
	return lines
}

func (p *pointPlan) render(lines []string) []string {
	if p.root.empty() {
		return lines
	}
	lines = append(lines, p.where.Name)
	for _, en := range p.root.order {
		lines = append(lines, en.line(""))
	}
	for _, en := range p.root.last {
		lines = append(lines, en.line(" (always)"))
	}
	return lines
}

// line is a rule in a plan.
func (en *entry) line(how string) string {
	if en.node != nil {
		how = " (event." + en.user + ")" + how
	}
	return "  " + en.rule.script.path + ": " + en.rule.decl.Name + how
}

// bindable says where a handler may be bound.
func (r *rule) bindable() string {
	if len(r.decl.On) == 0 {
		return " (timers)"
	}
	var names []string
	for _, ref := range r.decl.On {
		names = append(names, ref.Name)
	}
	return " (" + strings.Join(names, ", ") + ")"
}
