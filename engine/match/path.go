package match

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/store"
)

// Objects finds an object's catalogue row by name ("flow.conn").
type Objects interface {
	// Object returns the row, or nil if there is none of that name.
	Object(name string) *event.Object
}

// Path is a field path resolved on an event: "client.ip" from the subject,
// "pkt.len" from another argument, "reason" as the event's own field. It is
// immutable.
type Path struct {
	// Name is the path as written, with dots.
	Name string
	Type event.Type
	// Optional says that the value may be absent: the field, or an object on
	// the way, may be nil.
	Optional bool
	// Get reads the value from the event pointer; objects that are nil make it
	// absent (Get.Present). What is absent reads as the zero value.
	Get event.Getter

	key func(e any) store.Key
}

// PathError says which element of a path names nothing.
type PathError struct {
	// Path is the path as written; Path[At] is at fault.
	Path []string
	At   int
	// Reason says what is wrong: `flow.peer has no field "prt"`.
	Reason string
	// Candidates are the names that could stand there.
	Candidates []string

	method bool // the element names a method
}

// Error returns the reason, after the path where that has several elements.
func (e *PathError) Error() string {
	if len(e.Path) < 2 {
		return e.Reason
	}
	return strings.Join(e.Path, ".") + ": " + e.Reason
}

// Hint says what could stand there instead; empty where nothing comes to mind.
func (e *PathError) Hint() string { return suggest(e.Word(), e.Candidates) }

// Word returns the element at fault, empty where the path itself is.
func (e *PathError) Word() string {
	if e.At >= len(e.Path) {
		return ""
	}
	return e.Path[e.At]
}

// Resolve finds the field that path names on the event that info describes. The
// first element is looked up among the subject's fields, then the handler's
// arguments, then the event's own fields. The error is a [*PathError].
func Resolve(path []string, info *event.Info, objs Objects) (*Path, error) {
	at := place{info: info, objs: objs}
	if len(path) > MaxDepth {
		return nil, &PathError{Path: path, At: len(path), Reason: fmt.Sprintf("a path has at most %d elements", MaxDepth)}
	}
	for i, name := range path {
		next, err := at.enter(name)
		if err != nil {
			err.Path, err.At = path, i
			return nil, err
		}
		at = next
	}
	if at.field == nil {
		return nil, &PathError{Path: path, Reason: "a path names a field of " + info.Name, Candidates: at.names()}
	}
	return at.path(strings.Join(path, ".")), nil
}

// step leads from an event or object to one of its objects.
type step struct {
	name     string
	get      func(any) any // nil where there is none
	optional bool
}

// place is where a path has led to: the event itself, or a field.
type place struct {
	info  *event.Info
	objs  Objects
	steps []step       // to the holder of field
	field *event.Field // nil: the event itself
}

// enter follows one more element. The error lacks the path.
func (p place) enter(name string) (place, *PathError) {
	if p.field == nil {
		return p.enterEvent(name)
	}
	if p.field.Type.Kind != event.ObjectRef {
		return p, p.fail("%s is %s: it has no field %q", p.field.Name, describe(p.field.Type), name)
	}
	o := p.objs.Object(p.field.Type.Object)
	if o == nil {
		return p, p.fail("%s is an object %s that the catalogue does not have", p.field.Name, p.field.Type.Object)
	}
	f := o.Field(name)
	if f == nil {
		return p, p.missing(o, name)
	}
	next := p.through(p.field)
	next.field = f
	return next, nil
}

// enterEvent looks up the first element of a path.
func (p place) enterEvent(name string) (place, *PathError) {
	if subject := p.info.Subject(); subject != nil {
		o := p.objs.Object(subject.Type.Object)
		switch {
		case o == nil:
		case o.Field(name) != nil:
			next := p.through(subject)
			next.field = o.Field(name)
			return next, nil
		case o.Method(name) != nil:
			return p, p.missing(o, name)
		}
	}
	// Arguments are fields of the event too, so one lookup serves both.
	next := p
	if next.field = p.info.Field(name); next.field == nil {
		return p, p.fail("%s has no field %q", p.info.Name, name)
	}
	return next, nil
}

func (p place) fail(format string, args ...any) *PathError {
	return &PathError{Reason: fmt.Sprintf(format, args...), Candidates: p.names()}
}

// missing tells of a name that is no field of o.
func (p place) missing(o *event.Object, name string) *PathError {
	if o.Method(name) == nil {
		return p.fail("%s has no field %q", o.Name, name)
	}
	err := p.fail("%s of %s is a method, not a field", name, o.Name)
	err.method = true
	return err
}

// through returns the place inside the object that f holds.
func (p place) through(f *event.Field) place {
	s := step{name: f.Name, get: f.Get.Object, optional: f.Optional}
	if has := f.Get.Present; has != nil {
		get := s.get
		s.get = func(o any) any {
			if !has(o) {
				return nil
			}
			return get(o)
		}
	}
	p.steps = append(slices.Clip(p.steps), s)
	return p
}

// names lists what may come next.
func (p place) names() []string {
	var list []string
	switch {
	case p.field == nil:
		if s := p.info.Subject(); s != nil {
			list = append(list, fieldNames(p.objs.Object(s.Type.Object))...)
		}
		for i := range p.info.Fields {
			if name := p.info.Fields[i].Name; !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	case p.field.Type.Kind == event.ObjectRef:
		list = fieldNames(p.objs.Object(p.field.Type.Object))
	}
	return list
}

func fieldNames(o *event.Object) []string {
	if o == nil {
		return nil
	}
	list := make([]string, len(o.Fields))
	for i := range o.Fields {
		list[i] = o.Fields[i].Name
	}
	return list
}

// path makes the public form of a place.
func (p place) path(name string) *Path {
	f := p.field
	out := &Path{Name: name, Type: f.Type, Optional: f.Optional, Get: getter(p.steps, f)}
	for i := range p.steps {
		out.Optional = out.Optional || p.steps[i].optional
	}
	out.key = keyOf(f.Type.Kind, out.Get)
	return out
}

// getter composes the way to an object and the reading of its field.
func getter(steps []step, f *event.Field) event.Getter {
	g := f.Get
	if len(steps) == 0 {
		return g
	}
	return event.Getter{
		Bool:     read(steps, g.Bool),
		Uint:     read(steps, g.Uint),
		Int:      read(steps, g.Int),
		Float:    read(steps, g.Float),
		String:   read(steps, g.String),
		Bytes:    read(steps, g.Bytes),
		IP:       read(steps, g.IP),
		Endpoint: read(steps, g.Endpoint),
		Strings:  read(steps, g.Strings),
		Object:   read(steps, g.Object),
		Present: func(e any) bool {
			o := walk(steps, e)
			return o != nil && (g.Present == nil || g.Present(o))
		},
	}
}

// walk follows steps from o; nil where an object on the way is nil.
func walk(steps []step, o any) any {
	for i := range steps {
		if o = steps[i].get(o); o == nil {
			return nil
		}
	}
	return o
}

func read[T any](steps []step, get func(any) T) func(any) T {
	if get == nil {
		return nil
	}
	return func(e any) (v T) {
		if o := walk(steps, e); o != nil {
			v = get(o)
		}
		return v
	}
}
