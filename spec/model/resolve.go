package model

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hookd/hookd/engine/event"
)

// scalars are the type words that stand for themselves.
var scalars = map[string]Type{
	"bool":     {Kind: event.Bool},
	"u8":       {Kind: event.Uint, Bits: 8},
	"u16":      {Kind: event.Uint, Bits: 16},
	"u32":      {Kind: event.Uint, Bits: 32},
	"u64":      {Kind: event.Uint, Bits: 64},
	"i64":      {Kind: event.Int, Bits: 64},
	"float":    {Kind: event.Float},
	"string":   {Kind: event.String},
	"bytes":    {Kind: event.Bytes},
	"ip":       {Kind: event.IP},
	"endpoint": {Kind: event.Endpoint},
	"time":     {Kind: event.Time},
	"duration": {Kind: event.Duration},
	"size":     {Kind: event.Size},
	"strings":  {Kind: event.Strings},
	"plain":    {Kind: event.Plain},
	"record":   {Kind: event.Record},
	"handler":  {Kind: event.Handler},
	"any":      {Kind: event.Any},
}

var enumWord = regexp.MustCompile(`^enum\(([a-z0-9_.]+)\)$`)

// resolver turns words into what they name, and collects what is wrong.
type resolver struct {
	spec   *Spec
	family *Family
	wrongs []wrong
}

// wrong is one mistake.
type wrong struct {
	at   Pos
	what string
}

func (r *resolver) fail(at Pos, format string, args ...any) {
	r.wrongs = append(r.wrongs, wrong{at, fmt.Sprintf(format, args...)})
}

// err returns all mistakes as one error, by file and line, each once.
func (r *resolver) err() error {
	slices.SortStableFunc(r.wrongs, func(a, b wrong) int {
		return cmp.Or(strings.Compare(a.at.File, b.at.File), a.at.Line-b.at.Line)
	})
	var errs []error
	for _, w := range slices.Compact(r.wrongs) {
		errs = append(errs, fmt.Errorf("%s: %s", w.at, w.what))
	}
	return errors.Join(errs...)
}

// resolve fills in types, record paths and hook point numbers, and checks.
func (s *Spec) resolve() error {
	r := &resolver{spec: s}
	for _, f := range s.Families {
		for _, e := range f.Enums {
			e.Family = f
		}
		for _, o := range f.Objects {
			o.Family = f
		}
		for _, e := range f.Events {
			e.Family = f
		}
	}
	for _, f := range s.Families {
		r.family = f
		r.types()
	}
	if len(r.wrongs) == 0 { // paths need types
		for _, f := range s.Families {
			r.records(f)
		}
	}
	for _, f := range s.Families {
		c := checker{resolver: r, family: f}
		c.check()
	}
	r.checkAll()
	s.number()
	return r.err()
}

// number gives every hook point its id, dense from 1.
func (s *Spec) number() {
	next := event.PointID(1)
	for _, f := range s.Families {
		for _, e := range f.Events {
			e.FirstPoint = next
			next += event.PointID(e.Points())
		}
	}
}

// types resolves every type word of the family.
func (r *resolver) types() {
	f := r.family
	for _, v := range f.Verdicts {
		r.params(v.Args)
	}
	for _, o := range f.Objects {
		r.fields(o.Fields)
		for _, m := range o.Methods {
			r.params(m.Args)
			r.params(m.Results)
		}
	}
	for _, fn := range f.Functions {
		r.params(fn.Args)
		r.params(fn.Results)
	}
	for _, e := range f.Events {
		r.fields(e.Fields)
	}
}

func (r *resolver) fields(list []*Field) {
	for _, f := range list {
		f.Type = r.typ(f.At, f.Name, f.TypeWord)
	}
}

func (r *resolver) params(list []*Param) {
	for _, p := range list {
		p.Type = r.typ(p.At, p.Name, p.TypeWord)
		if p.Or != "" {
			p.OrType = r.typ(p.At, p.Name, p.Or)
		}
	}
}

func (r *resolver) typ(at Pos, name, word string) Type {
	if word == "" {
		r.fail(at, "%s has no type", name)
		return Type{}
	}
	if t, ok := scalars[word]; ok {
		return t
	}
	if m := enumWord.FindStringSubmatch(word); m != nil {
		family, short := r.split(m[1])
		if family != nil {
			for _, e := range family.Enums {
				if e.Name == short {
					return Type{Kind: event.Enum, Enum: e}
				}
			}
		}
		r.fail(at, "%s: unknown enum %q", name, m[1])
		return Type{}
	}
	family, short := r.split(word)
	if family != nil {
		for _, o := range family.Objects {
			if o.Name == short {
				return Type{Kind: event.ObjectRef, Object: o}
			}
		}
	}
	r.fail(at, "%s: unknown type %q", name, word)
	return Type{}
}

// split finds the family that a word belongs to: its own unless it says another.
func (r *resolver) split(word string) (*Family, string) {
	name, short, qualified := strings.Cut(word, ".")
	if !qualified {
		return r.family, word
	}
	for _, f := range r.spec.Families {
		if f.Name == name {
			return f, short
		}
	}
	return nil, short
}

// records resolves the record paths of the family's objects and events.
func (r *resolver) records(f *Family) {
	for _, o := range f.Objects {
		o.Record = r.keys(&o.RecordNode, o.At, o.Fields)
	}
	for _, e := range f.Events {
		e.Record = r.keys(&e.RecordNode, e.At, e.Fields)
	}
}

// keys reads a record mapping; fields is where its paths start.
func (r *resolver) keys(n *yaml.Node, owner Pos, fields []*Field) []*Key {
	if n.IsZero() {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.fail(Pos{owner.File, n.Line}, "record: a mapping of keys to paths expected")
		return nil
	}
	var list []*Key
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		at := Pos{owner.File, n.Content[i].Line}
		key := &Key{At: at, Name: n.Content[i].Value}
		if seen[key.Name] {
			r.fail(at, "record key %q is given twice", key.Name)
			continue
		}
		seen[key.Name] = true
		key.Path = r.path(at, n.Content[i+1].Value, fields)
		if key.Path != nil {
			list = append(list, key)
		}
	}
	return list
}

func (r *resolver) path(at Pos, text string, fields []*Field) []*Field {
	var path []*Field
	where := "here"
	for _, step := range strings.Split(text, ".") {
		if fields == nil {
			r.fail(at, "record path %q: %s has no fields", text, where)
			return nil
		}
		f := findField(fields, step)
		if f == nil {
			r.fail(at, "record path %q: there is no field %q %s", text, step, where)
			return nil
		}
		path = append(path, f)
		fields, where = nil, step
		if f.Type.Kind == event.ObjectRef {
			fields, where = f.Type.Object.Fields, "in "+f.Type.Object.Name
		}
	}
	switch path[len(path)-1].Type.Kind {
	case event.ObjectRef, event.Record, event.Handler, event.Bytes:
		r.fail(at, "record path %q ends in %s: a record holds plain values only", text, path[len(path)-1].TypeWord)
		return nil
	}
	return path
}
