package engine

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/hookd/hookd/engine/event"
)

// Sink receives what scripts and rules say. It is called with the shard
// entered, so it must not block for long and must not call the engine. A
// decision is lent for the duration of the call; the other records are the
// sink's.
type Sink interface {
	Log(*LogRecord)
	Alert(*AlertRecord)
	Decision(*DecisionRecord)
	// ScriptError reports a failure of a script at run time.
	ScriptError(*ErrorRecord)
}

// Origin says where a record comes from.
type Origin struct {
	TS     int64 // event time, nanoseconds
	Gen    uint64
	Script string
	Rule   string
	Line   int
	// Conn is the number of the kept object that was handled, 0 for none.
	Conn uint64
	// Subject is that object where it is kept, else nil. It is lent for the
	// duration of the call.
	Subject event.Kept
}

// LogRecord is a line a script logged.
type LogRecord struct {
	Origin
	Level   slog.Level
	Message string
	Fields  []event.KV
}

// AlertRecord is something a script wants a person to see.
type AlertRecord struct {
	Origin
	Name   string
	Fields []event.KV
	// Severity is the rule's, empty where it has none.
	Severity string
}

// DecisionRecord is what one rule decided.
type DecisionRecord struct {
	Origin
	Point   string
	Verdict string // with its family: "flow.cut"
	// Observe: the rule only observes; the verdict was not applied.
	Observe bool
	// Change: it is no verdict, but a change of what the event is about.
	Change bool
	// Args are the verdict's arguments, nil where it has none. They are lent.
	Args any
	// Held are the arguments of the verdict that holds at the hook point so far, with this decision in it:
	// of several of one kind what they come to together. They are lent.
	Held any
	// Routine: it is what the event is there for, as an answer to a request is.
	Routine bool
}

// Detail says what the arguments are, where they can say it: "403 Forbidden".
func (r *DecisionRecord) Detail() string { return inWords(r.Args) }

// Words returns the verdict with its detail: "sip.reply 403 Forbidden".
func (r *DecisionRecord) Words() string { return strings.TrimSpace(r.Verdict + " " + r.Detail()) }

// HeldWords says the same of what holds.
func (r *DecisionRecord) HeldWords() string {
	return strings.TrimSpace(r.Verdict + " " + inWords(r.Held))
}

func inWords(args any) string {
	if s, ok := args.(fmt.Stringer); ok {
		return s.String()
	}
	return ""
}

// ErrorRecord is a failure of a script at run time.
type ErrorRecord struct {
	Origin
	Point     string
	Err       *ScriptError
	Suspended bool // what failed does not run again until its next reload
}

// Discard is a Sink that forgets everything.
type Discard struct{}

// Log implements [Sink].
func (Discard) Log(*LogRecord) {}

// Alert implements [Sink].
func (Discard) Alert(*AlertRecord) {}

// Decision implements [Sink].
func (Discard) Decision(*DecisionRecord) {}

// ScriptError implements [Sink].
func (Discard) ScriptError(*ErrorRecord) {}
