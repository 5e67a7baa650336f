package inspect

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/diag"
)

// RulesAnswer lists the live rules in the order of their scripts and files.
type RulesAnswer struct {
	V          int    `json:"v"`
	Generation uint64 `json:"generation"`
	Rules      []Rule `json:"rules"`
}

// Rule is one live rule or handler with its counters since the daemon started.
type Rule struct {
	Script string `json:"script"`
	Name   string `json:"rule"`
	Line   int    `json:"line"`
	// Handler: it runs only where it is bound.
	Handler bool     `json:"handler,omitempty"`
	Points  []string `json:"on"`
	Enabled bool     `json:"enabled"`
	// Off says who disabled it: "declaration", "script" or "hand".
	Off       string `json:"off,omitempty"`
	Suspended bool   `json:"suspended"`
	Seen      uint64 `json:"seen"`
	Matched   uint64 `json:"matched"`
	Decided   uint64 `json:"decided"`
	Errors    uint64 `json:"errors"`
	Overruns  uint64 `json:"overruns"`
}

// ruleOf makes the answer's form of a rule.
func ruleOf(st *engine.RuleStatus) Rule {
	r := Rule{
		Script: st.Script, Name: st.Name, Line: st.Line, Handler: st.Handler, Points: st.Points, Suspended: st.Suspended,
		Seen: st.Seen, Matched: st.Matched, Decided: st.Decided, Errors: st.Errors, Overruns: st.Overruns,
	}
	switch {
	case st.Disabled:
		r.Off = "declaration"
	case st.Halted:
		r.Off = "hand"
	case st.Off:
		r.Off = "script"
	}
	r.Enabled = r.Off == ""
	return r
}

// State says in a word or two whether the rule runs.
func (r *Rule) State() string {
	switch {
	case r.Suspended:
		return "suspended"
	case r.Off == "hand":
		return "disabled"
	case r.Off == "script":
		return "off by its script"
	case r.Off != "":
		return "not enabled"
	case r.Handler:
		return "handler"
	}
	return "on"
}

// Rules lists the live rules.
func (in *Inspector) Rules() *RulesAnswer {
	a := &RulesAnswer{V: Version, Generation: in.engine.Generation(), Rules: []Rule{}}
	list := in.engine.Rules()
	for i := range list {
		a.Rules = append(a.Rules, ruleOf(&list[i]))
	}
	return a
}

// PlanAnswer is the order in which rules run: a line a hook point, those of its
// rules indented below it.
type PlanAnswer struct {
	V          int      `json:"v"`
	Generation uint64   `json:"generation"`
	Plan       []string `json:"plan"`
}

// Plan tells the order in which rules run.
func (in *Inspector) Plan() *PlanAnswer {
	g := in.engine.Live()
	return &PlanAnswer{V: Version, Generation: g.Number, Plan: append([]string{}, g.Plan()...)}
}

// Switch names a rule that is to be enabled or disabled: by its name where that
// is one script's alone, else with its script, as in "a.lua: name".
type Switch struct {
	Rule string `json:"rule"`
}

// Switched is the rule as it is now.
type Switched struct {
	V       int  `json:"v"`
	Changed bool `json:"changed"`
	Rule    Rule `json:"rule"`
}

func (in *Inspector) switchRule(r *http.Request, on bool) (any, error) {
	var s Switch
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		return nil, control.Errorf(http.StatusBadRequest, "read the request: %s", err)
	}
	return in.SwitchRule(s.Rule, on)
}

// SwitchRule enables or disables a rule by hand, until its script changes. The
// error is a [*control.Error].
func (in *Inspector) SwitchRule(name string, on bool) (*Switched, error) {
	st, err := find(in.engine.Rules(), name)
	if err != nil {
		return nil, err
	}
	changed, err := in.engine.SwitchRule(st.Script, st.Name, on)
	switch {
	case errors.Is(err, engine.ErrNoRule):
		return nil, control.Errorf(http.StatusNotFound, "there is no rule %s any more", name)
	case err != nil:
		return nil, control.Errorf(http.StatusConflict, "%s: %s: %s", st.Script, st.Name, err)
	}
	for _, now := range in.engine.Rules() {
		if now.Script == st.Script && now.Name == st.Name {
			*st = now
		}
	}
	if changed {
		word := "disabled by hand"
		if on {
			word = "enabled by hand"
		}
		in.log.Warn(word, "rule", st.Name, "script", st.Script, "generation", in.engine.Generation())
	}
	return &Switched{V: Version, Changed: changed, Rule: ruleOf(st)}, nil
}

// find looks a rule up that a person named.
func find(rules []engine.RuleStatus, name string) (*engine.RuleStatus, error) {
	var found []*engine.RuleStatus
	var names []string
	for i := range rules {
		r := &rules[i]
		if r.Name == name || full(r) == name || r.Script+":"+r.Name == name {
			found = append(found, r)
		}
		names = append(names, r.Name)
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		msg := "there is no rule " + name
		if near := diag.Nearest(name, names); near != "" {
			msg += "; did you mean " + near + "?"
		}
		return nil, control.Errorf(http.StatusNotFound, "%s", msg)
	}
	var which []string
	for _, r := range found {
		which = append(which, fmt.Sprintf("%q", full(r)))
	}
	return nil, control.Errorf(http.StatusConflict, "there are %d rules %s: say which, %s", len(found), name, strings.Join(which, " or "))
}

func full(r *engine.RuleStatus) string { return r.Script + ": " + r.Name }
