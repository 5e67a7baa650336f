package lua

import (
	"fmt"
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
)

// Pair is a key of something with its value.
type Pair struct{ Key, Value glua.LValue }

// MaxPairs bounds how many pairs are looked at of one table.
const MaxPairs = 1000

// Pairs returns what a table, a record or a table of the API holds, in no
// particular order, without calling anything; ok is false for what holds nothing.
// There are at most [MaxPairs]; more says that some were left out.
func (d *Desk) Pairs(v glua.LValue) (list []Pair, more, ok bool) {
	add := func(k, v glua.LValue) bool {
		if more = len(list) == MaxPairs; more {
			return false
		}
		list = append(list, Pair{k, v})
		return true
	}
	switch v := v.(type) {
	case *glua.LTable:
		for k, x := v.Next(glua.LNil); k != glua.LNil && add(k, x); k, x = v.Next(k) {
			continue
		}
		return list, more, true
	case *glua.LUserData:
		if r, is := v.Value.(*recordValue); is {
			for k, x := range r.t.All() {
				if !add(d.in.fromRecord(k), d.in.fromRecord(x)) {
					break
				}
			}
			return list, more, true
		}
		if t := members(v); t != nil {
			return d.Pairs(t)
		}
	}
	return nil, false, false
}

// members returns the table of what a table of the API has.
func members(ud *glua.LUserData) *glua.LTable {
	if _, is := ud.Value.(*family); !is {
		return nil
	}
	mt, _ := ud.Metatable.(*glua.LTable)
	if mt == nil {
		return nil
	}
	t, _ := mt.RawGetString("__index").(*glua.LTable)
	return t
}

// Label says in a word or two what a function or userdata is.
func (d *Desk) Label(v glua.LValue) string {
	switch v := v.(type) {
	case *glua.LFunction:
		if v.Proto == nil {
			return "function"
		}
		return fmt.Sprintf("function (%s:%d)", v.Proto.SourceName, v.Proto.LineDefined)
	case *glua.LUserData:
		return d.userdata(v)
	case *glua.LState:
		return "coroutine"
	}
	return v.Type().String()
}

func (d *Desk) userdata(ud *glua.LUserData) string {
	switch v := ud.Value.(type) {
	case *object:
		if d.in.lentOut(v) {
			return v.typ.Info.Name + " (lent, and its handler returned)"
		}
		text := d.in.label(v)
		if k, ok := v.o.(event.Kept); ok && k.Ended() {
			text += " (ended)"
		}
		return text
	case *storeValue:
		return fmt.Sprintf("store %q (a %s of %d)", v.st.Name(), v.st.Kind(), v.st.Size())
	case *family:
		return v.name
	case fmt.Stringer:
		return v.String()
	}
	return describe(ud)
}

// Fields returns the fields of an object that cost no copy, in their order; nil
// for what is none.
func (d *Desk) Fields(v glua.LValue) []Pair {
	ob, ok := valueOf[*object](v)
	if !ok || d.in.lentOut(ob) {
		return nil
	}
	var list []Pair
	for i := range ob.typ.Info.Fields {
		f := &ob.typ.Info.Fields[i]
		if f.Cost == event.Copy {
			continue
		}
		if x, ok := d.field(ob, f.Name); ok {
			list = append(list, Pair{glua.LString(f.Name), x})
		}
	}
	return list
}

// field reads a field; false where that is an error, such as of an object that
// ended.
func (d *Desk) field(ob *object, name string) (v glua.LValue, ok bool) {
	L := d.in.vm.State()
	defer func() {
		if recover() != nil {
			L.SetTop(0)
			v, ok = nil, false
		}
	}()
	return ob.typ.Index(d.in, L, ob.o, name)
}

// Completions lists what may stand behind a chain of names at a cursor: the names
// themselves for an empty chain, else the members of what it leads to, found
// without calling anything. typeOf names what a leading name is where the machine
// does not know it: a parameter.
func (d *Desk) Completions(chain []string, typeOf func(name string) string) []string {
	if d.ready() != nil {
		return nil
	}
	if len(chain) == 0 {
		return slices.DeleteFunc(d.Names(), func(name string) bool { return !isName(name) })
	}
	cat := d.rt.cfg.Catalogue
	if o := cat.Object(typeOf(chain[0])); o != nil {
		return d.objectMembers(o, chain[1:])
	}
	v, ok := d.lookup(chain[0])
	if !ok {
		if v = d.in.table(chain[0]); v == nil {
			return nil
		}
	}
	for i, name := range chain[1:] {
		if ob, is := valueOf[*object](v); is {
			return d.objectMembers(ob.typ.Info, chain[i+1:])
		}
		if p, is := valueOf[*point](v); is && p.info != nil {
			return nil
		}
		v = d.member(v, name)
	}
	return d.membersOf(v)
}

// member finds a member by its name.
func (d *Desk) member(v glua.LValue, name string) glua.LValue {
	pairs, _, _ := d.Pairs(v)
	for _, p := range pairs {
		if p.Key == glua.LString(name) {
			return p.Value
		}
	}
	return glua.LNil
}

// membersOf lists the names that may stand behind a value and a dot.
func (d *Desk) membersOf(v glua.LValue) []string {
	var names []string
	if ob, is := valueOf[*object](v); is {
		return d.objectMembers(ob.typ.Info, nil)
	}
	if p, is := valueOf[*point](v); is && p.info != nil {
		for i := range p.info.Points {
			names = append(names, p.info.Points[i].Phase)
		}
		return slices.DeleteFunc(append(names, p.info.Aliases...), func(s string) bool { return s == "" })
	}
	if s, is := valueOf[*storeValue](v); is {
		for _, m := range storeMethods() {
			if slices.Contains(m.kinds, s.st.Kind()) {
				names = append(names, m.name)
			}
		}
		return names
	}
	if _, is := valueOf[*handle](v); is {
		return []string{"off", "on"}
	}
	if _, is := v.(glua.LString); is {
		v = d.in.vm.Globals().RawGetString("string")
	}
	pairs, _, _ := d.Pairs(v)
	for _, p := range pairs {
		if s, ok := p.Key.(glua.LString); ok && isName(string(s)) {
			names = append(names, string(s))
		}
	}
	return names
}

// objectMembers lists the fields and methods of what a chain of fields leads to.
func (d *Desk) objectMembers(o *event.Object, chain []string) []string {
	for _, name := range chain {
		f := o.Field(name)
		if f == nil || f.Type.Kind != event.ObjectRef {
			return nil
		}
		if o = d.rt.cfg.Catalogue.Object(f.Type.Object); o == nil {
			return nil
		}
	}
	var names []string
	for i := range o.Fields {
		names = append(names, o.Fields[i].Name)
	}
	for i := range o.Methods {
		names = append(names, o.Methods[i].Name)
	}
	return names
}

// Words lists what declarations are written with: their keys, and the fields that
// the match of an event of that name, "flow.rexmit", starts at.
func (d *Desk) Words(point string) (keys, match []string) {
	keys = slices.Clone(ruleKeys)
	info, _, err := d.rt.cfg.Catalogue.Find(point)
	if err != nil {
		return keys, nil
	}
	if f := info.Subject(); f != nil {
		if o := d.rt.cfg.Catalogue.Object(f.Type.Object); o != nil {
			for i := range o.Fields {
				match = append(match, o.Fields[i].Name)
			}
		}
	}
	return keys, append(match, info.Args[min(1, len(info.Args)):]...)
}

// Parameter names the type of a handler's parameter i, from 0, on an event; empty
// where it is no object.
func (d *Desk) Parameter(point string, i int) string {
	info, _, err := d.rt.cfg.Catalogue.Find(strings.TrimSpace(point))
	if err != nil {
		return ""
	}
	if f := fieldOfArg(info, i); f != nil && f.Type.Kind == event.ObjectRef {
		return f.Type.Object
	}
	return ""
}
