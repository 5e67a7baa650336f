package main

import (
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// goEvents writes the verdict kinds, event structs and hook points.
func goEvents(s *source, f *model.Family) {
	if len(f.Verdicts) != 0 {
		s.line("// What rules may decide.\nconst (")
		for i, v := range f.Verdicts {
			s.comment("Verdict" + goName(v.Name) + ": " + v.Doc)
			if i == 0 {
				s.line("Verdict%s event.VerdictKind = iota + 1", goName(v.Name))
				continue
			}
			s.line("Verdict%s", goName(v.Name))
		}
		s.line(")\n")
	}
	if len(f.Events) != 0 {
		s.line("// The hook points.\nvar (")
		for _, e := range f.Events {
			for _, p := range points(e) {
				s.comment(p.goVar + " is " + p.name + ". " + p.doc)
				s.line("%s = event.MakePoint[%s](%d)", p.goVar, goName(e.Name), p.id)
			}
		}
		s.line(")\n")
	}
	for _, e := range f.Events {
		s.comment(fmt.Sprintf("%s is %s. %s", goName(e.Name), e.Full(), e.When))
		if len(e.Fields) == 0 {
			s.line("type %s struct{}\n", goName(e.Name))
			continue
		}
		s.line("type %s struct {", goName(e.Name))
		for _, field := range e.Fields {
			goEventField(s, f, field)
		}
		s.line("}\n")
	}
}

func goEventField(s *source, f *model.Family, field *model.Field) {
	text := field.Doc + remarks(field)
	if field.Optional && nilable(field.Type) && !strings.Contains(text, "nil") {
		text += " May be nil."
	}
	s.comment(text)
	s.line("%s %s", goName(field.Name), goType(field.Type, f))
	if field.Optional && !nilable(field.Type) {
		s.line("Has%s bool", goName(field.Name))
	}
}

// goJSON writes the record encoders: one an object that has a record, one an
// event.
func goJSON(s *source, f *model.Family) {
	for _, o := range f.Objects {
		if len(o.Record) == 0 {
			continue
		}
		name := goName(o.Name)
		s.comment(fmt.Sprintf("Append%sJSON appends what records say of o, each key preceded by a comma.", name))
		s.line("func Append%sJSON(b []byte, o %s) []byte {", name, name)
		for _, k := range o.Record {
			goKey(s, k, false)
		}
		s.line("return b\n}\n")
	}
	for _, e := range f.Events {
		if !recorded(e) {
			continue
		}
		s.line("func append%s(b []byte, e *%s) []byte {", goName(e.Name), goName(e.Name))
		for _, field := range e.ArgFields() {
			if field.Type.Kind != event.ObjectRef || len(field.Type.Object.Record) == 0 {
				continue
			}
			call := qualify(field.Type.Object.Family, f, "Append"+goName(field.Type.Object.Name)+"JSON")
			if field.Optional {
				s.line("if e.%s != nil {\nb = %s(b, e.%s)\n}", goName(field.Name), call, goName(field.Name))
				continue
			}
			s.line("b = %s(b, e.%s)", call, goName(field.Name))
		}
		for _, k := range e.Record {
			goKey(s, k, true)
		}
		s.line("return b\n}\n")
	}
}

// recorded reports whether a record of e has keys of its own.
func recorded(e *model.Event) bool {
	for _, f := range e.ArgFields() {
		if f.Type.Kind == event.ObjectRef && len(f.Type.Object.Record) != 0 {
			return true
		}
	}
	return len(e.Record) != 0
}

// goKey writes the code that appends one key; what is absent is left out.
func goKey(s *source, k *model.Key, fromEvent bool) {
	at, open := "o", 0
	if fromEvent {
		at = "e"
	}
	holder := at
	for i, f := range k.Path {
		onEvent := fromEvent && i == 0
		holder = at
		expr := at + "." + goName(f.Name)
		if !onEvent {
			expr += "()"
		}
		at = expr
		if !f.Optional {
			continue
		}
		open++
		switch {
		case onEvent && nilable(f.Type):
			s.line("if %s != nil {", expr)
		case onEvent:
			s.line("if e.Has%s {", goName(f.Name))
		case nilable(f.Type):
			at = fmt.Sprintf("v%d", i)
			s.line("if %s := %s; %s != nil {", at, expr, at)
		default:
			at = fmt.Sprintf("v%d", i)
			s.line("if %s, ok := %s; ok {", at, expr)
		}
	}
	s.line("b = append(b, %s...)", quote(`,"`+k.Name+`":`))
	if leaf := k.Leaf(); leaf.Type.Kind == event.String && leaf.Cost == "copy" && !leaf.Optional && at == holder+"."+goName(leaf.Name)+"()" {
		goAppendCopy(s, leaf, holder)
	} else {
		s.line("b = %s", goAppend(leaf.Type, at))
	}
	for range open {
		s.line("}")
	}
}

// goAppendCopy writes the code that appends a text which is made when it is read:
// without making it where the object can append it, in letters that JSON takes as
// they are.
func goAppendCopy(s *source, f *model.Field, holder string) {
	name := goName(f.Name)
	s.line("if a, ok := %s.(interface{ Append%s(b []byte) []byte }); ok {", holder, name)
	s.line("b = append(a.Append%s(append(b, '\"')), '\"')", name)
	s.line("} else {\nb = event.AppendJSONString(b, %s.%s())\n}", holder, name)
}

// goAppend returns the call that appends a value of type t as JSON.
func goAppend(t model.Type, x string) string {
	switch t.Kind {
	case event.Bool:
		return "strconv.AppendBool(b, " + x + ")"
	case event.Uint:
		return "strconv.AppendUint(b, " + widen(t, x) + ", 10)"
	case event.Int, event.Size:
		return "strconv.AppendInt(b, " + x + ", 10)"
	case event.Float:
		return "event.AppendJSONFloat(b, " + x + ")"
	case event.String:
		return "event.AppendJSONString(b, " + x + ")"
	case event.IP:
		return "event.AppendJSONAddr(b, " + x + ")"
	case event.Endpoint:
		return "event.AppendJSONEndpoint(b, " + x + ")"
	case event.Time, event.Duration:
		return "event.AppendJSONTime(b, " + widen(t, x) + ")"
	case event.Enum:
		return "event.AppendJSONString(b, " + x + ".String())"
	case event.Strings:
		return "event.AppendJSONStrings(b, " + x + ")"
	default:
		return "event.AppendJSONValue(b, " + x + ")"
	}
}

// widen converts x of type t to the 64-bit type of its getter.
func widen(t model.Type, x string) string {
	switch {
	case t.Kind == event.Enum, t.Kind == event.Uint && t.Bits != 64:
		return "uint64(" + x + ")"
	case t.Kind == event.Duration:
		return "int64(" + x + ")"
	default:
		return x
	}
}
