package analyse

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// neverInPath warns of a script that wants to hear of ACKs of a 2xx and relays calls
// without its server staying in their path: such an ACK then goes past it. It says
// nothing of a script that leaves relaying to others, or calls what is not its own.
func (c *checker) neverInPath() {
	told, relays, stays := 0, false, false
	syntax.All(c.chunk.Stmts, func(ast.Stmt) {}, func(x ast.Expr) {
		switch x := x.(type) {
		case *ast.AttrGetExpr:
			switch dotted(x) {
			case "sip.e2eack_in", "sip.e2eack_retr_in":
				if told == 0 {
					told = x.Line()
				}
			case "sip.relay":
				relays = true
			}
		case *ast.FuncCallExpr:
			stays = stays || x.Method == "record_route" || syntax.IsName(x.Func, "require")
		case *ast.StringExpr:
			stays = stays || x.Value == "record_route"
		}
	})
	if told == 0 || !relays || stays {
		return
	}
	d := &diag.Diagnostic{
		File: c.chunk.Name, Line: told, Severity: diag.Warning, Width: len("e2eack"),
		Msg: "an ACK of a 2xx never comes here: nothing that this script relays has this server in its path", Hint: "as sip.relay { record_route = true } does",
	}
	d.Col, d.Source = diag.Locate(c.chunk.Src, told, "e2eack")
	c.diags = append(c.diags, d)
}
