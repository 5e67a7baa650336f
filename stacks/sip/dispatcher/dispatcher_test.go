package dispatcher

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newSet(t *testing.T, a Algorithm, list ...Destination) *Set {
	t.Helper()
	cfg := Config{Name: "s", Algorithm: a, Destinations: list, Failures: 2, Successes: 2}
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	return New(cfg)
}

func dests(text string) []Destination {
	var list []Destination
	for _, word := range strings.Fields(text) {
		d := Destination{Weight: 1}
		var name string
		_, _ = fmt.Sscanf(strings.ReplaceAll(word, "/", " "), "%s %d %d", &name, &d.Weight, &d.Priority)
		d.URI = "sip:" + name
		list = append(list, d)
	}
	return list
}

func picks(s *Set, n int, key string) string {
	var out []string
	for range n {
		asked := s.Select(key, false) // which takes nobody's turn, and says whose it is
		taken := s.Select(key, true)
		if !slices.Equal(asked, taken) {
			taken = append(taken, "asked:"+strings.Join(asked, ","))
		}
		out = append(out, strings.ReplaceAll(strings.Join(taken, ","), "sip:", ""))
	}
	return strings.Join(out, " ")
}

func TestSelect(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		a          Algorithm
		list, want string
	}{
		{RoundRobin, "a b c", "a,b,c b,c,a c,a,b a,b,c"},
		{RoundRobin, "low/1/-1 a/1/5 b/1/5", "a,b,low b,a,low a,b,low b,a,low"},
		{Weighted, "a/3 b/1 c/0", "a,b,c a,b,c b,a,c a,b,c"},
		{LeastLoad, "z/0 a/1 b/2", "b,a,z b,a,z b,a,z b,a,z"},
	} {
		if got := picks(newSet(t, row.a, dests(row.list)...), 4, ""); got != row.want {
			t.Errorf("%s of %s: %s, not %s", row.a, row.list, got, row.want)
		}
	}
}

func TestWeights(t *testing.T) {
	t.Parallel()
	for _, a := range []Algorithm{Weighted, Hash} {
		s := newSet(t, a, dests("a/1 b/3 c/6 d/0")...)
		count := map[string]int{}
		for i := range 10000 {
			count[s.Select(fmt.Sprint("call-", i, "@host"), true)[0]]++
		}
		for uri, want := range map[string]int{"sip:a": 1000, "sip:b": 3000, "sip:c": 6000, "sip:d": 0} {
			if got := count[uri]; got < want-want/10 || got > want+want/10 {
				t.Errorf("%s: %s was chosen %d times of 10,000", a, uri, got)
			}
		}
	}
}

// TestHash: when a destination goes down, only its keys go elsewhere.
func TestHash(t *testing.T) {
	t.Parallel()
	s := newSet(t, Hash, dests("a b c d")...)
	before := map[string]string{}
	for i := range 1000 {
		key := fmt.Sprint(i)
		before[key] = s.Select(key, true)[0]
	}
	s.Mark("sip:c", false)
	for key, was := range before {
		if now := s.Select(key, true)[0]; now != was && was != "sip:c" || now == "sip:c" {
			t.Fatalf("key %s went from %s to %s", key, was, now)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	s := newSet(t, RoundRobin, dests("a b")...)
	for i, row := range []struct{ reached, changed, up bool }{
		{false, false, true},
		{true, false, true},
		{false, false, true},
		{false, true, false},
		{false, false, false},
		{true, false, false},
		{false, false, false},
		{true, false, false},
		{true, true, true},
	} {
		if changed := s.Report("sip:a", row.reached); changed != row.changed || s.List()[0].Up != row.up {
			t.Errorf("%d: %v, %+v", i, changed, s.List()[0])
		}
	}
	s.Mark("sip:a", false)
	s.Mark("sip:b", false)
	if got := s.Select("", true); got != nil {
		t.Errorf("%v of a set that is down", got)
	}
	if _, known := s.Mark("sip:x", true); known || s.Report("sip:x", false) {
		t.Error("one that is not there")
	}
	s.Begin("sip:a")
	s.Begin("sip:a")
	s.Done("sip:a")
	next := newSet(t, RoundRobin, dests("c a/7")...)
	next.Adopt(s)
	want := []View{{Destination: dests("c")[0], Up: true}, {Destination: dests("a/7")[0], Load: 1, Reached: 4, Failed: 5}}
	if diff := cmp.Diff(want, next.List()); diff != "" {
		t.Error(diff)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for text, cfg := range map[string]Config{
		"1 to 1000 destinations":  {},
		"is no SIP URI":           {Destinations: []Destination{{URI: "tel:+1"}}},
		"stands there twice":      {Destinations: dests("a a")},
		"a weight of 0":           {Destinations: dests("a/1001")},
		"1 s or more":             {Destinations: dests("a"), Probe: time.Millisecond},
		"from: a SIP URI":         {Destinations: dests("a"), From: "x"},
		"timeout, failures and s": {Destinations: dests("a"), Failures: -1},
	} {
		if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseAlgorithm("best"); err == nil {
		t.Error("best is an algorithm")
	}
	for a := range algorithms {
		if got, err := ParseAlgorithm(a.String()); got != a || err != nil {
			t.Errorf("%s: %v, %v", a, got, err)
		}
	}
}
