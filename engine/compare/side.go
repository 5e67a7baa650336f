package compare

import (
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
)

// Side collects what one rule set says during a step; it is its engine's
// [engine.Sink].
type Side struct {
	places   map[string]place
	describe func(event.Kept) string
	decided  []Decision
	index    map[spot]int // into decided
	alerts   []Alert

	// Decisions, Observed, Alerts, Logs and Errors count what was said in all.
	// An observed decision holds nowhere, so it makes no difference.
	Decisions, Observed, Alerts, Logs, Errors uint64
	// FirstError is what the first script error says, with its file and line.
	FirstError string
}

// place is what a side knows of a hook point.
type place struct {
	first bool           // the first verdict holds, not the strictest
	ranks map[string]int // of the family's verdicts: "flow.cut"
}

// spot is where a verdict holds.
type spot struct {
	conn   uint64
	point  string
	change bool // of a change, which does not stand in the way of a verdict
}

// Decision is the verdict that held for one connection at one hook point during a
// step, or all changes that were made there.
type Decision struct {
	Conn uint64 // 0 where the event is about none
	// Subject puts the connection into words, as who made the comparison asked.
	Subject string
	Point   string
	Verdict string // "flow.cut", "sip.reply 403 Forbidden"; of changes what each changed
	// Change: it is a change of what the event is about, not a verdict.
	Change bool
	// Rules are those that gave a verdict here, in their order.
	Rules []Rule

	rank int // of the verdict in its family
}

// spot is where the decision was made.
func (d *Decision) spot() spot { return spot{d.Conn, d.Point, d.Change} }

// Rule names a rule and what it said, with its arguments.
type Rule struct {
	Script  string `json:"script"`
	Name    string `json:"rule"`
	Line    int    `json:"line"`
	Verdict string `json:"verdict,omitempty"`
}

// Alert is an alert that a rule gave during a step.
type Alert struct {
	Conn     uint64
	Subject  string // as in Decision
	Name     string
	Severity string
	Fields   string // JSON; empty for none
	Rule     Rule
}

func newSide(places map[string]place, describe func(event.Kept) string) *Side {
	return &Side{places: places, describe: describe, index: map[spot]int{}}
}

// subject puts what a record is about into words, at once: the object may stand
// for another connection by the end of the step.
func (s *Side) subject(o *engine.Origin) string {
	switch {
	case o.Subject == nil:
		return ""
	case s.describe == nil:
		return o.Subject.Label()
	}
	return s.describe(o.Subject)
}

// reset forgets the step.
func (s *Side) reset() {
	clear(s.decided)
	clear(s.alerts)
	s.decided, s.alerts = s.decided[:0], s.alerts[:0]
	clear(s.index)
}

// Decision implements [engine.Sink].
func (s *Side) Decision(r *engine.DecisionRecord) {
	if r.Observe {
		s.Observed++
		return
	}
	s.Decisions++
	at := spot{r.Conn, r.Point, r.Change}
	verdict := r.Words()
	rule := Rule{Script: r.Script, Name: r.Rule, Line: r.Line, Verdict: verdict}
	i, ok := s.index[at]
	if !ok {
		s.index[at] = len(s.decided)
		s.decided = append(s.decided, Decision{
			Conn: r.Conn, Subject: s.subject(&r.Origin), Point: r.Point, Verdict: verdict, Change: r.Change, Rules: []Rule{rule},
			rank: s.places[r.Point].ranks[r.Verdict],
		})
		return
	}
	d := &s.decided[i]
	d.Rules = append(d.Rules, rule)
	p := s.places[r.Point]
	switch rank := p.ranks[r.Verdict]; {
	case r.Change: // each holds
		d.Verdict += ", " + strings.TrimPrefix(verdict, r.Verdict+" ")
	case !p.first && rank > d.rank:
		d.Verdict, d.rank = verdict, rank
	case !p.first && rank == d.rank:
		d.Verdict = r.HeldWords()
	}
}

// Alert implements [engine.Sink].
func (s *Side) Alert(r *engine.AlertRecord) {
	s.Alerts++
	a := Alert{
		Conn: r.Conn, Subject: s.subject(&r.Origin), Name: r.Name, Severity: r.Severity,
		Rule: Rule{Script: r.Script, Name: r.Rule, Line: r.Line},
	}
	if len(r.Fields) > 0 {
		a.Fields = string(event.AppendJSONFields(nil, r.Fields))
	}
	s.alerts = append(s.alerts, a)
}

// key is what makes two alerts the same; who gave them does not count.
func (a *Alert) key() string {
	return strconv.FormatUint(a.Conn, 10) + "\x00" + a.Name + "\x00" + a.Severity + "\x00" + a.Fields
}

// Log implements [engine.Sink].
func (s *Side) Log(*engine.LogRecord) { s.Logs++ }

// ScriptError implements [engine.Sink].
func (s *Side) ScriptError(r *engine.ErrorRecord) {
	if s.Errors++; s.Errors == 1 {
		s.FirstError = r.Err.Error()
	}
}
