package mqtt

import (
	"cmp"
	"maps"
	"slices"

	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// Bounds of what is under way, and of what waits.
const (
	maxInbound = 1_000 // messages of quality 2 that a peer has not ended
	window     = 100   // messages of quality 1 and 2 that are under way to a peer
	maxWaiting = 1_000 // that wait for that, or for the peer to be there
	// maxWaitingBytes is how many bytes of topics and payloads those have.
	maxWaitingBytes = 1 << 20
)

// flow is what is under way both ways between a client and a server: what a session
// keeps from one connection to the next (MQTT 5 section 4.1).
type flow struct {
	next    uint16
	turns   uint64
	sent    map[uint16]*pending // by identifier
	unsent  []uint16            // of sent, those that this connection did not carry yet, in order
	waiting []waiting
	size    int             // their bytes
	got     map[uint16]bool // of quality 2, not ended by their sender
	keeper  *keeper         // nil: it lasts no longer than the process
}

// waiting is a message that waits for its turn, until some event time; 0: for ever.
type waiting struct {
	p     *mqttwire.Packet
	until int64
	kept  uint64 // where the keeper has it; 0: not yet
	share string // the shared subscription that it came by, "" for another
}

// pending is a message that its receiver has not acknowledged.
type pending struct {
	p        *mqttwire.Packet
	id       uint16
	turn     uint64 // the order of sending
	released bool   // it has it, and PUBREL is under way
	kept     uint64 // where the keeper has it
	share    string // as that of waiting
}

func (m *pending) stage() stage {
	if m.released {
		return stageReleased
	}
	return stageSent
}

// bytes are those of what waits and of what was sent and not acknowledged.
func (f *flow) bytes() int64 {
	n := f.size
	for _, m := range f.sent {
		if m.p != nil {
			n += sizeOf(m.p)
		}
	}
	return int64(n)
}

func sizeOf(p *mqttwire.Packet) int { return len(p.Topic) + len(p.Payload) }

// wait has a message wait for its turn, and reports whether there was room.
func (f *flow) wait(w waiting) bool {
	if len(f.waiting) >= maxWaiting || f.size+sizeOf(w.p) > maxWaitingBytes {
		return false
	}
	w.kept = f.keeper.turn()
	f.keeper.message(w.kept, stageWaiting, 0, w.p, w.until)
	f.waiting = append(f.waiting, w)
	f.size += sizeOf(w.p)
	return true
}

// shift takes the message that waits for longest, if one does, passing over those whose
// time is over.
func (f *flow) shift(now int64) (w waiting, ok bool) {
	for len(f.waiting) > 0 {
		w := f.waiting[0]
		f.waiting[0] = waiting{}
		f.waiting = f.waiting[1:]
		f.size -= sizeOf(w.p)
		if w.until == 0 {
			return w, true
		}
		if now < w.until {
			setExpiry(w.p, w.until-now)
			return w, true
		}
		f.keeper.unmessage(w.kept)
	}
	return w, false
}

// number returns an identifier that nothing under way has.
func (f *flow) number() uint16 {
	for {
		f.next++
		if _, taken := f.sent[f.next]; !taken && f.next != 0 {
			return f.next
		}
	}
}

// track gives a message an identifier under which it waits to be acknowledged.
func (f *flow) track(w waiting) {
	p, kept := w.p, w.kept
	p.ID = f.number()
	if f.sent == nil {
		f.sent = map[uint16]*pending{}
	}
	f.turns++
	if kept == 0 {
		kept = f.keeper.turn()
	}
	f.keeper.message(kept, stageSent, p.ID, p, 0)
	f.sent[p.ID] = &pending{p: p, id: p.ID, turn: f.turns, kept: kept, share: w.share}
}

// unfinished returns the messages of shared subscriptions that a session leaves behind when it
// ends, and that others may have: quality 2 only where the client never saw it (MQTT 5
// section 4.8.2).
func (f *flow) unfinished() (list []waiting) {
	for _, m := range f.inOrder() {
		if m.share != "" && m.p != nil && m.p.QoS == 1 {
			list = append(list, waiting{p: m.p, share: m.share})
		}
	}
	for _, w := range f.waiting {
		if w.share != "" {
			list = append(list, w)
		}
	}
	return list
}

// release notes that a receiver has a message, and is told to let it go.
func (f *flow) release(m *pending) {
	m.released, m.p = true, nil
	f.keeper.message(m.kept, stageReleased, m.id, nil, 0)
}

// receive remembers a message of quality 2 that came, until end.
func (f *flow) receive(id uint16) {
	if f.got == nil {
		f.got = map[uint16]bool{}
	}
	f.got[id] = true
	f.keeper.inbound(id)
}

// forget forgets one, and reports whether it was known.
func (f *flow) forget(id uint16) bool {
	known := f.got[id]
	if known {
		delete(f.got, id)
		f.keeper.uninbound(id)
	}
	return known
}

// inOrder returns what is under way in the order of sending.
func (f *flow) inOrder() []*pending {
	return slices.SortedFunc(maps.Values(f.sent), func(a, b *pending) int { return cmp.Compare(a.turn, b.turn) })
}

// again makes everything unsent that was under way by another connection.
func (f *flow) again() {
	f.unsent = f.unsent[:0]
	for _, m := range f.inOrder() {
		f.unsent = append(f.unsent, m.id)
	}
}

// done forgets a message, and reports whether it was under way.
func (f *flow) done(id uint16) bool {
	m, known := f.sent[id]
	if known {
		f.keeper.unmessage(m.kept)
	}
	delete(f.sent, id)
	if i := slices.Index(f.unsent, id); i >= 0 {
		f.unsent = slices.Delete(f.unsent, i, i+1)
	}
	return known
}
