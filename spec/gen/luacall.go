package main

import (
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// call is what differs between the glue of methods and functions.
type call struct {
	name   string // as error messages say it
	arg    string // methodArg or funcArg
	target string // the Go method that is called
	caller bool   // which takes the caller first
	// shared names the call where a script that only tries must not change what
	// others have too; empty where that is the engine's own.
	shared string
}

// luaCall writes the glue of one call: effects, arguments, call, results.
func luaCall(s *source, fn *model.Function, c call) {
	if fn.Effects {
		s.line("h.Effect(L, %q)", c.name)
	}
	var args []string
	if c.caller {
		args = append(args, "h.Caller(L)")
	}
	for _, read := range luaReads(s, c.name, c.arg, fn.Args, fn.Named) {
		args = append(args, read...)
	}
	c.gate(s, fn)
	if fn.Waits {
		luaWait(s, fn, c, args)
		return
	}
	invoke := fmt.Sprintf("%s(%s)", c.target, strings.Join(args, ", "))
	results := luaResultNames(fn)
	switch {
	case fn.Effects && len(fn.Results) == 0:
		s.line("if err := %s; err != nil {\nreturn fail(L, err)\n}\nreturn succeed(L)", invoke)
		return
	case fn.Effects:
		s.line("%s, err := %s\nif err != nil {\nreturn fail(L, err)\n}", strings.Join(results, ", "), invoke)
	default:
		s.line("%s := %s", strings.Join(results, ", "), invoke)
	}
	for _, p := range fn.Results {
		for _, l := range luaResult(p, "L.Push(%s)") {
			s.line("%s", l)
		}
	}
	s.line("return %d", len(fn.Results))
}

// gate leaves a call undone where the script only tries. What has effects and
// results keeps them apart itself, by the caller.
func (c *call) gate(s *source, fn *model.Function) {
	switch {
	case c.shared == "":
	case fn.Waits:
		s.line("if !h.Does(%q) {\nreturn fail(L, ErrShadow)\n}", c.shared)
	case fn.Effects && len(fn.Results) == 0:
		s.line("if !h.Does(%q) {\nreturn succeed(L)\n}", c.shared)
	}
}

// shared names a method, function or field of a stack as [call].shared.
func shared(f *model.Family, name string) string {
	if f.Name == "hookd" {
		return ""
	}
	return name
}

// resultName keeps results apart from arguments of the same name.
func resultName(p *model.Param) string { return lowerName("r_" + p.Name) }

// luaResultNames returns the variables that take a call's results.
func luaResultNames(fn *model.Function) []string {
	var names []string
	for _, p := range fn.Results {
		names = append(names, resultName(p))
		if p.Optional && !nilable(p.Type) {
			names = append(names, hasName(p.Name)+"Result")
		}
	}
	return names
}

// luaResult returns the lines that hand one result on by the given statement.
func luaResult(p *model.Param, statement string) []string {
	value := fmt.Sprintf(statement, luaFrom(p.Type, resultName(p)))
	if !p.Optional || nilable(p.Type) {
		return []string{value}
	}
	return []string{
		"if " + hasName(p.Name) + "Result {", value, "} else {", fmt.Sprintf(statement, "lua.LNil"), "}",
	}
}

// luaWait writes the glue of a call that may wait.
func luaWait(s *source, fn *model.Function, c call, args []string) {
	var params []string
	for _, p := range fn.Results {
		params = append(params, resultName(p)+" "+goType(p.Type, nil))
		if p.Optional && !nilable(p.Type) {
			params = append(params, hasName(p.Name)+"Result bool")
		}
	}
	s.line("return h.Wait(L, %q, func(done func(results ...lua.LValue)) {", c.name)
	s.line("%s(%s, func(%s) {", c.target, strings.Join(args, ", "), strings.Join(append(params, "err error"), ", "))
	s.line("if err != nil {\ndone(lua.LNil, lua.LString(err.Error()))\nreturn\n}")
	if len(fn.Results) == 0 {
		s.line("done(lua.LTrue)\n})\n})")
		return
	}
	s.line("results := make([]lua.LValue, 0, %d)", len(fn.Results))
	for _, p := range fn.Results {
		for _, l := range luaResult(p, "results = append(results, %s)") {
			s.line("%s", l)
		}
	}
	s.line("done(results...)\n})\n})")
}

// luaReads writes the lines that read a call's arguments and returns the Go
// expressions of each: the value and, where that has to be told, whether it is
// given.
func luaReads(s *source, fn, arg string, params []*model.Param, named bool) [][]string {
	if len(params) == 0 {
		return nil
	}
	var reads [][]string
	if named {
		var names []string
		for _, p := range params {
			names = append(names, fmt.Sprintf("%q", p.Name))
		}
		s.line("call := %s(h, L, %q, 1)\nnamed := call.table(%s)", arg, fn, strings.Join(names, ", "))
	}
	inFront := params[0].Front
	if inFront {
		s.line("first, second := front(%s(h, L, %q, 1), %[1]s(h, L, %[2]q, 2))", arg, fn)
	}
	for i, p := range params {
		from := fmt.Sprintf("%s(h, L, %q, %d)", arg, fn, i+1)
		switch {
		case named:
			from = fmt.Sprintf("call.named(named, %q)", p.Name)
		case inFront:
			from = [...]string{"first", "second"}[i]
		}
		if p.Or != "" {
			v := goLocal(p.Name)
			s.line("%s := toPlainOr[%s](%s, %s)", v, goType(p.OrType, nil), from, luaTypeID(p.OrType.Object))
			reads = append(reads, []string{v})
			continue
		}
		reads = append(reads, luaRead(s, p.Name, p.Type, p.Optional, from))
	}
	return reads
}

// luaRead writes the line that reads one argument into variables and returns
// those.
func luaRead(s *source, name string, t model.Type, isOptional bool, from string) []string {
	v := goLocal(name)
	read := luaTo(t)
	switch {
	case isOptional && t.Counts():
		s.line("%s, %s := optional(%s, %s)", v, hasName(name), from, read)
		return []string{v, hasName(name)}
	case isOptional:
		s.line("%s := orZero(%s, %s)", v, from, read)
	case strings.HasPrefix(read, "func("):
		s.line("%s := %s", v, direct(t, from))
	default:
		s.line("%s := %s(%s)", v, read, from)
	}
	return []string{v}
}

// luaTo returns the function that reads an argument of type t.
func luaTo(t model.Type) string {
	switch t.Kind {
	case event.Uint:
		return "toUint[" + goType(t, nil) + "]"
	case event.Enum, event.ObjectRef:
		return fmt.Sprintf("func(a arg) %s { return %s }", goType(t, nil), direct(t, "a"))
	default:
		return "to" + readers[t.Kind]
	}
}

// direct returns the call that reads an argument whose type takes a further
// parameter.
func direct(t model.Type, from string) string {
	if t.Kind == event.Enum {
		return fmt.Sprintf("toEnum[%s](%s, %s.%sNames())", goType(t, nil), from, goPackage(t.Enum.Family), goName(t.Enum.Name))
	}
	return fmt.Sprintf("toObject[%s](%s, %s)", goType(t, nil), from, luaTypeID(t.Object))
}

// readers name the conversions of package bind by kind.
var readers = map[event.Kind]string{
	event.Bool: "Bool", event.Int: "Int", event.Float: "Float", event.String: "String", event.Bytes: "Bytes", event.IP: "IP",
	event.Endpoint: "Endpoint", event.Time: "Time", event.Duration: "Duration", event.Size: "Size", event.Strings: "Strings",
	event.Plain: "Plain", event.Handler: "Handler",
}

// luaFrom returns the expression that turns x of type t into a Lua value.
func luaFrom(t model.Type, x string) string {
	switch t.Kind {
	case event.Uint:
		return "fromUint(" + x + ")"
	case event.Size:
		return "fromInt(" + x + ")"
	case event.Enum:
		return fmt.Sprintf("fromEnum(%s, %s)", luaWordsName(t.Enum), x)
	case event.Strings:
		return "fromStrings(L, " + x + ")"
	case event.ObjectRef:
		return fmt.Sprintf("h.Object(%s, %s)", luaTypeID(t.Object), x)
	case event.Plain:
		return "Value(h, L, " + x + ")"
	default:
		return "from" + readers[t.Kind] + "(" + x + ")"
	}
}
