package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// TestMaxBreadth is RFC 5393, 5.3: the branches that exist at a time divide what their request
// allows, and where that is too little some wait for the others.
func TestMaxBreadth(t *testing.T) {
	t.Parallel()
	uris := map[string]string{"A": "sip:a@192.0.2.11", "B": "sip:b@192.0.2.12", "C": "sip:c@192.0.2.13"}
	for _, row := range []struct {
		name, said string
		to         string
		want       string // who gets what at once
		then       string // and when those have failed
	}{
		{"nothing is said to one", "", "A", "A:", ""},
		{"nothing is said, of three", "", "A B C", "A:20 B:20 C:20", ""},
		{"one gets all", "7", "A", "A:7", ""},
		{"it is divided", "7", "A B C", "A:3 B:2 C:2", ""},
		{"one each", "3", "A B C", "A:1 B:1 C:1", ""},
		{"two at a time", "2", "A B C", "A:1 B:1", "C:2"},
		{"one at a time", "1", "A B", "A:1", "B:1"},
		{"none", "0", "A B", "", ""},
		{"what is no number", "many", "A", "A:many", ""},
	} {
		r := newRig(t, nil, quiet...)
		r.hooks["request_in"] = func(any) event.Verdict {
			var to []string
			for _, name := range strings.Fields(row.to) {
				to = append(to, uris[name])
			}
			return relayTo(to...)
		}
		var lines []string
		if row.said != "" {
			lines = append(lines, "Max-Breadth: "+row.said)
		}
		r.recv("caller", dialogRequest("INVITE", 1, "inv", "", lines...))
		got := func(seen map[string]bool) string {
			var out []string
			for _, name := range []string{"A", "B", "C"} {
				if len(r.out[name]) == 0 || seen[name] {
					continue
				}
				seen[name] = true
				m := r.last(name, "INVITE")
				v, _ := m.Get(msg.MaxBreadth)
				out = append(out, name+":"+string(v))
				if n := m.Count(msg.MaxBreadth); n > 1 {
					t.Errorf("%s: it says so %d times", row.name, n)
				}
			}
			return strings.Join(out, " ")
		}
		seen := map[string]bool{}
		if first := got(seen); first != row.want {
			t.Errorf("%s: %s, want %s", row.name, first, row.want)
		}
		if row.want == "" {
			if m := r.last("caller", "440"); string(m.Reason()) != "Max-Breadth Exceeded" {
				t.Errorf("%s: answered with\n%s", row.name, m.Raw())
			}
			continue
		}
		for name := range uris {
			if seen[name] {
				r.reply(name, "INVITE", 486, "t"+name)
			}
		}
		if second := got(seen); second != row.then {
			t.Errorf("%s: then %s, want %s", row.name, second, row.then)
		}
		for name := range uris {
			if seen[name] {
				r.reply(name, "INVITE", 486, "t"+name)
			}
		}
		if list := finals(r); fmt.Sprint(list) != "[486]" {
			t.Errorf("%s: the caller hears %v", row.name, list)
		}
		r.ackNegative()
		r.after(time.Minute)
		r.empty()
	}
}
