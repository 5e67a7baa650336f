package counted

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// variable is a declared local and what is known of its values.
type variable struct {
	name string
	// number: every value is one. small: every value is a number, nil, a truth
	// value, a short string, or has an identity: none takes time to compare or hash.
	number, small bool
	values        []ast.Expr // what is assigned to it
	function      int        // which declares it, by its depth
	captured      bool       // by a function inside that one
}

// scopes knows which names stand for which variables.
type scopes struct {
	uses  map[*ast.IdentExpr]*variable
	own   map[*ast.IdentExpr]bool // those of the function they are used in
	vars  []*variable
	stack [][]*variable // open blocks, with the variables declared so far
	depth int           // of functions
}

// resolve finds the variables of a chunk and what they may hold.
func resolve(stmts []ast.Stmt) *scopes {
	s := &scopes{uses: map[*ast.IdentExpr]*variable{}, own: map[*ast.IdentExpr]bool{}}
	s.block(stmts)
	s.infer()
	return s
}

// infer takes back, until nothing changes, what was assumed of variables to
// which something else is assigned.
func (s *scopes) infer() {
	for changed := true; changed; {
		changed = false
		for _, v := range s.vars {
			for _, e := range v.values {
				if v.number && !s.number(e) {
					v.number, changed = false, true
				}
				if v.small && !s.small(e) {
					v.small, changed = false, true
				}
			}
		}
	}
}

// declare opens a variable. Its values begin with those given; one of which
// nothing is known may hold anything.
func (s *scopes) declare(name string, known bool, values ...ast.Expr) {
	v := &variable{name: name, number: known, small: known, values: values, function: s.depth}
	s.vars = append(s.vars, v)
	top := len(s.stack) - 1
	s.stack[top] = append(s.stack[top], v)
}

func (s *scopes) find(name string) *variable {
	for i := len(s.stack) - 1; i >= 0; i-- {
		for j := len(s.stack[i]) - 1; j >= 0; j-- {
			if v := s.stack[i][j]; v.name == name {
				return v
			}
		}
	}
	return nil
}

func (s *scopes) within(walk func()) {
	s.stack = append(s.stack, nil)
	walk()
	s.stack = s.stack[:len(s.stack)-1]
}

func (s *scopes) block(stmts []ast.Stmt) {
	s.within(func() { s.stmts(stmts) })
}

func (s *scopes) stmts(stmts []ast.Stmt) {
	for _, st := range stmts {
		s.stmt(st)
	}
}

func (s *scopes) stmt(st ast.Stmt) {
	switch st := st.(type) {
	case *ast.LocalAssignStmt:
		s.local(st)
		return
	case *ast.RepeatStmt:
		s.within(func() {
			s.stmts(st.Stmts)
			s.expr(&st.Condition)
		})
		return
	}
	syntax.Exprs(st, s.expr)
	switch st := st.(type) {
	case *ast.AssignStmt:
		s.assigned(st)
	case *ast.DoBlockStmt:
		s.block(st.Stmts)
	case *ast.WhileStmt:
		s.block(st.Stmts)
	case *ast.IfStmt:
		s.block(st.Then)
		s.block(st.Else)
	case *ast.NumberForStmt:
		s.within(func() {
			s.declare(st.Name, true, zero)
			s.stmts(st.Stmts)
		})
	case *ast.GenericForStmt:
		s.within(func() {
			for _, name := range st.Names {
				s.declare(name, false)
			}
			s.stmts(st.Stmts)
		})
	case *ast.FuncDefStmt:
		if id, ok := st.Name.Func.(*ast.IdentExpr); ok {
			s.unknown(id)
		}
		s.function(st.Func, st.Name.Func == nil)
	}
}

// zero and nothing stand for values that no expression of the source makes.
var (
	zero    ast.Expr = &ast.NumberExpr{Value: "0"}
	nothing ast.Expr = &ast.NilExpr{}
)

// local takes a declaration. The parser gives only "local function" a last line.
func (s *scopes) local(st *ast.LocalAssignStmt) {
	if st.LastLine() != 0 {
		s.declare(st.Names[0], false)
	}
	for i := range st.Exprs {
		s.expr(&st.Exprs[i])
	}
	if st.LastLine() != 0 {
		return
	}
	for i, name := range st.Names {
		switch {
		case i < len(st.Exprs) && (i < len(st.Exprs)-1 || !several(st.Exprs[i])):
			s.declare(name, true, st.Exprs[i])
		case len(st.Exprs) > 0 && several(st.Exprs[len(st.Exprs)-1]):
			s.declare(name, false)
		default:
			s.declare(name, true, nothing)
		}
	}
}

// several tells whether e may have any number of values.
func several(e ast.Expr) bool {
	switch e.(type) {
	case *ast.FuncCallExpr, *ast.Comma3Expr:
		return true
	}
	return false
}

func (s *scopes) assigned(st *ast.AssignStmt) {
	for i, target := range st.Lhs {
		id, ok := target.(*ast.IdentExpr)
		if !ok {
			continue
		}
		v := s.uses[id]
		switch {
		case v == nil:
		case i < len(st.Rhs):
			v.values = append(v.values, st.Rhs[i])
		case several(st.Rhs[len(st.Rhs)-1]):
			s.unknown(id)
		default:
			v.values = append(v.values, nothing)
		}
	}
}

func (s *scopes) unknown(id *ast.IdentExpr) {
	if v := s.uses[id]; v != nil {
		v.number, v.small = false, false
	}
}

func (s *scopes) expr(slot *ast.Expr) {
	switch e := (*slot).(type) {
	case *ast.IdentExpr:
		if v := s.find(e.Value); v != nil {
			s.uses[e] = v
			s.own[e] = v.function == s.depth
			v.captured = v.captured || v.function != s.depth
		}
	case *ast.FunctionExpr:
		s.function(e, false)
	default:
		syntax.Operands(e, s.expr)
	}
}

func (s *scopes) function(f *ast.FunctionExpr, method bool) {
	s.depth++
	defer func() { s.depth-- }()
	s.within(func() {
		if method {
			s.declare("self", false)
		}
		for _, name := range f.ParList.Names {
			s.declare(name, false)
		}
		if f.ParList.HasVargs {
			s.declare("arg", false)
		}
		s.stmts(f.Stmts)
	})
}
