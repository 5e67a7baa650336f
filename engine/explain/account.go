package explain

import (
	"log/slog"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
)

// MaxEntries bounds how many lines an account keeps of all its stories; what
// comes later is counted only.
const MaxEntries = 1_000_000

// Account is an [engine.Sink] and takes [engine.Engine.Follow] and taps.
type Account struct {
	// wanted chooses the subjects and describe puts them into words; each is asked
	// once for each subject.
	wanted   func(event.Kept) bool
	describe func(event.Kept) string
	// All keeps the steps of rules whose filters said no.
	All bool

	stories []*Story
	byID    map[uint64]*Story // nil for those that are not wanted
	entries int
}

// Story is what happened to one connection.
type Story struct {
	ID uint64
	// Label and Subject put the connection into words.
	Label, Subject string

	Entries []Entry
	// Left counts entries beyond MaxEntries.
	Left  uint64
	Rules []*RuleTale
}

// Entry is one thing that happened.
type Entry struct {
	TS    int64
	Point string // empty outside of events
	Kind  Kind
	// Rule did it; zero for an event.
	Rule Rule
	// Text is what was said: the step, the verdict, the alert with its fields.
	Text string
}

// Rule names a rule and where it is.
type Rule struct {
	Script, Name string
	Line         int
}

// Kind says what an entry is.
type Kind uint8

// Kinds of entries.
const (
	Event Kind = iota
	Step
	Decision
	Observed
	Alert
	Log
	Error
)

var kindWords = [...]string{"event", "step", "decision", "observed", "alert", "log", "error"}

// String returns the kind in a word.
func (k Kind) String() string { return kindWords[k] }

// RuleTale counts what one rule did with the events of one connection.
type RuleTale struct {
	Rule
	Seen uint64
	// Stopped counts the events by the step at which the rule ended.
	Stopped [engine.StepRuns + 1]uint64
	Decided map[string]uint64 // by verdict
	Errors  uint64
}

// New returns an empty account of the subjects that wanted chooses; describe puts
// one into words.
func New(wanted func(event.Kept) bool, describe func(event.Kept) string) *Account {
	return &Account{wanted: wanted, describe: describe, byID: map[uint64]*Story{}}
}

// Stories returns those of the subjects that were seen, in the order of their
// first events.
func (a *Account) Stories() []*Story { return a.stories }

// story returns the subject's, nil where it is not wanted.
func (a *Account) story(k event.Kept) *Story {
	if k == nil {
		return nil
	}
	id := k.ID()
	s, known := a.byID[id]
	if !known {
		if a.wanted(k) {
			// The object may stand for another connection later.
			s = &Story{ID: id, Label: k.Label(), Subject: a.describe(k)}
			a.stories = append(a.stories, s)
		}
		if s != nil || len(a.byID) < MaxEntries {
			a.byID[id] = s
		}
	}
	return s
}

func (a *Account) add(s *Story, e Entry) {
	if a.entries >= MaxEntries {
		s.Left++
		return
	}
	a.entries++
	s.Entries = append(s.Entries, e)
}

// Event is an [engine.Tap].
func (a *Account) Event(sh *event.Shard, info *event.Info, where *event.PointInfo, e any) {
	f := info.Subject()
	if f == nil {
		return
	}
	k, ok := f.Get.Object(e).(event.Kept)
	if !ok {
		return
	}
	if s := a.story(k); s != nil {
		a.add(s, Entry{TS: sh.Now(), Point: where.Name, Kind: Event})
	}
}

// Step takes what [engine.Engine.Follow] gives.
func (a *Account) Step(st *engine.Step) {
	s := a.story(st.Subject)
	if s == nil {
		return
	}
	r := ruleOf(&st.Origin)
	t := s.tale(r)
	t.Seen++
	t.Stopped[st.Kind]++
	// The decision itself follows where the rule gives a verdict.
	if st.Kind != engine.StepDecides && (a.All || st.Kind.Passed()) {
		a.add(s, Entry{TS: st.TS, Point: st.Point, Kind: Step, Rule: r, Text: stepText(st)})
	}
}

func stepText(st *engine.Step) string {
	text := st.Kind.String()
	switch st.Kind {
	case engine.StepScope, engine.StepMatch, engine.StepWhen, engine.StepThreshold, engine.StepGuard:
		text += " says no"
	case engine.StepSuspended:
		text = "is suspended"
	case engine.StepOff:
		text = "is off"
	}
	if st.User != "" {
		text += " (" + st.User + ")"
	}
	return text
}

func ruleOf(o *engine.Origin) Rule { return Rule{o.Script, o.Rule, o.Line} }

// tale returns what is counted of a rule.
func (s *Story) tale(r Rule) *RuleTale {
	for _, t := range s.Rules {
		if t.Name == r.Name && t.Script == r.Script {
			return t
		}
	}
	t := &RuleTale{Rule: r, Decided: map[string]uint64{}}
	s.Rules = append(s.Rules, t)
	return t
}

// Decision implements [engine.Sink].
func (a *Account) Decision(r *engine.DecisionRecord) {
	s := a.story(r.Subject)
	if s == nil {
		return
	}
	kind := Decision
	if r.Observe {
		kind = Observed
	}
	rule := ruleOf(&r.Origin)
	s.tale(rule).Decided[r.Verdict]++
	a.add(s, Entry{TS: r.TS, Point: r.Point, Kind: kind, Rule: rule, Text: r.Words()})
}

// Alert implements [engine.Sink].
func (a *Account) Alert(r *engine.AlertRecord) {
	a.said(&r.Origin, Alert, r.Name, r.Fields)
}

// Log implements [engine.Sink].
func (a *Account) Log(r *engine.LogRecord) {
	if r.Level >= slog.LevelInfo {
		a.said(&r.Origin, Log, r.Message, r.Fields)
	}
}

func (a *Account) said(o *engine.Origin, kind Kind, text string, fields []event.KV) {
	s := a.story(o.Subject)
	if s == nil {
		return
	}
	if len(fields) > 0 {
		text += " " + string(event.AppendJSONFields(nil, fields))
	}
	a.add(s, Entry{TS: o.TS, Kind: kind, Rule: ruleOf(o), Text: text})
}

// ScriptError implements [engine.Sink].
func (a *Account) ScriptError(r *engine.ErrorRecord) {
	s := a.story(r.Subject)
	if s == nil {
		return
	}
	rule := ruleOf(&r.Origin)
	s.tale(rule).Errors++
	text := r.Err.Error()
	if r.Suspended {
		text += "; suspended"
	}
	a.add(s, Entry{TS: r.TS, Point: r.Point, Kind: Error, Rule: rule, Text: text})
}
