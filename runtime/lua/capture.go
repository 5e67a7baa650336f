package lua

import (
	"strings"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/source"
)

// localsName is the hidden function that a script's last statement hands its
// top-level locals to, as the upvalues of a function that is never called. They
// are what a console looks at; handlers share them either way.
const localsName = "(locals)"

// capture adds that statement and reports whether there are such locals.
func capture(chunk *source.Chunk) bool {
	var names []string
	seen := map[string]bool{}
	for _, s := range chunk.Stmts {
		local, ok := s.(*ast.LocalAssignStmt)
		if !ok {
			continue
		}
		for _, name := range local.Names {
			if !seen[name] && !strings.HasPrefix(name, "(") {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return false
	}
	line := chunk.Stmts[len(chunk.Stmts)-1].LastLine()
	last := len(chunk.Stmts)
	if _, returns := chunk.Stmts[last-1].(*ast.ReturnStmt); returns {
		last--
	}
	rest := chunk.Stmts[last:]
	chunk.Stmts = append(chunk.Stmts[:last:last], mention(names, line))
	chunk.Stmts = append(chunk.Stmts, rest...)
	return true
}

// mention is a call of the hidden function with one that uses the names.
func mention(names []string, line int) ast.Stmt {
	at := func(n interface {
		SetLine(int)
		SetLastLine(int)
	},
	) {
		n.SetLine(line)
		n.SetLastLine(line)
	}
	ident := func(name string) ast.Expr {
		x := &ast.IdentExpr{Value: name}
		at(x)
		return x
	}
	fn := &ast.FunctionExpr{ParList: &ast.ParList{}}
	at(fn)
	for _, name := range names {
		use := &ast.LocalAssignStmt{Names: []string{"_"}, Exprs: []ast.Expr{ident(name)}}
		block := &ast.DoBlockStmt{Stmts: []ast.Stmt{use}}
		at(use)
		at(block)
		fn.Stmts = append(fn.Stmts, block)
	}
	call := &ast.FuncCallExpr{Func: ident(localsName), Args: []ast.Expr{fn}}
	at(call)
	stmt := &ast.FuncCallStmt{Expr: call}
	at(stmt)
	return stmt
}

// openLocals installs the hidden function.
func (in *instance) openLocals() {
	in.locals = nil
	in.vm.Globals().RawSetString(localsName, in.vm.State().NewFunction(func(L *glua.LState) int {
		if fn, ok := L.Get(1).(*glua.LFunction); ok && in.mode == loading && fn.Proto != nil {
			in.locals = make(map[string]*glua.Upvalue, len(fn.Upvalues))
			for i, up := range fn.Upvalues {
				in.locals[fn.Proto.DbgUpvalues[i]] = up
			}
		}
		return 0
	}))
}

// changed notes that something changed a script that its text does not say:
// what was concluded from the text does not hold any more, so its functions run
// counted, and in Lua.
func (in *instance) changed() { in.rebuilt = true }
