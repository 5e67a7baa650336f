package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// goFamily writes the Go package of one family.
func goFamily(o *outputs, f *model.Family) {
	dir := "engine/event/" + goPackage(f) + "/"
	for _, part := range []struct {
		file string
		fill func(*source, *model.Family)
	}{
		{"doc", goDoc},
		{"enums", goEnums},
		{"objects", goObjects},
		{"functions", goFunctions},
		{"events", goEvents},
		{"json", goJSON},
		{"catalogue", goFamilyVar},
		{"catalogue_events", goInfos},
		{"catalogue_objects", goObjectRows},
	} {
		s := &source{pkg: goPackage(f)}
		part.fill(s, f)
		if s.doc != "" || !s.empty() {
			o.save(dir+part.file+"_gen.go", s)
		}
	}
}

func goDoc(s *source, f *model.Family) {
	s.doc = fmt.Sprintf(`Package %s is what the %s family declares, in Go: its events, hook points, objects and catalogue. %s

The declarations stand in spec/events/%s.yaml.

Goroutines: events and objects belong to the shard that they were raised in; the catalogue is immutable.`,
		goPackage(f), f.Name, f.Doc, f.Name)
}

// lowerName is goName with a lower-case start, for package-level names.
func lowerName(name string) string {
	exported := goName(name)
	first, _, _ := strings.Cut(name, "_")
	return first + exported[len(first):]
}

func goEnums(s *source, f *model.Family) {
	for _, e := range f.Enums {
		name, words := goName(e.Name), lowerName(e.Name)+"Names"
		s.comment(fmt.Sprintf("%s is %s.%s. %s", name, f.Name, e.Name, e.Doc))
		s.line("type %s uint8\n", name)
		s.line("// The values of %s.\nconst (", name)
		for i, word := range e.Names {
			if i == 0 {
				s.line("%s%s %s = iota", name, goName(word), name)
				continue
			}
			s.line("%s%s", name, goName(word))
		}
		s.line(")\n\nvar %s = [...]string{", words)
		for _, word := range e.Names {
			s.line("%q,", word)
		}
		s.line("}\n")
		s.line("// String returns the word that scripts and records use for v.")
		s.line("func (v %s) String() string {", name)
		s.line("if int(v) < len(%s) { return %s[v] }", words, words)
		s.line("return \"%s(\" + strconv.Itoa(int(v)) + \")\"\n}\n", e.Name)
		s.line("// Parse%s returns the value that the word names.", name)
		s.line("func Parse%s(word string) (%s, bool) {", name, name)
		s.line("for i, name := range %s {\nif name == word { return %s(i), true }\n}\nreturn 0, false\n}\n", words, name)
		s.line("// %sNames returns the words by value. The slice is shared: do not change it.", name)
		s.line("func %sNames() []string { return %s[:] }\n", name, words)
	}
}

func goObjects(s *source, f *model.Family) {
	for _, o := range f.Objects {
		life := "It is lent: it means nothing once the handler that got it returned."
		if o.Kept() {
			life = "It is kept: it lives as long as what it stands for."
		}
		s.comment(fmt.Sprintf("%s is %s.%s. %s %s", goName(o.Name), f.Name, o.Name, o.Doc, life))
		s.line("type %s interface {", goName(o.Name))
		if o.Kept() {
			s.line("event.Kept\n")
		}
		for _, field := range o.Fields {
			goAccessor(s, o, field)
		}
		for _, m := range o.Methods {
			if m.Native() {
				continue
			}
			s.comment(goName(m.Name) + ": " + m.Doc + callRemarks(m))
			s.line("%s%s", goName(m.Name), goSignature(m, f, m.Effects || m.Waits))
		}
		s.line("}\n")
	}
}

// goAccessor writes the interface methods of one field.
func goAccessor(s *source, o *model.Object, field *model.Field) {
	name := goName(field.Name)
	doubled := o.Kept() && (field.Name == "id" || field.Name == "label" || field.Name == "ended")
	if field.Type.Kind == event.Record || doubled {
		return
	}
	text := field.Doc + remarks(field)
	if field.Optional && nilable(field.Type) {
		text += " Nil where there is none."
	}
	s.comment(name + ": " + text)
	s.line("%s() %s", name, goResult(field.Type, field.Optional, o.Family))
	if field.Writable {
		s.line("// Set%s changes it.", name)
		s.line("Set%s(c *event.Caller, %s) error", name, goArg(field.Name, field.Type, field.Optional, o.Family))
	}
}

// callRemarks says what a caller has to know beside the doc.
func callRemarks(fn *model.Function) string {
	text := ""
	if fn.Effects {
		text += " It has effects."
	}
	if fn.Waits {
		text += " It may wait: done is called once, in the shard of c, perhaps before the call returns."
	}
	return text
}

// goArg returns one parameter of a Go function: an optional number or enum goes
// with a bool beside it, any other absent argument is Go's zero value.
func goArg(name string, t model.Type, optional bool, f *model.Family) string {
	text := goLocal(name) + " " + goType(t, f)
	if optional && t.Counts() {
		text += ", " + hasName(name) + " bool"
	}
	return text
}

// hasName is the name of the bool that says whether an optional value is there.
func hasName(name string) string { return "has" + goName(name) }

// goSignature returns parameters and results of a method or function. What has
// effects or waits may fail.
func goSignature(fn *model.Function, f *model.Family, caller bool) string {
	var args, results []string
	if caller {
		args = append(args, "c *event.Caller")
	}
	for _, p := range fn.Args {
		args = append(args, goArg(p.Name, p.Type, p.Optional, f))
	}
	for _, p := range fn.Results {
		results = append(results, goLocal(p.Name)+" "+goType(p.Type, f))
		if p.Optional && !nilable(p.Type) {
			results = append(results, hasName(p.Name)+" bool")
		}
	}
	if fn.Effects || fn.Waits {
		results = append(results, "err error")
	}
	if fn.Waits {
		return "(" + strings.Join(append(args, "done func("+strings.Join(results, ", ")+")"), ", ") + ")"
	}
	text := "(" + strings.Join(args, ", ") + ") "
	if len(results) == 1 {
		_, bare, _ := strings.Cut(results[0], " ")
		return text + bare
	}
	return text + "(" + strings.Join(results, ", ") + ")"
}

func goFunctions(s *source, f *model.Family) {
	for _, v := range f.Verdicts {
		if len(v.Args) != 0 {
			goVerdictArgs(s, f, v)
		}
	}
	if !slices.ContainsFunc(f.Functions, bound) {
		return
	}
	s.comment(fmt.Sprintf("Functions are what scripts call of the %s family. Plain arguments (any) arrive as [event.KV] says.", f.Name))
	s.line("type Functions interface {")
	for _, fn := range f.Functions {
		if !bound(fn) {
			continue
		}
		s.comment(goFunction(f, fn) + " is " + fn.Name + ". " + fn.Doc + callRemarks(fn))
		s.line("%s%s", goFunction(f, fn), goSignature(fn, f, true))
	}
	s.line("}\n")
}

// bound reports whether a stack or the engine has the function's body.
func bound(fn *model.Function) bool { return !fn.Native() }

// goFunction returns the Go name of a family's function: flow.find -> Find in
// flow, log.info -> LogInfo.
func goFunction(f *model.Family, fn *model.Function) string {
	return goName(strings.TrimPrefix(fn.Name, f.Name+"."))
}

func goVerdictArgs(s *source, f *model.Family, v *model.Verdict) {
	name := goName(v.Name) + "Args"
	s.comment(fmt.Sprintf("%s are the arguments of the verdict %s.%s; event.Verdict.Args holds a pointer to them.", name, f.Name, v.Name))
	s.line("type %s struct {", name)
	for _, p := range v.Args {
		s.comment(goName(p.Name) + ": " + p.Doc)
		s.line("%s %s", goName(p.Name), goType(p.Type, f))
		if p.Optional && p.Type.Counts() {
			s.line("Has%s bool", goName(p.Name))
		}
	}
	s.line("}\n")
	goHandlerArgs(s, name, v)
}

// goHandlerArgs writes how the engine finds the handlers that a verdict names.
func goHandlerArgs(s *source, name string, v *model.Verdict) {
	var handlers []string
	for _, p := range v.Args {
		if p.Type.Kind == event.Handler {
			handlers = append(handlers, p.Name)
		}
	}
	if len(handlers) == 0 {
		return
	}
	s.comment("EachHandler implements event.HandlerArgs.")
	s.line("func (a *%s) EachHandler(do func(point string, handler any)) {", name)
	for _, h := range handlers {
		s.line("if a.%s != nil {\ndo(%q, a.%s)\n}", goName(h), h, goName(h))
	}
	s.line("}\n")
}
