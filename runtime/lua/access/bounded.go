package access

import (
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// maxBounded is how many nodes of the tree a function may have, those of the
// local functions counted each time they are called, for nobody to count its
// instructions: it is over before it matters.
const maxBounded = 50_000

// MaxDepth is how deep the calls of functions of a script nest in what nobody
// counts: the machine's thread for that is small.
const MaxDepth = 16

// Bounded reports whether a function, of a script after or before it was
// rewritten, runs no longer than it is long: it has no loops and calls nothing
// but native functions, which count for themselves, and local functions of which
// the same is true. native tells of a global whether it and its members are such.
func (n *Names) Bounded(f *ast.FunctionExpr, native func(global string) bool) bool {
	if n.Metatables {
		return false
	}
	b := &bounder{names: n, native: native, sizes: map[*ast.FunctionExpr]int{}, depths: map[*ast.FunctionExpr]int{}}
	return b.size(f) <= maxBounded
}

type bounder struct {
	names  *Names
	native func(string) bool
	sizes  map[*ast.FunctionExpr]int // unbounded while one is being looked at
	// depths are how deep calls nest at most, that of the function included; deep
	// is that of what the function being looked at calls.
	depths map[*ast.FunctionExpr]int
	deep   int
}

const unbounded = maxBounded + 1

// size returns how many nodes a call of f visits at most.
func (b *bounder) size(f *ast.FunctionExpr) int {
	if n, ok := b.sizes[f]; ok {
		b.deep = max(b.deep, b.depths[f])
		return n
	}
	outer := b.deep
	b.sizes[f], b.deep = unbounded, 0
	n := b.block(f.Stmts)
	b.depths[f] = b.deep + 1
	if b.depths[f] > MaxDepth {
		n = unbounded
	}
	b.sizes[f], b.deep = n, max(outer, b.depths[f])
	return n
}

func (b *bounder) block(list []ast.Stmt) int {
	n := 0
	for _, s := range list {
		switch s.(type) {
		case *ast.WhileStmt, *ast.RepeatStmt, *ast.NumberForStmt, *ast.GenericForStmt, *ast.GotoStmt, *ast.LabelStmt:
			return unbounded
		}
		n++
		syntax.Exprs(s, func(x *ast.Expr) { n += b.expr(*x) })
		for _, inner := range syntax.Blocks(s) {
			n += b.block(inner)
		}
		if n > maxBounded {
			return unbounded
		}
	}
	return n
}

// expr looks for calls. Making a function is none.
func (b *bounder) expr(x ast.Expr) int {
	if _, ok := x.(*ast.FunctionExpr); ok {
		return 1
	}
	n := 1
	if c, ok := x.(*ast.FuncCallExpr); ok {
		n += b.call(c)
	}
	syntax.Operands(x, func(e *ast.Expr) { n = min(n+b.expr(*e), unbounded) })
	return n
}

// call is the size of what is called: 0 of a native function that calls nothing
// back.
func (b *bounder) call(c *ast.FuncCallExpr) int {
	if id, ok := c.Func.(*ast.IdentExpr); ok {
		if f := b.names.function(id.Value); f != nil {
			return b.size(f)
		}
	}
	if b.known(c) {
		return 0
	}
	return unbounded
}

// known reports whether what is called is a native function that calls nothing
// back.
func (b *bounder) known(c *ast.FuncCallExpr) bool {
	if c.Method != "" {
		id, ok := c.Receiver.(*ast.IdentExpr)
		return ok && b.names.store(id.Value) && c.Method != "each"
	}
	switch fn := c.Func.(type) {
	case *ast.IdentExpr:
		return strings.HasPrefix(fn.Value, "(") || b.global(fn.Value)
	case *ast.AttrGetExpr:
		id, ok := fn.Object.(*ast.IdentExpr)
		_, named := fn.Key.(*ast.StringExpr)
		return ok && named && b.global(id.Value)
	}
	return false
}

func (b *bounder) global(name string) bool { return b.names.Own(name) && b.native(name) }
