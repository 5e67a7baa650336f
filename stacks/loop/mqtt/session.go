package mqtt

import (
	"container/list"
	"sync/atomic"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// Bounds of sessions whose clients are away.
const (
	// maxSessions are those of a shard. One more ends the one that was left longest ago, and so
	// do more bytes than maxAwaySize.
	maxSessions = 10_000
	maxAway     = 7 * 24 * time.Hour // that a client may stay away
	maxAwaySize = 64 << 20           // bytes of the messages in all of them
)

// never is the expiry of a session that is to last for ever (MQTT 5 section 3.1.2.11.2).
const never = 0xffffffff

// counts are what the brokers of a process count.
type counts struct {
	sessions, away, queued, queuedBytes                                                   atomic.Int64
	resumed, expired, evicted, busy, restored, queueRefused, retainedRefused, keptRefused atomic.Uint64
}

// Stats are what the brokers of a process have, and what they did.
type Stats struct {
	// Sessions is how many clients are known, Away how many of them are not there, Queued
	// how many messages wait for those, with QueuedBytes.
	Sessions, Away, Queued, QueuedBytes int64
	// Resumed sessions went on by another connection; Expired and Evicted ones ended while
	// their client was away, for the time and for the number of them.
	Resumed, Expired, Evicted uint64
	// Busy logins were refused since the shard that has their session took nothing more.
	Busy uint64
	// Restored sessions went on that were kept by a process before.
	Restored uint64
	// QueueRefused messages found no room while their client was away, RetainedRefused ones
	// none among those that are kept; KeptRefused rows none in the store that keeps sessions,
	// or they could not be read.
	QueueRefused, RetainedRefused, KeptRefused uint64
}

// Stats returns the counters so far. Any goroutine may ask.
func (p *Protocol) Stats() any {
	c := &p.counts
	return Stats{
		Sessions: c.sessions.Load(), Away: c.away.Load(), Queued: c.queued.Load(), QueuedBytes: c.queuedBytes.Load(),
		Resumed: c.resumed.Load(), Expired: c.expired.Load(), Evicted: c.evicted.Load(), Busy: c.busy.Load(), Restored: c.restored.Load(), KeptRefused: c.keptRefused.Load(),
		QueueRefused: c.queueRefused.Load(), RetainedRefused: c.retainedRefused.Load(),
	}
}

// session is what a broker knows of a client: for as long as its connection, or beyond
// it (MQTT 3.1.1 section 3.1.2.4, MQTT 5 section 4.1).
type session struct {
	b       *broker
	id      string
	s       *server // nil while the client is away
	filters map[string]mqttwire.Filter
	flow    flow
	expiry  uint32 // seconds that it outlives a connection
	left    int64  // when its client left, in event time; 0: it is there
	place   *list.Element
	timer   event.Timer
	will    *message // of a client that is away
	willDue int64    // when it is to be told
	willBy  event.Timer
}

// publish gives the client a message, or keeps it for a client that is away.
func (s *session) publish(m *message, qos byte, retain bool) {
	switch {
	case s.s == nil:
		if qos > 0 {
			s.store(m, qos, retain)
		}
	case qos == 0 && !retain:
		s.s.link.publish(m)
	default:
		if err := s.s.link.deliver(waiting{p: m.packet(qos, retain, s.b.now()), until: m.until, share: m.share}); err != nil {
			s.s.drop()
		}
	}
}

// store keeps a message for a client that is away.
func (s *session) store(m *message, qos byte, retain bool) {
	c := &s.b.p.counts
	p := m.packet(qos, retain, 0)
	if c.queuedBytes.Load()+int64(sizeOf(p)) > maxAwaySize || !s.flow.wait(waiting{p: p, until: m.until, share: m.share}) {
		c.queueRefused.Add(1)
		return
	}
	c.queued.Add(1)
	c.queuedBytes.Add(int64(sizeOf(p)))
}

// leave makes the client away, or ends the session with its connection.
func (s *session) leave(will *mqttwire.Will) {
	s.s = nil
	b := s.b
	if will != nil {
		s.will = messageOf(&mqttwire.Packet{Topic: will.Topic, Payload: will.Payload, QoS: will.QoS, Retain: will.Retain, Properties: will.Published()}, b.now())
		s.will.from = s
		s.willDue = b.now() + int64(will.Properties.Num(mqttwire.WillDelay, 0))*int64(time.Second)
	}
	if s.expiry == 0 {
		b.end(s)
		return
	}
	for filter := range s.filters {
		if group, filter := mqttwire.SplitShared(filter); group != "" {
			b.p.shared.absent(group, filter, s.id)
		}
	}
	c := &b.p.counts
	c.away.Add(1)
	c.queued.Add(int64(len(s.flow.waiting)))
	c.queuedBytes.Add(s.flow.bytes())
	s.place = b.away.PushBack(s)
	if s.left == 0 {
		s.left = b.now()
	}
	s.flow.keeper.session(s.expiry, s.left)
	timers := b.stack.Shard().Timers()
	timers.Arm(&s.timer, s.left+int64(s.awayTime()), func(int64) {
		c.expired.Add(1)
		b.end(s)
	})
	switch {
	case s.will == nil:
	case will != nil && s.willDue <= b.now():
		s.tellWill()
	default:
		s.flow.keeper.will(s.will, s.willDue)
		timers.Arm(&s.willBy, s.willDue, func(int64) { s.tellWill() })
	}
	for b.away.Len() > maxSessions || b.away.Len() > 0 && c.queuedBytes.Load() > maxAwaySize {
		c.evicted.Add(1)
		b.end(b.away.Front().Value.(*session))
	}
	b.stack.Loop().Stir()
}

func (s *session) awayTime() time.Duration {
	return min(maxAway, time.Duration(s.expiry)*time.Second)
}

// tellWill publishes the will of a client that is away.
func (s *session) tellWill() {
	if will := s.takeWill(); will != nil {
		will.until = 0
		if x, ok := will.properties.Get(mqttwire.MessageExpiry); ok {
			will.until = s.b.now() + int64(x.Num)*int64(time.Second)
		}
		s.b.publish(will)
	}
}

// takeWill returns the will of a client that is away, which is no longer to be told later.
func (s *session) takeWill() *message {
	will := s.will
	if will != nil {
		s.will = nil
		s.flow.keeper.unwill()
	}
	return will
}

// back takes a session out of those whose clients are away.
func (s *session) back() {
	b := s.b
	timers := b.stack.Shard().Timers()
	timers.Stop(&s.timer)
	timers.Stop(&s.willBy)
	s.left = 0
	if s.place == nil {
		return
	}
	b.away.Remove(s.place)
	s.place = nil
	c := &b.p.counts
	c.away.Add(-1)
	c.queued.Add(-int64(len(s.flow.waiting)))
	c.queuedBytes.Add(-s.flow.bytes())
}

// end forgets a session whose client is away, publishes the will that it still has (MQTT 5
// section 3.1.3.2.2), and gives others what it shared with them and did not finish.
func (b *broker) end(s *session) {
	s.unkeep()
	s.back()
	b.release(s)
	b.p.homes.CompareAndDelete(s.id, b)
	s.tellWill()
	b.offer(&s.flow)
}

// release takes a session out of the broker, with what it subscribed to.
func (b *broker) release(s *session) {
	if b.sessions[s.id] == s {
		delete(b.sessions, s.id)
		b.p.counts.sessions.Add(-1)
	}
	for filter := range s.filters {
		b.unsubscribe(s, filter)
	}
}

// adopt takes a session in, with what it subscribed to.
func (b *broker) adopt(s *session) {
	s.b = b
	b.sessions[s.id] = s
	b.p.homes.LoadOrStore(s.id, b)
	b.p.counts.sessions.Add(1)
	for _, f := range s.filters {
		b.subscribe(s, f)
	}
}

// enter finds the session of a client that logs in, in whichever shard it is, and has it
// begin in this one: at once, or when the other shard gave it up. With clean what there
// is ends. Another connection of that name has to go (MQTT 5 section 3.1.4). Where the
// other shard takes nothing more then gets nil, and the session stays where it is.
func (b *broker) enter(id string, clean bool, then func(s *session, present bool)) {
	b.restore()
	old := b.giveUp(id)
	before, _ := b.p.homes.Swap(id, b)
	home, known := before.(*broker)
	if !known || home == b {
		b.begin(id, old, clean, then)
		return
	}
	asked := home.stack.Loop().Post(func() {
		home.restore()
		theirs := home.giveUp(id)
		if b.stack.Loop().Post(func() { b.begin(id, theirs, clean, then) }) {
			return
		}
		// That shard takes nothing now, and the login runs out there: the session stays.
		if theirs == nil {
			b.p.homes.CompareAndDelete(id, b)
			return
		}
		theirs.tellWill()
		home.adopt(theirs)
		b.p.homes.Store(id, home)
		theirs.leave(nil)
	})
	if asked {
		return
	}
	b.p.homes.CompareAndSwap(id, b, home)
	if old != nil {
		old.tellWill()
		b.adopt(old)
		old.leave(nil)
	}
	then(nil, false)
}

// giveUp takes a session out that goes on elsewhere, or by another connection; nil if
// there is none, or none any more.
func (b *broker) giveUp(id string) *session {
	s := b.sessions[id]
	if s == nil {
		return nil
	}
	if s.s != nil {
		s.s.replaced()
		if b.sessions[id] != s {
			return nil // it ended with its connection
		}
	}
	s.back()
	b.release(s)
	return s
}

// begin begins the session of a client: what it had, or a new one.
func (b *broker) begin(id string, old *session, clean bool, then func(*session, bool)) {
	// One of that name may have come while the other shard was asked.
	b.giveUp(id)
	if old != nil && clean {
		old.b = b
		old.unkeep()
		old.tellWill()
		b.offer(&old.flow)
		old = nil
	}
	s := old
	if s == nil {
		s = &session{id: id}
	} else {
		s.takeWill() // it is back in time
		b.p.counts.resumed.Add(1)
	}
	b.adopt(s)
	then(s, old != nil)
}
