package flow

import (
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
	q := &s.queues[c.group]
	s.sh.Timers().ArmAt(&q.timer, c.last+q.timeout, place(uint8(c.group), c.stamp), q.run)
}

// place is where a connection stands among those whose time is up at the same moment: by its group,
// then by its latest packet. It does not depend on the shard that the connection is in.
func place(group uint8, stamp uint64) uint64 { return uint64(group)<<56 | stamp }

// expire ends the first connection of g if it is its turn, and arms the timer for the next.
func (s *Stack) expire(g group) {
	q := &s.queues[g]
	if c := q.first; c != nil && q.timer.Covers(c.last+q.timeout, place(uint8(g), c.stamp)) {
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
