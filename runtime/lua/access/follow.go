package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// What second forms of helpers may add to a script.
const (
	maxHelperNodes = 400 // in one
	maxHelpers     = 8   // for one handler
	maxCopies      = 200 // in all
)

// helper is a local function of the chunk that handlers declared after it may
// call with what the event passes.
type helper struct {
	fn    *ast.FunctionExpr
	name  string
	place int // of the statement that declares it
}

// helpersOf finds the local functions of a chunk that are short and always the
// same.
func helpersOf(stmts []ast.Stmt, names *Names) map[string]*helper {
	found := map[string]*helper{}
	for i, s := range stmts {
		l, ok := s.(*ast.LocalAssignStmt)
		if !ok || len(l.Names) != 1 || len(l.Exprs) != 1 {
			continue
		}
		f, ok := l.Exprs[0].(*ast.FunctionExpr)
		if !ok || f.ParList.HasVargs || names.function(l.Names[0]) != f || nodes(f) > maxHelperNodes {
			continue
		}
		found[l.Names[0]] = &helper{f, l.Names[0], i}
	}
	return found
}

func nodes(f *ast.FunctionExpr) int {
	n := 0
	syntax.All(f.Stmts, func(ast.Stmt) { n++ }, func(ast.Expr) { n++ })
	return n
}

// placesOf tells in which statement of the chunk a function stands.
func placesOf(stmts []ast.Stmt) map[*ast.FunctionExpr]int {
	places := map[*ast.FunctionExpr]int{}
	for i := range stmts {
		syntax.Functions(stmts[i:i+1], func(f *ast.FunctionExpr, _ bool) { places[f] = i })
	}
	return places
}

// insert puts what was added behind the statements that it belongs to.
func (w *rewriter) insert(stmts []ast.Stmt) []ast.Stmt {
	if len(w.added) == 0 {
		return stmts
	}
	out := make([]ast.Stmt, 0, len(stmts)+w.copies)
	for i, s := range stmts {
		out = append(append(out, s), w.added[i]...)
	}
	return out
}

// called recognises the call of a helper and tells which of its parameters stand
// for what; nil where it is called with nothing that does.
func (b *body) called(x *ast.FuncCallExpr) (*helper, map[string]root) {
	id, ok := x.Func.(*ast.IdentExpr)
	if !ok || x.Method != "" || !b.follow {
		return nil, nil
	}
	f := b.helpers[id.Value]
	if f == nil || f.place >= b.place || len(x.Args) > len(f.fn.ParList.Names) || len(x.Args) == 0 {
		return nil, nil
	}
	if last := x.Args[len(x.Args)-1]; len(x.Args) < len(f.fn.ParList.Names) && several(last) {
		return nil, nil
	}
	single := once(f.fn)
	stands := map[string]root{}
	for i, a := range x.Args {
		if r, ok := b.root(a); ok && r.object != nil && single[f.fn.ParList.Names[i]] {
			stands[f.fn.ParList.Names[i]] = r
		}
	}
	if len(stands) == 0 {
		return nil, nil
	}
	return f, stands
}

// several tells whether an expression may have any number of values.
func several(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.FuncCallExpr:
		return !x.AdjustRet
	case *ast.Comma3Expr:
		return !x.AdjustRet
	}
	return false
}

// copied is the second form of a helper.
type copied struct {
	name   string
	uses   map[string]Use // of the parameters that stand for something
	handed []Path
}

// helped rewrites a call of a helper into one of its second form, in which reads
// of what the event passes are those of the handler itself.
func (b *body) helped(x *ast.FuncCallExpr) bool {
	f, stands := b.called(x)
	if f == nil {
		return false
	}
	c := b.copyOf(f, stands)
	if c == nil {
		return false
	}
	params := f.fn.ParList.Names
	var args []ast.Expr
	for i := range x.Args {
		a := &x.Args[i]
		r, follows := stands[params[i]]
		id, named := (*a).(*ast.IdentExpr)
		switch u := c.uses[params[i]]; {
		case follows && u == Unused:
			b.needs(r)
			continue
		case follows && named:
			b.note(id, u)
		default:
			b.expr(a)
		}
		args = append(args, syntax.Single(*a))
	}
	if len(c.handed) > 0 {
		for range params[len(x.Args):] {
			args = append(args, at(&ast.NilExpr{}, x.Line()))
		}
	}
	for _, p := range c.handed {
		b.hand(p)
		args = append(args, at(&ast.IdentExpr{Value: p.GetName()}, x.Line()))
	}
	x.Args, x.Func = args, at(&ast.IdentExpr{Value: c.name}, x.Func.Line())
	return true
}

// hand notes that a function needs a hoisted field handed on, by its caller.
func (b *body) hand(p Path) {
	if !slices.ContainsFunc(b.handed, func(o Path) bool { return o.String() == p.String() }) {
		b.handed = append(b.handed, p)
	}
}

// copyOf makes the second form of a helper, once for what its parameters stand
// for; nil where there are too many.
func (b *body) copyOf(f *helper, stands map[string]root) *copied {
	key := f.name
	for _, name := range f.fn.ParList.Names {
		r, ok := stands[name]
		key += fmt.Sprint(" ", ok, r.arg, strings.Join(r.fields, "."))
	}
	if c, ok := b.copied[key]; ok {
		return c
	}
	if len(b.copied) >= maxHelpers || b.copies >= maxCopies {
		return nil
	}
	b.copies++
	c := &copied{name: fmt.Sprintf("(%s#%d)", f.name, b.copies), uses: map[string]Use{}}
	second := syntax.CloneFunc(f.fn)
	in := b.within(second, b.h)
	for name, r := range stands {
		in.param(name, r)
	}
	in.block(second.Stmts)
	left := in.finish(second.Stmts)
	second.ParList.Names = slices.DeleteFunc(second.ParList.Names, func(name string) bool {
		_, follows := stands[name]
		if follows {
			c.uses[name] = left.use(name)
		}
		return follows && c.uses[name] == Unused
	})
	c.handed = in.handed
	for _, p := range c.handed {
		second.ParList.Names = append(second.ParList.Names, p.GetName())
	}
	b.copied[key] = c
	b.keep(f, c.name, second)
	return c
}

// keep adds the second form of a helper to the script, behind the first: it sees
// what that does.
func (b *body) keep(f *helper, name string, second *ast.FunctionExpr) {
	line := f.fn.Line()
	set := at(&ast.AssignStmt{Lhs: []ast.Expr{at(&ast.IdentExpr{Value: name}, line)}, Rhs: []ast.Expr{second}}, line)
	b.added[f.place] = append(b.added[f.place], set)
	b.names.functions[name] = second
	said := fmt.Sprintf("%s (line %d)", f.name, line)
	if !slices.Contains(b.h.Helpers, said) {
		b.h.Helpers = append(b.h.Helpers, said)
	}
}

// at gives a new node its line.
func at[N ast.PositionHolder](node N, line int) N {
	node.SetLine(line)
	node.SetLastLine(line)
	return node
}
