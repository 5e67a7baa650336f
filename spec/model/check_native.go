package model

import (
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
)

// native checks what only functions may have whose body the runtime has.
func (c *checker) native(fn *Function) {
	what := "function " + fn.Name
	if fn.Native() {
		if fn.Waits {
			c.fail(fn.At, "%s: a body in the runtime does not wait", what)
		}
		return
	}
	c.foreign(fn, what)
}

// binding are the methods that bind handlers and start timers. Their bodies are
// the runtime's, the same for all kept objects that declare them.
var binding = []string{"on", "off", "after", "every"}

// method checks who has the body of a method.
func (c *checker) method(o *Object, m *Function) {
	what := "method " + o.Name + ":" + m.Name
	switch {
	case !slices.Contains(binding, m.Name):
		c.foreign(m, what)
	case !o.Kept() || !m.Native() || !m.Effects || m.Waits:
		c.fail(m.At, "%s: it binds handlers: of a kept object, with body: lua and effects", what)
	}
}

// foreign refuses, for what a stack or the engine has the body of, what only a
// body in the runtime can have.
func (c *checker) foreign(fn *Function, what string) {
	switch {
	case fn.Body != "":
		c.fail(fn.At, "%s: body is %q: only lua, and only of functions", what, fn.Body)
	case fn.Fails:
		c.fail(fn.At, "%s: fails is said of a body in the runtime; what has effects or waits may fail anyway", what)
	}
	c.typed(what, fn.Args)
	c.typed(what, fn.Results)
}

// typed wants a type that Go has, once.
func (c *checker) typed(what string, list []*Param) {
	for _, p := range list {
		if p.Type.Kind == event.Any || p.Rest {
			c.fail(p.At, "%s: %s: only a body in the runtime takes any value, or any number of them", what, p.Name)
		}
	}
}

// rest checks that only the last parameter may come any number of times.
func (c *checker) rest(what string, list []*Param) {
	for i, p := range list {
		if p.Rest && i < len(list)-1 {
			c.fail(p.At, "%s: %s: only the last may come any number of times", what, p.Name)
		}
	}
}

// value checks a constant.
func (c *checker) value(v *Value) {
	what := "value " + v.Name
	prefix, short, dotted := strings.Cut(v.Name, ".")
	if !dotted || !funcForm.MatchString(v.Name) {
		c.fail(v.At, "value %q: the name of a table of functions, a dot and a name expected", v.Name)
	}
	c.doc(v.At, what, v.Doc)
	c.since(v.At, what, v.Since)
	c.example(v.At, what, v.Example)
	table := false
	for _, fn := range c.family.Functions {
		table = table || strings.HasPrefix(fn.Name, prefix+".")
		if fn.Name == v.Name {
			c.fail(v.At, "%s is a function too, at line %d", what, fn.At.Line)
		}
	}
	if dotted && !table {
		c.fail(v.At, "value %q: %s has no functions that %s could stand beside", v.Name, prefix, short)
	}
}
