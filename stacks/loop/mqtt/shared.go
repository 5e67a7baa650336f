package mqtt

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// maxTurns is how many members of a group a message is offered to, of which each is gone
// just then, or in a shard that takes nothing more.
const maxTurns = 8

// shared are the shared subscriptions of all shards (MQTT 5 section 4.8.2): of a message,
// one member of each group gets a copy, wherever that is. Its methods may be called from
// any shard.
type shared struct {
	size atomic.Int64 // of all groups
	mu   sync.Mutex   // guards the rest, and the groups
	root level[string, *group]
}

// group are the clients that share a filter, of whom the next is whose turn it is.
type group struct {
	members []*member
	next    int
}

// member is a client of a group, in the shard where its session is.
type member struct {
	b    *broker
	id   string
	f    mqttwire.Filter
	away bool
}

// join adds a member, in the place of what it had there, and reports whether it is new.
func (s *shared) join(name, filter string, m *member) (fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := s.root.at(filter)
	g := groups[name]
	if g == nil {
		g = &group{}
		groups[name] = g
	}
	if i := g.find(m.id); i >= 0 {
		g.members[i] = m
		return false
	}
	g.members = append(g.members, m)
	s.size.Add(1)
	return true
}

func (g *group) find(id string) int {
	return slices.IndexFunc(g.members, func(m *member) bool { return m.id == id })
}

// group returns one that there is, nil for none. The caller holds s.mu.
func (s *shared) group(name, filter string) *group {
	l := &s.root
	for word := range strings.SplitSeq(filter, "/") {
		if l = l.below[word]; l == nil {
			return nil
		}
	}
	return l.subs[name]
}

// leave takes a member out, and reports whether it was one.
func (s *shared) leave(name, filter, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.group(name, filter)
	if g == nil {
		return false
	}
	i := g.find(id)
	if i < 0 {
		return false
	}
	g.members = slices.Delete(g.members, i, i+1)
	if g.next > i {
		g.next--
	}
	s.size.Add(-1)
	if len(g.members) == 0 {
		s.root.remove(name, strings.Split(filter, "/"))
	}
	return true
}

// absent notes that a member's client is away: others come before it.
func (s *shared) absent(name, filter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.group(name, filter); g != nil {
		if i := g.find(id); i >= 0 {
			g.members[i].away = true
		}
	}
}

// pick returns whose turn it is in each group that shares a filter which a topic matches.
func (s *shared) pick(topic string) (turns []*member) {
	if s.size.Load() == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.root.match(topic, func(_ string, g *group) { turns = append(turns, g.turn()) })
	return turns
}

// again returns another member of a group, where the one whose turn it was is none any
// more; nil if there is none.
func (s *shared) again(name, filter string) *member {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.group(name, filter); g != nil {
		return g.turn()
	}
	return nil
}

// turn gives the turn to the next member who is there; where none is, to the next.
func (g *group) turn() *member {
	n := len(g.members)
	for i := range n {
		if k := (g.next + i) % n; !g.members[k].away {
			g.next = (k + 1) % n
			return g.members[k]
		}
	}
	m := g.members[g.next%n]
	g.next = (g.next + 1) % n
	return m
}

// share gives a message to one member of each group that wants it, and returns to how many.
func (b *broker) share(m *message) int {
	turns := b.p.shared.pick(m.topic)
	for _, to := range turns {
		b.hand(m, to, 1)
	}
	return len(turns)
}

// hand gives a message to a member in the shard where that is. A member whose session went
// on elsewhere, or ended, just then, and one in a shard that takes nothing more, lets another
// have it; where none is left it is lost, and counted.
func (b *broker) hand(m *message, to *member, turn int) {
	if to.b != b {
		away := *m
		away.from = nil
		if to.b.stack.Loop().Post(func() { to.b.restore(); to.b.hand(&away, to, turn) }) {
			return
		}
	} else if s := b.sessions[to.id]; s != nil {
		own := *m
		own.share = to.f.Topic
		s.publish(&own, min(m.qos, to.f.QoS), m.retain && to.f.AsPublished)
		return
	}
	group, filter := mqttwire.SplitShared(to.f.Topic)
	if next := b.p.shared.again(group, filter); next != nil && turn < maxTurns {
		b.hand(m, next, turn+1)
		return
	}
	b.stack.Group().MessageRefused()
}

// offer gives what a member did not finish whose session ended to others, if there are any.
func (b *broker) offer(f *flow) {
	for _, w := range f.unfinished() {
		group, filter := mqttwire.SplitShared(w.share)
		if to := b.p.shared.again(group, filter); to != nil {
			b.hand(&message{topic: w.p.Topic, payload: w.p.Payload, qos: w.p.QoS, properties: w.p.Properties, until: w.until}, to, 1)
		}
	}
}
