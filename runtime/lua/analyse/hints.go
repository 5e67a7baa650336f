package analyse

import (
	"slices"
	"sort"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// absent are names that other Lua hosts and other tools have, with what there is
// in their place.
var absent = map[string]string{
	"io":             "scripts reach no files: log.info and alert say something, data and store read and keep it",
	"package":        "require takes modules from a folder lib beside the script",
	"load":           "scripts load no code at run time; require takes modules from a folder lib",
	"loadstring":     "scripts load no code at run time; require takes modules from a folder lib",
	"loadfile":       "require takes modules from a folder lib beside the script",
	"dofile":         "require takes modules from a folder lib beside the script",
	"tcp":            "connections and packets are events of flow, as in flow.conn_start",
	"udp":            "flows of UDP are events of flow, as in flow.udp_start",
	"icmp":           "flows and errors of ICMP are events of flow, as in flow.icmp_error",
	"packet":         "packets are events of flow, as in flow.pkt_in",
	"conn":           "handlers get the connection as their first argument: function(c, pkt)",
	"collectgarbage": "memory is taken care of",
}

// mostNames is how many names a hint lists.
const mostNames = 12

// hintFor says what could have been meant by a name that m's owner does not have.
func hintFor(owner typ, m *member, name string) string {
	if hint := didYouMean(name, m.names); hint != "" {
		return hint
	}
	switch {
	case owner.object != nil && owner.object.Field("client") != nil && isEnd(name):
		return "its ends are client and server, as in client.ip and server.port"
	case len(m.names) > 0 && len(m.names) <= mostNames:
		names := append([]string(nil), m.names...)
		sort.Strings(names)
		return "there is " + strings.Join(names, ", ")
	case owner.object != nil:
		return "'hookd doc " + owner.object.Name + "' lists what it has"
	case owner.family != nil:
		return "'hookd hooks \"" + owner.family.Name + ".*\"' lists its hook points"
	}
	return ""
}

// isEnd reports whether a name is one that packet filters give to an end: src,
// dst_port, saddr.
func isEnd(name string) bool {
	for _, prefix := range []string{"src", "dst", "source", "dest", "sport", "dport", "saddr", "daddr", "sip", "dip", "remote", "local", "peer"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// early reports global functions that are handed over at the top level before the
// statement that declares them: their value is still nil there, unless there is one of
// that name among the globals that there are beside.
func (c *checker) early(globals []string) {
	declared := map[string]int{}
	times := map[string]int{}
	syntax.Stmts(c.chunk.Stmts, func(s ast.Stmt) {
		for _, name := range append(syntax.Assigned(s), syntax.Declared(s)...) {
			times[name]++
		}
	})
	for _, s := range c.chunk.Stmts {
		if d, ok := s.(*ast.FuncDefStmt); ok {
			if id, plain := d.Name.Func.(*ast.IdentExpr); plain && times[id.Value] == 1 && !slices.Contains(globals, id.Value) {
				declared[id.Value] = d.Line()
			}
		}
	}
	var look func(*ast.Expr)
	look = func(slot *ast.Expr) {
		if id, ok := (*slot).(*ast.IdentExpr); ok && id.Line() < declared[id.Value] {
			c.report(id.Line(), id.Value, "put the function above", "%s is nil here: it is declared at line %d", id.Value, declared[id.Value])
		}
		syntax.Operands(*slot, look)
	}
	for _, s := range c.chunk.Stmts {
		syntax.Exprs(s, look)
	}
}

// returned reports a plain value that a handler returns: only a verdict decides.
func (c *checker) returned(s *ast.ReturnStmt, e *env) bool {
	for _, info := range e.infos {
		if len(info.Points) == 0 {
			return false // a timer, which has no verdicts to offer
		}
	}
	var what string
	switch s.Exprs[0].(type) {
	case *ast.StringExpr:
		what = "a string"
	case *ast.NumberExpr:
		what = "a number"
	case *ast.TrueExpr, *ast.FalseExpr:
		what = "a boolean"
	case *ast.TableExpr:
		what = "a table"
	default:
		return false
	}
	c.report(s.Line(), "return", c.offer(e.infos), "a handler returns a verdict or nothing, not %s", what)
	return true
}

// offer says what can be decided at all of the events.
func (c *checker) offer(infos []*event.Info) string {
	var list []string
	for _, info := range infos {
		f := c.cat.Family(info.Family)
		if f == nil {
			continue
		}
		for _, k := range info.Verdicts {
			if v := f.Verdict(k); v != nil {
				if name := f.Name + "." + v.Name; !has(list, name) {
					list = append(list, name)
				}
			}
		}
	}
	if len(list) == 0 {
		return "nothing can be decided here"
	}
	return "here it may be " + strings.Join(list, ", ")
}

// called reports a verdict without arguments that is called like a function.
func (c *checker) called(x *ast.FuncCallExpr, e *env) {
	name := dotted(x.Func)
	head, word, ok := strings.Cut(name, ".")
	family := c.cat.Family(head)
	if _, shadowed := e.find(head); !ok || shadowed || family == nil || c.assigned[head] {
		return
	}
	for _, v := range family.Verdicts {
		if v.Name == word && len(v.Args) == 0 && !v.Named && c.cat.Function(name) == nil {
			c.report(x.Line(), word, "write "+name, "%s is a verdict without arguments", name)
		}
	}
}
