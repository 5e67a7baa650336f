package engine

import (
	"errors"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/match"
)

// pointPlan is what one generation binds to one hook point.
type pointPlan struct {
	info   *event.Info
	where  *event.PointInfo
	family *event.Family
	// ranks orders the family's verdicts, by kind; allowed says which of them
	// this event takes; words are their names: "flow.cut".
	ranks   []int
	allowed []bool
	// routine says which verdicts are what the event is there for.
	routine []bool
	words   []string
	join    Join // of two verdicts of one kind with arguments; nil: the first holds
	taps    []*tapping
	root    node
	// subject is what events of the point are about; nil where that is nothing.
	subject *event.Field
	// nodes counts the user-defined events on the point.
	nodes int
	quick bool // [shard.quick] holds, as long as the shard has the plan
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
	point    bool   // the hook point itself
	parent   *node  // nil where that is the hook point
	index    int    // among the events on the point
	children []*node
	// entries are the rules bound here, always those that run behind all others
	// and decide nothing.
	entries []*entry
	always  []*entry
	// order are the entries of n and of all events below it in the one order
	// they run in, behind the rest; last those that always run.
	order []*entry
	last  []*entry
}

// empty reports whether no rule is bound to n or below it.
func (n *node) empty() bool { return len(n.order) == 0 && len(n.last) == 0 }

// entry is one rule bound to one node.
type entry struct {
	rule    *rule
	node    *node // nil at the hook point itself
	scope   func(subject any) bool
	matches match.Predicate
	way     way         // what an event meets first
	when    Native      // of the rule's when, and
	guard   Native      // of what its run begins with; nil: the function is called
	deed    *Deed       // of all that its run does; nil: the function is called
	by      *match.Path // threshold key
	user    string
	// call is that of the rule's functions: what stays the same from one event to
	// the next is filled in once.
	call Call
}

// outcome collects the verdicts of one dispatch.
type outcome struct {
	plan    *pointPlan
	event   any
	verdict event.Verdict
	// decided ends a point that combines by first.
	decided bool
	// walk is set where handlers may wait; canceled where that was ended. left says
	// that one waits, and that who asks the rules is to return.
	walk     *walk
	canceled bool
	left     bool
	// met is the entry of which is known that what it meets first does not turn the event
	// away, if any.
	met *entry
	// did says that what the rule's function does was done natively; it came to decision,
	// nil for nothing.
	did      bool
	decision *Decision
	// bound are the handlers bound to the event's subject at this point.
	bound []*binding
	// memo is where the answers of the point's events begin in the shard's.
	memo int
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
	case v.Kind == o.verdict.Kind && v.Args != nil && o.plan.join != nil:
		o.verdict = o.plan.join(o.verdict, v)
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
	if p.quick {
		return s.dispatchQuick(p, e)
	}
	s.busy = true
	o := outcome{plan: p, event: e}
	s.raiseAt(&o)
	s.busy = false
	s.rested()
	return o.verdict
}

// rested does what waited until no handler runs.
func (s *shard) rested() {
	if len(s.loose) > 0 {
		s.tidy()
	}
	if len(s.ready) > 0 {
		s.settle()
	}
}

// raiseAt shows an event to all that is bound to its point.
func (s *shard) raiseAt(o *outcome) {
	root := &o.plan.root
	plain := s.open(o)
	s.walk(o, root, &progress{bound: o.bound})
	if s.queue.len() > 0 {
		s.drain(o)
	}
	if len(root.last) > 0 {
		s.walkAlways(o, root, &progress{})
		s.drain(o)
	}
	if !plain {
		s.end(o)
	}
}

// open counts an event, shows it to who looks on, and makes ready for what its rules
// ask, unless they are plain: then there is nothing to end.
func (s *shard) open(o *outcome) (plain bool) {
	p := o.plan
	s.events++
	if len(p.taps) > 0 {
		s.tapped(p, o.event)
	}
	if p.nodes == 0 && s.dynamic[p.where.ID] == 0 {
		return true
	}
	s.begin(o, p.where.ID)
	return false
}

// begin looks for what is bound to the event's subject and makes room for the
// answers of user-defined events, each of which is asked once; end gives it
// back.
func (s *shard) begin(o *outcome, id event.PointID) {
	if s.dynamic[id] > 0 {
		o.bound = s.boundAt(o, id)
	}
	o.memo = len(s.memo)
	for range o.plan.nodes {
		s.memo = append(s.memo, Ask)
	}
}

// from is n as [shard.reached] starts from it: nil is the hook point itself.
func (n *node) from() *node {
	if n.point {
		return nil
	}
	return n
}

func (s *shard) end(o *outcome) { s.memo = s.memo[:o.memo] }

// try runs one rule, or the handler that b binds: its filters, cheapest first,
// then what it decides.
func (s *shard) try(o *outcome, en *entry, b *binding) {
	if o.canceled {
		return
	}
	at := s.pass(o, en)
	if s.followers != nil {
		s.step(o, en, at)
	}
	switch r := en.rule; at {
	case StepSuspended:
		if s.native(en.when, o.event) != No && s.native(en.guard, o.event) != No {
			s.missed(o, r)
		}
		s.decide(o, en, r.onError)
	case StepDecides:
		s.decide(o, en, r.verdict)
	case StepRuns:
		if !o.did {
			s.run(o, en, b)
			return
		}
		if o.did = false; o.decision != nil {
			s.returned(o, en, b, o.decision, nil)
		}
	}
}

// pass asks the rule's filters and says which of them ended it, if any did.
func (s *shard) pass(o *outcome, en *entry) StepKind {
	r := en.rule
	st := r.state
	st.Seen++
	if st.quiet() && s.silent(o, st) {
		return StepOff
	}
	if en.scope != nil && !en.inScope(o) {
		return StepScope
	}
	if en.matches != nil && en != o.met && !en.matches(o.event) {
		return StepMatch
	}
	if st.suspended() {
		return StepSuspended
	}
	if r.decl.When != 0 && (en != o.met || en.way != byWhen) && !s.filter(o, en) {
		return StepWhen
	}
	if st.threshold != nil && !st.threshold.hit(en, o.event, s.Now()) {
		return StepThreshold
	}
	st.Matched++
	if r.run == 0 {
		return StepDecides
	}
	st.matched.add(s)
	if (en != o.met || en.way != byGuard) && s.native(en.guard, o.event) == No {
		return StepGuard
	}
	if en == o.met && en.way == byDeed { // its native form was asked, and asks
		return StepRuns
	}
	switch answer, d := s.do(en, o.event); answer {
	case No:
		return StepGuard
	case Yes:
		o.did, o.decision = true, d
	}
	return StepRuns
}

// run calls the rule's function and takes what it decides.
func (s *shard) run(o *outcome, en *entry, b *binding) {
	r := en.rule
	call := s.prepare(o, en)
	if t := r.state.matched; o.walk != nil || t.apart == nil {
		call.Count = t.count()
	} else {
		call.counted = t
	}
	if b != nil {
		call.Param = b.param
	}
	var d *Decision
	var err error
	switch {
	case o.walk != nil: // it may wait
		if run := s.runWaiting(o, en, b, call); run != nil {
			s.ran(o, run)
		}
		return
	case s.engine.cfg.CheckNative && en.deed != nil:
		d, err = s.both(en, call)
	case s.sampled(r.state):
		d, err = s.timed(r, call)
	default:
		d, err = r.script.instance.Run(r.run, call)
	}
	if d != nil || err != nil {
		s.returned(o, en, b, d, err)
	}
}

// ran ends a run that may have waited.
func (s *shard) ran(o *outcome, r *ruleRun) {
	o.walk.waits = nil
	if errors.Is(r.err, errCanceled) {
		o.canceled, o.decided = true, true
		return
	}
	s.returned(o, r.en, r.b, &r.decision, r.err)
}

// returned takes what a rule's function came to.
func (s *shard) returned(o *outcome, en *entry, b *binding, d *Decision, err error) {
	if err == nil {
		err = s.accept(o, en, b, d)
	}
	if err != nil {
		s.fail(o, en.rule, err)
		s.decide(o, en, en.rule.onError)
		return
	}
	s.decide(o, en, d.Verdict)
}

// accept checks what a handler decided and unbinds it where it says so.
func (s *shard) accept(o *outcome, en *entry, b *binding, d *Decision) error {
	if err := o.plan.check(en.rule, *d); err != nil {
		return err
	}
	if err := s.compareGuard(en.guard, o.event, d.Decided()); err != nil {
		return err
	}
	if d.Off {
		return s.leaveHere(o, en, b)
	}
	return nil
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
	ok, err := r.script.instance.Filter(r.decl.When, s.prepare(o, en))
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
	if !observe {
		o.add(v)
	}
	s.decision = DecisionRecord{
		Origin:  s.origin(o, r.script, r.decl.Name, r.decl.Line),
		Point:   o.plan.where.Name,
		Verdict: o.plan.words[v.Kind],
		Observe: observe,
		Args:    v.Args,
		Held:    o.verdict.Args,
		Routine: o.plan.routine[v.Kind],
	}
	s.sink.Decision(&s.decision)
	if !observe {
		s.bindNamed(o, en, v)
	}
}

// prepare refills the call of a rule's functions.
func (s *shard) prepare(o *outcome, en *entry) *Call {
	c := &en.call
	if c.Where != o.plan.where || c.Gen != s.gen.Number {
		r := en.rule
		s.settled(c, o.plan, r.script, r.decl.Name, en.user)
		c.Observe = c.Observe || r.decl.Observe
	}
	s.moment(c, o)
	return c
}

// prepareNode refills the shard's call for the filter of a user-defined event.
func (s *shard) prepareNode(o *outcome, n *node) *Call {
	c := &s.call
	s.settled(c, o.plan, n.script, n.decl.Name, n.user)
	s.moment(c, o)
	return c
}

// settled fills in what is the same for all events of a point.
func (s *shard) settled(c *Call, p *pointPlan, sc *script, name, user string) {
	*c = Call{Info: p.info, Where: p.where, User: user}
	c.Shard, c.Script, c.Rule, c.Gen = s.Shard, sc.path, name, s.gen.Number
	c.Point, c.Observe = p.where.Name, s.engine.cfg.Observe
}

// moment fills in what belongs to one event. The verdict is copied only where
// there is one: as a rule it was zeroed just now, and to read it as one piece
// would wait for that.
func (s *shard) moment(c *Call, o *outcome) {
	s.handed = c
	c.Event, c.Payload, c.Param = o.event, s.payload, nil
	c.Line, c.Count, c.counted = 0, 0, nil
	if o.verdict.Decided() || c.Verdict.Decided() {
		c.Verdict = o.verdict
	}
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
