package main

import (
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// predicateFile holds the methods that functions turned into Go may call.
const predicateFile = "runtime/lua/predicate/methods_gen.go"

// predicateMethods writes the methods without effects that take one argument and
// return a number or say yes or no.
func predicateMethods(o *outputs, spec *model.Spec) {
	s := &source{pkg: "predicate"}
	s.comment("methods are those that change nothing, by the names of object and method.")
	s.line("var methods = map[string]method{")
	for _, f := range spec.Families {
		for _, x := range f.Objects {
			for _, m := range x.Methods {
				if body := predicateMethod(x, m); body != "" {
					s.line("%q: %s,", f.Name+"."+x.Name+":"+m.Name, body)
				}
			}
		}
	}
	s.line("}\n")
	o.save(predicateFile, s)
}

// predicateMethod returns what makes the value of a call; empty where that takes
// more than a function in Go.
func predicateMethod(o *model.Object, m *model.Function) string {
	if m.MayFail() || m.Native() || len(m.Args) != 1 || len(m.Results) != 1 {
		return ""
	}
	arg, result := m.Args[0], m.Results[0]
	if arg.Optional || arg.Rest || arg.Or != "" {
		return ""
	}
	call := fmt.Sprintf("o.(%s).%s(arg)", luaObjectType(o), goName(m.Name))
	form, body := "number", ""
	switch kind := result.Type.Kind; {
	case kind == event.Bool && !result.Optional:
		form, body = "boolean", "return "+call
	case kind != event.Uint && kind != event.Int && kind != event.Float && kind != event.Size:
		return ""
	case result.Optional:
		body = "x, ok := " + call + "\nreturn float64(x), ok"
	default:
		body = "return float64(" + call + "), true"
	}
	reads := predicateArg(arg.Type)
	if reads == "" || reads == "place" && form != "number" {
		return ""
	}
	results := map[string]string{"boolean": "bool", "number": "(float64, bool)"}[form]
	fn := fmt.Sprintf("func(o any, arg %s) %s {\n%s\n}", goType(arg.Type, nil), results, body)
	if reads == "place" {
		return fmt.Sprintf("numberAt(%s)", fn)
	}
	return fmt.Sprintf("%sOf(%s, %s)", form, reads, fn)
}

// predicateArg returns what makes an argument of a constant text, "place" for one
// that may be computed.
func predicateArg(t model.Type) string {
	switch {
	case t.Kind == event.String:
		return "asText"
	case t.Kind == event.Bytes:
		return "asBytes"
	case t.Kind == event.Enum:
		name := goType(t, nil)
		return strings.Replace(name, ".", ".Parse", 1)
	case t.Kind == event.Uint && t.Bits == 32:
		return "place"
	}
	return ""
}
