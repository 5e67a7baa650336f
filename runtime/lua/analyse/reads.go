package analyse

import (
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// reads notes what a script may read of events and objects, on the safe side.
type reads struct {
	*engine.Reads
	// loose counts the objects that expressions gave and that nothing took up
	// which is known to look at them only.
	loose int
}

// gave notes that an expression gave an object.
func (r *reads) gave(t typ) {
	if t.object != nil || t.this != nil {
		r.loose++
	}
}

// took notes that what an expression gave is looked at and not kept.
func (r *reads) took(t typ) {
	if t.object != nil || t.this != nil {
		r.loose--
	}
}

// name notes the read of a member by its name.
func (r *reads) name(owner typ, name string) {
	switch {
	case owner.object != nil:
		r.Field(owner.object.Name, name)
	case owner.this != nil:
		for _, info := range owner.this {
			r.Field(info.Name, name)
		}
	case owner.family == nil && owner.hook == nil && owner.tree == nil:
		r.Name(name)
	}
}

// key notes the read of a member of x by a computed key.
func (c *checker) key(owner typ, x *ast.AttrGetExpr) {
	switch {
	case owner.object == nil && owner.this == nil && syntax.IsName(x.Object, "this"):
		c.reads.Computed, c.reads.Escapes = true, true
	case owner.object != nil:
		c.reads.Field(owner.object.Name, engine.AnyField)
		c.reads.Escapes = true // what is read may be another object
	case owner.this != nil:
		for _, info := range owner.this {
			c.reads.Field(info.Name, engine.AnyField)
		}
	case !numeric(x.Key):
		c.reads.Computed = true
	}
}

// numeric tells whether a key is a number, which no object has a field by.
func numeric(x ast.Expr) bool {
	switch x.(type) {
	case *ast.NumberExpr, *ast.ArithmeticOpExpr, *ast.UnaryMinusOpExpr, *ast.UnaryLenOpExpr:
		return true
	}
	return false
}

// arguments checks what a method of owner, or a function of the catalogue or of the
// library, is called with: objects that stand there are copied out of, or named.
func (c *checker) arguments(owner typ, x *ast.FuncCallExpr, e *env) {
	native := c.copies(x, e)
	for i, a := range x.Args {
		t := c.expr(a, e)
		if i == 0 {
			c.storeKey(owner, x, t)
		}
		if native {
			c.reads.took(t)
		}
		if table, ok := a.(*ast.TableExpr); ok && native {
			for _, f := range table.Fields {
				c.reads.loose -= c.plainObject(f.Value, e)
			}
		}
	}
}

// plainObject is 1 for a name that an object was given a handler by.
func (c *checker) plainObject(x ast.Expr, e *env) int {
	if id, ok := x.(*ast.IdentExpr); ok {
		if t, _ := e.find(id.Value); t.object != nil {
			return 1
		}
	}
	return 0
}

// copies reports whether a call is of a function that keeps no object it is
// given and returns none.
func (c *checker) copies(x *ast.FuncCallExpr, e *env) bool {
	name := dotted(x.Func)
	head, _, _ := strings.Cut(name, ".")
	if _, shadowed := e.find(head); x.Method != "" || name == "" || shadowed || c.assigned[head] {
		return false
	}
	fn := c.cat.Function(name)
	if fn == nil {
		return name == "print" || name == "tostring" || name == "type"
	}
	// What a stack returns as plain data may have objects in it.
	if hasKind(fn.Results, event.ObjectRef, event.Any) || c.cat.Family(head) != nil && hasKind(fn.Results, event.Plain) {
		c.reads.Escapes = true
		return false
	}
	return name != "raise" // what comes with an event is read as this.data
}

// passed notes that a handler receives what nothing is known of.
func (c *checker) passed(t typ, infos []*event.Info, i int) {
	for _, info := range infos {
		if i < len(info.Args) && t.object == nil && info.Field(info.Args[i]).Type.Kind == event.ObjectRef {
			c.reads.Escapes = true
		}
	}
}

func hasKind(list []event.Param, kinds ...event.Kind) bool {
	return slices.ContainsFunc(list, func(p event.Param) bool { return slices.Contains(kinds, p.Type.Kind) })
}

// binds reports whether a method of that name binds a handler, or gives an
// object, that nothing is known of.
func (c *checker) binds(owner typ, name string) bool {
	for _, f := range c.cat.Families() {
		for _, o := range f.Objects {
			m := o.Method(name)
			if m == nil || owner.object != nil && owner.object != o {
				continue
			}
			if hasKind(m.Results, event.ObjectRef, event.Any) || hasKind(m.Args, event.Handler) {
				return true
			}
		}
	}
	return false
}

// table notes what the table of a declaration may name: fields to match, and what
// a threshold counts by.
func (c *checker) table(x *ast.TableExpr) {
	for _, f := range x.Fields {
		key, ok := f.Key.(*ast.StringExpr)
		if !ok {
			if f.Key != nil && !numeric(f.Key) {
				c.reads.Computed, c.reads.Escapes = true, true
			}
			continue
		}
		c.reads.Name(key.Value)
		if key.Value == "by" {
			c.by(f.Value)
		}
	}
}

func (c *checker) by(x ast.Expr) {
	path, ok := x.(*ast.StringExpr)
	if !ok {
		c.reads.Computed, c.reads.Escapes = true, true
		return
	}
	for _, name := range strings.Split(path.Value, ".") {
		c.reads.Name(name)
	}
}

// declaresField notes what is not known of a field of a declaration: handlers that
// are written elsewhere, and matches that are made up.
func (c *checker) declaresField(word, key string, value ast.Expr, infos []*event.Info) {
	if !declares(word) {
		return
	}
	_, function := value.(*ast.FunctionExpr)
	_, written := value.(*ast.TableExpr)
	switch {
	case (key == "run" || key == "when") && (infos == nil || !function):
		c.reads.Escapes = true
	case key == "match" && !written:
		if id, ok := value.(*ast.IdentExpr); ok && c.matches()[id.Value] != nil {
			c.declaresField(word, key, c.matches()[id.Value], infos)
			return
		}
		c.reads.Computed, c.reads.Escapes = true, true
	case key == "match":
		syntax.Inside(value, func(x ast.Expr) {
			if t, ok := x.(*ast.TableExpr); ok {
				c.table(t)
			}
		})
	}
}

// matches returns the tables that locals are names for and that nothing but matches get at: what they name is
// written where the local is.
func (c *checker) matches() map[string]*ast.TableExpr {
	if c.matchTables == nil {
		c.matchTables = matchTables(c.chunk.Stmts)
	}
	return c.matchTables
}

// matchTables finds them: a name that is declared once, with a table, and each time it is used stands behind
// match = in a table.
func matchTables(list []ast.Stmt) map[string]*ast.TableExpr {
	tables := map[string]*ast.TableExpr{}
	declared, used := map[string]int{}, map[string]int{}
	syntax.All(list, func(s ast.Stmt) {
		for _, name := range syntax.Declared(s) {
			declared[name]++
		}
		if l, ok := s.(*ast.LocalAssignStmt); ok && len(l.Names) == len(l.Exprs) {
			for i, x := range l.Exprs {
				if t, ok := x.(*ast.TableExpr); ok {
					tables[l.Names[i]] = t
				}
			}
		}
	}, func(x ast.Expr) {
		switch x := x.(type) {
		case *ast.IdentExpr:
			used[x.Value]++
		case *ast.FunctionExpr:
			for _, name := range syntax.Parameters(x, true) {
				declared[name]++
			}
		case *ast.TableExpr:
			for _, f := range x.Fields {
				if id, ok := f.Value.(*ast.IdentExpr); ok && isMatch(f.Key) {
					used[id.Value]--
				}
			}
		}
	})
	for name := range tables {
		if declared[name] != 1 || used[name] != 0 {
			delete(tables, name)
		}
	}
	return tables
}

func isMatch(key ast.Expr) bool {
	s, ok := key.(*ast.StringExpr)
	return ok && s.Value == "match"
}

// declares reports whether a word makes declarations that have handlers.
func declares(word string) bool { return word == "rule" || word == "event" || word == "handler" }
