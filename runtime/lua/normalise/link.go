package normalise

import (
	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// Functions tells which expression of the normalised tree a prototype was
// compiled from.
type Functions map[*lua.FunctionProto]*ast.FunctionExpr

// firstMark is beyond every line that a script can have.
const firstMark = 1 << 30

// links marks functions while they are compiled. The compiler says of a
// prototype no more than its lines, of which two functions may share one, so
// each function gets a last line of its own for the time being.
type links []link

type link struct {
	fn   *ast.FunctionExpr
	last int
}

// mark numbers the functions of a chunk.
func mark(stmts []ast.Stmt) links {
	var l links
	syntax.Functions(stmts, func(f *ast.FunctionExpr, _ bool) {
		l = append(l, link{f, f.LastLine()})
		f.SetLastLine(firstMark + len(l) - 1)
	})
	return l
}

// unmark gives tree and prototypes their lines back and notes in functions what
// belongs together.
func (l links) unmark(proto *lua.FunctionProto, functions Functions) {
	for _, x := range l {
		x.fn.SetLastLine(x.last)
	}
	if proto != nil {
		l.restore(proto, functions)
	}
}

func (l links) restore(proto *lua.FunctionProto, functions Functions) {
	if i := proto.LastLineDefined - firstMark; i >= 0 && i < len(l) {
		last := l[i].last
		if last == 0 {
			last = l[i].fn.Line()
		}
		for at, line := range proto.DbgSourcePositions {
			if line == proto.LastLineDefined {
				proto.DbgSourcePositions[at] = last
			}
		}
		proto.LastLineDefined = last
		if functions != nil {
			functions[proto] = l[i].fn
		}
	}
	for _, child := range proto.FunctionPrototypes {
		l.restore(child, functions)
	}
}
