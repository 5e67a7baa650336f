package engine

import (
	"fmt"

	"github.com/hookd/hookd/engine/event"
)

// raised is an event that waits until the running handler has returned.
type raised struct {
	plan    *pointPlan
	node    *node // the user-defined event; nil for a point of its own
	event   any
	payload any
	depth   int
	on      *shard // whose event it is
}

// raiseQueue holds what handlers caused, in order.
type raiseQueue struct {
	list    []raised
	head    int
	Refused uint64
}

func (q *raiseQueue) len() int { return len(q.list) - q.head }

// push appends r unless it is too deep or the queue is full, which it counts.
func (q *raiseQueue) push(s *shard, r raised) error {
	switch {
	case r.depth > s.engine.cfg.Limits.RaiseDepth:
		q.Refused++
		return fmt.Errorf("events raised by raised events go %d deep at most", s.engine.cfg.Limits.RaiseDepth)
	case q.len() >= s.engine.cfg.Limits.RaiseQueue:
		q.Refused++
		return fmt.Errorf("%d raised events wait already", q.len())
	}
	r.on = s
	q.list = append(q.list, r)
	return nil
}

func (q *raiseQueue) pop() raised {
	r := q.list[q.head]
	q.list[q.head] = raised{}
	if q.head++; q.head == len(q.list) {
		q.list, q.head = q.list[:0], 0
	}
	return r
}

// drain delivers what the handlers of o caused. What was raised on o's own
// event adds to o's verdict; other events are observed only.
func (s *shard) drain(o *outcome) {
	for s.queue.len() > 0 {
		r := s.queue.pop()
		s.depth, s.payload = r.depth, r.payload
		switch {
		case r.node != nil && o != nil && r.event == o.event:
			memo := o.memo // what comes with a raised event may change the answers
			s.begin(o, o.plan.where.ID)
			s.inside(o, 1)
			s.walk(o, r.node, &progress{bound: o.bound})
			s.walkAlways(o, r.node, &progress{})
			s.inside(o, -1)
			s.end(o)
			o.memo = memo
		default:
			own, on := outcome{plan: r.plan, event: r.event}, r.on
			on.begin(&own, r.plan.where.ID)
			root := r.node
			if root == nil {
				root = &r.plan.root
				on.events++
				on.tapped(r.plan, r.event)
			}
			on.walk(&own, root, &progress{bound: own.bound})
			on.walkAlways(&own, root, &progress{})
			on.end(&own)
		}
	}
	s.depth, s.payload = 0, nil
}

// inside counts the raised events that a walk delivers.
func (s *shard) inside(o *outcome, n int) {
	if o.walk != nil {
		o.walk.inside += n
	}
}

// emit raises one of the engine's own events; the caller has entered the shard.
func emit[E any](s *shard, p event.Point[E], e *E) {
	if p.Wanted(s.Shard) {
		p.Emit(s.Shard, e)
	}
}

// Raise implements [Services].
func (s *shard) Raise(call *Call, name string, payload any) error {
	u := s.gen.users[name]
	if u == nil {
		return fmt.Errorf("there is no event.%s%s", name, s.gen.didYouMeanEvent(name))
	}
	r := raised{payload: payload, depth: s.depth + 1}
	switch {
	case u.decl.On == nil:
		r.plan, r.node = u.free, &u.free.root
		r.event = &struct{}{}
	case call.Info == nil:
		return fmt.Errorf("event.%s is defined on %s and can be raised only while one is handled", name, u.base.Name)
	case call.Info != u.base:
		return fmt.Errorf("event.%s is defined on %s and cannot be raised in %s", name, u.base.Name, call.Where.Name)
	case s.plans[call.Where.ID] == nil:
		return nil // the handler was the last that is bound there, and is gone
	default:
		r.plan = s.plans[call.Where.ID]
		r.node, r.event = u.nodes[call.Where.ID], call.Event
	}
	if err := s.queue.push(s, r); err != nil {
		return fmt.Errorf("event.%s not raised: %w", name, err)
	}
	return nil
}
