package engine

import (
	"sync/atomic"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
)

// dataRoot is a script's record of a kept object; it ends with that.
type dataRoot struct {
	*record.Root
	on     *shard
	serial uint64 // when it was made, among bindings
}

// ObjectEnded implements [event.Ender].
func (d *dataRoot) ObjectEnded() { d.on.bound.Data-- }

// kept is what a script keeps over its reloads.
type kept struct {
	path   string
	state  *record.Root
	lines  lineLimit
	alerts lineLimit
	random randomness
	// inherits is what the script keeps that a trial is made of.
	inherits *kept
	last     uint64      // generation that the script was in last; guarded by the engine's lock
	gone     atomic.Bool // what it kept is dropped
}

// Data implements [Services]: the record of one script on one kept object.
func (s *shard) Data(o event.Kept, script string) *record.Root {
	sc := s.gen.scripts[script]
	if sc == nil {
		// Not live: whatever it writes is its own and goes with it.
		return record.NewRoot("data of "+o.Label(), &s.engine.dataLimits)
	}
	if away, ok := o.(event.Away); ok {
		return s.dataAway(away, sc)
	}
	slots := o.Slots()
	if d, ok := slots.Get(sc.kept).(*dataRoot); ok {
		return d.Root
	}
	return s.makeData(o, sc).Root
}

// makeData makes the script's record of an object, and drops those of scripts that
// are gone.
func (s *shard) makeData(o event.Kept, sc *script) *dataRoot {
	d := &dataRoot{nil, s, s.serial}
	if s.shadow != nil {
		if !s.shadow.follow(o) {
			return &dataRoot{record.NewRoot("data of "+o.Label(), &s.engine.dataLimits), s, 0}
		}
		d.Root = s.shadow.data(o, sc.kept.inherits)
	}
	if d.Root == nil {
		d.Root = record.NewRoot("data of "+o.Label(), &s.engine.dataLimits)
	}
	s.serial++
	s.bound.Data++
	s.Change()
	defer s.Changed()
	o.Slots().Drop(func(key, value any) bool {
		k, ok := key.(*kept)
		if ok = ok && k.gone.Load(); ok {
			value.(*dataRoot).ObjectEnded()
		}
		return ok
	})
	o.Slots().Set(sc.kept, d)
	return d
}

// dataAway returns the script's record of an object of another shard: the one
// that the object has, else an empty one that cannot be written.
func (s *shard) dataAway(o event.Away, sc *script) (r *record.Root) {
	home, object := o.Home()
	s.Look(home, func() {
		if d, ok := object.Slots().Get(sc.kept).(*dataRoot); ok {
			r = d.Root
		}
	})
	if r == nil {
		r = record.NewRoot("data of "+o.Label(), &s.engine.dataLimits)
		r.Freeze()
	}
	return r
}

// keeping is [Engine.keptOf] for who does not have the lock.
func (e *Engine) keeping(path string) *kept {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.keptOf(path)
}

// keptOf returns what the script keeps; it exists since the script was staged. The
// caller has the lock.
func (e *Engine) keptOf(path string) *kept {
	if k := e.kept[path]; k != nil {
		return k
	}
	k := &kept{path: path, state: record.NewRoot("state", &e.stateLimits)}
	if from := e.cfg.Inherit; from != nil {
		k.inherit(from)
	}
	e.kept[path] = k
	return k
}
