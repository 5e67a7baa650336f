package compare

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Place says which packet a step was.
type Place struct {
	Packet uint64 // from 1; 0 for what happened behind the last, and with Start before the first
	Start  bool
	TS     int64 // event time, nanoseconds
	// Live: packets are not counted, the time says where it was.
	Live bool
}

// Shown bounds how many differences are written; those beyond are counted.
type Shown struct {
	Most uint64 // 0: all

	written, more uint64
}

// next reports whether another one is written.
func (s *Shown) next() bool {
	if s.Most != 0 && s.written == s.Most {
		s.more++
		return false
	}
	s.written++
	return true
}

// Text writes differences for a person.
type Text struct {
	Shown
	W io.Writer

	err  error
	head string // what was written last of where differences are
}

// Err returns the first error of any write.
func (t *Text) Err() error { return t.err }

func (t *Text) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.W, format, args...)
	}
}

// Write writes one difference: where, unless the one before was there, then a line a side.
func (t *Text) Write(at Place, d Difference) {
	if !t.next() {
		return
	}
	if d.OldAlert != nil || d.NewAlert != nil {
		a, sign := d.OldAlert, "- "
		if a == nil {
			a, sign = d.NewAlert, "+ "
		}
		t.where(at, a.Subject, a.Conn, "alert")
		t.printf("  %s%s  %s\n", sign, strings.TrimSpace(a.Name+" "+a.Fields), ruleWords(a.Rule))
		return
	}
	one := d.Old
	if one == nil {
		one = d.New
	}
	t.where(at, one.Subject, one.Conn, one.Point)
	t.decision("- ", d.Old)
	t.decision("+ ", d.New)
}

// where writes where a difference is.
func (t *Text) where(at Place, subject string, conn uint64, what string) {
	head := "end, "
	switch {
	case at.Live:
		head = ""
	case at.Start:
		head = "start, "
	case at.Packet != 0:
		head = fmt.Sprintf("packet %d, ", at.Packet)
	}
	head += time.Unix(0, at.TS).UTC().Format("2006-01-02 15:04:05.000000")
	if subject != "" {
		head += fmt.Sprintf("  conn %d %s", conn, subject)
	}
	head += "  " + what
	if head != t.head {
		t.head = head
		t.printf("%s\n", head)
	}
}

func (t *Text) decision(sign string, d *Decision) {
	if d == nil {
		t.printf("  %snothing\n", sign)
		return
	}
	var rules []string
	one := byOne(d.Rules)
	for _, r := range d.Rules {
		words := ruleWords(r)
		if r.Verdict != d.Verdict && !one {
			words += " said " + r.Verdict
		}
		if !slices.Contains(rules, words) {
			rules = append(rules, words)
		}
	}
	t.printf("  %s%s  %s\n", sign, d.Verdict, strings.Join(rules, ", "))
}

// byOne tells whether all was said by one rule: then the verdict says it.
func byOne(rules []Rule) bool {
	for _, r := range rules {
		if r.Script != rules[0].Script || r.Line != rules[0].Line || r.Name != rules[0].Name {
			return false
		}
	}
	return true
}

func ruleWords(r Rule) string { return fmt.Sprintf("%s:%d %q", r.Script, r.Line, r.Name) }

// Summary writes what all steps showed together.
func (t *Text) Summary(packets uint64, c *Comparison) {
	n := &c.Total
	if t.more > 0 {
		t.printf("%d more differences are not shown\n", t.more)
	}
	t.printf("%d packets; %d decisions the same, %d only old, %d only new, %d changed", packets, n.Same, n.OnlyOld, n.OnlyNew, n.Changed)
	more := ""
	if n.ConnsMore {
		more = "more than "
	}
	t.printf("; %s%d connections affected\n", more, n.Conns)
	if n.OtherRules > 0 {
		t.printf("%d of the same decisions come from other rules\n", n.OtherRules)
	}
	if n.AlertsSame+n.AlertsOld+n.AlertsNew > 0 {
		t.printf("alerts: %d the same, %d only old, %d only new\n", n.AlertsSame, n.AlertsOld, n.AlertsNew)
	}
	if c.Old.Observed+c.New.Observed > 0 {
		t.printf("observed, and so not compared: %d old, %d new\n", c.Old.Observed, c.New.Observed)
	}
	if c.Old.Errors+c.New.Errors > 0 {
		t.printf("script errors: %d old, %d new\n", c.Old.Errors, c.New.Errors)
		for _, s := range []struct{ side, first string }{{"old", c.Old.FirstError}, {"new", c.New.FirstError}} {
			if s.first != "" {
				t.printf("  the first %s: %s\n", s.side, s.first)
			}
		}
	}
}
