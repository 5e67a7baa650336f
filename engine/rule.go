package engine

import (
	"cmp"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/hookd/hookd/engine/event"
)

// rule is one generation's form of a declared rule.
type rule struct {
	decl    *RuleDecl
	script  *script
	index   int // place in the file
	run     FuncID
	state   *ruleState
	infos   []*event.Info // what it is bound to
	verdict event.Verdict
	onError event.Verdict
	waits   bool // its function may wait
	// threshold is what the declaration asks for; the rule's state holds the one
	// that counts.
	threshold *counted
	// places are, of a handler, where it may be bound.
	places map[place]*entry
}

// inOrder reports whether a runs before b, or either may: by priority, script
// path and place in the file.
func inOrder(a, b *rule) bool {
	return cmp.Or(
		-cmp.Compare(a.decl.Priority, b.decl.Priority),
		cmp.Compare(a.script.path, b.script.path),
		cmp.Compare(a.index, b.index),
	) <= 0
}

// ruleState is a rule on one shard: a rule is the same over generations while its
// script and name are.
type ruleState struct {
	// What each event asks stands together, here and in what is shared.
	*ruleShared
	// muted counts the objects that the rule is unbound from since its script
	// changed last, which is era.
	muted int
	era   uint64
	RuleStats
}

// ruleShared is what is one for all shards. It lasts until its script changes;
// then another goes on with what it counted.
type ruleShared struct {
	// off says who switched the rule off: offByScript, offByHand or both.
	off       atomic.Uint32
	matched   *tally   // how often, on all shards
	threshold *counted // never changed
	health
}

// RuleStats counts what a rule did since the engine started.
type RuleStats struct {
	Seen     uint64 // events at its hook points
	Matched  uint64 // that passed all its filters
	Decided  uint64 // verdicts it gave, those on errors included
	Errors   uint64 // failures of its functions
	Overruns uint64 // of those, by budget
	Calls    uint64 // of its handler, where that may not wait
	CPU      CPUStats
}

// add adds what another shard counted.
func (st *RuleStats) add(o *RuleStats) {
	st.Seen += o.Seen
	st.Matched += o.Matched
	st.Decided += o.Decided
	st.Errors += o.Errors
	st.Overruns += o.Overruns
	st.Calls += o.Calls
	st.CPU.add(&o.CPU)
}

// failures remembers when the latest errors and overruns happened.
type failures struct {
	errors   []int64
	overruns []int64
}

// note adds a failure to those of its kind and reports whether the latest limit
// of them happened within window.
func note(times []int64, now, window int64, limit int) ([]int64, bool) {
	if len(times) == limit {
		copy(times, times[1:])
		times = times[:limit-1]
	}
	times = append(times, now)
	return times, len(times) == limit && now-times[0] <= window
}

// add notes a failure at event time now and reports whether it is one too many.
func (f *failures) add(now int64, overrun bool, l *Limits) bool {
	window := int64(l.SuspendWindow)
	var many, often bool
	f.errors, many = note(f.errors, now, window, l.Errors)
	if overrun {
		f.overruns, often = note(f.overruns, now, window, l.Overruns)
	}
	return many || often
}

// check tells whether a rule may decide d at this point.
func (p *pointPlan) check(r *rule, d Decision) error {
	var why string
	switch {
	case !d.Decided():
		return nil
	case r.decl.Always:
		why = "a rule that always runs decides nothing"
	case d.Family != p.family || int(d.Kind) >= len(p.allowed) || !p.allowed[d.Kind]:
		why = p.takes()
	default:
		return nil
	}
	return &ScriptError{
		Script:  r.script.path,
		Line:    r.decl.Line,
		Message: fmt.Sprintf("%s %q decided %s: %s", r.word(), r.decl.Name, decisionName(d), why),
	}
}

// takes says which verdicts the point accepts.
func (p *pointPlan) takes() string {
	var names []string
	for k, ok := range p.allowed {
		if ok {
			names = append(names, p.words[k])
		}
	}
	if len(names) == 0 {
		return p.where.Name + " takes no verdict"
	}
	return p.where.Name + " takes " + strings.Join(names, ", ")
}

func decisionName(d Decision) string {
	if d.Family != nil {
		if v := d.Family.Verdict(d.Kind); v != nil {
			return d.Family.Name + "." + v.Name
		}
	}
	return "something that is no verdict"
}
