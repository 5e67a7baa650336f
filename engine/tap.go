package engine

import (
	"slices"
	"sync/atomic"

	"github.com/hookd/hookd/engine/event"
)

// Tap observes the events of a point before any rule sees them. The event is
// lent.
type Tap func(s *event.Shard, info *event.Info, where *event.PointInfo, e any)

// tapping is a tap at some points until it is taken away.
type tapping struct {
	tap Tap
	// gone is asked too: an event that waits may have the plan of before.
	gone atomic.Bool
}

// Tap lets t see every event of the point before rules do, for good.
func (e *Engine) Tap(id event.PointID, t Tap) { e.Attach([]event.PointID{id}, t) }

// Attach lets t see every event of the points before rules do, on all shards,
// until detach is called. Traffic may flow meanwhile; where shards are driven
// apart, t is called by several goroutines at a time. Once detach has returned t
// is not called any more. The caller has entered no shard.
func (e *Engine) Attach(ids []event.PointID, t Tap) (detach func()) {
	x := &tapping{tap: t}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	for _, s := range e.shards {
		s.Enter()
		for _, id := range ids {
			// Lists are never changed in place: a plan has one.
			s.taps[id] = append(slices.Clone(s.taps[id]), x)
			s.retap(id)
		}
		s.Leave()
	}
	return func() { e.detach(ids, x) }
}

// detach takes a tap away. Who enters the shard after it finds no trace of it.
func (e *Engine) detach(ids []event.PointID, x *tapping) {
	if x.gone.Swap(true) {
		return
	}
	for _, s := range e.shards {
		s.Enter()
		for _, id := range ids {
			rest := slices.DeleteFunc(slices.Clone(s.taps[id]), func(y *tapping) bool { return y == x })
			if s.taps[id] = rest; len(rest) == 0 {
				delete(s.taps, id)
			}
			s.retap(id)
		}
		s.Leave()
	}
}

// retap takes over that the taps of a point are others.
func (s *shard) retap(id event.PointID) {
	s.plans[id] = s.planOf(id)
	s.Want(id, s.plans[id] != nil)
}

// tapped shows an event to the taps of its point.
func (s *shard) tapped(p *pointPlan, e any) {
	for _, t := range p.taps {
		if !t.gone.Load() {
			t.tap(s.Shard, p.info, p.where, e)
		}
	}
}
