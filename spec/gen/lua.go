package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// luaDir is where the glue stands.
const luaDir = "runtime/lua/bind/"

// luaFamily writes the glue of one family.
func luaFamily(o *outputs, f *model.Family, read map[*model.Enum]bool) {
	s := &source{pkg: "bind"}
	luaWords(s, f, read)
	for _, x := range f.Objects {
		luaObject(s, x)
	}
	luaObjectRows(s, f)
	for _, e := range f.Events {
		luaEvent(s, e)
	}
	luaNear(s, f)
	luaEventRows(s, f)
	luaFunctions(s, f)
	luaVerdicts(s, f)
	o.save(luaDir+f.Name+"_gen.go", s)
}

// luaWords writes the words of those enums that Lua reads.
func luaWords(s *source, f *model.Family, read map[*model.Enum]bool) {
	for _, e := range f.Enums {
		if read[e] {
			s.line("var %s = words(%s.%sNames())\n", luaWordsName(e), goPackage(f), goName(e.Name))
		}
	}
}

// readEnums returns the enums that some field or result has.
func readEnums(spec *model.Spec) map[*model.Enum]bool {
	read := map[*model.Enum]bool{}
	results := func(list []*model.Function) {
		for _, fn := range list {
			for _, p := range fn.Results {
				read[p.Type.Enum] = true
			}
		}
	}
	fields := func(list []*model.Field) {
		for _, f := range list {
			read[f.Type.Enum] = true
		}
	}
	for _, f := range spec.Families {
		for _, o := range f.Objects {
			fields(o.Fields)
			results(o.Methods)
		}
		results(f.Functions)
		for _, e := range f.Events {
			fields(e.Fields)
		}
	}
	return read
}

// luaWordsName is the variable that holds an enum's words as Lua strings.
func luaWordsName(e *model.Enum) string { return e.Family.Name + goName(e.Name) + "Words" }

// luaTypeID is the constant that numbers an object's type.
func luaTypeID(o *model.Object) string { return goName(o.Family.Name) + goName(o.Name) }

// luaObject writes a type's index functions and methods.
func luaObject(s *source, o *model.Object) {
	prefix := lowerName(o.Family.Name) + goName(o.Name)
	s.line("func %sIndex(h Host, L *lua.LState, o any, key string) (lua.LValue, bool) {", prefix)
	if len(o.Fields) != 0 {
		s.line("v := o.(%s)\nswitch key {", goType(model.Type{Kind: event.ObjectRef, Object: o}, nil))
		for _, f := range o.Fields {
			s.line("case %q:", f.Name)
			luaField(s, o, f)
		}
		s.line("}")
	}
	s.line("return nil, false\n}\n")
	if writable(o) {
		luaSetIndex(s, o, prefix)
	}
	luaFields(s, o, prefix)
	luaNumbers(s, o, prefix)
	for _, m := range o.Methods {
		if !m.Native() {
			luaMethod(s, o, m, prefix)
		}
	}
}

func luaObjectType(o *model.Object) string {
	return goType(model.Type{Kind: event.ObjectRef, Object: o}, nil)
}

func writable(o *model.Object) bool {
	return slices.ContainsFunc(o.Fields, func(f *model.Field) bool { return f.Writable })
}

// luaField writes the case that reads one field.
func luaField(s *source, o *model.Object, f *model.Field) {
	if o.Kept() && !f.AfterEnd {
		s.line("alive(L, v)")
	}
	read := "v." + goName(f.Name) + "()"
	switch {
	case f.Type.Kind == event.Record:
		s.line("return h.Data(L, v), true")
	case f.Optional && !nilable(f.Type):
		s.line("x, ok := %s\nif !ok {\nreturn lua.LNil, true\n}\nreturn %s, true", read, luaFrom(f.Type, "x"))
	default:
		s.line("return %s, true", luaFrom(f.Type, read))
	}
}

func luaSetIndex(s *source, o *model.Object, prefix string) {
	s.line("func %sSetIndex(h Host, L *lua.LState, o any, key string, v lua.LValue) bool {", prefix)
	s.line("x := o.(%s)\nswitch key {", goType(model.Type{Kind: event.ObjectRef, Object: o}, nil))
	for _, f := range o.Fields {
		if !f.Writable {
			continue
		}
		s.line("case %q:", f.Name)
		if o.Kept() {
			s.line("alive(L, x)")
		}
		s.line("h.Effect(L, %q)", f.Name)
		a := fmt.Sprintf("assigned(h, L, %q, v)", f.Name)
		call := luaRead(s, f.Name, f.Type, f.Optional, a)
		if name := shared(o.Family, o.Family.Name+"."+o.Name+"."+f.Name); name != "" {
			s.line("if !h.Does(%q) {\nreturn true\n}", name)
		}
		s.line("refuse(L, %q, x.Set%s(h.Caller(L), %s))\nreturn true", f.Name, goName(f.Name), strings.Join(call, ", "))
	}
	s.line("}\nreturn false\n}\n")
}

// luaMethod writes the body of a method.
func luaMethod(s *source, o *model.Object, m *model.Function, prefix string) {
	s.line("func %s%s(h Host, L *lua.LState) int {", prefix, goName(m.Name))
	typ := goType(model.Type{Kind: event.ObjectRef, Object: o}, nil)
	if o.Kept() && m.Effects {
		s.line("self, err := toActing[%s](h, L, %s, %q)\nif err != nil {\nreturn fail(L, err)\n}", typ, luaTypeID(o), m.Name)
	} else {
		s.line("self := toSelf[%s](h, L, %s, %q)", typ, luaTypeID(o), m.Name)
	}
	luaCall(s, m, call{name: m.Name, arg: "methodArg", target: "self." + goName(m.Name), caller: m.Effects || m.Waits, shared: shared(o.Family, o.Family.Name+"."+o.Name+":"+m.Name)})
	s.line("}\n")
}

func luaObjectRows(s *source, f *model.Family) {
	if len(f.Objects) == 0 {
		return
	}
	s.line("func %sObjects() []*ObjectType {\nreturn []*ObjectType{", lowerName(f.Name))
	for i, o := range f.Objects {
		prefix := lowerName(f.Name) + goName(o.Name)
		s.line("{\nID: %s,\nInfo: %s.Family.Objects[%d],\nIndex: %sIndex,", luaTypeID(o), goPackage(f), i, prefix)
		s.line("Push: func(L *lua.LState, o any, fields []uint8, values *Values) {\n%sPush(L, o.(%s), fields, values)\n},", prefix, luaObjectType(o))
		if writable(o) {
			s.line("SetIndex: %sSetIndex,", prefix)
		}
		if len(o.Methods) != 0 {
			s.line("Methods: map[string]Method{")
			for _, m := range o.Methods {
				if !m.Native() {
					s.line("%q: %s%s,", m.Name, prefix, goName(m.Name))
				}
			}
			s.line("},")
		}
		s.line("},")
	}
	s.line("}\n}\n")
}

// luaEvent writes what hands an event's arguments and other fields to Lua.
func luaEvent(s *source, e *model.Event) {
	prefix := lowerName(e.Family.Name) + goName(e.Name)
	typ := goPackage(e.Family) + "." + goName(e.Name)
	if args := e.ArgFields(); len(args) != 0 {
		s.line("func %sArgs(h Host, L *lua.LState, e any, dst []lua.LValue) []lua.LValue {\nv := e.(*%s)", prefix, typ)
		var values []string
		for _, f := range args {
			values = append(values, luaEventField(s, f))
		}
		s.line("return append(dst, %s)\n}\n", strings.Join(values, ", "))
	}
	own := e.OwnFields()
	if len(own) == 0 {
		return
	}
	s.line("func %sThis(h Host, L *lua.LState, e any, key string) (lua.LValue, bool) {\nv := e.(*%s)\nswitch key {", prefix, typ)
	for _, f := range own {
		s.line("case %q:", f.Name)
		if f.Optional && !nilable(f.Type) {
			s.line("if !v.Has%s {\nreturn lua.LNil, true\n}", goName(f.Name))
		}
		s.line("return %s, true", luaFrom(f.Type, "v."+goName(f.Name)))
	}
	s.line("}\nreturn nil, false\n}\n")
}

// luaEventField returns the expression of an argument's value; an absent scalar
// takes lines before it.
func luaEventField(s *source, f *model.Field) string {
	from := luaFrom(f.Type, "v."+goName(f.Name))
	if !f.Optional || nilable(f.Type) {
		return from
	}
	name := goLocal(f.Name) + "Arg"
	s.line("%s := lua.LValue(lua.LNil)\nif v.Has%s {\n%s = %s\n}", name, goName(f.Name), name, from)
	return name
}

func luaEventRows(s *source, f *model.Family) {
	if len(f.Events) == 0 {
		return
	}
	s.line("func %sEvents() []*EventType {\nreturn []*EventType{", lowerName(f.Name))
	for i, e := range f.Events {
		prefix := lowerName(f.Name) + goName(e.Name)
		args, this := "noArgs", "noFields"
		if len(e.Args) != 0 {
			args = prefix + "Args"
		}
		if len(e.OwnFields()) != 0 {
			this = prefix + "This"
		}
		s.line("{\nInfo: %s.Family.Events[%d], Args: %s, This: %s,", goPackage(f), i, args, this)
		if len(nearOf(e)) > 0 {
			luaNearRow(s, e)
		}
		s.line("},")
	}
	s.line("}\n}\n")
}

func luaFunctions(s *source, f *model.Family) {
	if !slices.ContainsFunc(f.Functions, bound) {
		return
	}
	name := goName(f.Name) + "Functions"
	s.comment(fmt.Sprintf("%s returns the functions of the %s family, with fn as their bodies.", name, f.Name))
	s.line("func %s(fn %s.Functions) []Function {\nreturn []Function{", name, goPackage(f))
	for i, fn := range f.Functions {
		if !bound(fn) {
			continue
		}
		s.line("{Info: %s.Family.Functions[%d], Call: func(h Host, L *lua.LState) int {", goPackage(f), i)
		luaCall(s, fn, call{name: fn.Name, arg: "funcArg", target: "fn." + goFunction(f, fn), caller: true, shared: shared(f, fn.Name)})
		s.line("}},")
	}
	s.line("}\n}\n")
}

func luaVerdicts(s *source, f *model.Family) {
	if len(f.Verdicts) == 0 {
		return
	}
	s.line("func %sVerdicts() []Verdict {\nreturn []Verdict{", lowerName(f.Name))
	for i, v := range f.Verdicts {
		if len(v.Args) == 0 {
			s.line("{Family: %q, Info: &%s.Family.Verdicts[%d]},", f.Name, goPackage(f), i)
			continue
		}
		s.line("{Family: %q, Info: &%s.Family.Verdicts[%d], Args: func(h Host, L *lua.LState) any {", f.Name, goPackage(f), i)
		luaVerdictArgs(s, f, v)
		s.line("}},")
	}
	s.line("}\n}\n")
}

func luaVerdictArgs(s *source, f *model.Family, v *model.Verdict) {
	reads := luaReads(s, f.Name+"."+v.Name, "funcArg", v.Args, v.Named)
	s.line("return &%s.%sArgs{", goPackage(f), goName(v.Name))
	for i, p := range v.Args {
		s.line("%s: %s,", goName(p.Name), reads[i][0])
		if len(reads[i]) > 1 {
			s.line("Has%s: %s,", goName(p.Name), reads[i][1])
		}
	}
	s.line("}")
}

// luaAll writes what spans families: type numbers and the tables of everything.
func luaAll(o *outputs, spec *model.Spec) {
	s := &source{pkg: "bind"}
	var objects, events, verdicts []string
	var types []*model.Object
	for _, f := range spec.Families {
		if len(f.Objects) != 0 {
			objects = append(objects, lowerName(f.Name)+"Objects()")
		}
		if len(f.Events) != 0 {
			events = append(events, lowerName(f.Name)+"Events()")
		}
		if len(f.Verdicts) != 0 {
			verdicts = append(verdicts, lowerName(f.Name)+"Verdicts()")
		}
		types = append(types, f.Objects...)
	}
	if len(types) != 0 {
		s.line("// The object types.\nconst (")
		for i, x := range types {
			suffix := ""
			if i == 0 {
				suffix = " TypeID = iota"
			}
			s.line("%s%s // %s.%s", luaTypeID(x), suffix, x.Family.Name, x.Name)
		}
		s.line(")\n")
	}
	s.line("// Objects returns every object type; its place is its TypeID.")
	luaConcat(s, "Objects", "*ObjectType", objects)
	s.line("// Events returns every event.")
	luaConcat(s, "Events", "*EventType", events)
	s.line("// Verdicts returns every verdict.")
	luaConcat(s, "Verdicts", "Verdict", verdicts)
	luaTypeOf(s, types)
	o.save(luaDir+"all_gen.go", s)
}

func luaConcat(s *source, name, typ string, lists []string) {
	if len(lists) == 0 {
		s.line("func %s() []%s { return nil }\n", name, typ)
		return
	}
	s.line("func %s() []%s {\nreturn slices.Concat(%s)\n}\n", name, typ, strings.Join(lists, ", "))
}

// luaTypeOf writes the function that tells kept objects' types apart, the
// interface with the most methods first so that one that contains another wins.
func luaTypeOf(s *source, types []*model.Object) {
	kept := slices.DeleteFunc(slices.Clone(types), func(o *model.Object) bool { return !o.Kept() })
	size := func(o *model.Object) int { return len(o.Fields) + len(o.Methods) }
	slices.SortStableFunc(kept, func(a, b *model.Object) int { return size(b) - size(a) })
	s.line("// TypeOf returns the type of a kept object; false if it is of none.")
	s.line("func TypeOf(o event.Kept) (TypeID, bool) {")
	if len(kept) != 0 {
		s.line("switch o.(type) {")
		for _, o := range kept {
			s.line("case %s:\nreturn %s, true", goType(model.Type{Kind: event.ObjectRef, Object: o}, nil), luaTypeID(o))
		}
		s.line("}")
	}
	s.line("return 0, false\n}")
}
