package access

import (
	"slices"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/analyse"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// body is a handler being rewritten.
type body struct {
	*rewriter
	h    *Handler
	this bool
	// place is where in the chunk the handler stands; calls of helpers declared
	// before it are followed, except from helpers.
	place  int
	follow bool
	scope
	mentions
	// handed are the hoisted fields that a helper's body needs handed on.
	handed []Path
	copied map[string]*copied
}

func (w *rewriter) body(h analyse.Handler) *body {
	n := len(h.Func.ParList.Names)
	b := w.within(h.Func, &Handler{
		Title: h.Word + ` "` + h.Name + `"`, Key: h.Key, Line: h.Func.Line(), Params: slices.Clone(h.Func.ParList.Names), Infos: h.Infos,
		Objects: make([]*event.Object, n), Uses: make([]Use, n), EscapeLines: make([]int, n),
	})
	b.place, b.follow, b.copied = w.places[h.Func], true, map[string]*copied{}
	for i, name := range h.Func.ParList.Names {
		if !b.once[name] {
			b.h.Uses[i], b.h.EscapeLines[i] = Escapes, h.Func.Line()
			continue
		}
		b.h.Objects[i] = b.argument(i)
		b.param(name, root{arg: i, object: b.h.Objects[i]})
	}
	return b
}

// within begins the rewriting of a function that runs while h handles an event.
func (w *rewriter) within(f *ast.FunctionExpr, h *Handler) *body {
	return &body{
		rewriter: w, h: h, this: w.names.Own("this"),
		scope:    scope{stands: map[string]root{}, params: map[string]root{}, once: once(f)},
		mentions: mentions{held: map[string]int{}, escapes: map[string]int{}},
	}
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

// InThis reports whether `this` has a field of that name at every hook point, whatever
// fields its event has.
func InThis(name string) bool {
	switch name {
	case "count", "data", "event", "gen", "param", "phase", "rule", "ts", "verdict":
		return true
	}
	return false
}

// first begins a path at a parameter or at this.
func (b *body) first(from, name string) (p Path, fields []*event.Field, ok bool) {
	if from == "this" && b.this && !InThis(name) {
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
	r, follows := b.stands[from]
	if !follows || r.object == nil || r.object.Field(name) == nil {
		return p, nil, false
	}
	return r.path(name), []*event.Field{r.object.Field(name)}, true
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
	defer b.leave(b.enter())
	for i, s := range list {
		switch s := s.(type) {
		case *ast.AssignStmt:
			list[i] = b.assign(s)
			continue
		case *ast.LocalAssignStmt:
			b.local(s, &list[i])
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
	if b.summed(slot) {
		return
	}
	switch x := (*slot).(type) {
	case *ast.IdentExpr:
		b.note(x, Escapes)
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
			b.hand(p)
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
		b.note(id, Held)
		return
	}
	b.expr(slot)
}

// call rewrites a method of an argument into a call of its function, and a call of
// a local function into one of its second form.
func (b *body) call(x *ast.FuncCallExpr) {
	if b.helped(x) {
		return
	}
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
	b.note(id, Held)
	o := b.stands[id.Value].object
	if o == nil || o.Field(x.Method) != nil || o.Method(x.Method) == nil {
		return
	}
	fn := &ast.IdentExpr{Value: MethodName(o.Name, x.Method)}
	b.methods[fn.Value] = true
	fn.SetLine(x.Line())
	fn.SetLastLine(x.LastLine())
	x.Args = append([]ast.Expr{x.Receiver}, x.Args...)
	x.Func, x.Receiver, x.Method = fn, nil, ""
}

// inner notes what a function inside the handler refers to: it may run later.
func (b *body) inner(f *ast.FunctionExpr) {
	syntax.All(f.Stmts, func(ast.Stmt) {}, func(x ast.Expr) {
		if id, ok := x.(*ast.IdentExpr); ok {
			b.note(id, Escapes)
		}
	})
}
