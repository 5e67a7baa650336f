package analyse

import (
	"fmt"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// PerShard reports what the functions of a script or module keep in the machine
// that they run in: globals and outer locals that they assign, and tables in such
// that they change. With several shards each machine has its own. globals are
// those that every script has.
//
// A function that is only called while the script loads may assign what it likes.
// An outer local counts where it outlives the call that it belongs to: a local of
// the file, or of a function that is called while the script loads.
func PerShard(chunk *source.Chunk, globals []string) diag.List {
	k := &keeper{chunk: chunk, globals: map[string]*variable{}, said: map[string]bool{}}
	file := &body{}
	for _, name := range globals {
		k.globals[name] = &variable{in: file, given: true}
	}
	k.file = file
	k.block(chunk.Stmts, &locals{in: file})
	for _, w := range k.writes {
		if w.kept() {
			k.report(&w)
		}
	}
	k.diags.Sort()
	return k.diags
}

// keeper walks one file.
type keeper struct {
	chunk   *source.Chunk
	file    *body
	globals map[string]*variable
	writes  []write
	said    map[string]bool
	diags   diag.List
}

// body is a function, or the file.
type body struct {
	up    *body     // nil: the file
	bound *variable // what the function is the value of, if that is known
	now   bool      // it is called where it stands

	known     bool // may and only hold; while they are looked for, for the worst
	may, only bool // see loads
}

// variable is a local or a global.
type variable struct {
	in     *body // that declares it; the file for globals
	global bool
	given  bool // every script has it
	table  bool // it was given a table that the script wrote
	uses   []use
}

// use is one place where a variable is read.
type use struct {
	in   *body
	call bool // it is called
}

// write is an assignment to a variable or to something in its table.
type write struct {
	in    *body
	to    *variable
	name  string
	line  int
	field bool
}

// locals is a scope.
type locals struct {
	up   *locals
	in   *body
	vars map[string]*variable
}

func (n *locals) declare(name string) *variable {
	if n.vars == nil {
		n.vars = map[string]*variable{}
	}
	v := &variable{in: n.in}
	n.vars[name] = v
	return v
}

func (n *locals) child() *locals { return &locals{up: n, in: n.in} }

// find returns what a name stands for.
func (k *keeper) find(n *locals, name string) *variable {
	for ; n != nil; n = n.up {
		if v := n.vars[name]; v != nil {
			return v
		}
	}
	v := k.globals[name]
	if v == nil {
		v = &variable{in: k.file, global: true, table: true}
		k.globals[name] = v
	}
	return v
}

// loads reports whether b may run while the file loads, and whether it runs at no
// other time.
func (b *body) loads() (may, only bool) {
	if b.known {
		return b.may, b.only
	}
	b.known, b.may, b.only = true, true, false
	switch {
	case b.up == nil:
		may, only = true, true
	case b.now:
		may, only = b.up.loads()
	case b.bound != nil && len(b.bound.uses) > 0:
		only = true
		for _, u := range b.bound.uses {
			m, o := u.in.loads()
			may = may || m && u.call
			only = only && o && u.call
		}
	}
	b.may, b.only = may, only
	return may, only
}

// kept reports whether what is written outlives the call that writes it.
func (w *write) kept() bool {
	if _, only := w.in.loads(); only {
		return false
	}
	switch {
	case w.field && (w.to.given || !w.to.table):
		return false
	case w.to.global || w.to.given:
		return true
	case w.to.in == w.in:
		return false
	}
	may, _ := w.to.in.loads()
	return may
}

func (k *keeper) report(w *write) {
	what := "local"
	if w.to.global || w.to.given {
		what = "global"
	}
	msg := fmt.Sprintf("a function assigns the %s %s, which every shard has for itself", what, w.name)
	if w.field {
		msg = fmt.Sprintf("a function changes the table in the %s %s, which every shard has for itself", what, w.name)
	}
	key := fmt.Sprint(w.line, msg)
	if k.said[key] {
		return
	}
	k.said[key] = true
	d := &diag.Diagnostic{
		File: k.chunk.Name, Line: w.line, Msg: msg, Width: len(w.name),
		Hint: `keep it in state, in c.data or in a store; or say script { shards = "each" }`,
	}
	d.Col, d.Source = diag.Locate(k.chunk.Src, w.line, w.name)
	k.diags = append(k.diags, d)
}

func (k *keeper) block(stmts []ast.Stmt, n *locals) {
	for _, s := range stmts {
		k.stmt(s, n)
	}
}

func (k *keeper) stmt(s ast.Stmt, n *locals) {
	switch s := s.(type) {
	case *ast.LocalAssignStmt:
		k.local(s, n)
	case *ast.AssignStmt:
		k.assign(s, n)
	case *ast.FuncDefStmt:
		k.funcDef(s, n)
	case *ast.RepeatStmt:
		inner := n.child()
		k.block(s.Stmts, inner)
		k.expr(s.Condition, inner)
	case *ast.NumberForStmt:
		syntax.Exprs(s, func(x *ast.Expr) { k.expr(*x, n) })
		inner := n.child()
		inner.declare(s.Name)
		k.block(s.Stmts, inner)
	case *ast.GenericForStmt:
		syntax.Exprs(s, func(x *ast.Expr) { k.expr(*x, n) })
		inner := n.child()
		for _, name := range s.Names {
			inner.declare(name)
		}
		k.block(s.Stmts, inner)
	default:
		syntax.Exprs(s, func(x *ast.Expr) { k.expr(*x, n) })
		for _, b := range syntax.Blocks(s) {
			k.block(b, n.child())
		}
	}
}

func (k *keeper) local(s *ast.LocalAssignStmt, n *locals) {
	// A local function sees itself: the parser puts it as one name, one function.
	if len(s.Names) == 1 && len(s.Exprs) == 1 {
		if f, ok := s.Exprs[0].(*ast.FunctionExpr); ok {
			k.function(f, n, &body{up: n.in, bound: n.declare(s.Names[0])}, false)
			return
		}
	}
	for _, x := range s.Exprs {
		k.expr(x, n)
	}
	for i, name := range s.Names {
		v := n.declare(name)
		if i < len(s.Exprs) {
			_, v.table = s.Exprs[i].(*ast.TableExpr)
		}
	}
}

func (k *keeper) assign(s *ast.AssignStmt, n *locals) {
	for i, x := range s.Rhs {
		if f, ok := x.(*ast.FunctionExpr); ok && i < len(s.Lhs) {
			if id, ok := s.Lhs[i].(*ast.IdentExpr); ok {
				k.function(f, n, &body{up: n.in, bound: k.find(n, id.Value)}, false)
				continue
			}
		}
		k.expr(x, n)
	}
	for i, x := range s.Lhs {
		k.target(x, n)
		if id, ok := x.(*ast.IdentExpr); ok && i < len(s.Rhs) {
			if _, ok := s.Rhs[i].(*ast.TableExpr); ok {
				k.find(n, id.Value).table = true
			}
		}
	}
}

func (k *keeper) funcDef(s *ast.FuncDefStmt, n *locals) {
	b := &body{up: n.in}
	switch {
	case s.Name.Receiver != nil:
		k.target(&ast.AttrGetExpr{Object: s.Name.Receiver}, n)
	default:
		if id, ok := s.Name.Func.(*ast.IdentExpr); ok {
			b.bound = k.find(n, id.Value)
		}
		k.target(s.Name.Func, n)
	}
	k.function(s.Func, n, b, s.Name.Method != "")
}

func (k *keeper) function(f *ast.FunctionExpr, n *locals, b *body, method bool) {
	inner := &locals{up: n, in: b}
	if method {
		inner.declare("self")
	}
	for _, name := range f.ParList.Names {
		inner.declare(name)
	}
	k.block(f.Stmts, inner)
}

// target notes what is written to.
func (k *keeper) target(x ast.Expr, n *locals) {
	field := false
	for {
		get, ok := x.(*ast.AttrGetExpr)
		if !ok {
			break
		}
		field = true
		if get.Key != nil {
			k.expr(get.Key, n)
		}
		x = get.Object
	}
	id, ok := x.(*ast.IdentExpr)
	if !ok {
		k.expr(x, n)
		return
	}
	k.writes = append(k.writes, write{in: n.in, to: k.find(n, id.Value), name: id.Value, line: id.Line(), field: field})
}

// changers are the functions that change their first argument.
var changers = map[string]bool{"rawset": true, "table.insert": true, "table.remove": true, "table.sort": true}

func (k *keeper) expr(x ast.Expr, n *locals) {
	switch x := x.(type) {
	case *ast.IdentExpr:
		v := k.find(n, x.Value)
		v.uses = append(v.uses, use{in: n.in})
		return
	case *ast.FunctionExpr:
		k.function(x, n, &body{up: n.in}, false)
		return
	case *ast.FuncCallExpr:
		k.call(x, n)
		return
	}
	syntax.Operands(x, func(x *ast.Expr) { k.expr(*x, n) })
}

func (k *keeper) call(x *ast.FuncCallExpr, n *locals) {
	switch f := x.Func.(type) {
	case *ast.IdentExpr:
		v := k.find(n, f.Value)
		v.uses = append(v.uses, use{in: n.in, call: true})
	case *ast.FunctionExpr:
		k.function(f, n, &body{up: n.in, now: true}, false)
	case nil:
		k.expr(x.Receiver, n)
	default:
		k.expr(f, n)
	}
	if x.Func != nil && len(x.Args) > 0 && changers[dotted(x.Func)] {
		k.target(&ast.AttrGetExpr{Object: x.Args[0]}, n)
	}
	for _, a := range x.Args {
		k.expr(a, n)
	}
}
