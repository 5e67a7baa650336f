package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// luaFields writes what pushes several fields at once, by their places, and what appends
// them to a list. Either made of the other, or both of what reads one field, costs a handler
// in the machine 5 to 9 %.
func luaFields(s *source, o *model.Object, prefix string) {
	s.line("func %sPush(L *lua.LState, v %s, fields []uint8, values *Values) {", prefix, luaObjectType(o))
	luaEachField(s, o, "L.Push(%s)")
	s.line("}\n")
	s.line("func %sReadFields(dst []lua.LValue, v %s, fields []uint8, values *Values) []lua.LValue {", prefix, luaObjectType(o))
	luaEachField(s, o, "dst = append(dst, %s)")
	s.line("return dst\n}\n")
}

// luaEachField writes what does give to the values of fields.
func luaEachField(s *source, o *model.Object, give string) {
	if !slices.ContainsFunc(o.Fields, plainly) {
		return
	}
	s.line("for _, f := range fields {\nswitch f {")
	for i, f := range o.Fields {
		if !plainly(f) {
			continue
		}
		s.line("case %d:", i)
		read := "v." + goName(f.Name) + "()"
		if f.Optional && !nilable(f.Type) {
			s.line("if x, ok := %s; ok {", read)
			s.line(give, luaKept(f.Type, "x"))
			s.line("} else {")
			s.line(give, "lua.LNil")
			s.line("}")
		} else {
			s.line(give, luaKept(f.Type, read))
		}
	}
	s.line("default:")
	s.line(give, "lua.LNil")
	s.line("}\n}")
}

// luaNumbers writes what appends several fields that are numbers, by their places.
func luaNumbers(s *source, o *model.Object, prefix string) {
	if !slices.ContainsFunc(o.Fields, numeric) {
		return
	}
	s.line("func %sNumbers(dst []float64, v %s, fields []uint8) []float64 {\nfor _, f := range fields {\nswitch f {", prefix, luaObjectType(o))
	for i, f := range o.Fields {
		if numeric(f) {
			s.line("case %d:\ndst = append(dst, %s)", i, luaNumber(f.Type, "v."+goName(f.Name)+"()"))
		}
	}
	s.line("}\n}\nreturn dst\n}\n")
}

// numeric reports whether a field always is a number.
func numeric(f *model.Field) bool {
	switch f.Type.Kind {
	case event.Uint, event.Int, event.Size, event.Float, event.Time, event.Duration:
		return !f.Optional
	}
	return false
}

// luaNumber is the number that scripts see.
func luaNumber(t model.Type, read string) string {
	switch t.Kind {
	case event.Float:
		return read
	case event.Time:
		return "float64(" + read + ") / 1e9"
	case event.Duration:
		return read + ".Seconds()"
	}
	return "float64(" + read + ")"
}

// luaKept is luaFrom with what Values saves.
func luaKept(t model.Type, read string) string {
	switch t.Kind {
	case event.IP:
		return "values.address(" + read + ")"
	case event.Uint:
		if t.Bits == 8 || t.Bits == 16 {
			return "small(" + read + ")"
		}
		return "values.uint(uint64(" + read + "))"
	case event.Int, event.Size:
		return "values.int(int64(" + read + "))"
	case event.Float:
		return "values.Number(" + read + ")"
	case event.Time:
		return "values.time(" + read + ")"
	case event.Duration:
		return "values.duration(" + read + ")"
	}
	return luaFrom(t, read)
}

// plainly reports whether a field's value needs nothing of the machine.
func plainly(f *model.Field) bool {
	switch f.Type.Kind {
	case event.ObjectRef, event.Record, event.Plain, event.Handler, event.Strings:
		return false
	}
	return true
}

// near is an object that an event leads to.
type near struct {
	path   string // as scripts write it: "c.client"
	object *model.Object
	way    []hop // the objects on the way to it, itself last
}

// reader begins the names of what reads its fields.
func (n near) reader() string { return lowerName(n.object.Family.Name) + goName(n.object.Name) }

// name is its own, in Go.
func (n near) name() string { return n.way[len(n.way)-1].name }

// hop is an object on the way to another, in Go: its name, what reads it, empty where it is
// passed, and the condition on which the way ends there.
type hop struct{ name, read, gone string }

// hopTo leads to an object, and no farther where it is not there or where it ended and next,
// the field of it that follows on the way, did not outlive it. Where next is nil the groups
// say whether their fields did.
func hopTo(o *model.Object, name, read string, next *model.Field) hop {
	missing, ended := name+" == nil", " || "+name+".Ended()"
	switch {
	case !o.Kept() || next != nil && next.AfterEnd:
		ended = ""
	case next == nil:
		ended = " || g.Alive && " + name + ".Ended()"
	}
	return hop{name, read, missing + ended}
}

// nearOf lists the objects in an event's fields, and those in their fields.
func nearOf(e *model.Event) []near {
	var list []near
	for i, f := range objectsIn(e.Fields) {
		o, name := f.Type.Object, "o"+strconv.Itoa(i)
		list = append(list, near{f.Name, o, []hop{hopTo(o, name, "", nil)}})
		for _, g := range objectsIn(o.Fields) {
			x := g.Type.Object
			way := []hop{hopTo(o, name, "", g), hopTo(x, "x", name+"."+goName(g.Name)+"()", nil)}
			list = append(list, near{f.Name + "." + g.Name, x, way})
		}
	}
	return slices.DeleteFunc(list, func(n near) bool { return !slices.ContainsFunc(n.object.Fields, plainly) })
}

// objectsIn lists the fields that are objects.
func objectsIn(fields []*model.Field) []*model.Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f *model.Field) bool { return f.Type.Kind != event.ObjectRef })
}

// nearName begins the names of what reads fields near an event: events with objects of
// the same types share it.
func nearName(e *model.Event) string {
	name := lowerName(e.Family.Name) + "Near"
	for _, f := range objectsIn(e.Fields) {
		name += luaTypeID(f.Type.Object)
	}
	return name
}

// luaNear writes what reads fields of the objects that events lead to, known by their
// place among them.
func luaNear(s *source, f *model.Family) {
	written := map[string]bool{}
	for _, e := range f.Events {
		name, list := nearName(e), nearOf(e)
		if len(list) == 0 || written[name] {
			continue
		}
		written[name] = true
		var objects string
		for i, f := range objectsIn(e.Fields) {
			objects += fmt.Sprintf("o%d %s, ", i, luaObjectType(f.Type.Object))
		}
		s.line("func %sPush(L *lua.LState, %sgroups []Group, values *Values) bool {", name, objects)
		luaEachNear(s, list, "", func(n near) { s.line("%sPush(L, %s, g.Fields, values)", n.reader(), n.name()) })
		s.line("func %sReadFields(dst []lua.LValue, %sgroups []Group, values *Values) ([]lua.LValue, bool) {", name, objects)
		luaEachNear(s, list, "dst, ", func(n near) { s.line("dst = %sReadFields(dst, %s, g.Fields, values)", n.reader(), n.name()) })
		s.line("func %sNumbers(dst []float64, %sgroups []Group) ([]float64, bool) {", name, objects)
		luaEachNear(s, list, "dst, ", func(n near) {
			if slices.ContainsFunc(n.object.Fields, numeric) {
				s.line("dst = %sNumbers(dst, %s, g.Fields)", n.reader(), n.name())
			}
		})
	}
}

// luaEachNear writes the body of a walk over groups of fields, which ends where an
// object cannot be read.
func luaEachNear(s *source, list []near, results string, each func(n near)) {
	s.line("for i := range groups {\nswitch g := &groups[i]; g.Near {")
	for i, n := range list {
		s.line("case %d:", i)
		for _, h := range n.way {
			if h.read != "" {
				s.line("%s := %s", h.name, h.read)
			}
			s.line("if %s {\nreturn %sfalse\n}", h.gone, results)
		}
		each(n)
	}
	s.line("}\n}\nreturn %strue\n}\n", results)
}

// luaNearRow writes the fields of an event's row that lead to what is near it.
func luaNearRow(s *source, e *model.Event) {
	var paths, objects string
	for _, n := range nearOf(e) {
		paths += strconv.Quote(n.path) + ", "
	}
	for _, f := range objectsIn(e.Fields) {
		objects += "v." + goName(f.Name) + ", "
	}
	name, typ := nearName(e), goPackage(e.Family)+"."+goName(e.Name)
	s.line("Near: []string{%s},", paths)
	s.line("Push: func(L *lua.LState, e any, groups []Group, values *Values) bool {\nv := e.(*%s)\nreturn %sPush(L, %sgroups, values)\n},", typ, name, objects)
	s.line("Read: func(dst []lua.LValue, e any, groups []Group, values *Values) ([]lua.LValue, bool) {\nv := e.(*%s)\nreturn %sReadFields(dst, %sgroups, values)\n},", typ, name, objects)
	s.line("Numbers: func(dst []float64, e any, groups []Group) ([]float64, bool) {\nv := e.(*%s)\nreturn %sNumbers(dst, %sgroups)\n},", typ, name, objects)
}
