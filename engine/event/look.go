package event

import (
	"sync"
	"sync/atomic"
)

// show is what others must hold to look at a shard that is driven apart from theirs, and who has entered the
// shard to change what they look at. Of these many changes are made between two looks, so it is held on from
// the first change of an entry to the end of that, and given up before if somebody wants it: a change that
// nobody waits for costs a load. Timers and what was posted may run handlers for long, so it is given up before
// each. Who comes while a handler runs in the middle of a change, and nobody wanted to look when that began,
// waits for that handler.
type show struct {
	mu     sync.Mutex
	wanted atomic.Int32 // who look, or wait to

	// For who has entered the shard:
	held    bool
	changes int // begun, and not ended
}

// take is how a change goes on after it may have been given up.
func (o *show) take() {
	if !o.held {
		o.mu.Lock()
		o.held = true
	}
}

func (o *show) giveUp() {
	if o.held {
		o.held = false
		o.mu.Unlock()
	}
}

// Change begins a change of what other shards may look at; [Shard.Changed] ends
// it. The caller has entered s. While an event is emitted others may look: what
// they see then is whole. Where shards are not driven apart both do nothing.
func (s *Shard) Change() {
	if s.behind != nil {
		s.behind.Change()
		return
	}
	if s.set.drive == Apart {
		s.show.changes++
		s.show.take()
	}
}

// Changed ends a change.
func (s *Shard) Changed() {
	if s.behind != nil {
		s.behind.Changed()
		return
	}
	if s.set.drive != Apart {
		return
	}
	o := &s.show
	o.changes--
	if o.changes == 0 && o.wanted.Load() != 0 {
		o.giveUp()
	}
}

// pausing dispatches in the middle of a change, for which others wait.
func (s *Shard) pausing(id PointID, e any) Verdict {
	s.show.giveUp()
	defer s.show.take()
	return s.dispatcher.Dispatch(s, id, e)
}

// Look calls f while nothing changes of what others may see of the shard at. f is
// short, and calls nothing that looks, changes or emits. The caller has entered s,
// and has not begun a change of it, but for one in which an event is emitted:
// meanwhile others may look at s, so shards can look at each other.
func (s *Shard) Look(at *Shard, f func()) {
	if s.behind != nil {
		s.behind.Look(at, f)
		return
	}
	if s.set.drive != Apart || at == s {
		f()
		return
	}
	s.show.giveUp()
	at.show.wanted.Add(1)
	at.show.mu.Lock()
	defer func() {
		at.show.mu.Unlock()
		at.show.wanted.Add(-1)
		if s.show.changes > 0 {
			s.show.take()
		}
	}()
	f()
}
