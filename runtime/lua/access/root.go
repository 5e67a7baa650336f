package access

import (
	"slices"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// root is what a name stands for: an argument of the handler, or an object that
// fields lead to from one.
type root struct {
	arg    int
	fields []string
	object *event.Object // nil: not known
}

// path continues a root by a field.
func (r root) path(name string) Path {
	return Path{Arg: r.arg, Fields: append(slices.Clip(r.fields), name)}
}

// scope knows the names that stand for roots where the walk is.
type scope struct {
	stands map[string]root
	params map[string]root // those that are parameters
	// once holds the names that the function declares once and that nothing
	// assigns: each has one meaning from there to the end of its block.
	once    map[string]bool
	open    []string // declared in the blocks around, the innermost last
	aliases []alias
}

// alias is a local that stands for a root.
type alias struct {
	name string
	of   root
	stmt *ast.LocalAssignStmt
	slot *ast.Stmt // that holds stmt
}

func (s *scope) param(name string, r root) { s.stands[name], s.params[name] = r, r }

// enter begins a block; leave, with what it returned, ends it.
func (s *scope) enter() int { return len(s.open) }

func (s *scope) leave(from int) {
	for _, name := range s.open[from:] {
		delete(s.stands, name)
	}
	s.open = s.open[:from]
}

func (s *scope) declare(name string, r root) {
	s.stands[name], s.open = r, append(s.open, name)
}

// root reads an expression as a root: a name of one, or fields that lead to an
// object and go on leading to it.
func (b *body) root(x ast.Expr) (root, bool) {
	if id, ok := x.(*ast.IdentExpr); ok {
		r, ok := b.stands[id.Value]
		return r, ok
	}
	p, fields, ok := b.path(x)
	if !ok || p.Arg == This || p.Keyed || fields[0].Type.Kind != event.ObjectRef || fields[0].Stable == event.StableNo || !fields[0].AfterEnd {
		return root{}, false
	}
	return root{p.Arg, p.Fields, b.objects.Object(fields[0].Type.Object)}, true
}

// standing finds what a statement's locals stand for.
func (b *body) standing(s *ast.LocalAssignStmt) []alias {
	if len(s.Names) != len(s.Exprs) {
		return nil
	}
	var list []alias
	for i, name := range s.Names {
		if r, ok := b.root(s.Exprs[i]); ok && b.once[name] {
			list = append(list, alias{name: name, of: r, stmt: s})
		}
	}
	return list
}

// local rewrites the declaration of locals. What becomes of one that stands for
// a root is decided when its block is over.
func (b *body) local(s *ast.LocalAssignStmt, slot *ast.Stmt) {
	list := b.standing(s)
	for i := range s.Exprs {
		if i >= len(s.Names) || !slices.ContainsFunc(list, func(a alias) bool { return a.name == s.Names[i] }) {
			b.expr(&s.Exprs[i])
		}
	}
	for _, a := range list {
		a.slot = slot
		b.declare(a.name, a.of)
		b.aliases = append(b.aliases, a)
	}
}

// mentions counts how the names that stand for roots are used.
type mentions struct {
	held    map[string]int // looked at, and not kept
	escapes map[string]int // line where it first might be
	total   map[string]int // that are left
}

// use tells what becomes of what a name stands for.
func (m *mentions) use(name string) Use {
	switch m.total[name] {
	case 0:
		return Unused
	case m.held[name]:
		return Held
	}
	return Escapes
}

// note notes a mention.
func (m *mentions) note(id *ast.IdentExpr, u Use) {
	switch {
	case u == Held:
		m.held[id.Value]++
	case m.escapes[id.Value] == 0:
		m.escapes[id.Value] = id.Line()
	}
}

// finish takes out the aliases of which nothing is left and tells what is left
// of the other names. Those that come last may be aliases of those before.
func (b *body) finish(list []ast.Stmt) *mentions {
	b.total = map[string]int{}
	syntax.All(list, func(ast.Stmt) {}, func(x ast.Expr) {
		if id, ok := x.(*ast.IdentExpr); ok {
			b.total[id.Value]++
		}
	})
	for _, a := range slices.Backward(b.aliases) {
		at := slices.Index(a.stmt.Names, a.name)
		base := baseOf(a.stmt.Exprs[at])
		switch u := b.use(a.name); {
		case u == Unused:
			b.total[base.Value]--
			b.needs(a.of)
			a.remove(at)
		case len(a.of.fields) > 0:
			b.note(base, Held)
		default:
			b.note(base, u)
			if u == Escapes && b.escapes[a.name] > 0 {
				b.escapes[base.Value] = b.escapes[a.name]
			}
		}
	}
	return &b.mentions
}

// remove takes a local and its value out of the statement that declares it.
func (a *alias) remove(at int) {
	a.stmt.Names = slices.Delete(a.stmt.Names, at, at+1)
	a.stmt.Exprs = slices.Delete(a.stmt.Exprs, at, at+1)
	if len(a.stmt.Names) == 0 {
		nothing := &ast.DoBlockStmt{}
		nothing.SetLine(a.stmt.Line())
		nothing.SetLastLine(a.stmt.Line())
		*a.slot = nothing
	}
}

// needs notes that nobody looks any more whether a root can be reached.
func (b *body) needs(r root) {
	if len(r.fields) == 0 {
		return
	}
	p := Path{Arg: r.arg, Fields: r.fields}
	if !slices.ContainsFunc(b.h.Needs, func(o Path) bool { return o.String() == p.String() }) {
		b.h.Needs = append(b.h.Needs, p)
	}
}

// baseOf is the name that a root begins with.
func baseOf(x ast.Expr) *ast.IdentExpr {
	for {
		switch e := x.(type) {
		case *ast.IdentExpr:
			return e
		case *ast.AttrGetExpr:
			x = e.Object
		}
	}
}
