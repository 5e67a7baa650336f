package predicate

import (
	"math"
	"slices"
	"strconv"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/access"
	"github.com/hookd/hookd/runtime/lua/bind"
	"github.com/hookd/hookd/runtime/lua/counted"
)

// truth compiles an expression of which only the truth is asked.
func (c *compiler) truth(x ast.Expr, sc *scope) (test, error) {
	switch x := counted.Operator(x).(type) {
	case *ast.LogicalOpExpr:
		a, err := c.truth(x.Lhs, sc)
		if err != nil {
			return a, err
		}
		b, err := c.truth(x.Rhs, sc)
		if err != nil {
			return b, err
		}
		if x.Operator == "and" {
			return both(a, b), nil
		}
		return either(a, b), nil
	case *ast.UnaryNotOpExpr:
		t, err := c.truth(x.Expr, sc)
		return not(t), err
	case *ast.RelationalOpExpr:
		return c.relation(x, sc)
	}
	v, err := c.value(x, sc)
	if err != nil {
		return test{}, err
	}
	return truthOf(v), nil
}

// truthOf is what a condition makes of a value: nil and false do not hold.
func truthOf(v value) test {
	switch v.kind {
	case boolean:
	case unknown:
		get := v.lua
		return test{holds: func(e any) bool { return glua.LVAsBool(get(e)) }}
	default:
		return v.there()
	}
	if v.fixed {
		return fixed(v.known.(bool))
	}
	t := test{holds: v.boolean}
	if v.present != nil {
		return both(test{holds: v.present}, t)
	}
	return t
}

// value compiles an expression.
func (c *compiler) value(x ast.Expr, sc *scope) (value, error) {
	before := c.nodes
	v, err := c.expr(x, sc)
	if c.nodes++; err == nil && c.nodes > maxNodes {
		return v, refuse(x, "it is too long")
	}
	if v.weight = c.nodes - before; v.origin == nil {
		v.origin = &origin{}
	}
	return v, err
}

// expr is value by the kinds of expressions.
func (c *compiler) expr(x ast.Expr, sc *scope) (value, error) {
	switch x := counted.Operator(x).(type) {
	case *ast.NilExpr:
		return constant(nil), nil
	case *ast.TrueExpr:
		return constant(true), nil
	case *ast.FalseExpr:
		return constant(false), nil
	case *ast.StringExpr:
		return constant(x.Value), nil
	case *ast.NumberExpr:
		return c.literal(x)
	case *ast.IdentExpr:
		return c.name(x, sc)
	case *ast.AttrGetExpr:
		return c.attribute(x, sc)
	case *ast.FuncCallExpr:
		return c.call(x, sc)
	case *ast.ArithmeticOpExpr:
		return c.arithmetic(x, sc)
	case *ast.UnaryMinusOpExpr:
		return c.minus(x, sc)
	case *ast.UnaryLenOpExpr:
		return c.length(x, sc)
	case *ast.LogicalOpExpr:
		return c.logical(x, sc)
	case *ast.RelationalOpExpr, *ast.UnaryNotOpExpr:
		t, err := c.truth(x, sc)
		return decided(t, func(e any) { t.fn()(e) }), err
	case *ast.FunctionExpr:
		return value{}, refuse(x, "it makes a function")
	case *ast.TableExpr:
		return value{}, refuse(x, "it makes a table")
	}
	return value{}, refuse(x, "an expression without a native form")
}

// literal reads a number as the compiler does.
func (c *compiler) literal(x *ast.NumberExpr) (value, error) {
	if n, err := strconv.ParseInt(x.Value, 0, 64); err == nil {
		return c.numeral(x, float64(n))
	}
	f, err := strconv.ParseFloat(x.Value, 64)
	if err != nil {
		return value{}, refuse(x, "the number %s", x.Value)
	}
	return c.numeral(x, f)
}

// numeral makes a constant number. A negative zero is refused: the VM may have
// one constant for it and for zero.
func (c *compiler) numeral(at ast.Expr, f float64) (value, error) {
	if f == 0 && math.Signbit(f) {
		return value{}, refuse(at, "a negative zero")
	}
	return constant(f), nil
}

// name finds what a name stands for.
func (c *compiler) name(x *ast.IdentExpr, sc *scope) (value, error) {
	v, at, local := sc.find(x.Value)
	if changed, ok := c.now(variable{at, x.Value}); ok {
		v = changed
	} else if !local {
		return c.outer(x)
	}
	switch {
	case c.names.Assigned[x.Value] && c.machine == nil:
		return value{}, refuse(x, "%s is assigned somewhere", x.Value)
	case v.kind == null && !v.fixed:
		return value{}, refuse(x, "%s has no native form", x.Value)
	}
	if c.nodes += v.weight; c.nodes > maxNodes {
		return value{}, refuse(x, "it is too long")
	}
	return v, nil
}

// outer finds what a name stands for that the function does not declare.
func (c *compiler) outer(x *ast.IdentExpr) (value, error) {
	if k, ok := c.names.Constants[x.Value]; ok {
		if f, isNumber := k.(float64); isNumber {
			return c.numeral(x, f)
		}
		return constant(k), nil
	}
	if c.machine != nil {
		if cell := c.machine.Cells[x.Value]; cell != nil {
			return held(cell), nil
		}
	}
	if c.names.Upvalues[x.Value] {
		return value{}, refuse(x, "%s is no constant", x.Value)
	}
	return value{}, refuse(x, "the global %s", x.Value)
}

// attribute compiles a.b.
func (c *compiler) attribute(x *ast.AttrGetExpr, sc *scope) (value, error) {
	key, ok := x.Key.(*ast.StringExpr)
	if !ok {
		return value{}, refuse(x, "an index that is no name")
	}
	if id, ok := x.Object.(*ast.IdentExpr); ok && id.Value == "this" {
		if _, _, local := sc.find("this"); !local && !c.names.Upvalues["this"] {
			return c.this(x, key.Value)
		}
	}
	o, err := c.value(x.Object, sc)
	if err != nil {
		return o, err
	}
	switch o.kind {
	case object:
	case recorded:
		return c.keyed(x, o, key.Value)
	default:
		return value{}, refuse(x, "a field of %s", o.kind)
	}
	f := o.info.Field(key.Value)
	if f == nil {
		return value{}, refuse(x, "%s has no field %s", o.info.Name, key.Value)
	}
	v := c.field(f, &o)
	if v.kind == null {
		return v, refuse(x, "%s is more than a plain value", key.Value)
	}
	if c.event != nil && o.path != "" {
		c.nearby(&v, &o, f)
	} else if v.kind == recorded {
		return v, refuse(x, "a record farther off")
	}
	return v, nil
}

// nearby notes how a field is read with others, and the way to an object.
func (c *compiler) nearby(v, o *value, f *event.Field) {
	if v.kind == object || v.kind == recorded {
		v.path = o.path + "." + f.Name
		return
	}
	at := slices.Index(c.event.Near, o.path)
	if at < 0 || v.lua == nil {
		return
	}
	place := slices.IndexFunc(o.info.Fields, func(g event.Field) bool { return g.Name == f.Name })
	v.near = &bind.Group{Near: uint8(at), Alive: o.info.Kept && !f.AfterEnd, Fields: []uint8{uint8(place)}}
}

// this compiles this.side: a field of the event that is no argument.
func (c *compiler) this(x *ast.AttrGetExpr, name string) (value, error) {
	f := c.info.Field(name)
	switch {
	case !c.names.This:
		return value{}, refuse(x, "the script may have another this")
	case access.InThis(name):
		return value{}, refuse(x, "this.%s", name)
	case f == nil || slices.Contains(c.info.Args, name):
		return value{}, refuse(x, "this has no field %s at %s", name, c.info.Name)
	case f.Type.Kind == event.ObjectRef:
		return value{}, refuse(x, "this.%s is an object", name)
	}
	v := c.field(f, nil)
	if v.kind == null {
		return v, refuse(x, "this.%s is more than a plain value", name)
	}
	return v, nil
}

// arithmetic compiles + - * / % ^.
func (c *compiler) arithmetic(x *ast.ArithmeticOpExpr, sc *scope) (value, error) {
	a, err := c.operand(x.Lhs, sc)
	if err != nil {
		return a, err
	}
	b, err := c.operand(x.Rhs, sc)
	if err != nil {
		return b, err
	}
	op := operators[x.Operator]
	if op == nil {
		return value{}, refuse(x, "the operator %s", x.Operator)
	}
	l, r := c.needNumber(a), c.needNumber(b)
	if a.fixed && b.fixed {
		return c.numeral(x, op(l(nil), r(nil)))
	}
	// The VM takes small results from a table of numbers in which there is no
	// negative zero: adding zero makes it positive.
	return c.number(func(e any) float64 { return op(l(e), r(e)) + 0 }, a, b), nil
}

// number makes a value that is computed from others.
func (c *compiler) number(fn func(any) float64, from ...value) value {
	for _, v := range from {
		if v.present != nil || v.touch != nil {
			return computed(fn, func(e any) { fn(e) })
		}
	}
	return computed(fn, nil)
}

// operators are Lua's.
var operators = map[string]func(a, b float64) float64{
	"+": func(a, b float64) float64 { return a + b },
	"-": func(a, b float64) float64 { return a - b },
	"*": func(a, b float64) float64 { return a * b },
	"/": func(a, b float64) float64 { return a / b },
	"%": Modulo,
	"^": math.Pow,
}

// Modulo is the VM's operator %.
func Modulo(a, b float64) float64 {
	v := math.Mod(a, b)
	if b > 0 && v < 0 || b < 0 && v > 0 {
		v += b
	}
	return v
}

// operand compiles a number. A string that spells one is converted by the VM
// and refused here.
func (c *compiler) operand(x ast.Expr, sc *scope) (value, error) {
	v, err := c.value(x, sc)
	switch {
	case err != nil:
		return v, err
	case v.kind == unknown:
		return c.asNumber(v), nil
	case v.kind != number:
		return v, refuse(x, "arithmetic on %s", v.kind)
	}
	return v, nil
}

func (c *compiler) minus(x *ast.UnaryMinusOpExpr, sc *scope) (value, error) {
	v, err := c.operand(x.Expr, sc)
	if err != nil {
		return v, err
	}
	get := c.needNumber(v)
	if v.fixed {
		return c.numeral(x, -get(nil))
	}
	return c.number(func(e any) float64 { return -get(e) }, v), nil
}

// length compiles # of a string or store.
func (c *compiler) length(x *ast.UnaryLenOpExpr, sc *scope) (value, error) {
	v, err := c.value(x.Expr, sc)
	if err != nil {
		return v, err
	}
	if s := storeOf(v); s != nil {
		return c.sizeOf(s), nil
	}
	if v.kind == unknown {
		v = c.asText(v)
	}
	if v.kind != text || v.text == nil {
		return value{}, refuse(x, "the length of %s", v.describe())
	}
	get := c.needText(v)
	return c.number(func(e any) float64 { return float64(len(get(e))) }, v), nil
}

// describe names a value in a refusal.
func (v value) describe() string {
	if v.addr != nil || v.endpoint != nil {
		return "an address"
	}
	return v.kind.String()
}

// logical compiles and/or where the value counts: between booleans, and `or`
// with a default for a field that may be nil.
func (c *compiler) logical(x *ast.LogicalOpExpr, sc *scope) (value, error) {
	a, err := c.value(x.Lhs, sc)
	if err != nil {
		return a, err
	}
	b, err := c.value(x.Rhs, sc)
	if err != nil {
		return b, err
	}
	plain := func(v value) bool { return v.kind == boolean && v.present == nil }
	touch := touches(a.touch, b.touch)
	switch {
	case plain(a) && plain(b) && x.Operator == "and":
		return decided(both(truthOf(a), truthOf(b)), touch), nil
	case plain(a) && plain(b):
		return decided(either(truthOf(a), truthOf(b)), touch), nil
	case x.Operator == "or" && a.kind == number && b.kind == number && b.present == nil && a.number != nil:
		there, l, r := a.there().fn(), a.number, b.number
		return c.number(func(e any) float64 {
			if there(e) {
				return l(e)
			}
			return r(e)
		}, a, b), nil
	case c.machine != nil:
		return c.oneOf(x, a, b)
	}
	return value{}, refuse(x, "%s between %s and %s as a value", x.Operator, a.describe(), b.describe())
}
