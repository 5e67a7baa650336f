package analyse

import (
	"fmt"

	"github.com/yuin/gopher-lua/ast"
)

// target checks what is assigned to.
func (c *checker) target(x ast.Expr, e *env) {
	get, ok := x.(*ast.AttrGetExpr)
	if !ok {
		if _, plain := x.(*ast.IdentExpr); !plain {
			c.expr(x, e)
		}
		return
	}
	owner, t := c.getFrom(get, e)
	c.reads.gave(t)
	key, ok := get.Key.(*ast.StringExpr)
	if !ok {
		return
	}
	if what := owner.readOnly(key.Value); what != "" {
		c.report(get.Line(), key.Value, "", "%s is read-only", what)
	}
}

// readOnly says what of t would refuse an assignment to name, as the runtime would
// say it; nothing where it would take one, or nothing is known.
func (t typ) readOnly(name string) string {
	switch {
	case t.object != nil:
		f := t.object.Field(name)
		if f != nil && !f.Writable || t.object.Method(name) != nil {
			return fmt.Sprintf("%s.%s", t.object.Name, name)
		}
	case t.family != nil:
		return t.family.Name
	case t.hook != nil:
		return "hook point"
	case t.this != nil:
		return "this"
	}
	return ""
}
