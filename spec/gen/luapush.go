package main

import (
	"fmt"
	"slices"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// luaPush writes what pushes several fields at once, by their places, and what appends
// them to a list: to push them from a list would cost more than to read them.
func luaPush(s *source, o *model.Object, prefix string) {
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
	reads  []string // of the objects on the way to it, itself last, in Go
}

// nearOf lists the objects in an event's fields, and those in their fields.
func nearOf(e *model.Event) []near {
	var list []near
	for _, f := range e.Fields {
		if f.Type.Kind != event.ObjectRef {
			continue
		}
		first := near{f.Name, f.Type.Object, []string{"v." + goName(f.Name)}}
		list = append(list, first)
		for _, g := range first.object.Fields {
			if g.Type.Kind == event.ObjectRef {
				list = append(list, near{f.Name + "." + g.Name, g.Type.Object, append(slices.Clone(first.reads), "o."+goName(g.Name)+"()")})
			}
		}
	}
	return slices.DeleteFunc(list, func(n near) bool { return !slices.ContainsFunc(n.object.Fields, plainly) })
}

// luaNear writes what reads fields of the objects that an event leads to, known
// by their place among them.
func luaNear(s *source, e *model.Event, prefix, typ string) {
	list := nearOf(e)
	if len(list) == 0 {
		return
	}
	call := func(n near, name, of, args string) string {
		return lowerName(n.object.Family.Name) + goName(n.object.Name) + of + "(" + fmt.Sprintf(args, name) + ")"
	}
	s.line("func %sPush(L *lua.LState, e any, groups []Group, values *Values) bool {", prefix)
	luaEachNear(s, typ, list, "false", func(n near, name string) {
		s.line("%s", call(n, name, "Push", "L, %s, g.Fields, values"))
	})
	s.line("return true\n}\n")
	s.line("func %sReadFields(dst []lua.LValue, e any, groups []Group, values *Values) ([]lua.LValue, bool) {", prefix)
	luaEachNear(s, typ, list, "dst, false", func(n near, name string) {
		s.line("dst = %s", call(n, name, "ReadFields", "dst, %s, g.Fields, values"))
	})
	s.line("return dst, true\n}\n")
	s.line("func %sNumbers(dst []float64, e any, groups []Group) ([]float64, bool) {", prefix)
	luaEachNear(s, typ, list, "dst, false", func(n near, name string) {
		if slices.ContainsFunc(n.object.Fields, numeric) {
			s.line("dst = %s", call(n, name, "Numbers", "dst, %s, g.Fields"))
		}
	})
	s.line("return dst, true\n}\n")
}

// luaEachNear writes the walk over groups of fields, which missing ends where an
// object is not there.
func luaEachNear(s *source, typ string, list []near, missing string, each func(n near, name string)) {
	s.line("v := e.(*%s)\nfor i := range groups {\nswitch g := &groups[i]; g.Near {", typ)
	for i, n := range list {
		s.line("case %d:", i)
		name, last := "o", len(n.reads)-1
		for j, read := range n.reads {
			if j > 0 {
				name = "x"
			}
			s.line("%s := %s", name, read)
			if j == last && n.object.Kept() {
				s.line("if %s == nil || g.Alive && %s.Ended() {\nreturn %s\n}", name, name, missing)
			} else {
				s.line("if %s == nil {\nreturn %s\n}", name, missing)
			}
		}
		each(n, name)
	}
	s.line("}\n}")
}
