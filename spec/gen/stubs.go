package main

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// prelude declares, by hand, the words that no family declares: script, rule,
// is, this and their like.
//
//go:embed prelude.lua
var prelude string

// stubs is the file of LuaLS annotations in the making.
type stubs struct{ b strings.Builder }

func (s *stubs) line(format string, args ...any) {
	fmt.Fprintf(&s.b, format, args...)
	s.b.WriteByte('\n')
}

// doc writes text as annotation comment.
func (s *stubs) doc(text string) {
	for _, l := range wrap(text, 100) {
		s.line("---%s", l)
	}
}

// stubFile writes scripts/types/hookd.lua.
func stubFile(o *outputs, spec *model.Spec) {
	s := &stubs{}
	s.line("---@meta\n-- %s\n", header)
	s.b.WriteString(prelude)
	s.this(spec)
	for _, f := range spec.Families {
		s.line("\n-- %s\n", f.Name)
		s.enums(f)
		for _, x := range f.Objects {
			s.object(spec, x)
		}
		for _, e := range f.Events {
			s.event(e)
		}
		s.verdictArgs(f)
		s.table(f)
	}
	s.functions(spec)
	o.files["scripts/types/hookd.lua"] = []byte(strings.TrimRight(s.b.String(), "\n") + "\n")
}

func (s *stubs) enums(f *model.Family) {
	for _, e := range f.Enums {
		s.doc(e.Doc)
		s.line("---@alias %s.%s \"%s\"\n", f.Name, e.Name, strings.Join(e.Names, `"|"`))
	}
}

// this writes the class of this: what it has everywhere, and every event's own
// fields.
func (s *stubs) this(spec *model.Spec) {
	type entry struct {
		types, docs []string
	}
	fields := map[string]*entry{}
	for _, f := range spec.Families {
		for _, e := range f.Events {
			for _, field := range e.OwnFields() {
				x := fields[field.Name]
				if x == nil {
					x = &entry{}
					fields[field.Name] = x
				}
				if t := luaType(field.Type); !slices.Contains(x.types, t) {
					x.types = append(x.types, t)
				}
				x.docs = append(x.docs, e.Full())
			}
		}
	}
	s.line("\n---The call in progress. Which of the fields below have a value depends on the event.\n---@class hookd.this: hookd.call")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		s.line("---@field %s %s at %s", name, strings.Join(fields[name].types, "|"), strings.Join(fields[name].docs, ", "))
	}
	s.line("this = {}")
}

func (s *stubs) object(spec *model.Spec, o *model.Object) {
	class := o.Family.Name + "." + o.Name
	s.doc(o.Doc)
	s.line("---@class %s", class)
	for _, f := range o.Fields {
		optional := ""
		if f.Optional {
			optional = "?"
		}
		s.line("---@field %s%s %s %s", f.Name, optional, luaType(f.Type), oneLine(f.Doc+remarks(f)))
	}
	local := o.Family.Name + "_" + o.Name
	s.line("local %s = {}\n", local)
	for _, m := range o.Methods {
		if m.Native() && m.Name == "on" {
			s.binding(spec, o, m, local)
			continue
		}
		s.function(m, local+":"+m.Name)
	}
}

// binding writes the method that binds handlers, with an overload an event so
// that the handler's arguments have types.
func (s *stubs) binding(spec *model.Spec, o *model.Object, m *model.Function, local string) {
	self := o.Family.Name + "." + o.Name
	s.doc(m.Doc)
	for _, f := range spec.Families {
		for _, e := range f.Events {
			if args := e.ArgFields(); len(args) != 0 && args[0].Type.Object == o && !args[0].Optional {
				s.line("---@overload fun(self: %s, point: %s.point, handler: %s.handler|hookd.handler|string|nil, param?: any): true?, string?", self, e.Full(), e.Full())
			}
		}
	}
	s.line("---@overload fun(self: %s, point: hookd.user_point, handler: function|hookd.handler|string|nil, param?: any): true?, string?", self)
	s.line("function %s:on(...) end\n", local)
}

// event writes the classes of an event's hook point and handler.
func (s *stubs) event(e *model.Event) {
	s.doc(e.When)
	s.line("---@class %s.point: hookd.point", e.Full())
	for _, p := range e.Phases {
		s.line("---@field %s %s.point %s", p.Name, e.Full(), oneLine(p.Doc))
	}
	for _, alias := range e.Aliases {
		s.line("---@field %s %s.point The same.", alias, e.Full())
	}
	var args []string
	for _, f := range e.ArgFields() {
		typ := luaType(f.Type)
		if f.Optional {
			typ += "?"
		}
		args = append(args, f.Name+": "+typ)
	}
	result := ""
	if len(e.Verdicts) != 0 {
		result = ": hookd.verdict?"
	}
	s.line("---@alias %s.handler fun(%s)%s\n", e.Full(), strings.Join(args, ", "), result)
}

// verdictArgs writes the classes of verdicts' named arguments.
func (s *stubs) verdictArgs(f *model.Family) {
	for _, v := range f.Verdicts {
		if v.Named {
			s.named(f.Name+"."+v.Name+".args", v.Args)
		}
	}
}

// named writes the class of a table of named arguments.
func (s *stubs) named(class string, args []*model.Param) {
	s.line("---@class %s", class)
	for _, p := range args {
		s.line("---@field %s %s %s", optionalName(p), luaArgType(p.Type), oneLine(p.Doc))
	}
	s.line("")
}

func optionalName(p *model.Param) string {
	if p.Optional {
		return p.Name + "?"
	}
	return p.Name
}

// table writes the family's table: hook points and verdicts.
func (s *stubs) table(f *model.Family) {
	s.doc(f.Doc)
	s.line("---@class %s", f.Name)
	for _, e := range f.Events {
		s.line("---@field %s %s.point %s", e.Name, e.Full(), oneLine(e.When))
	}
	for _, v := range f.Verdicts {
		typ := "hookd.verdict"
		switch {
		case v.Named:
			typ = fmt.Sprintf("fun(args: %s.%s.args): hookd.verdict", f.Name, v.Name)
		case len(v.Args) != 0:
			var args []string
			for _, p := range v.Args {
				args = append(args, optionalName(p)+": "+luaArgType(p.Type))
			}
			typ = "fun(" + strings.Join(args, ", ") + "): hookd.verdict"
		}
		s.line("---@field %s %s %s", v.Name, typ, oneLine(v.Doc))
	}
	s.line("%s = {}\n", f.Name)
}

// functions writes all functions, and the tables of those whose name has a
// prefix that is no family's.
func (s *stubs) functions(spec *model.Spec) {
	tables := map[string]bool{}
	for _, f := range spec.Families {
		tables[f.Name] = true
	}
	for _, f := range spec.Families {
		for _, fn := range f.Functions {
			if prefix, _, dotted := strings.Cut(fn.Name, "."); dotted && !tables[prefix] {
				tables[prefix] = true
				s.line("---@class %s\n%s = {}\n", prefix, prefix)
			}
			s.function(fn, fn.Name)
		}
		for _, v := range f.Values {
			s.doc(v.Doc)
			s.line("%s = {}\n", v.Name)
		}
	}
}

// function writes a function or method under the given name.
func (s *stubs) function(fn *model.Function, name string) {
	var names []string
	if fn.Named {
		class := strings.NewReplacer(":", ".", "_", ".").Replace(name) + ".args"
		s.named(class, fn.Args)
		s.doc(fn.Doc)
		s.line("---@param args %s", class)
		names = []string{"args"}
	} else {
		s.doc(fn.Doc)
		for _, p := range fn.Args {
			name, typ := optionalName(p), luaArgType(p.Type)
			if p.Rest {
				name = "..."
				names = append(names, name)
			} else {
				names = append(names, p.Name)
			}
			s.line("---@param %s %s %s", name, typ, oneLine(p.Doc))
		}
	}
	s.results(fn)
	s.frontOverload(fn, name)
	s.line("function %s(%s) end\n", name, strings.Join(names, ", "))
}

// frontOverload says that the first argument may be left out.
func (s *stubs) frontOverload(fn *model.Function, name string) {
	if len(fn.Args) == 0 || !fn.Args[0].Front {
		return
	}
	self, p := "", fn.Args[1]
	if object, _, method := strings.Cut(name, ":"); method {
		self = "self: " + strings.ReplaceAll(object, "_", ".") + ", "
	}
	var results []string
	for _, r := range fn.Results {
		word := luaType(r.Type)
		if r.Optional {
			word += "?"
		}
		results = append(results, word)
	}
	s.line("---@overload fun(%s%s: %s): %s", self, optionalName(p), luaArgType(p.Type), strings.Join(results, ", "))
}

func (s *stubs) results(fn *model.Function) {
	fails := fn.MayFail()
	if len(fn.Results) == 0 {
		s.line("---@return true? done")
	}
	for _, p := range fn.Results {
		optional := ""
		if p.Optional || fails {
			optional = "?"
		}
		name := p.Name
		if p.Rest {
			name = "..."
		}
		s.line("---@return %s%s %s %s", luaType(p.Type), optional, name, oneLine(p.Doc))
	}
	if fails {
		s.line("---@return string? message")
	}
}

// luaType names a type as LuaLS knows it.
func luaType(t model.Type) string {
	switch t.Kind {
	case event.Bool:
		return "boolean"
	case event.Uint, event.Int, event.Size:
		return "integer"
	case event.Float, event.Time, event.Duration:
		return "number"
	case event.Enum:
		return t.Enum.Family.Name + "." + t.Enum.Name
	case event.Strings:
		return "string[]"
	case event.ObjectRef:
		return t.Object.Family.Name + "." + t.Object.Name
	case event.Plain, event.Any:
		return "any"
	case event.Record:
		return "hookd.record"
	case event.Handler:
		return "function|string"
	default:
		return "string"
	}
}

// luaArgType is luaType with what is accepted beside it.
func luaArgType(t model.Type) string {
	switch t.Kind {
	case event.Duration:
		return "number|string"
	case event.Size:
		return "integer|string"
	case event.Strings:
		return "string|string[]"
	default:
		return luaType(t)
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
