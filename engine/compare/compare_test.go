package compare_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/compare"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
)

// say is one decision or alert: "7 flow.pkt_in.snd flow.drop rule", "7 ! name rule".
func say(s *compare.Side, words string) {
	var conn uint64
	var point, what, rule string
	if _, err := fmt.Sscan(words, &conn, &point, &what, &rule); err != nil {
		panic(words + ": " + err.Error())
	}
	from := engine.Origin{Conn: conn, Script: "a.lua", Rule: strings.TrimPrefix(rule, "?"), Line: 3}
	if point == "!" {
		s.Alert(&engine.AlertRecord{Origin: from, Name: what, Fields: []event.KV{{Key: "n", Value: 1.0}}})
		return
	}
	s.Decision(&engine.DecisionRecord{Origin: from, Point: point, Verdict: what, Observe: strings.HasPrefix(rule, "?")})
}

func TestStep(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		old, new []string
		want     []string
		total    compare.Total
	}{
		{name: "nothing"},
		{
			name:  "the same",
			old:   []string{"1 flow.pkt_in.snd flow.drop r", "1 ! x r"},
			new:   []string{"1 flow.pkt_in.snd flow.drop r", "1 ! x r"},
			total: compare.Total{Same: 1, AlertsSame: 1},
		},
		{
			name:  "the same by a rule that spoke once more",
			old:   []string{"1 flow.pkt_in.snd flow.drop r", "1 flow.pkt_in.snd flow.drop r"},
			new:   []string{"1 flow.pkt_in.snd flow.drop r"},
			total: compare.Total{Same: 1},
		},
		{
			name:  "the same by another rule, too",
			old:   []string{"1 flow.pkt_in.snd flow.drop r", "1 flow.pkt_in.snd flow.drop r"},
			new:   []string{"1 flow.pkt_in.snd flow.drop r", "1 flow.pkt_in.snd flow.drop s"},
			total: compare.Total{Same: 1, OtherRules: 1},
		},
		{
			name:  "the same by another rule",
			old:   []string{"1 flow.pkt_in.snd flow.drop r"},
			new:   []string{"1 flow.pkt_in.snd flow.drop s"},
			total: compare.Total{Same: 1, OtherRules: 1},
		},
		{
			name:  "the strictest holds",
			old:   []string{"1 flow.pkt_in.snd flow.drop r", "1 flow.pkt_in.snd flow.reset s", "1 flow.pkt_in.snd flow.cut t"},
			new:   []string{"1 flow.pkt_in.snd flow.cut t", "1 flow.pkt_in.snd flow.drop r"},
			want:  []string{"1 flow.pkt_in.snd flow.reset(r s t) flow.cut(t r)"},
			total: compare.Total{Changed: 1, Conns: 1},
		},
		{
			name:  "spots are told apart by connection and hook point",
			old:   []string{"1 flow.pkt_in.snd flow.drop r", "2 flow.pkt_in.snd flow.drop r"},
			new:   []string{"1 flow.pkt_in.rcv flow.drop r", "2 flow.pkt_in.snd flow.drop r"},
			want:  []string{"1 flow.pkt_in.snd flow.drop(r) -", "1 flow.pkt_in.rcv - flow.drop(r)"},
			total: compare.Total{Same: 1, OnlyOld: 1, OnlyNew: 1, Conns: 1},
		},
		{
			name: "what only observes decides nothing",
			old:  []string{"1 flow.pkt_in.snd flow.drop ?r"},
		},
		{
			name:  "of equal alerts the surplus differs",
			old:   []string{"1 ! x r", "1 ! y r"},
			new:   []string{"1 ! x r", "1 ! x s", "2 ! y r"},
			want:  []string{"1 -alert y", "1 +alert x", "2 +alert y"},
			total: compare.Total{AlertsSame: 1, AlertsOld: 1, AlertsNew: 2},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := compare.New(catalogue.New(catalogue.All()...), nil)
			for round := range 2 { // a step leaves nothing to the next
				for _, words := range tc.old {
					say(c.Old, words)
				}
				for _, words := range tc.new {
					say(c.New, words)
				}
				var got []string
				c.Step(func(d compare.Difference) { got = append(got, words(d)) })
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(tc.total, c.Total); diff != "" && round == 0 {
					t.Error(diff)
				}
			}
		})
	}
}

// detail is what a verdict or a change says of itself.
type detail string

func (d detail) String() string { return string(d) }

// TestDetails has changes of one message, which all hold, and verdicts whose arguments are told, of which the
// strictest does.
func TestDetails(t *testing.T) {
	t.Parallel()
	type record struct{ verdict, detail string }
	edits := []record{{"sip.edit", "a = 1"}, {"sip.edit", "b = 2"}}
	for _, c := range []struct {
		name, point string
		change      bool
		old, new    []record
		want        []string
	}{
		{"changes", "sip.request", true, edits, edits, nil},
		{"another second change", "sip.request", true, edits, []record{edits[0], {"sip.edit", "b = 3"}}, []string{
			"1 sip.request sip.edit a = 1, b = 2(r r) sip.edit a = 1, b = 3(r r)",
		}},
		{"one change more", "sip.request", true, edits[:1], edits, []string{
			"1 sip.request sip.edit a = 1(r) sip.edit a = 1, b = 2(r r)",
		}},
		{"the strictest", "flow.pkt_in.snd", false, []record{{"flow.reset", "x"}, {"flow.drop", ""}}, []record{{"flow.drop", ""}, {"flow.reset", "x"}}, nil},
	} {
		say := func(s *compare.Side, list []record) {
			for _, r := range list {
				s.Decision(&engine.DecisionRecord{
					Origin: engine.Origin{Conn: 1, Rule: "r"}, Point: c.point, Verdict: r.verdict, Change: c.change, Args: detail(r.detail),
				})
			}
		}
		both := compare.New(catalogue.New(catalogue.All()...), nil)
		say(both.Old, c.old)
		say(both.New, c.new)
		var got []string
		both.Step(func(d compare.Difference) { got = append(got, words(d)) })
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}

// TestTextOfRules: a side says which rule said what, and once where that is clear.
func TestTextOfRules(t *testing.T) {
	t.Parallel()
	type record struct{ rule, verdict, detail string }
	for _, c := range []struct {
		name, point string
		change      bool
		said        []record
		want        string
	}{
		{"one rule", "sip.request_in", false, []record{{"a", "sip.reply", "403 Forbidden"}}, `sip.reply 403 Forbidden  x.lua:1 "a"`},
		{"changes of one rule", "sip.request_in", true, []record{{"a", "sip.edit", "-X +Y"}, {"a", "sip.edit", "+Z"}}, `sip.edit -X +Y, +Z  x.lua:1 "a"`},
		{
			"changes of several", "sip.request_in", true,
			[]record{{"a", "sip.edit", "-X +Y"}, {"b", "sip.edit", "+Z"}, {"a", "sip.edit", "-X +Y"}},
			`sip.edit -X +Y, +Z, -X +Y  x.lua:1 "a" said sip.edit -X +Y, x.lua:2 "b" said sip.edit +Z`,
		},
		{"one verdict of several rules", "flow.pkt_in.snd", false, []record{{"a", "flow.drop", ""}, {"b", "flow.drop", ""}}, `flow.drop  x.lua:1 "a", x.lua:2 "b"`},
		{
			"the strictest of several", "flow.pkt_in.snd", false,
			[]record{{"a", "flow.drop", ""}, {"b", "flow.reset", "twice"}, {"c", "flow.drop", "why"}},
			`flow.reset twice  x.lua:1 "a" said flow.drop, x.lua:2 "b", x.lua:3 "c" said flow.drop why`,
		},
	} {
		both := compare.New(catalogue.New(catalogue.All()...), nil)
		for _, r := range c.said {
			both.Old.Decision(&engine.DecisionRecord{
				Origin: engine.Origin{Conn: 1, Script: "x.lua", Rule: r.rule, Line: int(r.rule[0] - 'a' + 1)}, Point: c.point, Verdict: r.verdict, Change: c.change, Args: detail(r.detail),
			})
		}
		var out strings.Builder
		text := compare.Text{W: &out}
		both.Step(func(d compare.Difference) { text.Write(compare.Place{Packet: 3}, d) })
		want := "packet 3, 1970-01-01 00:00:00.000000  " + c.point + "\n  - " + c.want + "\n  + nothing\n"
		if got := out.String(); text.Err() != nil || got != want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, want)
		}
	}
}

// words puts a difference on one line.
func words(d compare.Difference) string {
	switch {
	case d.OldAlert != nil:
		return fmt.Sprintf("%d -alert %s", d.OldAlert.Conn, d.OldAlert.Name)
	case d.NewAlert != nil:
		return fmt.Sprintf("%d +alert %s", d.NewAlert.Conn, d.NewAlert.Name)
	}
	side := func(d *compare.Decision) string {
		if d == nil {
			return "-"
		}
		var rules []string
		for _, r := range d.Rules {
			rules = append(rules, r.Name)
		}
		return d.Verdict + "(" + strings.Join(rules, " ") + ")"
	}
	one := d.Old
	if one == nil {
		one = d.New
	}
	return fmt.Sprintf("%d %s %s %s", one.Conn, one.Point, side(d.Old), side(d.New))
}

// TestConnections checks that a connection counts once over all steps.
func TestConnections(t *testing.T) {
	t.Parallel()
	c := compare.New(catalogue.New(catalogue.All()...), nil)
	for i := range 10 {
		say(c.New, fmt.Sprintf("%d flow.pkt_in.snd flow.drop r", i%3))
		c.Step(func(compare.Difference) {})
	}
	if c.Total.OnlyNew != 10 || c.Total.Conns != 2 {
		t.Errorf("%+v", c.Total)
	}
}

// TestJSON checks that every line is one JSON value, whatever the words in it.
func TestJSON(t *testing.T) {
	t.Parallel()
	c := compare.New(catalogue.New(catalogue.All()...), nil)
	var out bytes.Buffer
	j := compare.NewJSON(&out)
	c.New.Alert(&engine.AlertRecord{Name: "no \"fields\"\n", Origin: engine.Origin{Script: "\xff"}})
	say(c.Old, "1 flow.pkt_in.snd flow.drop r")
	c.Step(func(d compare.Difference) { j.Write(compare.Place{Packet: 9, TS: 1e9}, d) })
	j.Summary(9, c)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || j.Err() != nil {
		t.Fatalf("%d lines, %v:\n%s", len(lines), j.Err(), &out)
	}
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Errorf("not JSON: %s", l)
		}
	}
}
