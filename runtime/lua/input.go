package lua

import (
	"slices"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/runtime/lua/analyse"
	"github.com/hookd/hookd/runtime/lua/counted"
	"github.com/hookd/hookd/runtime/lua/normalise"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/syntax"
	"github.com/hookd/hookd/runtime/lua/vm"
)

// resultsName is the hidden function that takes the values of an input.
const resultsName = "(results)"

// returning is what makes an expression an input of its own.
const returning = "return "

// Incomplete tells whether text stops in the middle of something, so that more
// lines might make it an input.
func Incomplete(text string) bool {
	src := []byte(text + "\n")
	asked := append([]byte(returning), src...)
	for _, form := range [][]byte{src, asked} {
		if chunk, _ := source.Parse("", form); chunk != nil {
			return false
		}
	}
	return source.Incomplete(src) || source.Incomplete(asked)
}

// parseInput reads an input at the line behind pad: as expressions, else as
// statements; parsed is the text that it was read from. What is wrong is said of the
// form that got further.
func parseInput(name string, pad []byte, text string) (chunk *source.Chunk, parsed []byte, list diag.List) {
	src := slices.Concat(pad, []byte(text), []byte("\n"))
	asked := slices.Concat(pad, []byte(returning), []byte(text), []byte("\n"))
	chunk, diags := source.Parse(name, asked)
	if chunk != nil {
		chunk.Src = src // for messages
		return chunk, asked, nil
	}
	chunk, list = source.Parse(name, src)
	if chunk != nil {
		return chunk, src, nil
	}
	first := len(pad) + 1
	for _, d := range diags {
		if d.Line == first {
			d.Col = max(1, d.Col-len(returning))
			if len(d.Source) >= len(returning) && d.Source[:len(returning)] == returning {
				d.Source = d.Source[len(returning):]
			}
		}
	}
	if further(diags, list) {
		return nil, nil, diags
	}
	return nil, nil, list
}

// further reports whether the first error of a lies behind that of b.
func further(a, b diag.List) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) > 0
	}
	return a[0].Line > b[0].Line || a[0].Line == b[0].Line && a[0].Col > b[0].Col
}

// checkInput reports the names that mean nothing. Warnings are for what stays.
func checkInput(chunk *source.Chunk, cat *catalogue.Catalogue, names []string) diag.List {
	return slices.DeleteFunc(analyse.Check(chunk, cat, names), func(d *diag.Diagnostic) bool { return d.Severity != diag.Error })
}

// keepLocals makes the locals of an input's top level names that stay, where keep
// says so.
func keepLocals(chunk *source.Chunk, keep func(name string) bool) {
	for i, s := range chunk.Stmts {
		local, ok := s.(*ast.LocalAssignStmt)
		if !ok || slices.ContainsFunc(local.Names, func(name string) bool { return !keep(name) }) {
			continue
		}
		assign := &ast.AssignStmt{Rhs: local.Exprs}
		assign.SetLine(s.Line())
		assign.SetLastLine(s.LastLine())
		for _, name := range local.Names {
			id := &ast.IdentExpr{Value: name}
			id.SetLine(s.Line())
			id.SetLastLine(s.LastLine())
			assign.Lhs = append(assign.Lhs, id)
		}
		if len(assign.Rhs) == 0 {
			null := &ast.NilExpr{}
			null.SetLine(s.Line())
			null.SetLastLine(s.LastLine())
			assign.Rhs = []ast.Expr{null}
		}
		chunk.Stmts[i] = assign
	}
}

// returnResults hands what the input's last statement returns to the hidden
// function.
func returnResults(chunk *source.Chunk) {
	if len(chunk.Stmts) == 0 {
		return
	}
	ret, ok := chunk.Stmts[len(chunk.Stmts)-1].(*ast.ReturnStmt)
	if !ok {
		return
	}
	fn := &ast.IdentExpr{Value: resultsName}
	fn.SetLine(ret.Line())
	fn.SetLastLine(ret.LastLine())
	call := &ast.FuncCallExpr{Func: fn, Args: ret.Exprs}
	call.SetLine(ret.Line())
	call.SetLastLine(ret.LastLine())
	ret.Exprs = []ast.Expr{call}
}

// mayChange reports whether statements could give a script's own code something
// to run or to compute with that its text does not say: they make a function,
// assign a field, or call what stores without assigning.
func mayChange(stmts []ast.Stmt) bool {
	found := false
	syntax.All(stmts, func(s ast.Stmt) {
		switch s := s.(type) {
		case *ast.FuncDefStmt:
			found = true
		case *ast.AssignStmt:
			for _, x := range s.Lhs {
				if _, ok := x.(*ast.IdentExpr); !ok {
					found = true
				}
			}
		}
	}, func(e ast.Expr) {
		switch e := e.(type) {
		case *ast.FunctionExpr:
			found = true
		case *ast.IdentExpr:
			switch e.Value {
			case "rawset", "setmetatable", "setfenv", "table", "_G":
				found = true
			}
		}
	})
	return found
}

// compileInput compiles the tree, which it uses up.
func compileInput(chunk *source.Chunk, in *Input, list *diag.List) {
	counted.Chunk(chunk.Stmts, func(*ast.FunctionExpr) bool { return false })
	vm.BoundConcat(chunk.Stmts)
	proto, diags := normalise.Compile(chunk, in.functions)
	*list = append(*list, diags...)
	in.proto = proto
}
