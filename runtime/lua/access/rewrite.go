package access

import (
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/event"
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

// Rewrite gives the handlers second forms and replaces keys of the state, in
// place. The tree is that which handlers and names came from.
func Rewrite(stmts []ast.Stmt, handlers []analyse.Handler, names *Names, objects match.Objects) (Result, []Rewritten) {
	w := &rewriter{names: names, objects: objects, paths: map[string]Path{}, keys: map[string]bool{}}
	var list []Rewritten
	for _, h := range handlers {
		if h.Field.Value != ast.Expr(h.Func) || names.Globals || h.Key != "run" && h.Key != "when" {
			continue
		}
		if r, ok := w.handler(h); ok {
			list = append(list, r)
		}
	}
	if names.Own("state") {
		w.state(stmts)
	}
	return w.result(list), list
}

// rewriter collects what hidden functions are needed.
type rewriter struct {
	names   *Names
	objects match.Objects
	paths   map[string]Path
	keys    map[string]bool
}

func (w *rewriter) result(list []Rewritten) Result {
	var r Result
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
	// Arguments of which nothing is left are not passed.
	second.ParList.Names = slices.DeleteFunc(second.ParList.Names, func(name string) bool {
		i, ok := b.follow[name]
		return ok && b.h.Uses[i] == Unused
	})
	for _, p := range b.h.Hoisted {
		second.ParList.Names = append(second.ParList.Names, p.GetName())
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

// body is a handler being rewritten.
type body struct {
	*rewriter
	h *Handler
	// follow says which parameters are what the event passes wherever their
	// names are said in the handler itself.
	follow map[string]int
	this   bool
}

func (w *rewriter) body(h analyse.Handler) *body {
	n := len(h.Func.ParList.Names)
	b := &body{rewriter: w, follow: map[string]int{}, this: w.names.Own("this"), h: &Handler{
		Title: h.Word + ` "` + h.Name + `"`, Key: h.Key, Line: h.Func.Line(), Params: slices.Clone(h.Func.ParList.Names), Infos: h.Infos,
		Objects: make([]*event.Object, n), Uses: make([]Use, n), EscapeLines: make([]int, n),
	}}
	again := map[string]int{}
	for _, name := range h.Func.ParList.Names {
		again[name]++
	}
	syntax.Stmts(h.Func.Stmts, func(s ast.Stmt) {
		for _, name := range syntax.Declared(s) {
			again[name]++
		}
	})
	syntax.Functions(h.Func.Stmts, func(f *ast.FunctionExpr, method bool) {
		for _, name := range syntax.Parameters(f, method) {
			again[name]++
		}
	})
	for i, name := range h.Func.ParList.Names {
		if again[name] > 1 || w.names.Assigned[name] {
			b.h.Uses[i], b.h.EscapeLines[i] = Escapes, h.Func.Line()
			continue
		}
		b.follow[name] = i
		b.h.Objects[i] = b.argument(i)
	}
	return b
}

// argument is the type of the object that all events pass as argument i.
func (b *body) argument(i int) *event.Object {
	var o *event.Object
	for _, info := range b.h.Infos {
		if i >= len(info.Args) {
			return nil
		}
		f := info.Field(info.Args[i])
		if f == nil || f.Type.Kind != event.ObjectRef {
			return nil
		}
		next := b.objects.Object(f.Type.Object)
		if o != nil && o != next {
			return nil
		}
		o = next
	}
	return o
}

// path reads an expression as a path and finds its last field in each event.
func (b *body) path(x ast.Expr) (p Path, fields []*event.Field, ok bool) {
	get, isGet := x.(*ast.AttrGetExpr)
	if !isGet {
		return p, nil, false
	}
	key, named := get.Key.(*ast.StringExpr)
	if !named {
		return p, nil, false
	}
	if id, isName := get.Object.(*ast.IdentExpr); isName {
		return b.first(id.Value, key.Value)
	}
	p, fields, ok = b.path(get.Object)
	if !ok || p.Keyed {
		return p, nil, false
	}
	last := fields[0]
	switch {
	case last.Type.Kind == event.Record:
		p.Key, p.Keyed = key.Value, true
		return p, fields, true
	case last.Type.Kind != event.ObjectRef || p.Arg == This:
		return p, nil, false
	}
	o := b.objects.Object(last.Type.Object)
	if o == nil || o.Field(key.Value) == nil {
		return p, nil, false
	}
	p.Fields = append(p.Fields, key.Value)
	return p, []*event.Field{o.Field(key.Value)}, true
}

// thisWords are what `this` has at every hook point.
var thisWords = []string{"count", "data", "event", "gen", "phase", "rule", "ts", "verdict"}

// first begins a path at a parameter or at this.
func (b *body) first(root, name string) (p Path, fields []*event.Field, ok bool) {
	if root == "this" && b.this && !slices.Contains(thisWords, name) {
		p = Path{Arg: This, Fields: []string{name}}
		for _, info := range b.h.Infos {
			f := info.Field(name)
			if f == nil || slices.Contains(info.Args, name) {
				return p, nil, false
			}
			fields = append(fields, f)
		}
		return p, fields, true
	}
	i, follows := b.follow[root]
	if !follows || b.h.Objects[i] == nil || b.h.Objects[i].Field(name) == nil {
		return p, nil, false
	}
	return Path{Arg: i, Fields: []string{name}}, []*event.Field{b.h.Objects[i].Field(name)}, true
}

// readable reports whether native functions read such a field.
func readable(fields []*event.Field) bool {
	for _, f := range fields {
		switch f.Type.Kind {
		case event.ObjectRef, event.Plain, event.Handler, event.Strings:
			return false
		}
	}
	return true
}

// hoistable reports whether a field may be an argument.
func hoistable(p Path, fields []*event.Field) bool {
	for _, f := range fields {
		if f.Stable == event.StableNo || f.Cost == event.Copy || f.Type.Kind == event.Record {
			return false
		}
	}
	return !p.Keyed && readable(fields)
}

// block rewrites the statements of the handler itself.
func (b *body) block(list []ast.Stmt) {
	for i, s := range list {
		if a, ok := s.(*ast.AssignStmt); ok {
			list[i] = b.assign(a)
			continue
		}
		syntax.Reads(s, b.expr)
		for _, inner := range syntax.Blocks(s) {
			b.block(inner)
		}
		if d, ok := s.(*ast.FuncDefStmt); ok {
			b.inner(d.Func)
		}
	}
}

// assign rewrites an assignment to a key of c.data into a call.
func (b *body) assign(a *ast.AssignStmt) ast.Stmt {
	if len(a.Lhs) == 1 && len(a.Rhs) == 1 {
		if p, fields, ok := b.path(a.Lhs[0]); ok && p.Keyed && readable(fields) {
			b.expr(&a.Rhs[0])
			b.paths[p.String()] = p
			s := &ast.FuncCallStmt{Expr: call(a.Lhs[0], p.SetName(), call(a.Lhs[0], p.CheckName()), syntax.Single(a.Rhs[0]))}
			s.SetLine(a.Line())
			s.SetLastLine(a.LastLine())
			return s
		}
	}
	syntax.Reads(a, b.expr)
	return a
}

// expr rewrites an expression of the handler itself.
func (b *body) expr(slot *ast.Expr) {
	if p, fields, ok := b.path(*slot); ok && readable(fields) {
		b.read(slot, p)
		return
	}
	switch x := (*slot).(type) {
	case *ast.IdentExpr:
		b.use(x, Escapes)
		return
	case *ast.FunctionExpr:
		b.inner(x)
		return
	case *ast.AttrGetExpr:
		b.look(&x.Object)
		b.expr(&x.Key)
		return
	case *ast.FuncCallExpr:
		b.call(x)
		return
	case *ast.UnaryNotOpExpr:
		b.look(&x.Expr)
		return
	case *ast.RelationalOpExpr:
		b.look(&x.Lhs)
		b.look(&x.Rhs)
		return
	}
	syntax.Operands(*slot, b.expr)
}

// read replaces a path by its argument, or by a call that reads it.
func (b *body) read(slot *ast.Expr, p Path) {
	for _, h := range b.h.Hoisted {
		if h.String() == p.String() {
			id := &ast.IdentExpr{Value: p.GetName()}
			id.SetLine((*slot).Line())
			id.SetLastLine((*slot).LastLine())
			*slot = id
			return
		}
	}
	if !slices.ContainsFunc(b.h.Read, func(o Path) bool { return o.String() == p.String() }) {
		b.h.Read = append(b.h.Read, p)
	}
	b.paths[p.String()] = p
	*slot = call(*slot, p.GetName())
}

// look rewrites an expression that is looked at and not kept.
func (b *body) look(slot *ast.Expr) {
	if id, ok := (*slot).(*ast.IdentExpr); ok {
		b.use(id, Held)
		return
	}
	b.expr(slot)
}

// use notes what becomes of an argument.
func (b *body) use(id *ast.IdentExpr, u Use) {
	i, ok := b.follow[id.Value]
	if !ok || b.h.Uses[i] >= u {
		return
	}
	b.h.Uses[i] = u
	if u == Escapes {
		b.h.EscapeLines[i] = id.Line()
	}
}

// call rewrites a method of an argument into a call of its function.
func (b *body) call(x *ast.FuncCallExpr) {
	syntax.Each(x.Args, b.expr)
	if x.Method == "" {
		b.look(&x.Func)
		return
	}
	id, ok := x.Receiver.(*ast.IdentExpr)
	if !ok {
		b.expr(&x.Receiver)
		return
	}
	b.use(id, Held)
	i, follows := b.follow[id.Value]
	if !follows || b.h.Objects[i] == nil || b.h.Objects[i].Field(x.Method) != nil || b.h.Objects[i].Method(x.Method) == nil {
		return
	}
	fn := &ast.IdentExpr{Value: MethodName(b.h.Objects[i].Name, x.Method)}
	fn.SetLine(x.Line())
	fn.SetLastLine(x.LastLine())
	x.Args = append([]ast.Expr{x.Receiver}, x.Args...)
	x.Func, x.Receiver, x.Method = fn, nil, ""
}

// inner notes what a function inside the handler refers to: it may run later.
func (b *body) inner(f *ast.FunctionExpr) {
	syntax.All(f.Stmts, func(ast.Stmt) {}, func(x ast.Expr) {
		if id, ok := x.(*ast.IdentExpr); ok {
			b.use(id, Escapes)
		}
	})
}
