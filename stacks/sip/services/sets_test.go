package services

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/dispatcher"
)

// declare makes sets be what scripts declare, and commits them.
func (b *bench) declare(list ...Declared) {
	b.t.Helper()
	ch, errs := b.desk.PrepareSets(list)
	if ch == nil {
		b.t.Fatal(errs)
	}
	b.shard.Leave() // as who publishes
	ch.Commit()
	b.shard.Enter()
	b.after(0)
}

// set declares one of these destinations.
func set(name string, options ...event.KV) Declared {
	return Declared{Name: name, Options: append([]event.KV{{Key: "destinations", Value: []any{"sip:192.0.2.11", "sip:192.0.2.12"}}}, options...)}
}

func TestReadSet(t *testing.T) {
	t.Parallel()
	one := event.KV{Key: "destinations", Value: []any{"sip:h"}}
	kv := func(key string, value any) event.KV { return event.KV{Key: key, Value: value} }
	row := func(fields ...event.KV) event.KV {
		return kv("destinations", []any{append([]event.KV{kv("uri", "sip:h")}, fields...)})
	}
	plain := dispatcher.Config{Name: "s", Destinations: []dispatcher.Destination{{URI: "sip:h", Weight: 1}}}
	with := func(change func(*dispatcher.Config)) *dispatcher.Config {
		c := plain
		change(&c)
		return &c
	}
	for _, c := range []struct {
		name    string
		options []event.KV
		want    *dispatcher.Config
		err     string
	}{
		{"a URI", []event.KV{one}, &plain, ""},
		{"a table", []event.KV{row()}, &plain, ""},
		{"all of a table", []event.KV{row(kv("weight", 7.0), kv("priority", -2.0))}, with(func(c *dispatcher.Config) {
			c.Destinations = []dispatcher.Destination{{URI: "sip:h", Weight: 7, Priority: -2}}
		}), ""},
		{"all of a set", []event.KV{one, kv("algorithm", "hash"), kv("probe", "10s"), kv("timeout", 1.5), kv("failures", 4.0), kv("successes", 2.0), kv("from", "sip:me@h")}, with(func(c *dispatcher.Config) {
			c.Algorithm, c.Probe, c.Timeout, c.Failures, c.Successes, c.From = dispatcher.Hash, 10*time.Second, 1500*time.Millisecond, 4, 2, "sip:me@h"
		}), ""},
		{"none", []event.KV{kv("destinations", []event.KV{})}, &dispatcher.Config{Name: "s"}, ""},
		{"no list", []event.KV{kv("destinations", "sip:h")}, nil, "destinations: a list expected"},
		{"no row", []event.KV{kv("destinations", []any{7.0})}, nil, "destinations: a URI or a table expected of each"},
		{"an unknown field", []event.KV{row(kv("wait", 1.0))}, nil, "destinations: wait: unknown"},
		{"no weight", []event.KV{row(kv("weight", "heavy"))}, nil, "destinations: weight: "},
		{"no algorithm", []event.KV{kv("algorithm", "best")}, nil, `algorithm "best"`},
		{"no text", []event.KV{kv("algorithm", 7.0)}, nil, "algorithm: "},
		{"no time", []event.KV{kv("probe", "often")}, nil, "probe: "},
		{"no number", []event.KV{kv("failures", -1.0)}, nil, "failures: "},
		{"an unknown option", []event.KV{kv("targets", []any{})}, nil, "targets: unknown"},
	} {
		got, err := readSet(Declared{Name: "s", Options: c.options})
		if c.err != "" {
			fails(t, c.name, err, c.err)
			continue
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", c.name, err, diff)
		}
	}
}

// TestPrepareSets: each error is about the declaration of its place, and nothing is changed
// where there is one, or where it is given up.
func TestPrepareSets(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	b.declare(set("kept"))
	ch, errs := b.desk.PrepareSets([]Declared{set("good"), set("bad", event.KV{Key: "x"}), {Name: "empty"}})
	if ch != nil || len(errs) != 3 || errs[0] != nil {
		t.Fatalf("%v, %v", ch, errs)
	}
	fails(t, "bad", errs[1], "x: unknown")
	fails(t, "empty", errs[2], "destinations expected")
	if ch, _ = b.desk.PrepareSets([]Declared{set("good")}); ch == nil {
		t.Fatal("it is refused")
	}
	ch.Abort()
	if b.desk.DispatcherList(b.by(), "good") != nil || b.desk.DispatcherList(b.by(), "kept") == nil {
		t.Error("what was given up was done")
	}
}

// TestSets: destinations in turn, marked down and up, and what is known of them over a
// reload.
func TestSets(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	b.declare(set("s"))
	chosen := func(by *event.Caller) (list []any) {
		b.t.Helper()
		rowsOf, err := b.desk.DispatcherSelect(by, "s", "")
		if err != nil {
			t.Fatal(err)
		}
		return rows(rowsOf, "next_hop")
	}
	for i, want := range []string{"sip:192.0.2.11", "sip:192.0.2.11", "sip:192.0.2.12", "sip:192.0.2.11"} {
		by := b.by()
		if i == 0 {
			by = b.trying() // which takes nobody's turn
		}
		if got := chosen(by); len(got) != 2 || got[0] != want {
			t.Errorf("choice %d: %v, want %s first", i, got, want)
		}
	}
	first, _ := b.desk.DispatcherSelect(b.by(), "s", "")
	for key, want := range map[string][]any{"set": {"s", "s"}, "step": {1.0, 2.0}, "backup": {false, true}} {
		if diff := cmp.Diff(want, rows(first, key)); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	for _, row := range []struct {
		by   *event.Caller
		up   bool
		told []string
	}{{b.trying(), false, nil}, {b.by(), false, []string{"sip:192.0.2.11 of s up false"}}, {b.by(), false, nil}} {
		if err := b.desk.DispatcherMark(row.by, "s", "sip:192.0.2.11", row.up); err != nil {
			t.Error(err)
		}
		b.heard(row.told...)
	}
	if got := chosen(b.by()); len(got) != 1 || got[0] != "sip:192.0.2.12" {
		t.Errorf("one is down, and chosen are %v", got)
	}
	b.declare(set("s", event.KV{Key: "algorithm", Value: "weighted"}), set("other"))
	if got := rows(b.desk.DispatcherList(b.by(), "s"), "up"); !cmp.Equal(got, []any{false, true}) {
		t.Errorf("after a reload %v are up", got)
	}
	if err := b.desk.DispatcherMark(b.by(), "s", "sip:192.0.2.11", true); err != nil {
		t.Error(err)
	}
	b.heard("sip:192.0.2.11 of s up true")
	b.declare(set("other"))
	_, err := b.desk.DispatcherSelect(b.by(), "s", "")
	fails(t, "a set that is gone", err, `there is no set "s"`)
	fails(t, "its destination", b.desk.DispatcherMark(b.by(), "s", "sip:192.0.2.11", true), `"sip:192.0.2.11" is not in set "s"`)
	fails(t, "no destination", b.desk.DispatcherMark(b.by(), "other", "sip:x", true), `"sip:x" is not in set "other"`)
}

// TestProbes: who does not answer is taken out, and in again when it does; one that is
// called counts alike.
func TestProbes(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	b.declare(set("s", event.KV{Key: "probe", Value: "2s"}, event.KV{Key: "timeout", Value: "1s"}, event.KV{Key: "failures", Value: 1.0}))
	alive := map[string]int{"192.0.2.11": 200, "192.0.2.12": 404}
	pass := func(seconds int) {
		for range seconds * 4 {
			b.after(250 * time.Millisecond)
			for at, raw := range b.last {
				if code := alive[at]; code != 0 && string(raw[:7]) == "OPTIONS" {
					b.answer(at, code)
					delete(b.last, at)
				}
			}
		}
	}
	pass(6)
	b.heard()
	delete(alive, "192.0.2.12")
	pass(6)
	b.heard("sip:192.0.2.12 of s up false")
	alive["192.0.2.11"] = 503
	pass(6)
	b.heard("sip:192.0.2.11 of s up false")
	alive = map[string]int{"192.0.2.11": 200, "192.0.2.12": 500}
	pass(6)
	if len(b.told) != 2 {
		t.Errorf("told %q", b.told)
	}
	b.told = nil
	b.request(caller, "INVITE", "a", func(*sip.Tx, *sip.Message) event.Verdict {
		return event.Verdict{Kind: sipev.VerdictRelay, Args: &sipev.RelayArgs{Targets: []any{[]event.KV{{Key: "next_hop", Value: "sip:192.0.2.11"}, {Key: "set", Value: "s"}}}}}
	})
	if got := rows(b.desk.DispatcherList(b.by(), "s"), "load"); !cmp.Equal(got, []any{1.0, 0.0}) {
		t.Errorf("the load is %v", got)
	}
	b.answer("192.0.2.11", 503)
	b.heard("sip:192.0.2.11 of s up false")
	if got := rows(b.desk.DispatcherList(b.by(), "s"), "load"); !cmp.Equal(got, []any{0.0, 0.0}) {
		t.Errorf("the load is %v", got)
	}
	if s := b.desk.Stats(); s.Probes < 20 || s.ProbesSkipped != 0 {
		t.Errorf("%+v", s)
	}
	// A set that is taken away is asked no more.
	b.declare()
	sent := len(b.sent)
	b.after(10 * time.Second)
	for _, line := range b.sent[sent:] {
		if line[:7] == "OPTIONS" && line != "OPTIONS sip:192.0.2.12 SIP/2.0 to 192.0.2.12" {
			t.Errorf("%s", line)
		}
	}
}
