package mqtt

import (
	"container/list"
	"strconv"
	"strings"

	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// Bounds of a shard's broker.
const (
	maxRetained      = 10_000
	maxRetainedBytes = 64 << 20
	maxFilters       = 1_000 // of one client
	maxLevels        = 64    // of a filter
)

// broker passes messages between the clients of a shard, and to the brokers of others.
type broker struct {
	p        *Protocol
	stack    *loop.Stack
	root     level[*session, mqttwire.Filter]
	sessions map[string]*session
	away     list.List // of sessions without a connection, the one left longest ago first
	retained map[string]*message
	bytes    int // of retained messages
	next     uint64
	owed     owed
}

func newBroker(p *Protocol, s *loop.Stack) *broker {
	return &broker{p: p, stack: s, sessions: map[string]*session{}, retained: map[string]*message{}}
}

// now is event time.
func (b *broker) now() int64 { return b.stack.Loop().Now() }

// subscribe adds a filter, and reports whether it is a new one.
func (b *broker) subscribe(s *session, f mqttwire.Filter) (fresh bool) {
	if group, filter := mqttwire.SplitShared(f.Topic); group != "" {
		return b.p.shared.join(group, filter, &member{b: b, id: s.id, f: f})
	}
	subs := b.root.at(f.Topic)
	_, had := subs[s]
	subs[s] = f
	return !had
}

// unsubscribe takes a filter away, and what is empty then.
func (b *broker) unsubscribe(s *session, filter string) bool {
	if group, filter := mqttwire.SplitShared(filter); group != "" {
		return b.p.shared.leave(group, filter, s.id)
	}
	return b.root.remove(s, strings.Split(filter, "/"))
}

// publish gives a message to all who want it, here and in other shards, and keeps
// it if it is to be. It returns how many have it here.
func (b *broker) publish(m *message) int {
	n := b.deliver(m)
	b.p.brokers.Range(func(_, v any) bool {
		if other := v.(*broker); other != b {
			away := *m
			away.from = nil
			// A shard that cannot take more loses it, and counts that.
			other.stack.Loop().Post(func() { other.deliver(&away) })
		}
		return true
	})
	return n + b.share(m)
}

// deliver gives a message to the clients of this shard. One with several filters
// that match gets it once, as the best of them says.
func (b *broker) deliver(m *message) int {
	b.restore()
	if m.retain {
		b.keep(m)
	}
	best := map[*session]mqttwire.Filter{}
	b.root.match(m.topic, func(s *session, f mqttwire.Filter) {
		if f.NoLocal && s == m.from {
			return
		}
		if had, twice := best[s]; !twice || f.QoS > had.QoS {
			f.AsPublished = f.AsPublished || twice && had.AsPublished
			best[s] = f
		}
	})
	for s, f := range best {
		s.publish(m, min(m.qos, f.QoS), m.retain && f.AsPublished)
	}
	return len(best)
}

// keep replaces the message of a topic for those who subscribe later; one without
// payload forgets it.
func (b *broker) keep(m *message) {
	b.forget(m.topic)
	size := len(m.payload) + len(m.topic)
	switch {
	case len(m.payload) == 0:
	case len(b.retained) >= maxRetained || b.bytes+size > maxRetainedBytes:
		b.p.counts.retainedRefused.Add(1)
	default:
		kept := *m
		kept.from = nil // or it would keep a session that ended
		b.retained[m.topic] = &kept
		b.bytes += size
	}
}

func (b *broker) forget(topic string) {
	if old := b.retained[topic]; old != nil {
		b.bytes -= len(old.payload) + len(old.topic)
		delete(b.retained, topic)
	}
}

// recall gives a new subscriber what was kept.
func (b *broker) recall(s *session, f mqttwire.Filter) {
	if !strings.ContainsAny(f.Topic, "+#") {
		b.recallOne(s, f, b.retained[f.Topic])
		return
	}
	for topic, m := range b.retained {
		if mqttwire.Match(f.Topic, topic) {
			b.recallOne(s, f, m)
		}
	}
}

func (b *broker) recallOne(s *session, f mqttwire.Filter, m *message) {
	switch {
	case m == nil:
	case m.expired(b.now()):
		b.forget(m.topic)
	default:
		s.publish(m, min(m.qos, f.QoS), true)
	}
}

// name makes a name for a client that has none.
func (b *broker) name() string {
	b.next++
	return "hookd-" + strconv.Itoa(b.stack.Shard().Index()) + "-" + strconv.FormatUint(b.next, 10)
}
