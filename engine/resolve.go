package engine

import (
	"cmp"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/match"
)

// resolver turns a staged generation's declarations into plans per hook point.
type resolver struct {
	st     *Staged
	gen    *Generation
	diags  diag.List
	script *script // whose declarations are being read
	named  []reference
}

// resolve binds names, paths and verdicts of one shard's generation and reports
// what does not fit.
func (st *Staged) resolve(g *Generation) diag.List {
	r := &resolver{st: st, gen: g}
	g.plans = map[event.PointID]*pointPlan{}
	for _, sc := range g.order {
		r.script = sc
		r.declareEvents(sc)
	}
	r.resolveBases()
	r.placeEvents()
	for _, sc := range g.order {
		r.script = sc
		r.checkTimers(sc)
		r.bindRules(sc)
	}
	r.sortOverlaps()
	r.undeclared()
	for _, p := range g.plans {
		p.root.sort()
	}
	for _, u := range g.users {
		if u.free != nil {
			u.free.root.sort()
		}
	}
	return r.diags
}

// errorf reports an error at the word of a line of the script being read.
func (r *resolver) errorf(line int, word, format string, args ...any) {
	r.errorAt(line, word, "", fmt.Sprintf(format, args...))
}

// errorAt reports an error at the word of a line; without a word, at the line.
func (r *resolver) errorAt(line int, word, hint, msg string) {
	d := &diag.Diagnostic{File: r.script.path, Line: line, Msg: msg, Hint: hint}
	if line > 0 {
		d.Col, d.Source = diag.Locate(r.script.text, line, word)
		d.Width = len(word)
	}
	r.diags = append(r.diags, d)
}

func (r *resolver) declareEvents(sc *script) {
	for _, d := range sc.plan.Events {
		if other := r.gen.users[d.Name]; other != nil {
			r.errorf(d.Line, "event", "event %q is declared already, at %s:%d", d.Name, other.script.path, other.decl.Line)
			continue
		}
		r.gen.users[d.Name] = &userEvent{decl: d, script: sc, nodes: map[event.PointID]*node{}, health: &health{}}
	}
}

// resolveBases finds what each user-defined event is defined on.
func (r *resolver) resolveBases() {
	names := make([]string, 0, len(r.gen.users))
	for name := range r.gen.users {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		r.base(r.gen.users[name], nil)
	}
}

// base resolves u's base; path holds the events that lead to it, to find cycles.
func (r *resolver) base(u *userEvent, path []string) {
	if u.base != nil || u.free != nil || u.decl.On == nil && u.makeFree() {
		return
	}
	r.script = u.script
	for _, p := range path {
		if p == u.decl.Name {
			r.errorf(u.decl.Line, "event", "event %q is defined on itself: %s", u.decl.Name, strings.Join(append(path, u.decl.Name), " -> "))
			return
		}
	}
	name, phase, isUser := splitUser(u.decl.On.Name)
	if !isUser {
		info, where := r.find(u.decl.On)
		if info != nil {
			u.base, u.phase = info, phaseIndex(info, where)
		}
		return
	}
	parent := r.gen.users[name]
	if parent == nil {
		r.unknownEvent(u.decl.On, name)
		return
	}
	r.base(parent, append(path, u.decl.Name))
	r.script = u.script
	if parent.base == nil {
		if parent.free != nil {
			r.errorf(u.decl.On.Line, name, "event %q has no hook point of its own: it is only raised, and nothing can be defined on it", name)
		}
		return
	}
	u.parent, u.base, u.phase = parent, parent.base, parent.phase
	if phase != "" {
		if u.phase = phaseNamed(u.base, phase); u.phase < 0 {
			r.errorf(u.decl.On.Line, phase, "event.%s has no phase %s; %s has %s", name, phase, u.base.Name, phaseWords(u.base))
			u.phase = 0
		}
	}
}

// placeEvents gives every event its nodes, so that handlers can be bound to it at
// any time, and reports what is wrong with its filter.
func (r *resolver) placeEvents() {
	for _, sc := range r.gen.order {
		r.script = sc
		for _, d := range sc.plan.Events {
			if u := r.gen.users[d.Name]; u != nil && u.script == sc && u.base != nil && d.Match != nil {
				u.matches = r.compileMatch(d.Match, u.base)
			}
		}
	}
	for _, sc := range r.gen.order {
		for _, d := range sc.plan.Events {
			u := r.gen.users[d.Name]
			if u == nil || u.script != sc || u.base == nil {
				continue
			}
			for i := range u.base.Points {
				r.node(u, r.plan(u.base, &u.base.Points[i]))
			}
		}
	}
}

// makeFree gives an event that is only raised a plan of its own.
func (u *userEvent) makeFree() bool {
	name := "event." + u.decl.Name
	info := &event.Info{Family: "event", Name: name, Points: []event.PointInfo{{Name: name}}}
	u.free = &pointPlan{info: info, where: info.Default(), family: &event.Family{Name: "event"}, root: node{point: true, user: u.decl.Name, script: u.script, decl: u.decl}}
	return true
}

func (r *resolver) unknownEvent(ref *PointRef, name string) {
	hint := strings.TrimPrefix(r.gen.didYouMeanEvent(name), "; ")
	r.errorAt(ref.Line, name, hint, fmt.Sprintf("no script declares the event %q", name))
}

// find looks up a hook point of the catalogue.
func (r *resolver) find(ref *PointRef) (*event.Info, *event.PointInfo) {
	info, where, err := r.st.engine.cfg.Catalogue.Find(ref.Name)
	var unknown *catalogue.UnknownError
	switch {
	case errors.As(err, &unknown):
		r.errorAt(ref.Line, lastWord(unknown.Name), didYouMean(unknown.Name, unknown.Candidates), err.Error())
	case err != nil:
		r.errorf(ref.Line, lastWord(ref.Name), "%s", err)
	}
	return info, where
}

// lastWord returns what follows the last dot of a name.
func lastWord(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// didYouMean is the hint for a name that is not among the candidates.
func didYouMean(name string, candidates []string) string {
	if near := diag.Nearest(name, candidates); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// splitUser takes "event.http_get.snd" apart.
func splitUser(ref string) (name, phase string, ok bool) {
	rest, ok := strings.CutPrefix(ref, "event.")
	if !ok {
		return "", "", false
	}
	name, phase, _ = strings.Cut(rest, ".")
	return name, phase, true
}

func phaseIndex(info *event.Info, where *event.PointInfo) int {
	for i := range info.Points {
		if &info.Points[i] == where {
			return i
		}
	}
	return 0
}

func phaseNamed(info *event.Info, phase string) int {
	for i := range info.Points {
		if info.Points[i].Phase == phase {
			return i
		}
	}
	for _, a := range info.Aliases {
		if a == phase {
			return 0
		}
	}
	return -1
}

func phaseWords(info *event.Info) string {
	var words []string
	for i := range info.Points {
		if p := info.Points[i].Phase; p != "" {
			words = append(words, p)
		}
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// plan returns the generation's plan of a hook point, made on first use.
func (r *resolver) plan(info *event.Info, where *event.PointInfo) *pointPlan {
	if p := r.gen.plans[where.ID]; p != nil {
		return p
	}
	p := newPointPlan(r.st.engine, info, where)
	r.gen.plans[where.ID] = p
	return p
}

func newPointPlan(e *Engine, info *event.Info, where *event.PointInfo) *pointPlan {
	p := &pointPlan{
		info: info, where: where, subject: info.Subject(), root: node{point: true},
		family: e.cfg.Catalogue.Family(info.Family), join: e.cfg.Joins[info.Family],
	}
	top := 0
	for _, v := range p.family.Verdicts {
		top = max(top, int(v.Kind))
	}
	p.ranks, p.words = make([]int, top+1), make([]string, top+1)
	p.allowed, p.routine = make([]bool, top+1), make([]bool, top+1)
	for _, v := range p.family.Verdicts {
		p.ranks[v.Kind], p.words[v.Kind], p.routine[v.Kind] = v.Rank, p.family.Name+"."+v.Name, v.Routine
	}
	for _, k := range info.Verdicts {
		p.allowed[k] = true
	}
	return p
}

// node returns u's place below hook point id, made with those above it.
func (r *resolver) node(u *userEvent, p *pointPlan) *node {
	if n := u.nodes[p.where.ID]; n != nil {
		return n
	}
	var parent *node
	above := &p.root
	if u.parent != nil {
		parent = r.node(u.parent, p)
		above = parent
	}
	n := &node{
		user: u.decl.Name, script: u.script, decl: u.decl, health: u.health, when: u.decl.NativeWhen.Make(p.info),
		parent: parent, index: p.nodes, matches: u.matches,
	}
	p.nodes++
	u.nodes[p.where.ID] = n
	above.children = append(above.children, n)
	return n
}

// compileMatch makes a native predicate of a match and reports its mistakes.
func (r *resolver) compileMatch(n *match.Node, info *event.Info) match.Predicate {
	p, err := match.Compile(n, info, r.st.engine.cfg.Catalogue)
	var mistakes match.Errors
	switch {
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			r.errorAt(cmp.Or(m.Line, n.Line), m.Word, m.Hint, "match: "+m.Msg)
		}
	case err != nil:
		r.errorf(n.Line, "match", "match: %s", err)
	default:
		r.refer(n, info)
	}
	return p
}

// sort puts the rules of n and of the events below it into their order.
func (n *node) sort() {
	n.order, n.last = n.entries, n.always
	for _, child := range n.children {
		child.sort()
		n.order = append(n.order[:len(n.order):len(n.order)], child.order...)
		n.last = append(n.last[:len(n.last):len(n.last)], child.last...)
	}
	for _, list := range [][]*entry{n.order, n.last} {
		sort.SliceStable(list, func(i, j int) bool { return !inOrder(list[j].rule, list[i].rule) })
	}
}
