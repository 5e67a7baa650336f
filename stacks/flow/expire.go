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
// for the group: it is armed for a deadline that was the first once, which can only be early. It ends
// one member at a time, so that those of other shards get their turn.
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

// covers reports whether it is the turn of such a member, which has that place among those of the same
// deadline: whether the timer, which runs, was armed for it, or for one behind it.
func (q *queue[T]) covers(last int64, place uint64) bool {
	d := q.deadline(last)
	return d != never && q.timer.Covers(d, place)
}

// arm arms the group's timer for such a member.
func (q *queue[T]) arm(timers *event.Timers, last int64, place uint64) {
	if d := q.deadline(last); d != never {
		timers.ArmAt(&q.timer, d, place, q.run)
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
			run: func(int64) { s.expire(group(g)) },
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
		s.arm(c)
	}
}

// arm sets the timer of c's group, of which c is the first, to c's deadline.
func (s *Stack) arm(c *Conn) {
	s.queues[c.group].arm(s.sh.Timers(), c.last, place(uint8(c.group), c.stamp))
}

// place is where a connection stands among those whose time is up at the same moment: by its group,
// then by its latest packet. It does not depend on the shard that the connection is in.
func place(group uint8, stamp uint64) uint64 { return uint64(group)<<56 | stamp }

// expire ends the first connection of g if it is its turn, and arms the timer for the next.
func (s *Stack) expire(g group) {
	q := &s.queues[g]
	if c := q.first; c != nil && q.covers(c.last, place(uint8(g), c.stamp)) {
		if g >= inHandshake && g != inCut {
			s.stats.Idle++
		}
		s.sh.Change()
		s.leave(c, flowev.EndReasonIdle)
		s.sh.Changed()
	}
	if q.first != nil {
		s.arm(q.first)
	}
}
