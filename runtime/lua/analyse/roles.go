package analyse

import (
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/event"
)

// roleOf tells what the function in a field of a declaration is for.
func roleOf(f *ast.Field) role {
	key, ok := f.Key.(*ast.StringExpr)
	switch {
	case ok && key.Value == "when":
		return filter
	case ok && key.Value == "run":
		return handler
	}
	return plain
}

// within is the role of a function that is written inside e's: what a filter
// holds only looks, too, since it can hardly be there for anything else than to
// be called; what a handler holds does not decide by returning.
func within(e *env) role {
	if e.role == filter {
		return filter
	}
	return plain
}

// methodEffect reports a method that changes something and is called in a
// filter.
func (c *checker) methodEffect(owner typ, x *ast.FuncCallExpr, e *env) {
	if e.role != filter || owner.object == nil {
		return
	}
	if m := owner.object.Method(x.Method); m != nil && m.Effects {
		c.effect(x.Line(), x.Method)
	}
}

// functionEffect is the same for functions of the catalogue.
func (c *checker) functionEffect(x *ast.FuncCallExpr, e *env) {
	if e.role != filter {
		return
	}
	name := dotted(x.Func)
	head, _, _ := strings.Cut(name, ".")
	if _, shadowed := e.find(head); shadowed || c.assigned[head] {
		return
	}
	if fn := c.cat.Function(name); fn != nil && fn.Effects {
		c.effect(x.Line(), name[strings.LastIndexByte(name, '.')+1:])
	}
}

// attached checks a call that binds a handler to an object: the function in
// c:on(flow.new_data, function(c, d) … end) handles what is named there. It
// reports whether what the handler gets is known; a name is that of a handler
// that is declared with what it is on.
func (c *checker) attached(owner typ, x *ast.FuncCallExpr, e *env) bool {
	if owner.object == nil || len(x.Args) < 2 {
		return false
	}
	m := owner.object.Method(x.Method)
	if m == nil || !m.Native {
		return false
	}
	infos := c.attachedTo(owner.object, m.Name, x.Args[0], e)
	switch fn := x.Args[1].(type) {
	case *ast.StringExpr:
	case *ast.FunctionExpr:
		if infos == nil {
			return false
		}
		c.expr(x.Args[0], e)
		c.function(fn, e, infos, handler, false)
		c.exprs(x.Args[2:], e)
		return true
	default:
		return false
	}
	c.exprs(x.Args, e)
	return true
}

// attachedTo returns the event that a handler is bound to; a timer hands over the
// object.
func (c *checker) attachedTo(o *event.Object, method string, point ast.Expr, e *env) []*event.Info {
	if method != "on" {
		it := event.Field{Name: "it", Type: event.Type{Kind: event.ObjectRef, Object: o.Name}}
		return []*event.Info{{Name: "timer", Args: []string{"it"}, Fields: []event.Field{it}}}
	}
	if info := c.pointInfo(dotted(point), e); info != nil {
		return []*event.Info{info}
	}
	return nil
}

func (c *checker) effect(line int, word string) {
	c.report(line, word, "do it in run", "%s changes something: a filter only looks", word)
}

// decides reports a verdict that a handler returns and that none of its hook
// points takes.
func (c *checker) decides(s *ast.ReturnStmt, e *env) {
	if e.role != handler || len(e.infos) == 0 || len(s.Exprs) != 1 {
		return
	}
	name := dotted(s.Exprs[0])
	head, word, ok := strings.Cut(name, ".")
	family := c.cat.Family(head)
	if _, shadowed := e.find(head); !ok || shadowed || family == nil || c.assigned[head] {
		return
	}
	for _, v := range family.Verdicts {
		if v.Name == word && !c.taken(family, v.Kind, e.infos) {
			c.report(s.Line(), word, "", "%s cannot be decided at %s", name, names(e.infos))
		}
	}
}

// taken reports whether any of the events takes the verdict.
func (c *checker) taken(f *event.Family, k event.VerdictKind, infos []*event.Info) bool {
	for _, info := range infos {
		if info.Family != f.Name {
			continue
		}
		for _, v := range info.Verdicts {
			if v == k {
				return true
			}
		}
	}
	return false
}

func names(infos []*event.Info) string {
	var list []string
	for _, info := range infos {
		list = append(list, info.Name)
	}
	return strings.Join(list, ", ")
}
