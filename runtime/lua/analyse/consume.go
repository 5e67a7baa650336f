package analyse

import (
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// consuming are methods of a connection after which its bytes do not wait for a
// handler of recv any more.
var consuming = map[string]bool{
	"take": true, "take_line": true, "discard": true, "read": true, "read_line": true,
	"pipe": true, "use": true, "close": true, "abort": true, "reset": true,
}

// unconsumed warns of a script that listens for bare bytes, or dials for them, is told
// of them, and never consumes any: reading pauses when its limit is reached. It says nothing where
// a method's name is put together, or where the script calls what is not its own.
func (c *checker) unconsumed() {
	told, bare, consumes := 0, false, false
	for _, h := range c.handlers {
		for _, info := range h.Infos {
			if info.Name == "loop.recv" && h.Key == "run" && told == 0 {
				told = h.Func.Line()
			}
		}
	}
	syntax.All(c.chunk.Stmts, func(ast.Stmt) {}, func(x ast.Expr) {
		switch x := x.(type) {
		case *ast.FuncCallExpr:
			consumes = consumes || consuming[x.Method] || syntax.IsName(x.Func, "require")
			bare = bare || bareBytes(x)
			if told == 0 && x.Method == "on" && len(x.Args) == 2 && dotted(x.Args[0]) == "loop.recv" {
				if fn, ok := x.Args[1].(*ast.FunctionExpr); ok {
					told = fn.Line()
				}
			}
		case *ast.AttrGetExpr:
			key, named := x.Key.(*ast.StringExpr)
			consumes = consumes || !named || consuming[key.Value]
		}
	})
	if told != 0 && bare && !consumes {
		d := &diag.Diagnostic{
			File: c.chunk.Name, Line: told, Severity: diag.Warning, Width: len("function"),
			Msg: "nothing consumes what comes in: reading pauses at limits.recv", Hint: "as c:take() or c:discard() do",
		}
		d.Col, d.Source = diag.Locate(c.chunk.Src, told, "function")
		c.diags = append(c.diags, d)
	}
}

// bareBytes reports whether a call declares a listener without a protocol, or dials
// without one.
func bareBytes(x *ast.FuncCallExpr) bool {
	if dotted(x.Func) == "loop.dial" && len(x.Args) > 0 {
		return bareURL(x.Args[0])
	}
	inner, ok := x.Func.(*ast.FuncCallExpr)
	if !ok || dotted(inner.Func) != "loop.listen" || len(x.Args) != 1 {
		return false
	}
	t, ok := x.Args[0].(*ast.TableExpr)
	if !ok {
		return false
	}
	for _, f := range t.Fields {
		if key, named := f.Key.(*ast.StringExpr); named && key.Value == "url" {
			return bareURL(f.Value)
		}
	}
	return false
}

// bareURL reports whether a URL that is written there has a scheme of streams without a
// protocol.
func bareURL(x ast.Expr) bool {
	url, written := x.(*ast.StringExpr)
	if !written {
		return false
	}
	scheme, _, has := strings.Cut(url.Value, "://")
	return !has || scheme == "tcp" || scheme == "tls" || scheme == "unix"
}
