package analyse

import (
	"sort"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/event"
)

// typ is what is known of an expression; the zero typ is nothing.
type typ struct {
	object *event.Object // an object a handler received, or one reached from it
	field  *event.Field  // a field of one, with a plain value
	family *event.Family // flow, hookd: the table of that name
	hook   *event.Info   // flow.rexmit
	this   []*event.Info // what this may be about
	tree   *tree         // a table of functions: log
}

// tree is a global table whose members are functions with a dotted name, or a
// store, whose members are methods.
type tree struct {
	name    string
	store   bool
	key     string // what a store's keys are, by the word of its declaration
	members []string
}

// member is the outcome of looking a name up in a typ.
type member struct {
	typ   typ
	known bool // the name exists, or nothing is known of the owner
	owner string
	what  string   // what the owner lacks: "field or method"
	names []string // what it has
}

// builtinThis are the fields that this has at every hook point.
var builtinThis = []string{"count", "data", "event", "gen", "param", "phase", "rule", "ts", "verdict"}

// member looks name up in t.
func (c *checker) member(t typ, name string) member {
	switch {
	case t.object != nil:
		return c.objectMember(t.object, name)
	case t.family != nil:
		return c.familyMember(t.family, name)
	case t.hook != nil:
		return phaseMember(t.hook, name)
	case t.this != nil:
		return thisMember(t.this, name)
	case t.tree != nil:
		what := "function"
		if t.tree.store {
			what = "method"
		}
		return member{known: has(t.tree.members, name), owner: t.tree.name, what: what, names: t.tree.members}
	default:
		return member{known: true}
	}
}

func (c *checker) objectMember(o *event.Object, name string) member {
	if f := o.Field(name); f != nil {
		return member{known: true, typ: c.fieldType(f)}
	}
	m := member{known: o.Method(name) != nil, owner: o.Name, what: "field or method"}
	for i := range o.Fields {
		m.names = append(m.names, o.Fields[i].Name)
	}
	for i := range o.Methods {
		m.names = append(m.names, o.Methods[i].Name)
	}
	return m
}

// fieldType is what reading a field gives.
func (c *checker) fieldType(f *event.Field) typ {
	if f.Type.Kind == event.ObjectRef {
		return typ{object: c.cat.Object(f.Type.Object)}
	}
	return typ{field: f}
}

// resultType is what a call of a function of the catalogue gives that returns an
// object: loop.dial, flow.find.
func (c *checker) resultType(x *ast.FuncCallExpr, e *env) typ {
	name := dotted(x.Func)
	head, _, _ := strings.Cut(name, ".")
	if _, shadowed := e.find(head); name == "" || shadowed || c.assigned[head] {
		return typ{}
	}
	fn := c.cat.Function(name)
	if fn == nil || len(fn.Results) == 0 || fn.Results[0].Type.Kind != event.ObjectRef {
		return typ{}
	}
	return typ{object: c.cat.Object(fn.Results[0].Type.Object)}
}

func (c *checker) familyMember(f *event.Family, name string) member {
	m := member{owner: f.Name, what: "hook point, verdict or function"}
	for _, e := range f.Events {
		short := strings.TrimPrefix(e.Name, f.Name+".")
		m.names = append(m.names, short)
		if short == name {
			return member{known: true, typ: typ{hook: e}}
		}
	}
	for _, v := range f.Verdicts {
		m.names = append(m.names, v.Name)
	}
	for _, fn := range f.Functions {
		if rest, ok := strings.CutPrefix(fn.Name, f.Name+"."); ok {
			m.names = append(m.names, rest)
		}
	}
	m.known = has(m.names, name)
	return m
}

func phaseMember(e *event.Info, name string) member {
	m := member{owner: e.Name, what: "phase"}
	for i := range e.Points {
		if e.Points[i].Phase != "" {
			m.names = append(m.names, e.Points[i].Phase)
		}
	}
	m.names = append(m.names, e.Aliases...)
	m.known = has(m.names, name)
	return m
}

// thisMember looks a field of this up; it is unknown only if no event that the
// handler is bound to has it.
func thisMember(infos []*event.Info, name string) member {
	m := member{owner: "this", what: "field", names: append([]string(nil), builtinThis...)}
	if has(builtinThis, name) {
		return member{known: true}
	}
	for _, info := range infos {
		for i := range info.Fields {
			f := &info.Fields[i]
			if has(info.Args, f.Name) {
				continue
			}
			m.names = append(m.names, f.Name)
			if f.Name == name {
				t := typ{}
				if len(infos) == 1 && f.Type.Kind != event.ObjectRef {
					t.field = f
				}
				return member{known: true, typ: t}
			}
		}
	}
	if len(infos) == 1 {
		m.owner = "this at " + infos[0].Name
	}
	sort.Strings(m.names)
	return m
}

func has(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
