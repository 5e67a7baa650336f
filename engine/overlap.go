package engine

import (
	"cmp"
	"sort"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
)

// OverlapDecl is `overlap = "last"` or `overlap = { client = "last", server = "first" }`: which copy
// of a byte holds that an end of a connection sends twice. A side that the rule says nothing of is
// empty.
type OverlapDecl struct {
	Line           int
	Client, Server string
}

// overlap is what a rule wants of the connections in its scope.
type overlap struct {
	rule  *rule
	scope func(subject any) bool // nil: all
}

// wantOverlap notes what a rule that is bound to a point of p wants of overlaps.
func (r *resolver) wantOverlap(ru *rule, p *pointPlan, scope func(any) bool) {
	d := ru.decl.Overlap
	switch {
	case d == nil:
		return
	case r.st.engine.cfg.Scopes[p.info.Family] == nil || p.subject == nil:
		r.errorf(d.Line, "overlap", "overlap: %s has no connection whose streams it could be about", p.info.Name)
		return
	case ru.decl.Disabled:
		return
	}
	list := r.gen.overlaps
	if n := len(list); n == 0 || list[n-1].rule != ru {
		r.gen.overlaps = append(list, overlap{ru, scope})
	}
}

// sortOverlaps puts what rules want of overlaps into the rules' order, and warns of two that cannot
// both have it.
func (r *resolver) sortOverlaps() {
	list := r.gen.overlaps
	sort.SliceStable(list, func(i, j int) bool { return inOrder(list[i].rule, list[j].rule) && list[i].rule != list[j].rule })
	for i := range list {
		for j := range i {
			a, b := list[j].rule, list[i].rule
			if a.decl.Scope == b.decl.Scope && disagree(a.decl.Overlap, b.decl.Overlap) {
				r.script = b.script
				r.errorf(b.decl.Overlap.Line, "overlap", "overlap: rule %q of %s, which comes first, says otherwise of the same connections", a.decl.Name, a.script.path)
				r.diags[len(r.diags)-1].Severity = diag.Warning
				break
			}
		}
	}
}

func disagree(a, b *OverlapDecl) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	return differ(a.Client, b.Client) || differ(a.Server, b.Server)
}

// Overlap tells which copy of a byte holds that an end of the connection sends twice, "first" or
// "last": for each end what the first of the live rules says in whose scope the connection is and
// that says so, empty where none does. disputed tells that another rule says otherwise. s is entered.
func (e *Engine) Overlap(s *event.Shard, conn any) (client, server string, disputed bool) {
	g := e.shards[s.Index()].gen
	if g == nil {
		return "", "", false
	}
	for i := range g.overlaps {
		o := &g.overlaps[i]
		if o.scope != nil && !o.scope(conn) {
			continue
		}
		d := o.rule.decl.Overlap
		disputed = disputed || disagree(d, &OverlapDecl{Client: client, Server: server})
		client, server = cmp.Or(client, d.Client), cmp.Or(server, d.Server)
	}
	return client, server, disputed
}
