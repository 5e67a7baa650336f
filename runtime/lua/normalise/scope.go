package normalise

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// scope says what the names of a chunk stand for.
type scope struct {
	// locals holds the names that stand for a variable of the function they
	// are used in; upvalues and globals are not in it.
	locals map[*ast.IdentExpr]*variable
	// leaks holds the loops that a break may leave from a block in which a
	// closure captured a variable.
	leaks map[ast.Stmt]bool
	// closes holds the gotos in whose scope there is a variable that a closure
	// captured.
	closes map[*ast.GotoStmt]bool
}

// variable is a declared local.
type variable struct {
	name     string
	block    *block
	captured bool // by a function inside the one that declares it
}

// block is a run of statements with the variables declared so far.
type block struct {
	parent   *block // nil for the chunk's own
	vars     []*variable
	loop     ast.Stmt // the loop whose body this is
	function bool     // the body of a function
	captures bool     // one of vars is captured
}

// resolver walks a chunk in the order in which scopes open and close.
type resolver struct {
	scope
	block  *block
	breaks []exit
	gotos  map[*ast.GotoStmt]*block // with the block they stand in
}

// exit is a break and the loop it leaves.
type exit struct {
	from, loop *block
}

// resolve finds out what the names of a chunk stand for.
func resolve(stmts []ast.Stmt) *scope {
	r := &resolver{
		scope: scope{
			locals: make(map[*ast.IdentExpr]*variable),
			leaks:  make(map[ast.Stmt]bool),
			closes: make(map[*ast.GotoStmt]bool),
		},
		gotos: make(map[*ast.GotoStmt]*block),
	}
	r.within(&block{function: true}, func() { r.stmts(stmts) })
	for _, b := range r.breaks {
		for in := b.from; in != b.loop; in = in.parent {
			if in.captures {
				r.leaks[b.loop.loop] = true
			}
		}
	}
	for g, from := range r.gotos {
		for in := from; !r.closes[g]; in = in.parent {
			r.closes[g] = in.captures
			if in.function {
				break
			}
		}
	}
	return &r.scope
}

func (r *resolver) within(b *block, walk func()) {
	b.parent = r.block
	r.block = b
	walk()
	r.block = b.parent
}

func (r *resolver) declare(names ...string) {
	for _, name := range names {
		r.block.vars = append(r.block.vars, &variable{name: name, block: r.block})
	}
}

// use notes what a name stands for.
func (r *resolver) use(id *ast.IdentExpr) {
	own := true
	for b := r.block; b != nil; b = b.parent {
		for i := len(b.vars) - 1; i >= 0; i-- {
			v := b.vars[i]
			if v.name != id.Value {
				continue
			}
			if own {
				r.locals[id] = v
			} else {
				v.captured, b.captures = true, true
			}
			return
		}
		own = own && !b.function
	}
}

func (r *resolver) stmts(stmts []ast.Stmt) {
	for _, s := range stmts {
		r.stmt(s)
	}
}

func (r *resolver) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.LocalAssignStmt:
		if declaredFunction(s) {
			r.declare(s.Names...)
			syntax.Exprs(s, r.expr)
			return
		}
		syntax.Exprs(s, r.expr)
		r.declare(s.Names...)
		return
	case *ast.RepeatStmt:
		r.within(&block{loop: s}, func() {
			r.stmts(s.Stmts)
			r.expr(&s.Condition)
		})
		return
	}
	syntax.Exprs(s, r.expr)
	switch s := s.(type) {
	case *ast.DoBlockStmt:
		r.within(&block{}, func() { r.stmts(s.Stmts) })
	case *ast.IfStmt:
		r.within(&block{}, func() { r.stmts(s.Then) })
		r.within(&block{}, func() { r.stmts(s.Else) })
	case *ast.WhileStmt:
		r.within(&block{loop: s}, func() { r.stmts(s.Stmts) })
	case *ast.NumberForStmt:
		r.loop(s, []string{s.Name}, s.Stmts)
	case *ast.GenericForStmt:
		r.loop(s, s.Names, s.Stmts)
	case *ast.FuncDefStmt:
		r.function(s.Func, s.Name.Func == nil)
	case *ast.GotoStmt:
		r.gotos[s] = r.block
	case *ast.BreakStmt:
		r.leave()
	}
}

func (r *resolver) loop(s ast.Stmt, names []string, stmts []ast.Stmt) {
	r.within(&block{loop: s}, func() {
		r.declare(names...)
		r.stmts(stmts)
	})
}

// leave notes a break. One without a loop is the compiler's to refuse.
func (r *resolver) leave() {
	for b := r.block; !b.function; b = b.parent {
		if b.loop != nil {
			r.breaks = append(r.breaks, exit{r.block, b})
			return
		}
	}
}

func (r *resolver) expr(slot *ast.Expr) {
	switch e := (*slot).(type) {
	case *ast.IdentExpr:
		r.use(e)
	case *ast.FunctionExpr:
		r.function(e, false)
	default:
		syntax.Operands(e, r.expr)
	}
}

func (r *resolver) function(f *ast.FunctionExpr, method bool) {
	r.within(&block{function: true}, func() {
		if method {
			r.declare("self")
		}
		r.declare(f.ParList.Names...)
		if f.ParList.HasVargs {
			r.declare("arg")
		}
		r.stmts(f.Stmts)
	})
}
