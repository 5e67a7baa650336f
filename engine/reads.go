package engine

import (
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
)

// AnyField stands for every field of an event or object.
const AnyField = "*"

// Reads is what a script may read of events and objects, on the safe side: what
// it does not have is not read. The zero value is of a script that reads nothing.
type Reads struct {
	// Fields are read of values whose type is known: "flow.peer.sent",
	// "flow.rexmit.*".
	Fields map[string]bool
	// Names are read of values whose type is not.
	Names map[string]bool
	// Computed: values of an unknown type are read by names that are made up
	// while the script runs.
	Computed bool
	// Escapes: a value of an unknown type may be an object.
	Escapes bool
}

// Field notes that a field of an event or object is read.
func (r *Reads) Field(owner, name string) {
	if r.Fields == nil {
		r.Fields = map[string]bool{}
	}
	r.Fields[owner+"."+name] = true
}

// Name notes that something is read by that name.
func (r *Reads) Name(name string) {
	if r.Names == nil {
		r.Names = map[string]bool{}
	}
	r.Names[name] = true
}

// merge adds what another script reads. They may hand each other objects.
func (r *Reads) merge(o *Reads) {
	for f := range o.Fields {
		owner, name := cutField(f)
		r.Field(owner, name)
	}
	for n := range o.Names {
		r.Name(n)
	}
	r.Computed = r.Computed || o.Computed
	r.Escapes = r.Escapes || o.Escapes
}

// May reports whether a field may be read: "flow.peer.sent".
func (r *Reads) May(field string) bool {
	owner, name := cutField(field)
	return r.Fields[field] || r.Fields[owner+"."+AnyField] || r.Names[name] || r.Computed && r.Escapes
}

// cutField takes the name off of "flow.peer.sent".
func cutField(field string) (owner, name string) {
	i := strings.LastIndexByte(field, '.')
	return field[:max(i, 0)], field[i+1:]
}

// Reader is a [Program], or what [Runtime.CompileModule] returned, that knows what
// it may read. One that is none may read everything.
type Reader interface {
	// Reads returns what may be read. The caller does not change it.
	Reads() *Reads
}

// Reads reports whether anything may read one of the fields: the scripts and
// modules of the live generation, a tap, or what [Engine.ReadBy] names. A stack asks before it keeps what
// only those fields tell: "flow.peer.sent".
func (e *Engine) Reads(fields ...string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.readsOf(e.live, fields)
}

// ReadBy notes that something besides the scripts may read r, until drop is called: an
// expression that selects events. Stacks are to ask [Engine.Reads] again after both.
func (e *Engine) ReadBy(r *Reads) (drop func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.readers = append(e.readers, r)
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if i := slices.Index(e.readers, r); i >= 0 {
			e.readers = slices.Delete(e.readers, i, i+1)
		}
	}
}

// readsOf is [Engine.Reads] for a generation that is live or about to be. The caller
// has the lock.
func (e *Engine) readsOf(g *Generation, fields []string) bool {
	var all Reads
	for _, sc := range g.order {
		if sc.guest {
			all.merge(sc.reads)
		} else if !all.read(sc.program) {
			return true
		}
	}
	if g.modules != nil {
		for _, m := range g.modules.list {
			if !all.read(m.compiled) {
				return true
			}
		}
	}
	for _, r := range e.readers {
		all.merge(r)
	}
	s := e.shards[0] // all have the same taps
	s.Enter()
	defer s.Leave()
	for id := range s.taps {
		info, _ := e.cfg.Catalogue.Point(id)
		all.tap(info)
	}
	return slices.ContainsFunc(fields, all.May)
}

// read adds what a program or module reads and reports whether that is known.
func (r *Reads) read(from any) bool {
	k, ok := from.(Reader)
	if ok {
		r.merge(k.Reads())
	}
	return ok
}

// tap adds what records tell of an event.
func (r *Reads) tap(info *event.Info) { r.Field(info.Name, AnyField) }
