package model

import (
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
)

func (c *checker) events() {
	for _, e := range c.family.Events {
		what := "event " + e.Name
		c.name(e.At, "event", e.Name)
		if e.When == "" {
			c.fail(e.At, "%s does not say when it fires (when)", what)
		}
		c.since(e.At, what, e.Since)
		c.example(e.At, what, e.Example)
		c.oneOf(e.At, what+": waits", e.Waits, "no", "suspend")
		c.oneOf(e.At, what+": combine", e.Combine, "strictest", "first")
		c.phases(e)
		c.eventFields(e)
		c.eventVerdicts(e)
		c.eventRecord(e)
	}
}

func (c *checker) phases(e *Event) {
	what := "event " + e.Name
	seen := map[string]Pos{}
	for _, p := range e.Phases {
		c.name(p.At, what+": phase", p.Name)
		c.doc(p.At, what+": phase "+p.Name, p.Doc)
		c.member(seen, p.At, what, p.Name)
	}
	if len(e.Phases) == 1 {
		c.fail(e.At, "%s has a single phase: leave it out, or make the word an alias", what)
	}
	if len(e.Phases) != 0 && len(e.Aliases) != 0 {
		c.fail(e.At, "%s has phases, so it cannot have aliases", what)
	}
	for i, alias := range e.Aliases {
		c.name(e.At, what+": alias", alias)
		if slices.Index(e.Aliases, alias) != i {
			c.fail(e.At, "%s: alias %q is given twice", what, alias)
		}
	}
}

func (c *checker) eventFields(e *Event) {
	what := "event " + e.Name
	seen := map[string]Pos{}
	for _, f := range e.Fields {
		c.field(f, what)
		c.member(seen, f.At, what, f.Name)
		if f.Writable || f.AfterEnd {
			c.fail(f.At, "%s: field %s: only fields of objects are writable or after_end", what, f.Name)
		}
		if f.Type.Kind == event.Record {
			c.fail(f.At, "%s: field %s: only kept objects have records", what, f.Name)
		}
		if !e.IsArg(f.Name) && slices.Contains(ThisFields, f.Name) {
			c.fail(f.At, "%s: field %s: this.%s means something else at every hook point", what, f.Name, f.Name)
		}
	}
	for i, name := range e.Args {
		if e.Field(name) == nil {
			c.fail(e.At, "%s: argument %q is no field of it", what, name)
		}
		if slices.Index(e.Args, name) != i {
			c.fail(e.At, "%s: argument %q is given twice", what, name)
		}
	}
	c.ambiguous(e)
}

// ambiguous refuses fields that match paths could mean twice: a path starts at
// the subject's fields, or at the event's.
func (c *checker) ambiguous(e *Event) {
	if len(e.Args) == 0 {
		return
	}
	subject := e.Field(e.Args[0])
	if subject == nil || subject.Type.Kind != event.ObjectRef {
		return
	}
	for _, f := range e.Fields {
		if subject.Type.Object.Field(f.Name) != nil {
			c.fail(f.At, "event %s: field %s: its subject %s has a field of that name, so a match could mean either",
				e.Name, f.Name, subject.Type.Object.Name)
		}
	}
}

func (c *checker) eventVerdicts(e *Event) {
	what := "event " + e.Name
	for i, name := range e.Verdicts {
		at := slices.IndexFunc(c.family.Verdicts, func(v *Verdict) bool { return v.Name == name })
		switch {
		case at < 0:
			c.fail(e.At, "%s: verdict %q is not declared", what, name)
		case slices.Index(e.Verdicts, name) != i:
			c.fail(e.At, "%s: verdict %q is given twice", what, name)
		case e.Combine != "first" && c.family.Verdicts[at].Rank == 0:
			c.fail(e.At, "%s combines by strictness, but verdict %q has no rank", what, name)
		}
	}
}

func (c *checker) eventRecord(e *Event) {
	before := map[string]string{}
	for _, f := range e.ArgFields() {
		if f == nil || f.Type.Kind != event.ObjectRef {
			continue
		}
		for _, k := range f.Type.Object.Record {
			if owner, taken := before[k.Name]; taken {
				c.fail(f.At, "event %s: the records of %s and %s both have the key %q", e.Name, owner, f.Name, k.Name)
			}
			before[k.Name] = f.Name
		}
	}
	c.recordKeys(e.Record, before)
}

// unique reports names that occur twice in a list.
func unique[T any](c *checker, what string, list []T, name func(T) (Pos, string)) {
	seen := map[string]Pos{}
	for _, item := range list {
		at, n := name(item)
		if first, taken := seen[n]; taken {
			c.fail(at, "%s %q is declared twice, first at line %d", what, n, first.Line)
			continue
		}
		seen[n] = at
	}
}

// checkAll checks what spans families.
func (r *resolver) checkAll() {
	families := map[string]Pos{}
	functions := map[string]Pos{}
	points := 0
	for _, f := range r.spec.Families {
		if first, taken := families[f.Name]; taken {
			r.fail(f.At, "family %q is declared twice, first in %s", f.Name, first)
		}
		families[f.Name] = f.At
		for _, fn := range f.Functions {
			if first, taken := functions[fn.Name]; taken {
				r.fail(fn.At, "function %q is declared twice, first at %s", fn.Name, first)
			}
			functions[fn.Name] = fn.At
		}
		for _, e := range f.Events {
			points += e.Points()
		}
	}
	if points >= event.MaxPoints {
		r.fail(r.spec.Families[0].At, "%d hook points are declared: event.MaxPoints allows %d", points, event.MaxPoints-1)
	}
	r.cycles()
}

// cycles refuses families that need each other's types, also by way of others:
// their Go packages could not import each other.
func (r *resolver) cycles() {
	done := map[*Family]bool{}
	var path []*Family
	var visit func(f *Family)
	visit = func(f *Family) {
		if i := slices.Index(path, f); i >= 0 {
			var names []string
			for _, x := range append(path[i:], f) {
				names = append(names, x.Name)
			}
			r.fail(f.At, "families need each other's types: %s; their Go packages could not import each other", strings.Join(names, " -> "))
			return
		}
		if done[f] {
			return
		}
		path = append(path, f)
		uses := usesOf(f)
		for _, other := range r.spec.Families {
			if _, ok := uses[other]; ok {
				visit(other)
			}
		}
		path, done[f] = path[:len(path)-1], true
	}
	for _, f := range r.spec.Families {
		visit(f)
	}
}
