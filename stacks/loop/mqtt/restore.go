package mqtt

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// shelved are the tables of which listeners said that they keep sessions, and whether they
// were read. The first that needs a session, or the subscriptions of one, reads them, since
// then the scripts that declare them are live.
type shelved struct {
	unread atomic.Bool
	mu     sync.Mutex // guards names, and is held while tables are read
	names  map[string]bool
}

// Opened implements [loop.Opener].
func (p *Protocol) Opened(given any) {
	o, _ := given.(*options)
	if o == nil || o.sessions == "" {
		return
	}
	s := &p.shelved
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil {
		s.names = map[string]bool{}
	}
	if !s.names[o.sessions] {
		s.names[o.sessions] = false
		s.unread.Store(true)
	}
}

// restore has sessions go on in this shard that were kept by a process before.
func (b *broker) restore() {
	s := &b.p.shelved
	if !s.unread.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.unread.Load() {
		return // another shard was first
	}
	for _, name := range slices.Sorted(maps.Keys(s.names)) {
		if s.names[name] {
			continue
		}
		table, err := b.stack.Group().Table(name)
		if err != nil {
			delete(s.names, name) // logins say so
			continue
		}
		s.names[name] = true
		b.restoreFrom(table)
	}
	s.unread.Store(false)
}

// savedRows are those of one session.
type savedRows struct {
	session  *savedSession
	filters  map[string]mqttwire.Filter
	messages []savedMessage
	inbound  map[uint16]bool
	keys     []string
}

// savedMessage is a message that was kept, whose turn is its place in their order.
type savedMessage struct {
	turn  uint64
	stage stage
	id    uint16
	until int64
	p     *mqttwire.Packet // nil where it was released
}

func (b *broker) restoreFrom(table loop.Table) {
	all := map[string]*savedRows{}
	for key, value := range table.All() {
		id, kind, which, ok := cutKey(key)
		if !ok {
			continue // another's
		}
		r := all[id]
		if r == nil {
			r = &savedRows{filters: map[string]mqttwire.Filter{}, inbound: map[uint16]bool{}}
			all[id] = r
		}
		r.keys = append(r.keys, key)
		if !r.read(kind, which, value) {
			b.p.counts.keptRefused.Add(1)
		}
	}
	for _, id := range byAbsence(all, b.now()) {
		if _, taken := b.p.homes.Load(id); taken {
			continue // it began anew already
		}
		r := all[id]
		if r.session == nil || r.session.over(b.now()) {
			for _, key := range r.keys {
				table.Remove(key)
			}
			b.p.counts.expired.Add(1)
			continue
		}
		b.revive(table, id, r)
	}
}

// byAbsence names sessions, the one left longest ago first, which is the first to end where
// there are too many; before them those whose own row is missing.
func byAbsence(all map[string]*savedRows, now int64) []string {
	left := func(id string) int64 {
		if s := all[id].session; s != nil {
			return s.left(now)
		}
		return 0
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(left(a), left(b)), cmp.Compare(a, b))
	})
}

// left returns when a session's client left: now, where it was there when the process
// ended, and where the clock was put back since.
func (s *savedSession) left(now int64) int64 {
	if s.Left <= 0 {
		return now
	}
	return min(s.Left, now)
}

// over reports whether a session's time is.
func (s *savedSession) over(now int64) bool {
	return now-s.left(now) >= int64(min(maxAway, time.Duration(s.Expiry)*time.Second))
}

// read reads a row, and reports whether it is one.
func (r *savedRows) read(kind, which, value string) bool {
	switch kind {
	case rowSession:
		s := &savedSession{}
		if json.Unmarshal([]byte(value), s) != nil || s.V != 1 {
			return false
		}
		r.session = s
	case rowFilter:
		var f savedFilter
		if json.Unmarshal([]byte(value), &f) != nil || !mqttwire.ValidFilter(which) || f.QoS > 2 || len(r.filters) >= maxFilters {
			return false
		}
		r.filters[which] = mqttwire.Filter{Topic: which, QoS: f.QoS, NoLocal: f.NoLocal, AsPublished: f.AsPublished, RetainHandling: f.RetainHandling}
	case rowInbound:
		n, err := strconv.ParseUint(which, 10, 16)
		if err != nil || n == 0 || len(r.inbound) >= maxInbound {
			return false
		}
		r.inbound[uint16(n)] = true
	case rowMessage:
		turn, err := strconv.ParseUint(which, 16, 64)
		m, ok := readMessage([]byte(value))
		if err != nil || !ok || turn == 0 {
			return false
		}
		m.turn = turn
		r.messages = append(r.messages, m)
	default:
		return false
	}
	return true
}

func readMessage(b []byte) (m savedMessage, ok bool) {
	if len(b) < messageHead {
		return m, false
	}
	m = savedMessage{stage: stage(b[0]), id: binary.BigEndian.Uint16(b[1:]), until: int64(binary.BigEndian.Uint64(b[3:]))}
	if b = b[messageHead:]; m.stage != stageReleased {
		p, n, err := mqttwire.Parse(b, mqttwire.V5, 0)
		if err != nil || n == 0 || n != len(b) || p.Type != mqttwire.Publish || p.QoS == 0 {
			return m, false
		}
		m.p = &p
	}
	switch m.stage {
	case stageSent, stageReleased:
		return m, m.id != 0
	}
	return m, m.stage == stageWaiting
}

// revive has a session go on, whose client is away.
func (b *broker) revive(table loop.Table, id string, r *savedRows) {
	s := &session{b: b, id: id, expiry: r.session.Expiry, left: r.session.left(b.now()), filters: r.filters}
	f := &s.flow
	f.keeper = &keeper{table: table, counts: &b.p.counts, id: id}
	f.got = r.inbound
	slices.SortFunc(r.messages, func(a, b savedMessage) int { return cmp.Compare(a.turn, b.turn) })
	for _, m := range r.messages {
		f.keeper.turns = m.turn
		if !f.revive(m) {
			b.p.counts.queueRefused.Add(1)
			f.keeper.unmessage(m.turn)
		}
	}
	b.adopt(s)
	s.leave(nil)
	b.p.counts.restored.Add(1)
}

// revive has a message go on from where it was, and reports whether there is room for it.
func (f *flow) revive(m savedMessage) bool {
	switch {
	case m.stage != stageWaiting && (len(f.sent) >= window || f.sent[m.id] != nil):
		return false
	case m.stage != stageWaiting:
		if f.sent == nil {
			f.sent = map[uint16]*pending{}
		}
		if m.p != nil {
			m.p.ID = m.id
		}
		f.turns++
		f.sent[m.id] = &pending{p: m.p, id: m.id, turn: f.turns, released: m.p == nil, kept: m.turn}
	case len(f.waiting) >= maxWaiting || f.size+sizeOf(m.p) > maxWaitingBytes:
		return false
	default:
		f.waiting = append(f.waiting, waiting{p: m.p, until: m.until, kept: m.turn})
		f.size += sizeOf(m.p)
	}
	return true
}
