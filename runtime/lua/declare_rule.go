package lua

import (
	"math"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/match"
	"github.com/hookd/hookd/runtime/lua/predicate"
)

var ruleKeys = []string{
	"on", "scope", "match", "when", "threshold", "priority", "run", "verdict", "on_error",
	"mode", "always", "enabled", "overlap", "doc", "severity", "tags",
}

// maxPriority bounds a rule's priority to both sides.
const maxPriority = 1_000_000

// rule is `rule "name" { … }`.
func (d *declarer) rule(f *fields) {
	when, guard := f.nativeForm("when", predicate.Filter), f.nativeForm("run", predicate.Guard)
	deed := f.deedForm("run", guard)
	r := &engine.RuleDecl{
		Name: f.name, Line: f.line,
		Scope: f.str("scope"), ScopeLine: f.at("scope"),
		Match: f.match("match"), When: f.fn("when"), Threshold: f.threshold("threshold"),
		NativeWhen: when.maker(), Guard: guard.maker(), Deed: deed.maker(),
		Run: f.fn("run"), Verdict: f.verdict("verdict"), OnError: f.verdict("on_error"),
		Priority: int(f.integer("priority", -maxPriority, maxPriority)),
		Observe:  f.oneOf("mode", "observe") == "observe",
		Always:   f.boolean("always", false), Disabled: !f.boolean("enabled", true),
		Overlap: f.overlap("overlap"),
		Doc:     f.str("doc"), Severity: f.str("severity"), Tags: f.strs("tags"),
	}
	r.Explain = f.explanation(when, guard, deed, r.When, r.Run)
	if f.has("on") {
		r.On = f.points("on")
	} else {
		f.missing("on", "as in on = flow.conn_start")
	}
	f.decides()
	d.plan.Rules = append(d.plan.Rules, r)
}

// overlap reads `overlap = "last"` or `overlap = { client, server }`.
func (f *fields) overlap(key string) *engine.OverlapDecl {
	if !f.has(key) {
		return nil
	}
	t, ok := f.get(key).(*glua.LTable)
	if !ok {
		both := f.oneOf(key, "first", "last")
		return &engine.OverlapDecl{Line: f.at(key), Client: both, Server: both}
	}
	sub := &fields{d: f.d, title: f.title + ": " + key, line: f.at(key), t: t, node: tableOf(fieldOf(f.node, key))}
	sub.check([]string{"client", "server"})
	return &engine.OverlapDecl{
		Line: f.at(key), Client: sub.oneOf("client", "first", "last"), Server: sub.oneOf("server", "first", "last"),
	}
}

// threshold reads `threshold = { by, count, within, fire }`.
func (f *fields) threshold(key string) *engine.ThresholdDecl {
	if !f.has(key) {
		return nil
	}
	t, ok := f.get(key).(*glua.LTable)
	if !ok {
		f.wrong(key, "a table")
		return nil
	}
	sub := &fields{d: f.d, title: f.title + ": " + key, line: f.at(key), t: t, node: tableOf(fieldOf(f.node, key))}
	sub.check([]string{"by", "count", "within", "fire"})
	out := &engine.ThresholdDecl{
		Line: sub.at("by"), By: sub.path("by"), Count: int(sub.integer("count", 1, math.MaxInt32)),
		Within: sub.duration("within"), Fire: sub.oneOf("fire", "once", "each"),
	}
	for _, need := range []string{"count", "within"} {
		if !sub.has(need) {
			sub.d.report(remark{
				msg:  sub.title + ": " + need + " is missing",
				hint: `as in threshold = { by = "client.ip", count = 20, within = "10s" }`, word: key, line: sub.line,
			})
		}
	}
	return out
}

// path reads "client.ip".
func (f *fields) path(key string) []string {
	s := f.str(key)
	if s == "" {
		return nil
	}
	return strings.Split(s, ".")
}

// match reads a match table.
func (f *fields) match(key string) *match.Node {
	if !f.has(key) {
		return nil
	}
	field := fieldOf(f.node, key)
	m := &matchReader{f: f, key: key}
	n, ok := m.fields(f.get(key), tableOf(field), f.at(key), key, 0)
	if !ok {
		return nil
	}
	return &n
}
