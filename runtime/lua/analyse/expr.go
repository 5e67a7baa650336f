package analyse

import (
	"fmt"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// block checks statements in a scope.
func (c *checker) block(stmts []ast.Stmt, e *env) {
	for _, s := range stmts {
		c.stmt(s, e)
	}
}

func (c *checker) stmt(s ast.Stmt, e *env) {
	switch s := s.(type) {
	case *ast.LocalAssignStmt:
		c.local(s, e)
	case *ast.AssignStmt:
		for _, x := range s.Rhs {
			c.expr(x, e)
		}
		for _, x := range s.Lhs {
			c.target(x, e)
		}
	case *ast.RepeatStmt:
		inner := e.child()
		c.block(s.Stmts, inner)
		c.reads.took(c.expr(s.Condition, inner))
	case *ast.NumberForStmt:
		syntax.Exprs(s, func(x *ast.Expr) { c.expr(*x, e) })
		inner := e.child()
		inner.declare(s.Name, typ{})
		c.block(s.Stmts, inner)
	case *ast.GenericForStmt:
		c.exprs(s.Exprs, e)
		inner := e.child()
		for _, name := range s.Names {
			inner.declare(name, typ{})
		}
		c.block(s.Stmts, inner)
	case *ast.FuncDefStmt:
		c.funcDef(s, e)
	case *ast.ReturnStmt:
		c.exprs(s.Exprs, e)
		c.decides(s, e)
	case *ast.IfStmt:
		c.reads.took(c.expr(s.Condition, e))
		c.block(s.Then, e.child())
		c.block(s.Else, e.child())
	default:
		syntax.Exprs(s, func(x *ast.Expr) { c.expr(*x, e) })
		for _, b := range syntax.Blocks(s) {
			c.block(b, e.child())
		}
	}
}

// local declares locals; one that is given a value once and never again is
// followed.
func (c *checker) local(s *ast.LocalAssignStmt, e *env) {
	types := make([]typ, len(s.Names))
	// A local function sees itself: the parser puts it as one name, one function.
	if len(s.Names) == 1 && len(s.Exprs) == 1 {
		if _, fn := s.Exprs[0].(*ast.FunctionExpr); fn {
			e.declare(s.Names[0], typ{})
		}
	}
	for i, x := range s.Exprs {
		t := c.expr(x, e)
		if i < len(types) && !c.assigned[s.Names[i]] {
			c.reads.took(t) // and goes on being followed
			types[i] = t
		}
	}
	for i, name := range s.Names {
		e.declare(name, types[i])
	}
}

func (c *checker) funcDef(s *ast.FuncDefStmt, e *env) {
	if s.Name.Func != nil {
		c.target(s.Name.Func, e)
	}
	if s.Name.Receiver != nil {
		c.expr(s.Name.Receiver, e)
	}
	c.function(s.Func, e, nil, within(e), s.Name.Method != "")
}

// function checks a body. infos are the events it handles, if it is a handler:
// its parameters then are what those events pass.
func (c *checker) function(f *ast.FunctionExpr, e *env, infos []*event.Info, as role, method bool) {
	inner := e.child()
	inner.role = as
	if infos != nil || as == handler {
		inner.infos = infos
	}
	if method {
		inner.declare("self", typ{})
	}
	for i, name := range f.ParList.Names {
		t := typ{}
		if infos != nil && !c.assigned[name] {
			t = c.argument(infos, i)
		}
		c.passed(t, infos, i)
		inner.declare(name, t)
	}
	c.reads.Escapes = c.reads.Escapes || infos != nil && f.ParList.HasVargs
	c.block(f.Stmts, inner)
}

// argument is what handlers of all infos receive as argument i, if that is the
// same for all.
func (c *checker) argument(infos []*event.Info, i int) typ {
	var t typ
	for n, info := range infos {
		if i >= len(info.Args) {
			return typ{}
		}
		f := info.Field(info.Args[i])
		next := c.fieldType(f)
		if f.Type.Kind != event.ObjectRef && len(infos) > 1 {
			return typ{}
		}
		if n > 0 && next.object != t.object {
			return typ{}
		}
		t = next
	}
	return t
}

func (c *checker) exprs(list []ast.Expr, e *env) {
	for _, x := range list {
		c.expr(x, e)
	}
}

// expr checks an expression and returns what is known of it.
func (c *checker) expr(x ast.Expr, e *env) typ {
	switch x := x.(type) {
	case *ast.IdentExpr:
		t := c.name(x, e)
		c.reads.gave(t)
		if _, shadowed := e.find(x.Value); declares(x.Value) && !shadowed {
			c.reads.Escapes = true // it may declare what nothing is known of
		}
		return t
	case *ast.AttrGetExpr:
		t := c.get(x, e)
		c.reads.gave(t)
		return t
	case *ast.UnaryNotOpExpr:
		c.reads.took(c.expr(x.Expr, e))
	case *ast.TableExpr:
		c.table(x)
		syntax.Operands(x, func(o *ast.Expr) { c.expr(*o, e) })
	case *ast.FuncCallExpr:
		c.call(x, e)
		if t := c.resultType(x, e); t.object != nil {
			return t
		}
		return c.storeType(x, e)
	case *ast.FunctionExpr:
		c.function(x, e, nil, within(e), false)
	case *ast.RelationalOpExpr:
		c.compare(x, e)
	default:
		syntax.Operands(x, func(o *ast.Expr) { c.expr(*o, e) })
	}
	return typ{}
}

func (c *checker) name(x *ast.IdentExpr, e *env) typ {
	if t, ok := e.find(x.Value); ok {
		return t
	}
	if x.Value == "this" && e.infos != nil && !c.assigned["this"] {
		return typ{this: e.infos}
	}
	t, ok := c.globals[x.Value]
	if !ok {
		c.unknownGlobal(x.Line(), x.Value)
	}
	if c.assigned[x.Value] {
		return typ{}
	}
	return t
}

func (c *checker) get(x *ast.AttrGetExpr, e *env) typ {
	_, t := c.getFrom(x, e)
	return t
}

// getFrom is get that returns what is indexed, too.
func (c *checker) getFrom(x *ast.AttrGetExpr, e *env) (owner, t typ) {
	owner = c.base(x.Object, e)
	key, ok := x.Key.(*ast.StringExpr)
	if !ok {
		c.key(owner, x)
		c.expr(x.Key, e)
		return owner, typ{}
	}
	c.reads.name(owner, key.Value)
	return owner, c.attribute(owner, key.Value, x.Line())
}

// base checks what is indexed.
func (c *checker) base(x ast.Expr, e *env) typ {
	if id, ok := x.(*ast.IdentExpr); ok {
		return c.name(id, e)
	}
	t := c.expr(x, e)
	c.reads.took(t)
	return t
}

// call checks a call, or a declaration such as rule "name" { … }.
func (c *checker) call(x *ast.FuncCallExpr, e *env) {
	if word, name, table := declaration(x); table != nil {
		if _, shadowed := e.find(word); !shadowed && !c.assigned[word] {
			c.declared(word, name, table, e)
			return
		}
	}
	var owner typ
	if x.Method != "" {
		owner = c.base(x.Receiver, e)
		c.reads.name(owner, x.Method)
		c.attribute(owner, x.Method, x.Line())
		c.methodUse(owner, x, e)
		if c.attached(owner, x, e) {
			return
		}
		c.reads.Escapes = c.reads.Escapes || c.binds(owner, x.Method)
	} else if x.Func != nil {
		c.expr(x.Func, e)
		c.functionUse(x, e)
		c.called(x, e)
	}
	c.arguments(owner, x, e)
}

// declaration takes WORD "name" { … } apart.
func declaration(x *ast.FuncCallExpr) (word, name string, table *ast.TableExpr) {
	inner, ok := x.Func.(*ast.FuncCallExpr)
	if !ok || len(x.Args) != 1 || len(inner.Args) != 1 {
		return "", "", nil
	}
	id, ok1 := inner.Func.(*ast.IdentExpr)
	s, ok2 := inner.Args[0].(*ast.StringExpr)
	t, ok3 := x.Args[0].(*ast.TableExpr)
	if !ok1 || !ok2 || !ok3 {
		return "", "", nil
	}
	return id.Value, s.Value, t
}

// declared checks the table of a declaration; the functions of a rule or event
// are handlers of what it is on.
func (c *checker) declared(word, name string, t *ast.TableExpr, e *env) {
	infos := c.handled(word, t, e)
	if word == "event" && len(infos) == 1 {
		c.events[name] = infos[0]
	}
	c.table(t)
	for _, f := range t.Fields {
		if key, ok := f.Key.(*ast.StringExpr); ok {
			c.declaresField(word, key.Value, f.Value, infos)
		}
		if fn, ok := f.Value.(*ast.FunctionExpr); ok {
			if key, named := f.Key.(*ast.StringExpr); named && len(infos) > 0 && word != "timer" {
				c.handlers = append(c.handlers, Handler{word, name, key.Value, f, fn, infos})
			}
			c.function(fn, e, infos, roleOf(f), false)
			continue
		}
		if key, ok := f.Key.(*ast.StringExpr); ok && key.Value == "match" {
			continue // the engine knows its paths
		}
		if f.Key != nil {
			c.expr(f.Key, e)
		}
		c.expr(f.Value, e)
	}
}

// handled returns the events that a declaration is on; nil where one is not
// known.
func (c *checker) handled(word string, t *ast.TableExpr, e *env) []*event.Info {
	switch word {
	case "timer":
		return []*event.Info{{Name: "timer"}}
	case "rule", "event", "handler":
	default:
		return nil
	}
	for _, f := range t.Fields {
		if key, ok := f.Key.(*ast.StringExpr); !ok || key.Value != "on" {
			continue
		}
		points := []ast.Expr{f.Value}
		if list, ok := f.Value.(*ast.TableExpr); ok {
			points = nil
			for _, item := range list.Fields {
				points = append(points, item.Value)
			}
		}
		var infos []*event.Info
		for _, p := range points {
			info := c.pointInfo(dotted(p), e)
			if info == nil {
				return nil
			}
			infos = append(infos, info)
		}
		return infos
	}
	return nil
}

// pointInfo finds the event that a dotted name means.
func (c *checker) pointInfo(name string, e *env) *event.Info {
	head, rest, _ := strings.Cut(name, ".")
	if _, shadowed := e.find(head); shadowed || name == "" || c.assigned[head] {
		return nil
	}
	if head == "event" {
		user, _, _ := strings.Cut(rest, ".")
		return c.events[user]
	}
	info, _, err := c.cat.Find(name)
	if err != nil {
		return nil
	}
	return info
}

// dotted renders a.b.c, "" for anything else.
func dotted(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.IdentExpr:
		return x.Value
	case *ast.AttrGetExpr:
		key, ok := x.Key.(*ast.StringExpr)
		if owner := dotted(x.Object); ok && owner != "" {
			return owner + "." + key.Value
		}
	}
	return ""
}

// compare checks that a field is compared with what it can be.
func (c *checker) compare(x *ast.RelationalOpExpr, e *env) {
	left, right := c.expr(x.Lhs, e), c.expr(x.Rhs, e)
	c.reads.took(left)
	c.reads.took(right)
	if x.Operator != "==" && x.Operator != "~=" {
		return
	}
	if left.field != nil {
		c.literal(left.field, x.Rhs, x.Line())
	}
	if right.field != nil {
		c.literal(right.field, x.Lhs, x.Line())
	}
}

// literal reports a literal that can never equal the field.
func (c *checker) literal(f *event.Field, x ast.Expr, line int) {
	var text, kind string
	switch x := x.(type) {
	case *ast.StringExpr:
		text, kind = fmt.Sprintf("%q", x.Value), "string"
		if f.Type.Kind == event.Enum && !has(f.Type.Names, x.Value) {
			c.report(line, x.Value, didYouMean(x.Value, f.Type.Names), "%s is never %s: it is one of %s", f.Name, text, strings.Join(f.Type.Names, ", "))
			return
		}
	case *ast.NumberExpr:
		text, kind = x.Value, "number"
	case *ast.TrueExpr, *ast.FalseExpr:
		text, kind = "a boolean", "boolean"
	default:
		return
	}
	if want := luaType(f.Type.Kind); want != "" && want != kind {
		c.report(line, f.Name, "", "%s is a %s: it is never %s", f.Name, want, text)
	}
}

// luaType names the Lua type of a plain field; empty where it may be several.
func luaType(k event.Kind) string {
	switch k {
	case event.Bool:
		return "boolean"
	case event.Uint, event.Int, event.Float, event.Time, event.Duration, event.Size:
		return "number"
	case event.String, event.Bytes, event.IP, event.Endpoint, event.Enum:
		return "string"
	default:
		return ""
	}
}
