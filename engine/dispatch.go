package engine

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/match"
)

// Tap observes the events of a point before any rule sees them. The event is
// lent.
type Tap func(s *event.Shard, info *event.Info, where *event.PointInfo, e any)

// pointPlan is what one generation binds to one hook point.
type pointPlan struct {
	info   *event.Info
	where  *event.PointInfo
	family *event.Family
	// ranks orders the family's verdicts, by kind; allowed says which of them
	// this event takes; words are their names: "flow.cut".
	ranks   []int
	allowed []bool
	words   []string
	taps    []Tap
	root    node
}

// node is a hook point or a user-defined event below one: its rules, and the
// events that are defined on top of it.
type node struct {
	user     string
	script   *script // that declares the event
	decl     *EventDecl
	health   *health // of its filter
	matches  match.Predicate
	when     Native // nil: the function is called
	entries  []*entry
	always   []*entry // rules that run behind all others and decide nothing
	children []*node
	// watched tells that n or an event below it has rules that always run.
	watched bool
}

// empty reports whether nothing is bound to n or below it.
func (n *node) empty() bool {
	return len(n.entries) == 0 && len(n.always) == 0 && len(n.children) == 0
}

// entry is one rule bound to one node.
type entry struct {
	rule    *rule
	scope   func(subject any) bool
	matches match.Predicate
	when    Native      // of the rule's when, and
	guard   Native      // of what its run begins with; nil: the function is called
	by      *match.Path // threshold key
	user    string
}

// outcome collects the verdicts of one dispatch.
type outcome struct {
	plan    *pointPlan
	event   any
	verdict event.Verdict
	// decided ends a point that combines by first.
	decided bool
}

// add combines v into the outcome.
func (o *outcome) add(v event.Verdict) {
	switch {
	case !v.Decided():
	case o.plan.info.Combine == event.First:
		if !o.decided {
			o.verdict, o.decided = v, true
		}
	case o.plan.ranks[v.Kind] > o.rank():
		o.verdict = v
	}
}

func (o *outcome) rank() int {
	if !o.verdict.Decided() {
		return -1
	}
	return o.plan.ranks[o.verdict.Kind]
}

// Dispatch implements [event.Dispatcher]. An event that a handler causes is
// raised after that handler returned.
func (s *shard) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	p := s.plans[id]
	if p == nil {
		return event.Verdict{}
	}
	if s.busy {
		s.queue.push(s, raised{plan: p, event: p.info.Clone(e), depth: s.depth + 1})
		return event.Verdict{}
	}
	s.busy = true
	s.events++
	for _, tap := range p.taps {
		tap(s.Shard, p.info, p.where, e)
	}
	o := outcome{plan: p, event: e}
	s.walk(&o, &p.root)
	s.drain(&o)
	if p.root.watched {
		s.walkAlways(&o, &p.root)
		s.drain(&o)
	}
	s.busy = false
	return o.verdict
}

// walk runs a node's rules, then the user-defined events that hold on it, depth
// first, until the point is decided.
func (s *shard) walk(o *outcome, n *node) {
	for _, en := range n.entries {
		if o.decided {
			return
		}
		s.try(o, en)
	}
	for _, child := range n.children {
		if o.decided {
			return
		}
		if s.holds(o, child) {
			s.walk(o, child)
		}
	}
}

// walkAlways runs the rules of n and below it that run whatever was decided.
func (s *shard) walkAlways(o *outcome, n *node) {
	for _, en := range n.always {
		s.try(o, en)
	}
	for _, child := range n.children {
		if child.watched && s.holds(o, child) {
			s.walkAlways(o, child)
		}
	}
}

// holds evaluates a user-defined event's own filters.
func (s *shard) holds(o *outcome, n *node) bool {
	if n.matches != nil && !n.matches(o.event) {
		return false
	}
	if n.decl.When == 0 {
		return true
	}
	if n.health.suspended() {
		return false
	}
	if answer := s.native(n.when, o.event); answer != Ask {
		return answer == Yes
	}
	ok, err := n.script.instance.Filter(n.decl.When, s.prepare(o, n.script, n.decl.Name, n.user))
	if err == nil {
		err = s.compare(n.when, o.event, "when", ok)
	}
	if err != nil {
		s.failEvent(o, n, err)
		return false
	}
	return ok
}

// try runs one rule: its filters, cheapest first, then what it decides.
func (s *shard) try(o *outcome, en *entry) {
	r := en.rule
	st := r.state
	st.Seen++
	if en.scope != nil && !en.inScope(o) {
		return
	}
	if en.matches != nil && !en.matches(o.event) {
		return
	}
	if st.suspended() {
		s.decide(o, en, r.onError)
		return
	}
	if r.decl.When != 0 && !s.filter(o, en) {
		return
	}
	if st.threshold != nil && !st.threshold.hit(en, o.event, s.Now()) {
		return
	}
	st.Matched++
	if r.decl.Run == 0 {
		s.decide(o, en, r.verdict)
		return
	}
	count := s.count(st.matched)
	if s.native(en.guard, o.event) == No {
		return
	}
	call := s.prepare(o, r.script, r.decl.Name, en.user)
	call.Count = count
	d, err := r.script.instance.Run(r.decl.Run, call)
	if err == nil {
		err = o.plan.check(r, d)
	}
	if err == nil {
		err = s.compareGuard(en.guard, o.event, d.Decided())
	}
	if err != nil {
		s.fail(o, r, err)
		s.decide(o, en, r.onError)
		return
	}
	s.decide(o, en, d.Verdict)
}

func (en *entry) inScope(o *outcome) bool {
	f := o.plan.info.Subject()
	if f == nil {
		return false
	}
	subject := f.Get.Object(o.event)
	return subject != nil && en.scope(subject)
}

// filter runs the rule's when.
func (s *shard) filter(o *outcome, en *entry) bool {
	r := en.rule
	if answer := s.native(en.when, o.event); answer != Ask {
		return answer == Yes
	}
	ok, err := r.script.instance.Filter(r.decl.When, s.prepare(o, r.script, r.decl.Name, en.user))
	if err == nil {
		err = s.compare(en.when, o.event, "when", ok)
	}
	if err != nil {
		s.fail(o, r, err)
		s.decide(o, en, r.onError)
		return false
	}
	return ok
}

// decide counts, records and combines what a rule decided.
func (s *shard) decide(o *outcome, en *entry, v event.Verdict) {
	if !v.Decided() || o.decided {
		return
	}
	r := en.rule
	r.state.Decided++
	observe := r.decl.Observe || s.engine.cfg.Observe
	s.decision = DecisionRecord{
		Origin:  s.origin(o, r.script, r.decl.Name, r.decl.Line),
		Point:   o.plan.where.Name,
		Verdict: o.plan.words[v.Kind],
		Observe: observe,
	}
	s.engine.cfg.Sink.Decision(&s.decision)
	if !observe {
		o.add(v)
	}
}

// prepare refills the shard's call for a function of sc.
func (s *shard) prepare(o *outcome, sc *script, name, user string) *Call {
	c := &s.call
	c.Shard, c.Script, c.Rule, c.Line, c.Gen = s.Shard, sc.path, name, 0, s.gen.Number
	c.Point, c.Event = o.plan.where.Name, o.event
	c.Info, c.Where, c.User = o.plan.info, o.plan.where, user
	c.Count, c.Verdict = 0, o.verdict
	c.Payload = s.payload
	return c
}

// origin describes where a record of this dispatch comes from.
func (s *shard) origin(o *outcome, sc *script, name string, line int) Origin {
	from := Origin{TS: s.Now(), Gen: s.gen.Number, Script: sc.path, Rule: name, Line: line}
	from.about(o.plan.info, o.event)
	return from
}

// about notes the kept object that e is about.
func (o *Origin) about(info *event.Info, e any) {
	if k := subject(info, e); k != nil {
		o.Subject, o.Conn = k, k.ID()
	}
}
