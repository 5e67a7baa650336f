package access

import (
	"cmp"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/match"
	"github.com/hookd/hookd/runtime/lua/analyse"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// maxHoisted bounds the arguments that are added to a handler.
const maxHoisted = 16

// Rewritten is a script's second form of a handler.
type Rewritten struct {
	*Handler
	Func *ast.FunctionExpr
}

// Rewrite gives the handlers second forms, and the local functions that they call
// with what the event passes; and it replaces keys of the state. It returns the
// statements there are then. The tree, which is that which handlers and names
// came from, is used up.
func Rewrite(stmts []ast.Stmt, handlers []analyse.Handler, names *Names, objects match.Objects) ([]ast.Stmt, Result, []Rewritten) {
	w := &rewriter{
		names: names, objects: objects, methods: map[string]bool{}, paths: map[string]Path{}, keys: map[string]bool{},
		helpers: helpersOf(stmts, names), places: placesOf(stmts), added: map[int][]ast.Stmt{},
	}
	var list []Rewritten
	for _, h := range handlers {
		if h.Field.Value != ast.Expr(h.Func) || names.Globals || h.Key != "run" && h.Key != "when" {
			continue
		}
		if r, ok := w.handler(h); ok {
			list = append(list, r)
		}
	}
	stmts = w.insert(stmts)
	if names.Own("state") {
		w.state(stmts)
	}
	return stmts, w.result(list), list
}

// rewriter collects what hidden functions are needed.
type rewriter struct {
	names   *Names
	objects match.Objects
	paths   map[string]Path
	keys    map[string]bool
	methods map[string]bool
	// helpers are the local functions that calls are followed into, places where
	// in the chunk each function stands, added what comes behind a statement.
	helpers map[string]*helper
	places  map[*ast.FunctionExpr]int
	added   map[int][]ast.Stmt
	copies  int
}

func (w *rewriter) result(list []Rewritten) Result {
	r := Result{Methods: w.methods}
	for _, h := range list {
		r.Handlers = append(r.Handlers, h.Handler)
	}
	for _, p := range w.paths {
		r.Paths = append(r.Paths, p)
	}
	for k := range w.keys {
		r.StateKeys = append(r.StateKeys, k)
	}
	slices.SortFunc(r.Paths, func(a, b Path) int { return strings.Compare(a.String(), b.String()) })
	slices.Sort(r.StateKeys)
	return r
}

// handler makes the second form of one handler and puts both into its place.
func (w *rewriter) handler(h analyse.Handler) (Rewritten, bool) {
	if h.Func.ParList.HasVargs {
		return Rewritten{}, false
	}
	b := w.body(h)
	second := syntax.CloneFunc(h.Func)
	b.hoist(second)
	b.block(second.Stmts)
	left := b.finish(second.Stmts)
	b.locals(second)
	for name, r := range b.params {
		b.h.Uses[r.arg], b.h.EscapeLines[r.arg] = left.use(name), cmp.Or(b.escapes[name], h.Func.Line())
	}
	// Arguments of which nothing is left are not passed.
	second.ParList.Names = slices.DeleteFunc(second.ParList.Names, func(name string) bool {
		_, follows := b.params[name]
		return follows && left.use(name) == Unused
	})
	for _, p := range b.h.Hoisted {
		second.ParList.Names = append(second.ParList.Names, p.GetName())
	}
	for _, s := range b.h.Sums {
		second.ParList.Names = append(second.ParList.Names, s.name())
	}
	h.Field.Value = call(h.Func, PairName, h.Func, second)
	return Rewritten{b.h, second}, true
}

// call makes a call of a hidden function, with one value, at the line of a node.
func call(at ast.Expr, name string, args ...ast.Expr) *ast.FuncCallExpr {
	fn := &ast.IdentExpr{Value: name}
	fn.SetLine(at.Line())
	fn.SetLastLine(at.Line())
	c := &ast.FuncCallExpr{Func: fn, Args: args, AdjustRet: true}
	c.SetLine(at.Line())
	c.SetLastLine(at.Line())
	return c
}
