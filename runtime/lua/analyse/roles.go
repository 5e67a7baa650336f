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

// methodUse reports a method that changes something or waits and is called where
// that cannot be.
func (c *checker) methodUse(owner typ, x *ast.FuncCallExpr, e *env) {
	if owner.object == nil {
		return
	}
	if m := owner.object.Method(x.Method); m != nil {
		c.use(x.Line(), x.Method, m.Effects, m.Waits, e)
	}
}

// functionUse is the same for functions of the catalogue.
func (c *checker) functionUse(x *ast.FuncCallExpr, e *env) {
	name := dotted(x.Func)
	head, _, _ := strings.Cut(name, ".")
	if _, shadowed := e.find(head); shadowed || c.assigned[head] {
		return
	}
	if fn := c.cat.Function(name); fn != nil {
		c.use(x.Line(), name[strings.LastIndexByte(name, '.')+1:], fn.Effects, fn.Waits, e)
	}
}

// use reports what a function does that cannot be where it is called. A function
// inside a handler may be one that is spawned, so that shows only when it runs.
func (c *checker) use(line int, word string, effects, waits bool, e *env) {
	switch {
	case e.role == filter && effects:
		c.report(line, word, "do it in run", "%s changes something: a filter only looks", word)
	case e.role == filter && waits:
		c.report(line, word, "do it in run", "%s waits: a filter only looks", word)
	case e.role != handler || !waits:
	default:
		for _, info := range e.infos {
			if info.Waits != event.WaitsSuspend {
				c.report(line, word, "put it in spawn(function() … end)", "%s waits: %s", word, cannot(info))
				return
			}
		}
	}
}

// cannot says who cannot wait.
func cannot(info *event.Info) string {
	if len(info.Points) == 0 {
		return "a timer cannot"
	}
	return "handlers of " + info.Name + " cannot"
}

// attached checks a call that binds a handler to an object: the function in
// c:on(flow.new_data, function(c, d) … end) handles what is named there. It
// reports whether the handler was checked; a name is that of a handler that is
// declared with what it is on.
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
		c.reads.Escapes = c.reads.Escapes || infos == nil
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

// decides reports a verdict that a handler returns and that none of its hook
// points takes.
func (c *checker) decides(s *ast.ReturnStmt, e *env) {
	if e.role != handler || len(e.infos) == 0 || len(s.Exprs) == 0 || c.returned(s, e) || len(s.Exprs) > 1 {
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
			c.report(s.Line(), word, c.offer(e.infos), "%s cannot be decided at %s", name, names(e.infos))
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
