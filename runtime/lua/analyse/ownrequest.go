package analyse

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// ownRequests are the events that tell of transactions which this server began as well.
var ownRequests = map[string]bool{
	"sip.local_request_in": true, "sip.local_response_in": true, "sip.local_response_out": true, "sip.local_completed": true,
	"sip.request_out": true, "sip.request_sent": true, "sip.destroy": true,
}

// untestedRequest warns of handlers that read fields of tx.request where the transaction
// may be this server's own, which has none, and that look at neither it nor tx.is_local
// otherwise.
func (c *checker) untestedRequest() {
	for _, h := range c.handlers {
		own := false
		for _, info := range h.Infos {
			own = own || ownRequests[info.Name]
		}
		if own && len(h.Func.ParList.Names) > 0 {
			c.readsOf(h.Func, h.Func.ParList.Names[0])
		}
	}
}

func (c *checker) readsOf(f *ast.FunctionExpr, tx string) {
	fields, mentions, line, tested := 0, 0, 0, false
	request := func(x ast.Expr) bool { return x != nil && dotted(x) == tx+".request" }
	read := func(at int) {
		if fields++; line == 0 {
			line = at
		}
	}
	syntax.All(f.Stmts, func(ast.Stmt) {}, func(x ast.Expr) {
		switch x := x.(type) {
		case *ast.AttrGetExpr:
			if request(x) {
				mentions++
			}
			tested = tested || dotted(x) == tx+".is_local"
			if request(x.Object) {
				read(x.Line())
			}
		case *ast.FuncCallExpr:
			if request(x.Receiver) {
				read(x.Line())
			}
		}
	})
	if fields == 0 || tested || mentions > fields {
		return
	}
	d := &diag.Diagnostic{
		File: c.chunk.Name, Line: line, Severity: diag.Warning, Width: len("request"),
		Msg: tx + ".request is nil where this server made the request", Hint: "as if not " + tx + ".is_local then … end does",
	}
	d.Col, d.Source = diag.Locate(c.chunk.Src, line, "request")
	c.diags = append(c.diags, d)
}
