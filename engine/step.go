package engine

import "slices"

// StepKind says how far a rule came with an event.
type StepKind uint8

// Steps, in the order in which a rule takes them.
const (
	// StepOff is a rule that was switched off, for all or for this subject.
	StepOff StepKind = iota
	// StepScope to StepThreshold are the filters that said no.
	StepScope
	StepMatch
	StepWhen
	StepThreshold
	// StepGuard is a handler whose first lines, run natively, would return.
	StepGuard
	// StepSuspended answers with the rule's on_error.
	StepSuspended
	// StepDecides gives the rule's verdict.
	StepDecides
	// StepRuns calls the rule's function.
	StepRuns
)

var stepWords = [...]string{"off", "scope", "match", "when", "threshold", "guard", "suspended", "decides", "runs"}

// String returns the filter that said no, or what the rule did.
func (k StepKind) String() string { return stepWords[k] }

// Passed reports whether all filters said yes.
func (k StepKind) Passed() bool { return k >= StepGuard }

// Step is what one rule did with one event. What it decided, if it decided
// anything, comes to the [Sink] behind it.
type Step struct {
	Origin
	Point string
	// User is the user-defined event that the rule is bound to, empty for the hook
	// point itself.
	User string
	// Event tells steps of one event from those of the next: it grows.
	Event uint64
	Kind  StepKind
}

// step tells of one.
func (s *shard) step(o *outcome, en *entry, kind StepKind) {
	s.lent = Step{
		Origin: s.origin(o, en.rule.script, en.rule.decl.Name, en.rule.decl.Line),
		Point:  o.plan.where.Name, User: en.user, Event: s.events, Kind: kind,
	}
	for _, f := range s.followers {
		(*f)(&s.lent)
	}
}

// Follow has tell told what each rule does with each event, until remove. It is
// for who asks why: it costs more than most rules. The step is lent.
func (e *Engine) Follow(tell func(*Step)) (remove func()) {
	own := &tell
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.shards {
		s.follow(append(s.followers, own))
	}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, s := range e.shards {
			// A copy: the shard may be going through the list.
			s.follow(slices.DeleteFunc(slices.Clone(s.followers), func(f *func(*Step)) bool { return f == own }))
		}
	}
}

// follow changes who is told.
func (s *shard) follow(list []*func(*Step)) {
	s.Enter()
	defer s.Leave()
	if s.followers = list; len(list) == 0 {
		s.followers = nil
	}
	for _, p := range s.plans {
		if p != nil {
			p.quick = s.quick(p)
		}
	}
}
