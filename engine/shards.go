package engine

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/hookd/hookd/engine/diag"
)

// shards returns the generation as each shard has it.
func (g *Generation) shards() []*Generation {
	return append([]*Generation{g}, g.others...)
}

// runOthers makes the generation of the shards behind the first: the same
// scripts, each with a machine of its own that runs the same top level. Only the
// first one's takes effect; what the others declare has to be the same.
func (st *Staged) runOthers() diag.List {
	var diags diag.List
	for i, s := range st.engine.shards[1:] {
		g := emptyGeneration()
		g.Number, g.Hash, g.Changed, g.modules = st.gen.Number, st.gen.Hash, st.gen.Changed, st.gen.modules
		st.gen.others = append(st.gen.others, g)
		for _, first := range st.gen.order {
			sc := &script{
				path: first.path, text: first.text, hash: first.hash,
				program: first.program, kept: first.kept, fresh: first.fresh,
			}
			if i == 0 && first.fresh {
				diags = append(diags, first.keptPerShard()...)
			}
			if sc.fresh {
				diags = append(diags, st.runAgain(sc, first, s)...)
			} else {
				old := st.engine.live.others[i].scripts[first.path]
				sc.instance, sc.plan, sc.env = old.instance, old.plan, old.env
			}
			g.scripts[sc.path] = sc
			g.order = append(g.order, sc)
		}
	}
	return diags
}

// keptPerShard reports what would be another on each shard, unless the script
// knows.
func (sc *script) keptPerShard() diag.List {
	if sc.plan.Script.EachShard {
		return nil
	}
	return sc.plan.PerShard
}

// runAgain runs a script's top level for the shard s.
func (st *Staged) runAgain(sc, first *script, s *shard) diag.List {
	env := *first.env
	env.Shard, env.Services, env.Again = s.Shard, s, true
	sc.env = &env
	var diags diag.List
	sc.instance, sc.plan, diags = sc.program.Stage(sc.env)
	if diags.HasErrors() {
		return diags
	}
	if line, what := first.plan.differ(sc.plan); what != "" {
		d := &diag.Diagnostic{
			File: sc.path, Line: line, Msg: fmt.Sprintf("%s is declared otherwise on shard %d", what, s.Index()),
			Hint: "what a top level declares must not depend on what changes",
		}
		if line > 0 {
			d.Col, d.Source = diag.Locate(sc.text, line, "")
		}
		return diag.List{d}
	}
	return nil
}

// differ names a declaration that q has otherwise than p, and its line.
func (p *Plan) differ(q *Plan) (line int, what string) {
	for i := range max(len(p.Rules), len(q.Rules)) {
		switch {
		case i >= len(p.Rules):
			return q.Rules[i].Line, fmt.Sprintf("rule %q", q.Rules[i].Name)
		case i >= len(q.Rules) || !p.Rules[i].same(q.Rules[i]):
			return p.Rules[i].Line, fmt.Sprintf("rule %q", p.Rules[i].Name)
		}
	}
	for i := range max(len(p.Events), len(q.Events)) {
		switch {
		case i >= len(p.Events):
			return q.Events[i].Line, fmt.Sprintf("event %q", q.Events[i].Name)
		case i >= len(q.Events) || !p.Events[i].same(q.Events[i]):
			return p.Events[i].Line, fmt.Sprintf("event %q", p.Events[i].Name)
		}
	}
	for i := range max(len(p.Timers), len(q.Timers)) {
		switch {
		case i >= len(p.Timers):
			return q.Timers[i].Line, fmt.Sprintf("timer %q", q.Timers[i].Name)
		case i >= len(q.Timers) || *p.Timers[i] != *q.Timers[i]:
			return p.Timers[i].Line, fmt.Sprintf("timer %q", p.Timers[i].Name)
		}
	}
	for i := range max(len(p.Fixtures), len(q.Fixtures)) {
		switch {
		case i >= len(p.Fixtures):
			return q.Fixtures[i].Line, fmt.Sprintf("listener %q", q.Fixtures[i].Name)
		case i >= len(q.Fixtures) || p.Fixtures[i].Name != q.Fixtures[i].Name || !reflect.DeepEqual(p.Fixtures[i].Options, q.Fixtures[i].Options):
			return p.Fixtures[i].Line, fmt.Sprintf("listener %q", p.Fixtures[i].Name)
		}
	}
	if p.Seed != q.Seed {
		return p.Script.Line, "the seed of random numbers"
	}
	return 0, ""
}

// same reports whether two declarations say the same; functions are the same at
// the same place.
func (d *RuleDecl) same(o *RuleDecl) bool {
	a, b := *d, *o
	return a.Name == b.Name && a.Line == b.Line && slices.Equal(a.On, b.On) && a.Scope == b.Scope &&
		a.Match.Equal(b.Match) && a.When == b.When && a.Threshold.same(b.Threshold) && a.Run == b.Run &&
		a.Verdict.same(b.Verdict) && a.OnError.same(b.OnError) && a.Priority == b.Priority &&
		a.Observe == b.Observe && a.Always == b.Always && a.Disabled == b.Disabled
}

func (d *EventDecl) same(o *EventDecl) bool {
	on := d.On == o.On || d.On != nil && o.On != nil && *d.On == *o.On
	return d.Name == o.Name && d.Line == o.Line && on && d.Match.Equal(o.Match) && d.When == o.When
}

func (d *ThresholdDecl) same(o *ThresholdDecl) bool {
	if d == nil || o == nil {
		return d == o
	}
	return slices.Equal(d.By, o.By) && d.Count == o.Count && d.Within == o.Within && d.Fire == o.Fire
}

func (d *VerdictDecl) same(o *VerdictDecl) bool {
	if d == nil || o == nil {
		return d == o
	}
	return d.Family == o.Family && d.Kind == o.Kind && d.Line == o.Line
}
