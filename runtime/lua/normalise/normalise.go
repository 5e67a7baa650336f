// Package normalise rewrites syntax trees so that gopher-lua's compiler, used
// as it is, gives them the meaning they have in Lua 5.1. That compiler turns a
// number of ordinary statements into wrong code without a word; each Rewrites
// constant names one, shows what it does wrong and what is compiled instead.
// Nothing is rejected by a rewrite, and every node that is added carries the
// line of the node it stands for, so error positions stay as they were.
//
// The package keeps no state; a tree must not be used by two goroutines at once.
package normalise

import (
	"fmt"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// Rewrites is a set of rewrites.
type Rewrites uint16

const (
	// LogicalAssignment: the value of an and/or expression is built up in its
	// target, so an assignment to a declared local leaves the old value in
	// place or shows it to the expression: after "local x = 1; x = nil and 2"
	// x is 1. A call in parentheses is built up in the target too if that is
	// the last parameter, and destroys it before the arguments are evaluated:
	// function f(a) a = (g(a)) end. And x = (...) clears the locals declared
	// after x. All become
	//
	//	do local t = value; x = t end
	LogicalAssignment Rewrites = 1 << iota
	// MultipleAssignment: every value is written to its target before the next
	// one is evaluated: after "a, b = b, a" both are b. It becomes
	//
	//	do local o, k, v = object, key, value; b = last; o[k] = v end
	//
	// As in PUC Lua, objects and keys are evaluated first, then all values,
	// then stores run from right to left; locals that the statement does not
	// assign, and constants, are used where they are.
	MultipleAssignment
	// ConstantConditions: a jump on a constant condition is mistaken for a
	// label when jumps are threaded, and the function jumps anywhere:
	// for _ in pairs(t) do if false then local y end end. "and", "or" and
	// "not" with a literal left operand are folded wherever they stand, an
	// operand that is left alone still being cut to one value, and "if" and
	// "while" with a literal condition give way to the branch that runs.
	ConstantConditions
	// LeadingBreak: threading also goes astray where the first instruction of
	// a loop is a jump, which only a "break" can be: for ... do while true do
	// break end end. Such a break gets an instruction in front of it:
	//
	//	do local n; break end
	LeadingBreak
	// BreakClosure: "break" closes upvalues only if a closure captured a
	// variable declared directly in the loop's body; a closure over a variable
	// of a block inside the body goes on reading a register that others reuse.
	// Where that can happen, the loop's body begins with
	//
	//	local c; if c then c = function() return c end end
	BreakClosure
	// LocalFunction: "local f = function() return f() end" is compiled like
	// "local function f", so the function calls itself instead of the f
	// outside. It becomes
	//
	//	local f = function() return f() end, nil
	LocalFunction
	// GenericFor: the iterator triple is filled up for as many values as the
	// loop has names, so "for k, v in next, t do" starts from whatever the
	// third register holds, and "for k in next, f() do" calls f for no result.
	// Names that cannot be written make it three. More than three expressions
	// are evaluated into locals in front of the loop.
	GenericFor
	// TableFields: a call or ... as the value of a keyed field that comes last
	// is taken for a list of values: { 1, k = f() } has the result at 2 as well.
	// It is put in parentheses. After every 50th list item a keyed field stores
	// those 50 again, from registers that it has used itself, and a trailing
	// call or ... is stored over them: in { 1, ..., 50, f() } the results of f
	// begin at 1. The keyed field is moved in front of the 50th item; Lua leaves
	// their order undefined. The trailing call or ... becomes
	//
	//	(function(t, ...) for i = 1, arg.n do t[50 + i] = arg[i] end return t end)({ 1, ..., 50 }, f())
	TableFields
	// ConstantTarget: assigning to a field of a constant takes the constant's
	// number for a register: (123).x = 1 blames, or changes, something else. The
	// constant goes to a local first.
	ConstantTarget
	// LateKey: PUC Lua reads a local that is the key of an assignment when it
	// stores, gopher-lua before it evaluates the value, so they differ where
	// the evaluation changes that local through a closure: t[n] = next(). The
	// value goes to a local first.
	LateKey
	// GotoClosure: "goto" closes the upvalues of the whole function unless it
	// leaves a block with a captured variable, so that a variable and the
	// closures over it part ways. Where one is in scope it leaves such a block:
	//
	//	do local c; if c then c = function() return c end end goto l end
	GotoClosure
	// Numbers: a hexadecimal literal of more than 63 bits and a decimal one out
	// of range become NaN. They get the value they have in Lua.
	Numbers

	end
)

// All is every rewrite.
const All = end - 1

var names = [...]string{
	"logical assignment", "multiple assignment", "constant conditions", "leading break", "break closure",
	"local function", "generic for", "table fields", "constant target", "late key", "goto closure", "numbers",
}

// String lists the names of the set's members.
func (w Rewrites) String() string {
	if w == 0 {
		return "none"
	}
	var list []string
	for i, name := range names {
		if w&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	if rest := w &^ All; rest != 0 {
		list = append(list, fmt.Sprintf("%#x", uint16(rest)))
	}
	return strings.Join(list, ", ")
}

// Chunk rewrites the statements of a chunk and returns them. It works in place:
// the tree passed in is used up. Rewrites in skip are left out; that is for
// tests, which hold the rest to account. A tree that went through once comes
// out of a second time as it went in.
func Chunk(stmts []ast.Stmt, skip Rewrites) []ast.Stmt {
	stmts = (&folder{skip}).block(stmts)
	r := &rewriter{skip: skip, scope: resolve(stmts)}
	return r.block(stmts, ordinary)
}

// rewriter does all rewrites but folding, for which names do not matter.
type rewriter struct {
	skip  Rewrites
	scope *scope
}

func (r *rewriter) on(w Rewrites) bool { return r.skip&w == 0 }

// place says where a block stands.
type place uint8

const (
	ordinary place = iota
	// entered by falling or jumping in: the body of a loop or of "do".
	fallThrough
)

// block rewrites the statements of a block.
func (r *rewriter) block(stmts []ast.Stmt, where place) []ast.Stmt {
	out := make([]ast.Stmt, 0, len(stmts))
	silent := where == fallThrough && r.on(LeadingBreak)
	for _, s := range stmts {
		s = r.stmt(s)
		if g, ok := s.(*ast.GotoStmt); ok && r.on(GotoClosure) && r.scope.closes[g] && !captures(stmts) {
			s = do(g.Line(), append(capture(g.Line()), g)...)
		}
		if silent {
			if _, ok := s.(*ast.BreakStmt); ok {
				out = append(out, declare(s.Line(), []string{nameNothing}))
			}
			silent = emitsNothing(s)
		}
		out = append(out, s)
	}
	return out
}

// stmt rewrites what is inside a statement, then the statement.
func (r *rewriter) stmt(s ast.Stmt) ast.Stmt {
	syntax.Exprs(s, r.expr)
	leaks := r.scope.leaks[s]
	switch s := s.(type) {
	case *ast.DoBlockStmt:
		s.Stmts = r.block(s.Stmts, fallThrough)
	case *ast.WhileStmt:
		s.Stmts = r.body(s, s.Stmts, leaks)
	case *ast.RepeatStmt:
		s.Stmts = r.body(s, s.Stmts, leaks)
	case *ast.NumberForStmt:
		s.Stmts = r.body(s, s.Stmts, leaks)
	case *ast.GenericForStmt:
		s.Stmts = r.body(s, s.Stmts, leaks)
		return r.genericFor(s)
	case *ast.IfStmt:
		s.Then = r.block(s.Then, ordinary)
		s.Else = r.block(s.Else, ordinary)
	case *ast.FuncDefStmt:
		s.Func.Stmts = r.block(s.Func.Stmts, ordinary)
	case *ast.LocalAssignStmt:
		r.localFunction(s)
	case *ast.AssignStmt:
		return r.assign(s)
	}
	return s
}

// expr rewrites what is inside an expression, then the expression.
func (r *rewriter) expr(slot *ast.Expr) {
	syntax.Operands(*slot, r.expr)
	switch e := (*slot).(type) {
	case *ast.FunctionExpr:
		e.Stmts = r.block(e.Stmts, ordinary)
	case *ast.TableExpr:
		if r.on(TableFields) {
			*slot = tableFields(e)
		}
	}
}

func (r *rewriter) localFunction(s *ast.LocalAssignStmt) {
	if !r.on(LocalFunction) || len(s.Names) != 1 || len(s.Exprs) != 1 || declaredFunction(s) || hidden(s.Names[0]) {
		return
	}
	if _, ok := s.Exprs[0].(*ast.FunctionExpr); ok {
		s.Exprs = append(s.Exprs, null(s.Exprs[0].Line()))
	}
}

// declaredFunction tells "local function f" from "local f = function": the
// parser gives only the former a last line.
func declaredFunction(s *ast.LocalAssignStmt) bool { return s.LastLine() != 0 }
