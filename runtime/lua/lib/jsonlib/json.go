// Package jsonlib is the table json of scripts (RFC 8259). Tables keep the order
// in which they were filled; null, the empty list and numbers that JSON lacks
// are dealt with by name and never guessed. Functions are pure; those of one
// state are called on its goroutine.
package jsonlib

import (
	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/call"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// MaxDepth is how deep lists and objects nest in what is read and written.
const MaxDepth = 100

// What work costs, in steps.
const (
	stepsPerValue = 20
	stepsPerList  = 100
	stepsPerTable = 500 // an object: see what a table with names takes
)

// Null is what the userdata json.null holds.
type Null struct{}

// String is what tostring gives.
func (Null) String() string { return "null" }

// Config is what the table needs of the machine it is in.
type Config struct {
	// Plain returns the plain data that a userdata stands for; nil refuses them.
	Plain func(*lua.LUserData) (any, error)
}

// module is the table of one state.
type module struct {
	cfg  Config
	null *lua.LUserData
	// list is the metatable of tables that are lists although they are empty.
	list *lua.LTable
}

// Open returns the functions and values of the table.
func Open(L *lua.LState, lim *strlib.Limits, cfg Config) map[string]lua.LValue {
	m := &module{cfg: cfg, null: L.NewUserData(), list: L.CreateTable(0, 1)}
	m.null.Value = Null{}
	meta := L.CreateTable(0, 2)
	meta.RawSetString("__metatable", lua.LString("json.null"))
	meta.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LString("null"))
		return 1
	}))
	m.null.Metatable = meta
	m.list.RawSetString("__metatable", lua.LString("json.array"))
	members := call.Functions(L, lim, "json", map[string]call.Body{
		"encode": m.encode, "decode": m.decode, "array": m.array,
	})
	members["null"] = m.null
	return members
}

// array makes a table a list, also where it is empty.
func (m *module) array(c call.Call) int {
	t := c.L.CreateTable(0, 0)
	if c.Has(1) {
		t = c.Table(1)
	}
	if t.Metatable != lua.LNil && t.Metatable != lua.LValue(m.list) {
		c.Bad(1, "a table without a metatable expected")
	}
	t.Metatable = m.list
	return c.Push(t)
}

// encode writes a value.
func (m *module) encode(c call.Call) int {
	if c.Top() == 0 {
		c.Wrong(1, "value")
	}
	e := encoder{m: m, c: c}
	for name, v := range c.Options(2, "indent", "sort") {
		switch {
		case name == "sort":
			e.sort = lua.LVAsBool(v)
		case v == lua.LFalse:
		default:
			e.indent = indent(c, v)
		}
	}
	if err := e.value(c.Arg(1), 0); err != nil {
		return c.Fail("json: " + e.where() + err.Error())
	}
	c.Bound(len(e.buf))
	c.Spend(len(e.buf) / 8)
	return c.PushString(string(e.buf))
}

// indent reads how much deeper each level stands: spaces, or how many of them.
func indent(c call.Call, v lua.LValue) string {
	const most = "                "
	switch v := v.(type) {
	case lua.LBool:
		return most[:2]
	case lua.LNumber:
		if v >= 0 && int(v) <= len(most) && v == lua.LNumber(int(v)) {
			return most[:int(v)]
		}
	case lua.LString:
		for i := range len(v) {
			if v[i] != ' ' && v[i] != '\t' || i == len(most) {
				c.Bad(2, "indent: up to 16 spaces and tabs expected")
			}
		}
		return string(v)
	}
	c.Bad(2, "indent: a number of spaces up to 16 expected")
	return ""
}

// decode reads a text.
func (m *module) decode(c call.Call) int {
	text := c.String(1)
	d := decoder{m: m, c: c, text: text, null: lua.LNil}
	if v, ok := c.Options(2, "null")["null"]; ok {
		d.null = v
	}
	v, err := d.document()
	if err != nil {
		return c.Fail(err.Error())
	}
	return c.Push(v)
}
