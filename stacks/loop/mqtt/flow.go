package mqtt

import (
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
}

// waiting is a message that waits for its turn, until some event time; 0: for ever.
type waiting struct {
	p     *mqttwire.Packet
	until int64
}

// pending is a message that its receiver has not acknowledged.
type pending struct {
	p        *mqttwire.Packet
	turn     uint64 // the order of sending
	released bool   // it has it, and PUBREL is under way
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
func (f *flow) wait(p *mqttwire.Packet, until int64) bool {
	if len(f.waiting) >= maxWaiting || f.size+sizeOf(p) > maxWaitingBytes {
		return false
	}
	f.waiting = append(f.waiting, waiting{p, until})
	f.size += sizeOf(p)
	return true
}

// shift takes the message that waits for longest, nil if none does, passing over those
// whose time is over.
func (f *flow) shift(now int64) *mqttwire.Packet {
	for len(f.waiting) > 0 {
		w := f.waiting[0]
		f.waiting[0] = waiting{}
		f.waiting = f.waiting[1:]
		f.size -= sizeOf(w.p)
		if w.until == 0 {
			return w.p
		}
		if now < w.until {
			setExpiry(w.p, w.until-now)
			return w.p
		}
	}
	return nil
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
func (f *flow) track(p *mqttwire.Packet) {
	p.ID = f.number()
	if f.sent == nil {
		f.sent = map[uint16]*pending{}
	}
	f.turns++
	f.sent[p.ID] = &pending{p: p, turn: f.turns}
}

// again makes everything unsent that was under way by another connection.
func (f *flow) again() {
	f.unsent = f.unsent[:0]
	for id := range f.sent {
		f.unsent = append(f.unsent, id)
	}
	slices.SortFunc(f.unsent, func(a, b uint16) int {
		if f.sent[a].turn < f.sent[b].turn {
			return -1
		}
		return 1
	})
}

// done forgets a message, and reports whether it was under way.
func (f *flow) done(id uint16) bool {
	_, known := f.sent[id]
	delete(f.sent, id)
	if i := slices.Index(f.unsent, id); i >= 0 {
		f.unsent = slices.Delete(f.unsent, i, i+1)
	}
	return known
}
