package explain

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
)

// WriteText writes the stories for a person: events at which rules did something,
// with the time since the first of the connection, then what each rule did in
// all.
func (a *Account) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	for i, s := range a.stories {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s  %s\n", s.Label, s.Subject)
		a.writeEntries(out, s)
		s.writeRules(out)
	}
	return out.Flush()
}

func (a *Account) writeEntries(w io.Writer, s *Story) {
	if len(s.Entries) == 0 {
		return
	}
	began := s.Entries[0].TS
	fmt.Fprintf(w, "%s\n", time.Unix(0, began).UTC().Format("2006-01-02 15:04:05.000000"))
	quiet := 0
	for i := range s.Entries {
		e := &s.Entries[i]
		if e.Kind == Event {
			if !a.All && (i+1 == len(s.Entries) || s.Entries[i+1].Kind == Event) {
				quiet++
				continue
			}
			writeQuiet(w, &quiet)
			fmt.Fprintf(w, "%+12.6f  %s\n", float64(e.TS-began)/1e9, e.Point)
			continue
		}
		writeQuiet(w, &quiet)
		fmt.Fprintf(w, "%14s%s:%d %q  %s\n", "", e.Rule.Script, e.Rule.Line, e.Rule.Name, e.words())
	}
	writeQuiet(w, &quiet)
	if s.Left > 0 {
		fmt.Fprintf(w, "%14s%d more\n", "", s.Left)
	}
}

// writeQuiet tells of events at which no rule did anything.
func writeQuiet(w io.Writer, n *int) {
	switch *n {
	case 0:
		return
	case 1:
		fmt.Fprintf(w, "%14s1 event without effect\n", "")
	default:
		fmt.Fprintf(w, "%14s%d events without effect\n", "", *n)
	}
	*n = 0
}

func (e *Entry) words() string {
	switch e.Kind {
	case Step:
		return e.Text
	case Observed:
		return "would decide " + e.Text
	case Decision:
		return "decides " + e.Text
	}
	return e.Kind.String() + ": " + e.Text
}

// writeRules writes a line a rule: how often it saw an event, and where it ended.
func (s *Story) writeRules(w io.Writer) {
	for _, t := range s.Rules {
		var parts []string
		for k, n := range t.Stopped {
			if n == 0 {
				continue
			}
			switch kind := engine.StepKind(k); kind {
			case engine.StepRuns, engine.StepDecides, engine.StepSuspended, engine.StepOff:
				parts = append(parts, fmt.Sprintf("%d %s", n, kind))
			default:
				parts = append(parts, fmt.Sprintf("%d not by %s", n, kind))
			}
		}
		for _, v := range slices.Sorted(maps.Keys(t.Decided)) {
			parts = append(parts, fmt.Sprintf("%d %s", t.Decided[v], v))
		}
		if t.Errors > 0 {
			parts = append(parts, fmt.Sprintf("%d errors", t.Errors))
		}
		fmt.Fprintf(w, "  %s:%d %q saw %d: %s\n", t.Script, t.Line, t.Name, t.Seen, strings.Join(parts, ", "))
	}
	if len(s.Rules) == 0 {
		fmt.Fprintln(w, "  no rule saw it")
	}
}

// Version is the version of the JSON lines.
const Version = 1

// WriteJSON writes a line an entry, and behind those of a connection one with
// what each rule did in all.
func (a *Account) WriteJSON(w io.Writer) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, s := range a.stories {
		for i := range s.Entries {
			e := &s.Entries[i]
			if err := enc.Encode(lineOf(s, e)); err != nil {
				return err
			}
		}
		if err := enc.Encode(summaryOf(s)); err != nil {
			return err
		}
	}
	return out.Flush()
}

type jsonLine struct {
	V      int             `json:"v"`
	TS     json.RawMessage `json:"ts"`
	Conn   uint64          `json:"conn"`
	Kind   string          `json:"kind"`
	Point  string          `json:"point,omitempty"`
	Script string          `json:"script,omitempty"`
	Rule   string          `json:"rule,omitempty"`
	Line   int             `json:"line,omitempty"`
	Text   string          `json:"text,omitempty"`
}

func lineOf(s *Story, e *Entry) jsonLine {
	return jsonLine{
		V: Version, TS: event.AppendJSONTime(nil, e.TS), Conn: s.ID, Kind: e.Kind.String(), Point: e.Point,
		Script: e.Rule.Script, Rule: e.Rule.Name, Line: e.Rule.Line, Text: e.Text,
	}
}

type jsonRule struct {
	Script  string            `json:"script"`
	Rule    string            `json:"rule"`
	Line    int               `json:"line"`
	Seen    uint64            `json:"seen"`
	Ended   map[string]uint64 `json:"ended"` // by step
	Decided map[string]uint64 `json:"decided"`
	Errors  uint64            `json:"errors"`
}

type jsonSummary struct {
	V       int        `json:"v"`
	Conn    uint64     `json:"conn"`
	Subject string     `json:"subject"`
	Left    uint64     `json:"left,omitempty"`
	Rules   []jsonRule `json:"rules"`
}

func summaryOf(s *Story) jsonSummary {
	sum := jsonSummary{V: Version, Conn: s.ID, Subject: s.Subject, Left: s.Left, Rules: []jsonRule{}}
	for _, t := range s.Rules {
		r := jsonRule{t.Script, t.Name, t.Line, t.Seen, map[string]uint64{}, t.Decided, t.Errors}
		for k, n := range t.Stopped {
			if n > 0 {
				r.Ended[engine.StepKind(k).String()] = n
			}
		}
		sum.Rules = append(sum.Rules, r)
	}
	return sum
}
