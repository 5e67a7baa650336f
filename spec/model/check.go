package model

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
)

// ThisFields are the names that `this` has at every hook point; an event's own
// fields share its namespace.
var ThisFields = []string{"event", "phase", "ts", "rule", "gen", "count", "verdict"}

// RecordKeys are the keys that every JSON record may have before the event's.
var RecordKeys = []string{"v", "ts", "event", "phase", "gen", "rule"}

var (
	nameForm  = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	funcForm  = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$`)
	wordForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9_]*$`)
	sinceForm = regexp.MustCompile(`^\d+\.\d+$`)
)

// luaWords cannot follow a dot in Lua.
var luaWords = strings.Fields(`and break do else elseif end false for function goto if in local nil not or
	repeat return then true until while`)

// checker checks one family.
type checker struct {
	*resolver
	family *Family
}

func (c *checker) check() {
	f := c.family
	c.name(f.At, "family", f.Name)
	c.doc(f.At, "family "+f.Name, f.Doc)
	c.enums()
	c.verdicts()
	c.objects()
	for _, fn := range f.Functions {
		c.functionName(fn)
		c.function(fn, "function "+fn.Name)
		c.native(fn)
	}
	for _, v := range f.Values {
		c.value(v)
	}
	unique(c, "enum", f.Enums, func(e *Enum) (Pos, string) { return e.At, e.Name })
	c.events()
	c.luaNames()
}

// name checks a name that becomes a Lua name.
func (c *checker) name(at Pos, what, name string) {
	switch {
	case name == "":
		c.fail(at, "%s has no name", what)
	case !nameForm.MatchString(name):
		c.fail(at, "%s %q: a name is a lower-case letter, then lower-case letters, digits and _", what, name)
	case slices.Contains(luaWords, name):
		c.fail(at, "%s %q: the name is a word of Lua's", what, name)
	}
}

func (c *checker) doc(at Pos, what, text string) {
	if strings.TrimSpace(text) == "" {
		c.fail(at, "%s has no doc", what)
	}
}

func (c *checker) since(at Pos, what, text string) {
	switch {
	case text == "":
		c.fail(at, "%s has no since", what)
	case !sinceForm.MatchString(text):
		c.fail(at, `%s: since is a version such as "0.1", not %q`, what, text)
	}
}

func (c *checker) example(at Pos, what, text string) {
	if strings.TrimSpace(text) == "" {
		c.fail(at, "%s has no example", what)
	}
}

// oneOf checks a word that may be absent.
func (c *checker) oneOf(at Pos, what, word string, allowed ...string) {
	if word != "" && !slices.Contains(allowed, word) {
		c.fail(at, "%s is %q: one of %s expected", what, word, strings.Join(allowed, ", "))
	}
}

func (c *checker) enums() {
	for _, e := range c.family.Enums {
		what := "enum " + e.Name
		c.name(e.At, "enum", e.Name)
		c.doc(e.At, what, e.Doc)
		if len(e.Names) == 0 || len(e.Names) > 256 {
			c.fail(e.At, "%s has %d words: 1 to 256 expected", what, len(e.Names))
		}
		for i, word := range e.Names {
			if !wordForm.MatchString(word) {
				c.fail(e.At, "%s: word %q: lower-case letters, digits and _ expected", what, word)
			}
			if slices.Index(e.Names, word) != i {
				c.fail(e.At, "%s: word %q is given twice", what, word)
			}
		}
	}
}

func (c *checker) verdicts() {
	f := c.family
	ranks := map[int]string{}
	for _, v := range f.Verdicts {
		what := "verdict " + v.Name
		c.name(v.At, "verdict", v.Name)
		c.doc(v.At, what, v.Doc)
		c.params(what, v.Args, v.Named, true)
		c.typed(what, v.Args)
		if v.Named && len(v.Args) == 0 {
			c.fail(v.At, "%s is named but has no arguments", what)
		}
		if v.Rank < 0 {
			c.fail(v.At, "%s: rank %d is negative", what, v.Rank)
		}
		if other, taken := ranks[v.Rank]; taken && v.Rank > 0 {
			c.fail(v.At, "%s has the rank of %s: which is stricter?", what, other)
		}
		ranks[v.Rank] = v.Name
	}
}

func (c *checker) objects() {
	for _, o := range c.family.Objects {
		what := "object " + o.Name
		c.name(o.At, "object", o.Name)
		c.doc(o.At, what, o.Doc)
		c.since(o.At, what, o.Since)
		if o.Life != "kept" && o.Life != "lent" {
			c.fail(o.At, "%s: life is %q: kept or lent expected", what, o.Life)
		}
		members := map[string]Pos{}
		for _, f := range o.Fields {
			c.field(f, what)
			c.objectField(o, f)
			c.member(members, f.At, what, f.Name)
		}
		for _, m := range o.Methods {
			c.name(m.At, what+": method", m.Name)
			c.function(m, "method "+o.Name+":"+m.Name)
			c.method(o, m)
			c.member(members, m.At, what, m.Name)
		}
		c.recordKeys(o.Record, nil)
	}
}

func (c *checker) member(seen map[string]Pos, at Pos, what, name string) {
	if first, taken := seen[name]; taken {
		c.fail(at, "%s has %q twice, first at line %d", what, name, first.Line)
		return
	}
	seen[name] = at
}

// field checks what fields of objects and events have in common.
func (c *checker) field(f *Field, owner string) {
	what := owner + ": field " + f.Name
	c.name(f.At, owner+": field", f.Name)
	c.doc(f.At, what, f.Doc)
	c.oneOf(f.At, what+": stable", f.Stable, "no", "event", "object")
	c.oneOf(f.At, what+": cost", f.Cost, "free", "cheap", "copy")
	switch f.Type.Kind {
	case event.Handler:
		c.fail(f.At, "%s: a handler is an argument only", what)
	case event.Any:
		c.fail(f.At, "%s: only functions take any value", what)
	}
}

func (c *checker) objectField(o *Object, f *Field) {
	what := "object " + o.Name + ": field " + f.Name
	if f.AfterEnd && !o.Kept() {
		c.fail(f.At, "%s: after_end says nothing of a lent object", what)
	}
	declares := func(fn *Function) bool { return fn.Name == f.Declared && fn.Native() }
	if f.Declared != "" && (f.Type.Kind != event.String || !slices.ContainsFunc(c.family.Functions, declares)) {
		c.fail(f.At, "%s: declared: %s is no function of body lua, or the field no string", what, f.Declared)
	}
	if f.Type.Kind == event.Record && (!o.Kept() || f.Writable || f.Optional) {
		c.fail(f.At, "%s: only kept objects have records, and those are neither writable nor optional", what)
	}
	if o.Kept() && f.Name == "id" && (f.TypeWord != "u64" || f.Optional) {
		c.fail(f.At, "%s: the id of a kept object is a u64", what)
	}
	if o.Kept() && slices.Contains([]string{"label", "slots", "ended"}, f.Name) && f.TypeWord != keptType[f.Name] {
		c.fail(f.At, "%s: every kept object has that method in Go, of another type", what)
	}
}

// keptType is the type of the methods of event.Kept that a field may double.
var keptType = map[string]string{"label": "string", "ended": "bool"}

// function checks a method or function, all but the form of its name.
func (c *checker) function(fn *Function, what string) {
	c.doc(fn.At, what, fn.Doc)
	c.since(fn.At, what, fn.Since)
	c.example(fn.At, what, fn.Example)
	c.params(what, fn.Args, fn.Named, true)
	c.params(what, fn.Results, true, false)
	if fn.Named && len(fn.Args) == 0 {
		c.fail(fn.At, "%s is named but has no arguments", what)
	}
	if len(fn.Results) == 0 && !fn.Effects && !fn.Waits {
		c.fail(fn.At, "%s has neither results nor effects: what is it for?", what)
	}
	for _, p := range fn.Results[min(1, len(fn.Results)):] {
		if p.Optional && (fn.Effects || fn.Waits) {
			c.fail(p.At, "%s: result %s: only the first result of what can fail may be optional", what, p.Name)
		}
	}
}

// params checks arguments (with required ones first unless they are named) or
// results.
func (c *checker) params(what string, list []*Param, anyOrder, args bool) {
	word := "result"
	if args {
		word = "argument"
	}
	seen := map[string]Pos{}
	optional := ""
	c.rest(what, list)
	for _, p := range list {
		c.name(p.At, what+": "+word, p.Name)
		c.doc(p.At, what+": "+word+" "+p.Name, p.Doc)
		c.member(seen, p.At, what, p.Name)
		if !anyOrder && !p.Optional && optional != "" {
			c.fail(p.At, "%s: %s %s is required but follows the optional %s", what, word, p.Name, optional)
		}
		if p.Optional {
			optional = p.Name
		}
		if p.Front && (!args || anyOrder || p != list[0] || len(list) != 2 || !p.Optional || !list[1].Optional || list[1].Rest) {
			c.fail(p.At, "%s: %s %s: what may stand in front is the first of two optional arguments without names", what, word, p.Name)
		}
		if p.Or != "" && (!args || p.Optional || p.Type.Kind != event.Plain || p.OrType.Kind != event.ObjectRef) {
			c.fail(p.At, "%s: %s %s: only a required argument that is plain may be an object too", what, word, p.Name)
		}
		if p.Type.Kind == event.Record || p.Type.Kind == event.Handler && !args {
			c.fail(p.At, "%s: %s %s cannot be a %s", what, word, p.Name, p.TypeWord)
		}
	}
}

func (c *checker) functionName(fn *Function) {
	if !funcForm.MatchString(fn.Name) {
		c.fail(fn.At, "function %q: a name or two with a dot between expected", fn.Name)
		return
	}
	prefix, short, dotted := strings.Cut(fn.Name, ".")
	if !dotted {
		prefix, short = "", fn.Name
	}
	if slices.Contains(luaWords, short) {
		c.fail(fn.At, "function %q: the name is a word of Lua's", fn.Name)
	}
	for _, f := range c.spec.Families {
		if f != c.family && f.Name == prefix {
			c.fail(fn.At, "function %q belongs into %s.yaml", fn.Name, f.Name)
		}
	}
}

// recordKeys checks that a record's own keys collide neither with those before
// it nor with those that every record has.
func (c *checker) recordKeys(list []*Key, before map[string]string) {
	for _, k := range list {
		if !nameForm.MatchString(k.Name) {
			c.fail(k.At, "record key %q: lower-case letters, digits and _ expected", k.Name)
		}
		if slices.Contains(RecordKeys, k.Name) {
			c.fail(k.At, "record key %q: every record has it already", k.Name)
		}
		if owner, taken := before[k.Name]; taken {
			c.fail(k.At, "record key %q: the record of %s has it already", k.Name, owner)
		}
	}
}

// luaNames checks that hook points, verdicts and functions, which share the
// family's table, have names of their own. A hook point may have the name of a
// verdict: loop.accept is where one decides, and what.
func (c *checker) luaNames() {
	type entry struct {
		what string
		at   Pos
	}
	seen := map[string]entry{}
	add := func(at Pos, what, name string) {
		first, taken := seen[name]
		if taken && first.what == "event" && what == "verdict" {
			return // where it stands says which is meant
		}
		if taken {
			c.fail(at, "%s %q: %s.%s is %s already, at line %d", what, name, c.family.Name, name, article(first.what), first.at.Line)
			return
		}
		seen[name] = entry{what, at}
	}
	for _, e := range c.family.Events {
		add(e.At, "event", e.Name)
	}
	for _, v := range c.family.Verdicts {
		add(v.At, "verdict", v.Name)
	}
	for _, fn := range c.family.Functions {
		if prefix, short, dotted := strings.Cut(fn.Name, "."); dotted && prefix == c.family.Name {
			add(fn.At, "function", short)
		}
	}
	unique(c, "object", c.family.Objects, func(o *Object) (Pos, string) { return o.At, o.Name })
}
