package predicate

import (
	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// held is what a variable around the handler holds when that begins.
func held(cell *glua.Upvalue) value {
	get := func(any) glua.LValue { return cell.Value() }
	return value{kind: unknown, cell: cell, lua: get, present: func(any) bool { return cell.Value() != glua.LNil }}
}

// asNumber is a value of which a number is needed; anything else asks, strings that
// spell one among it.
func (c *compiler) asNumber(v value) value {
	st, get := c.state, v.lua
	number := func(e any) float64 {
		n, ok := get(e).(glua.LNumber)
		if !ok {
			st.ask = true
		}
		return float64(n)
	}
	return computed(number, func(e any) { number(e) })
}

// asText is asNumber for strings.
func (c *compiler) asText(v value) value {
	st, get := c.state, v.lua
	read := func(e any) string {
		s, ok := get(e).(glua.LString)
		if !ok {
			st.ask = true
		}
		return string(s)
	}
	return value{kind: text, text: read, touch: func(e any) { read(e) }}
}

// oneOf compiles and/or between any values in a handler.
func (c *compiler) oneOf(x *ast.LogicalOpExpr, a, b value) (value, error) {
	l, err := c.luaOf(x, a)
	if err != nil {
		return value{}, err
	}
	r, err := c.luaOf(x, b)
	if err != nil {
		return value{}, err
	}
	and := x.Operator == "and"
	get := func(e any) glua.LValue {
		if v := l(e); glua.LVAsBool(v) != and {
			return v
		}
		return r(e)
	}
	return value{
		kind: unknown, lua: get, present: func(e any) bool { return get(e) != glua.LNil },
		touch: touches(a.touch, b.touch),
	}, nil
}

// alikeHeld compiles == where one of two values is not known. Two tables, or two
// userdata, may have a metatable that compares them.
func (c *compiler) alikeHeld(x ast.Expr, a, b value) (test, error) {
	l, err := c.luaOf(x, a)
	if err != nil {
		return test{}, err
	}
	r, err := c.luaOf(x, b)
	if err != nil {
		return test{}, err
	}
	st := c.state
	return test{holds: func(e any) bool {
		v, w := l(e), r(e)
		if st.ask {
			return false
		}
		switch v.(type) {
		case *glua.LNilType, glua.LBool, glua.LNumber, glua.LString:
			return v == w
		}
		st.ask = v.Type() == w.Type()
		return false
	}}, nil
}

// luaOf returns what makes the value that a script sees.
func (c *compiler) luaOf(at ast.PositionHolder, v value) (func(any) glua.LValue, error) {
	switch {
	case v.lua != nil:
		return v.lua, nil
	case v.fixed && v.kind != stored:
		k := luaConstant(v.known)
		return func(any) glua.LValue { return k }, nil
	}
	var get func(any) glua.LValue
	switch values := c.machine.Values; v.kind {
	case number:
		n := v.number
		get = func(e any) glua.LValue { return values.Number(n(e)) }
	case boolean:
		is := v.boolean
		get = func(e any) glua.LValue {
			if is(e) {
				return glua.LTrue
			}
			return glua.LFalse
		}
	default:
		return nil, refuse(at, "%s is kept", v.kind)
	}
	if v.present == nil {
		return get, nil
	}
	present := v.present
	return func(e any) glua.LValue {
		if !present(e) {
			return glua.LNil
		}
		return get(e)
	}, nil
}

// luaConstant is the value of a literal.
func luaConstant(x any) glua.LValue {
	switch x := x.(type) {
	case bool:
		return glua.LBool(x)
	case float64:
		return glua.LNumber(x)
	case string:
		return glua.LString(x)
	}
	return glua.LNil
}
