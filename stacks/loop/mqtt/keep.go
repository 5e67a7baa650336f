package mqtt

import (
	"encoding/binary"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// Kinds of rows of a table that keeps sessions. A key is the client's name, the kind and
// what tells those apart of which a session has several, with U+0000 between, which is in no
// name and no filter.
const (
	rowSession = "session"
	rowFilter  = "filter"
	rowMessage = "message"  // by its place in their order
	rowInbound = "received" // by its identifier
	rowWill    = "will"     // that is delayed
)

// stage is how far a message came that is kept.
type stage byte

const (
	stageWaiting  stage = 'w' // for its turn
	stageSent     stage = 's' // with an identifier
	stageReleased stage = 'r' // its receiver has it, and PUBREL is under way
)

// keeper writes what there is to know of a session to a table as it changes, so that the
// session outlives the process. What finds no room there is counted, and lives no longer
// than that. A nil keeper keeps nothing.
type keeper struct {
	table  loop.Table
	counts *counts
	id     string
	turns  uint64 // of messages
}

// savedSession is the row of a session.
type savedSession struct {
	V      int    `json:"v"`
	Expiry uint32 `json:"expiry"`
	// Left is when its client left, in nanoseconds of event time; 0: it is there.
	Left int64 `json:"left"`
}

// savedFilter is the row of a filter.
type savedFilter struct {
	QoS            byte `json:"qos"`
	NoLocal        bool `json:"no_local,omitempty"`
	AsPublished    bool `json:"as_published,omitempty"`
	RetainHandling byte `json:"retain_handling,omitempty"`
}

func (k *keeper) key(kind, which string) string { return k.id + "\x00" + kind + "\x00" + which }

func (k *keeper) put(kind, which, value string) {
	if k.table.Put(k.key(kind, which), value) != nil {
		k.counts.keptRefused.Add(1)
	}
}

func (k *keeper) putJSON(kind, which string, v any) {
	text, _ := json.Marshal(v) // of numbers and truth values
	k.put(kind, which, string(text))
}

// session keeps how long a session is to last.
func (k *keeper) session(expiry uint32, left int64) {
	if k != nil {
		k.putJSON(rowSession, "", savedSession{1, expiry, left})
	}
}

// filter keeps a subscription.
func (k *keeper) filter(f mqttwire.Filter) {
	if k != nil {
		k.putJSON(rowFilter, f.Topic, savedFilter{f.QoS, f.NoLocal, f.AsPublished, f.RetainHandling})
	}
}

// unfilter forgets a subscription.
func (k *keeper) unfilter(filter string) {
	if k != nil {
		k.table.Remove(k.key(rowFilter, filter))
	}
}

// turn returns the next place in the order of messages.
func (k *keeper) turn() uint64 {
	if k == nil {
		return 0
	}
	k.turns++
	return k.turns
}

// messageHead is what stands before a message's packet: stage, identifier, until when.
const messageHead = 1 + 2 + 8

// message keeps how far a message came.
func (k *keeper) message(turn uint64, s stage, id uint16, p *mqttwire.Packet, until int64) {
	if k == nil {
		return
	}
	b := binary.BigEndian.AppendUint16([]byte{byte(s)}, id)
	b = binary.BigEndian.AppendUint64(b, uint64(until))
	if s != stageReleased {
		own := *p
		own.ID, own.Dup = max(1, id), false
		var err error
		if b, err = own.Append(b, mqttwire.V5); err != nil {
			k.counts.keptRefused.Add(1)
			return
		}
	}
	k.put(rowMessage, turnText(turn), string(b))
}

func turnText(turn uint64) string { return strconv.FormatUint(turn, 16) }

// unmessage forgets a message.
func (k *keeper) unmessage(turn uint64) {
	if k != nil {
		k.table.Remove(k.key(rowMessage, turnText(turn)))
	}
}

// inbound keeps the identifier of a message of quality 2 that was received, and
// not ended by its sender.
func (k *keeper) inbound(id uint16) {
	if k != nil {
		k.put(rowInbound, strconv.Itoa(int(id)), "")
	}
}

// uninbound forgets one.
func (k *keeper) uninbound(id uint16) {
	if k != nil {
		k.table.Remove(k.key(rowInbound, strconv.Itoa(int(id))))
	}
}

// willHead is what stands before a will's packet: when it is due.
const willHead = 8

// will keeps the will of a client that is away, which is due later.
func (k *keeper) will(m *message, due int64) {
	if k == nil {
		return
	}
	p := m.packet(m.qos, m.retain, 0)
	p.ID = 1 // of no meaning, but a packet with a quality has one
	b, err := p.Append(binary.BigEndian.AppendUint64(nil, uint64(due)), mqttwire.V5)
	if err != nil {
		k.counts.keptRefused.Add(1)
		return
	}
	k.put(rowWill, "", string(b))
}

// unwill forgets it.
func (k *keeper) unwill() {
	if k != nil {
		k.table.Remove(k.key(rowWill, ""))
	}
}

// keep begins to keep a session, which no table keeps yet, with all that it has.
func (s *session) keep(table loop.Table) {
	k := &keeper{table: table, counts: &s.b.p.counts, id: s.id}
	s.flow.keeper = k
	k.session(s.expiry, s.left)
	for _, f := range s.filters {
		k.filter(f)
	}
	for id := range s.flow.got {
		k.inbound(id)
	}
	for _, m := range s.flow.inOrder() {
		m.kept = k.turn()
		k.message(m.kept, m.stage(), m.id, m.p, 0)
	}
	for i := range s.flow.waiting {
		w := &s.flow.waiting[i]
		w.kept = k.turn()
		k.message(w.kept, stageWaiting, 0, w.p, w.until)
	}
}

// unkeep forgets what is kept of a session: it ends, or begins anew.
func (s *session) unkeep() {
	k := s.flow.keeper
	if k == nil {
		return
	}
	s.flow.keeper = nil
	for filter := range s.filters {
		k.unfilter(filter)
	}
	for id := range s.flow.got {
		k.uninbound(id)
	}
	for _, m := range s.flow.sent {
		k.unmessage(m.kept)
	}
	for _, w := range s.flow.waiting {
		k.unmessage(w.kept)
	}
	if s.will != nil {
		k.unwill()
	}
	k.table.Remove(k.key(rowSession, ""))
}

// cutKey returns whose row a key is of, of which kind, and which one.
func cutKey(key string) (id, kind, which string, ok bool) {
	if id, key, ok = strings.Cut(key, "\x00"); ok {
		kind, which, ok = strings.Cut(key, "\x00")
	}
	return id, kind, which, ok
}
