package flow

import (
	"math"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// group says which timeout holds for a connection. The order is the order of eviction.
type group uint8

const (
	inTimeWait group = iota
	inReset
	inHandshake
	inCut // concluded, kept to swallow what still comes
	inClosing
	inEstablished
	numGroups
)

// groupOf returns the group that c's states ask for.
func groupOf(c *Conn) group {
	x, y := c.client.state, c.server.state
	switch {
	case c.group == inCut:
		return inCut
	case c.reset:
		return inReset
	case done(x) && done(y):
		return inTimeWait
	case x < established || y < established:
		return inHandshake
	case c.client.sent.fin >= 0 && c.server.sent.fin >= 0:
		return inClosing
	}
	return inEstablished
}

// queue is the members of a group, the one silent for longest first. Time never goes back and
// the timeout is one for all, so that order is the order of their deadlines too, and one timer does
// for the group: it is armed for a deadline that was the first once, which can only be early.
type queue[T any] struct {
	list[T]
	timeout int64
	timer   event.Timer
	run     func(now int64)
}

// never is a deadline that does not come.
const never = math.MaxInt64

// deadline returns when a member that was last heard of at last is over: never where that lies behind
// the end of time.
func (q *queue[T]) deadline(last int64) int64 { return later(last, time.Duration(q.timeout)) }

// over reports whether such a member is over at now.
func (q *queue[T]) over(last, now int64) bool {
	d := q.deadline(last)
	return d <= now && d != never
}

// arm arms the group's timer for such a member.
func (q *queue[T]) arm(timers *event.Timers, last int64) {
	if d := q.deadline(last); d != never {
		timers.Arm(&q.timer, d, q.run)
	}
}

// initQueues makes the stack's queues.
func (s *Stack) initQueues() {
	idle := func(c *Conn) *links[Conn] { return &c.idle }
	for g, d := range [numGroups]time.Duration{
		inTimeWait: s.cfg.TimeWait, inReset: s.cfg.ResetLinger, inHandshake: s.cfg.HandshakeTimeout,
		inCut: s.cfg.CutLinger, inClosing: s.cfg.CloseTimeout, inEstablished: s.cfg.IdleTimeout,
	} {
		s.queues[g] = queue[Conn]{
			list: list[Conn]{of: idle}, timeout: int64(d),
			run: func(now int64) { s.expire(group(g), now) },
		}
	}
}

// touch moves c, of which a packet just came, to the end of the queue of the group that its states
// ask for now.
func (s *Stack) touch(c *Conn) {
	g := groupOf(c)
	q := &s.queues[g]
	if g == c.group && q.last == c {
		return
	}
	s.queues[c.group].remove(c)
	s.enqueue(c, g)
}

// enqueue puts c, which is in no queue, at the end of g's.
func (s *Stack) enqueue(c *Conn, g group) {
	q := &s.queues[g]
	c.group = g
	q.push(c)
	if !q.timer.Armed() {
		q.arm(s.sh.Timers(), c.last)
	}
}

// expire ends the connections of g whose time is up, and arms the timer for the next.
func (s *Stack) expire(g group, now int64) {
	q := &s.queues[g]
	for c := q.first; c != nil && q.over(c.last, now); c = q.first {
		if g >= inHandshake && g != inCut {
			s.stats.Idle++
		}
		s.leave(c, flowev.EndReasonIdle)
	}
	if q.first != nil {
		q.arm(s.sh.Timers(), q.first.last)
	}
}
