package engine

import (
	"fmt"
	"slices"

	"github.com/hookd/hookd/engine/event"
)

// Explain says how the generation's rules and user-defined events run: what is
// decided natively and what enters a script. Lines that belong to a rule are
// indented below it.
func (g *Generation) Explain() []string {
	var lines []string
	for _, sc := range g.order {
		for _, d := range sc.plan.Events {
			u := g.users[d.Name]
			if u == nil || u.script != sc || u.base == nil {
				continue
			}
			lines = append(lines, fmt.Sprintf("%s:%d: event %q on %s", sc.path, d.Line, d.Name, u.base.Name))
			lines = append(lines, explain("", "", d.Match != nil, d.Explain, u.base)...)
		}
		for _, r := range sc.rules {
			for _, info := range r.infos {
				lines = append(lines, fmt.Sprintf("%s:%d: %s %q on %s", sc.path, r.decl.Line, r.word(), r.decl.Name, info.Name))
				verdict := ""
				if r.decl.Verdict != nil {
					verdict = decisionName(r.decl.Verdict.Decision)
				}
				lines = append(lines, explain(r.decl.Scope, verdict, r.decl.Match != nil, r.decl.Explain, info)...)
			}
		}
	}
	return lines
}

// explain lists the parts of a declaration in the order in which they run.
func explain(scope, verdict string, match bool, functions func(*event.Info) []string, info *event.Info) []string {
	var lines []string
	if scope != "" {
		lines = append(lines, "  scope: native")
	}
	if match {
		lines = append(lines, "  match: native")
	}
	if functions != nil {
		for _, line := range functions(info) {
			lines = append(lines, "  "+line)
		}
	}
	if verdict != "" {
		lines = append(lines, "  verdict: native, "+verdict)
	}
	return lines
}

// bindTo notes an event that the rule is bound to.
func (r *rule) bindTo(info *event.Info) {
	if !slices.Contains(r.infos, info) {
		r.infos = append(r.infos, info)
	}
}

// word is what the rule is declared with.
func (r *rule) word() string {
	if r.decl.Handler {
		return "handler"
	}
	return "rule"
}
