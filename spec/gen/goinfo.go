package main

import (
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// goInfos writes one catalogue row an event.
func goInfos(s *source, f *model.Family) {
	for _, e := range f.Events {
		s.line("var %sInfo = &event.Info{", lowerName(e.Name))
		s.line("Family: %q,\nName: %q,\nDoc: %s,", f.Name, e.Full(), quote(e.When))
		s.line("Points: []event.PointInfo{")
		for _, p := range points(e) {
			phase := ""
			if p.phase != "" {
				phase = fmt.Sprintf("Phase: %q, ", p.phase)
			}
			s.line("{ID: %s.ID(), %sName: %q, Doc: %s},", p.goVar, phase, p.name, quote(p.doc))
		}
		s.line("},")
		goWords(s, "Aliases", e.Aliases)
		goWords(s, "Args", e.Args)
		goEventFields(s, e)
		goDecides(s, e)
		s.line("Since: %q,\nExample: %s,", e.Since, quote(strings.TrimSpace(e.Example)))
		goEventFuncs(s, e)
		s.line("}\n")
	}
}

func goWords(s *source, name string, words []string) {
	if len(words) != 0 {
		s.line("%s: []string{\"%s\"},", name, strings.Join(words, `", "`))
	}
}

func goDecides(s *source, e *model.Event) {
	if len(e.Verdicts) != 0 {
		var kinds []string
		for _, name := range e.Verdicts {
			kinds = append(kinds, "Verdict"+goName(name))
		}
		s.line("Verdicts: []event.VerdictKind{%s},", strings.Join(kinds, ", "))
	}
	if e.Combine == "first" {
		s.line("Combine: event.First,")
	}
	if e.Waits == "suspend" {
		s.line("Waits: event.WaitsSuspend,")
	}
	if e.Global {
		s.line("Global: true,")
	}
}

func goEventFields(s *source, e *model.Event) {
	if len(e.Fields) == 0 {
		return
	}
	s.line("Fields: []event.Field{")
	for _, field := range e.Fields {
		s.line("{")
		goFieldRow(s, e.Family, field)
		goEventGetter(s, e, field)
		goSetter(s, e, field)
		s.line("},")
	}
	s.line("},")
}

// goEventGetter writes the getter of an event's field.
func goEventGetter(s *source, e *model.Event, field *model.Field) {
	get := getters[field.Type.Kind]
	at := fmt.Sprintf("e.(*%s)", goName(e.Name))
	read := at + "." + goName(field.Name)
	s.line("Get: event.Getter{")
	s.line("%s: func(e any) %s { return %s },", get[0], get[1], widen(field.Type, read))
	switch {
	case field.Optional && nilable(field.Type):
		s.line("Present: func(e any) bool { return %s != nil },", read)
	case field.Optional:
		s.line("Present: func(e any) bool { return %s.Has%s },", at, goName(field.Name))
	}
	s.line("},")
}

// setters name the function of package plain that stores a value of a kind.
var setters = map[event.Kind]string{
	event.Bool: "Bool", event.Uint: "Uint", event.Int: "Int", event.Float: "Float", event.String: "String", event.Bytes: "Bytes",
	event.IP: "IP", event.Endpoint: "Endpoint", event.Time: "Time", event.Duration: "Duration", event.Size: "Size",
	event.Enum: "Enum", event.Strings: "Strings", event.ObjectRef: "Object", event.Plain: "Any",
}

// goSetter writes the function that stores a plain value or object in an event.
func goSetter(s *source, e *model.Event, field *model.Field) {
	at := fmt.Sprintf("e.(*%s)", goName(e.Name))
	args := fmt.Sprintf("&%s.%s, value", at, goName(field.Name))
	switch field.Type.Kind {
	case event.Enum:
		args += ", " + qualify(field.Type.Enum.Family, e.Family, goName(field.Type.Enum.Name)+"Names") + "()"
	case event.ObjectRef:
		args += fmt.Sprintf(", %q, %t", field.Type.Object.Family.Name+"."+field.Type.Object.Name, field.Optional)
	}
	call := fmt.Sprintf("plain.Set%s(%s)", setters[field.Type.Kind], args)
	if !field.Optional || nilable(field.Type) {
		s.line("Set: func(e, value any) error { return %s },", call)
		return
	}
	has := at + ".Has" + goName(field.Name)
	s.line("Set: func(e, value any) error {\nif value == nil {\n%s = false\nreturn nil\n}", has)
	s.line("%s = true\nreturn %s\n},", has, call)
}

// goEventFuncs writes New, Clone and AppendJSON.
func goEventFuncs(s *source, e *model.Event) {
	name := goName(e.Name)
	s.line("New: func() any { return new(%s) },", name)
	s.line("Clone: func(e any) any {\nv := *e.(*%s)", name)
	for _, field := range e.Fields {
		switch field.Type.Kind {
		case event.Bytes:
			s.line("v.%s = bytes.Clone(v.%s)", goName(field.Name), goName(field.Name))
		case event.Strings:
			s.line("v.%s = slices.Clone(v.%s)", goName(field.Name), goName(field.Name))
		}
	}
	s.line("return &v\n},")
	if recorded(e) {
		s.line("AppendJSON: func(b []byte, e any) []byte { return append%s(b, e.(*%s)) },", name, name)
		return
	}
	s.line("AppendJSON: func(b []byte, _ any) []byte { return b },")
}

// goCatalogue writes the list of all families.
func goCatalogue(o *outputs, spec *model.Spec) {
	s := &source{pkg: "catalogue"}
	s.line("// All returns every family of this build, sorted by name.")
	s.line("func All() []*event.Family {\nreturn []*event.Family{")
	for _, f := range spec.Families {
		s.line("%s.Family,", goPackage(f))
	}
	s.line("}\n}")
	o.save("engine/event/catalogue/all_gen.go", s)
}
