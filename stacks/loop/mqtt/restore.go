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
// then the scripts that declare them are live. Each shard has its share of the sessions go on
// as soon as it is told, or needs one, whichever is first.
type shelved struct {
	unread atomic.Bool
	mu     sync.Mutex // guards names and what shards owe, and is held while tables are read
	names  map[string]bool
}

// owed are the sessions that are to go on in a shard.
type owed struct {
	some atomic.Bool
	list []savedIn // guarded by [shelved.mu]
}

// savedIn is a session in a table.
type savedIn struct {
	table loop.Table
	id    string
	rows  *savedRows
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
	if b.p.shelved.unread.Load() {
		b.readTables()
	}
	if b.owed.some.Load() {
		b.goOn()
	}
}

// goOn has the sessions go on that this shard owes.
func (b *broker) goOn() {
	b.p.shelved.mu.Lock()
	list := b.owed.list
	b.owed.list = nil
	b.owed.some.Store(false)
	b.p.shelved.mu.Unlock()
	for _, s := range list {
		b.revive(s.table, s.id, s.rows)
	}
}

// readTables reads what was not read yet.
func (b *broker) readTables() {
	s := &b.p.shelved
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
	will     *message
	willDue  int64
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

// restoreFrom divides the sessions of a table between the shards, by turns: a session follows
// its client to whatever shard that comes in at, so none is its own, and by turns as many find
// room as there is.
func (b *broker) restoreFrom(table loop.Table) {
	brokers, next := b.all(), 0
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
		// One with a will goes on even so: its end tells the will.
		if r.session == nil || r.session.over(b.now()) && r.will == nil {
			for _, key := range r.keys {
				table.Remove(key)
			}
			b.p.counts.expired.Add(1)
			continue
		}
		brokers[next].owe(savedIn{table, id, r})
		next = (next + 1) % len(brokers)
	}
	for _, other := range brokers {
		if other != b {
			// A shard that takes nothing now sees to it when it needs one.
			other.stack.Loop().Post(other.restore)
		}
	}
}

// all returns the brokers of all shards, this one first.
func (b *broker) all() []*broker {
	list := []*broker{b}
	shards := b.stack.Shard().Set()
	for i := range shards.Len() {
		if other := b.p.broker(b.stack.Group().Stack(shards.At(i))); other != b {
			list = append(list, other)
		}
	}
	return list
}

// owe has a session go on in this shard when it is entered. Others find it there already,
// and its turn in what it shares. The caller holds [shelved.mu].
func (b *broker) owe(s savedIn) {
	if _, taken := b.p.homes.LoadOrStore(s.id, b); taken {
		return // it began anew just now
	}
	b.owed.list = append(b.owed.list, s)
	b.owed.some.Store(true)
	for _, f := range s.rows.filters {
		if group, filter := mqttwire.SplitShared(f.Topic); group != "" {
			b.p.shared.join(group, filter, &member{b: b, id: s.id, f: f, away: true})
		}
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
	case rowWill:
		return r.readWill([]byte(value))
	default:
		return false
	}
	return true
}

func (r *savedRows) readWill(b []byte) bool {
	if len(b) < willHead {
		return false
	}
	p, n, err := mqttwire.Parse(b[willHead:], mqttwire.V5, 0)
	if err != nil || n == 0 || n != len(b)-willHead || p.Type != mqttwire.Publish {
		return false
	}
	r.will, r.willDue = messageOf(&p, 0), int64(binary.BigEndian.Uint64(b))
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
	if s.will, s.willDue = r.will, r.willDue; s.will != nil {
		s.will.from = s
	}
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
