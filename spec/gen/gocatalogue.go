package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// quote returns text as a Go string literal, raw where that reads better.
func quote(text string) string {
	if strings.ContainsAny(text, "\"\n\\") && strconv.CanBackquote(strings.ReplaceAll(text, "\n", " ")) {
		return "`" + text + "`"
	}
	return strconv.Quote(text)
}

// goFamilyVar writes the Family variable and the rows of functions and verdicts.
func goFamilyVar(s *source, f *model.Family) {
	s.comment(fmt.Sprintf("Family is the catalogue of the %s family. It is shared and immutable.", f.Name))
	s.line("var Family = &event.Family{\nName: %q,\nDoc: %s,", f.Name, quote(f.Doc))
	if len(f.Events) != 0 {
		s.line("Events: []*event.Info{")
		for _, e := range f.Events {
			s.line("%sInfo,", lowerName(e.Name))
		}
		s.line("},")
	}
	if len(f.Objects) != 0 {
		s.line("Objects: []*event.Object{")
		for _, o := range f.Objects {
			s.line("%sObject,", lowerName(o.Name))
		}
		s.line("},")
	}
	if len(f.Functions) != 0 {
		s.line("Functions: []*event.Function{")
		for _, fn := range f.Functions {
			s.line("{")
			goFunctionRow(s, f, fn)
			s.line("},")
		}
		s.line("},")
	}
	if len(f.Values) != 0 {
		s.line("Values: []*event.Value{")
		for _, v := range f.Values {
			s.line("{Name: %q, Doc: %s, Since: %q, Example: %s},", v.Name, quote(v.Doc), v.Since, quote(strings.TrimSpace(v.Example)))
		}
		s.line("},")
	}
	if len(f.Verdicts) != 0 {
		s.line("Verdicts: []event.VerdictInfo{")
		for _, v := range f.Verdicts {
			goVerdictRow(s, f, v)
		}
		s.line("},")
	}
	s.line("}")
}

func goVerdictRow(s *source, f *model.Family, v *model.Verdict) {
	s.line("{\nKind: Verdict%s,\nName: %q,\nRank: %d,\nDoc: %s,", goName(v.Name), v.Name, v.Rank, quote(v.Doc))
	if v.Routine {
		s.line("Routine: true,")
	}
	goParams(s, f, "Args", v.Args)
	if v.Named {
		s.line("Named: true,")
	}
	s.line("},")
}

// goFunctionRow writes the fields that event.Method and event.Function share.
func goFunctionRow(s *source, f *model.Family, fn *model.Function) {
	s.line("Name: %q,\nDoc: %s,", fn.Name, quote(fn.Doc))
	goParams(s, f, "Args", fn.Args)
	goFlag(s, "Named", fn.Named)
	goParams(s, f, "Results", fn.Results)
	goFlag(s, "Effects", fn.Effects)
	goFlag(s, "Waits", fn.Waits)
	goFlag(s, "Native", fn.Native())
	goFlag(s, "Fails", fn.Fails)
	s.line("Since: %q,\nExample: %s,", fn.Since, quote(strings.TrimSpace(fn.Example)))
}

func goFlag(s *source, name string, set bool) {
	if set {
		s.line("%s: true,", name)
	}
}

func goParams(s *source, f *model.Family, name string, list []*model.Param) {
	if len(list) == 0 {
		return
	}
	s.line("%s: []event.Param{", name)
	for _, p := range list {
		optional := ""
		if p.Optional {
			optional = ", Optional: true"
		}
		if p.Front {
			optional += ", Front: true"
		}
		if p.Rest {
			optional += ", Rest: true"
		}
		s.line("{Name: %q, Type: %s, Doc: %s%s},", p.Name, goEventType(p.Type, f), quote(p.Doc), optional)
	}
	s.line("},")
}

// goObjectRows writes one catalogue row an object.
func goObjectRows(s *source, f *model.Family) {
	for _, o := range f.Objects {
		s.line("var %sObject = &event.Object{\nName: %q,\nDoc: %s,", lowerName(o.Name), f.Name+"."+o.Name, quote(o.Doc))
		goFlag(s, "Kept", o.Kept())
		s.line("Fields: []event.Field{")
		for _, field := range o.Fields {
			s.line("{")
			goFieldRow(s, f, field)
			if field.Type.Kind != event.Record {
				goObjectGetter(s, o, field)
			}
			s.line("},")
		}
		s.line("},")
		if len(o.Methods) != 0 {
			s.line("Methods: []event.Method{")
			for _, m := range o.Methods {
				s.line("{")
				goFunctionRow(s, f, m)
				s.line("},")
			}
			s.line("},")
		}
		s.line("Since: %q,\n}\n", o.Since)
	}
}

// goFieldRow writes what fields of events and objects have in common.
func goFieldRow(s *source, f *model.Family, field *model.Field) {
	s.line("Name: %q,\nType: %s,\nDoc: %s,", field.Name, goEventType(field.Type, f), quote(field.Doc))
	if field.Unit != "" {
		s.line("Unit: %s,", quote(field.Unit))
	}
	if field.Valid != "" {
		s.line("Valid: %s,", quote(field.Valid))
	}
	switch field.Stable {
	case "event":
		s.line("Stable: event.StableEvent,")
	case "object":
		s.line("Stable: event.StableObject,")
	}
	switch field.Cost {
	case "cheap":
		s.line("Cost: event.Cheap,")
	case "copy":
		s.line("Cost: event.Copy,")
	}
	goFlag(s, "Optional", field.Optional)
	goFlag(s, "Writable", field.Writable)
	goFlag(s, "AfterEnd", field.AfterEnd)
	if field.Declared != "" {
		s.line("Declared: %s,", quote(field.Declared))
	}
}

// getters name the member of event.Getter and its result by kind.
var getters = map[event.Kind][2]string{
	event.Bool: {"Bool", "bool"}, event.Uint: {"Uint", "uint64"}, event.Enum: {"Uint", "uint64"},
	event.Int: {"Int", "int64"}, event.Time: {"Int", "int64"}, event.Duration: {"Int", "int64"}, event.Size: {"Int", "int64"},
	event.Float: {"Float", "float64"}, event.String: {"String", "string"}, event.Bytes: {"Bytes", "[]byte"},
	event.IP: {"IP", "netip.Addr"}, event.Endpoint: {"Endpoint", "netip.AddrPort"}, event.Strings: {"Strings", "[]string"},
	event.ObjectRef: {"Object", "any"}, event.Plain: {"Object", "any"},
}

// goObjectGetter writes the getter of an object's field.
func goObjectGetter(s *source, o *model.Object, field *model.Field) {
	get := getters[field.Type.Kind]
	read := fmt.Sprintf("o.(%s).%s()", goName(o.Name), goName(field.Name))
	s.line("Get: event.Getter{")
	switch {
	case !field.Optional:
		s.line("%s: func(o any) %s { return %s },", get[0], get[1], widen(field.Type, read))
	case nilable(field.Type):
		s.line("%s: func(o any) %s { return %s },", get[0], get[1], read)
		s.line("Present: func(o any) bool { return %s != nil },", read)
	default:
		s.line("%s: func(o any) %s {\nv, _ := %s\nreturn %s\n},", get[0], get[1], read, widen(field.Type, "v"))
		s.line("Present: func(o any) bool {\n_, ok := %s\nreturn ok\n},", read)
	}
	s.line("},")
}
