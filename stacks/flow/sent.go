package flow

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// Sent is the bytes that one end sent: flowev.Stream for handlers. The latest are kept while streams
// are wanted; see [Stack.WantStreams]. What its methods return as bytes holds until the next call or
// packet.
type Sent Peer

var _ flowev.Stream = (*Sent)(nil)

// Sent returns the bytes that this end sent.
func (p *Peer) Sent() flowev.Stream { return (*Sent)(p) }

func (v *Sent) peer() *Peer { return (*Peer)(v) }

func (v *Sent) memory() *memory { return &v.conn.stack.mem }

// ID returns the number of the end.
func (v *Sent) ID() uint64 { return v.peer().ID() }

// Label returns "stream of the client of connection 17".
func (v *Sent) Label() string { return "stream of the " + v.peer().Label() }

// Ended reports whether the connection is over.
func (v *Sent) Ended() bool { return v.conn.ended }

// Slots returns where others attach data to the stream.
func (v *Sent) Slots() *event.Slots { return &v.peer().extra().sentSlots }

// From returns the end that sent the bytes.
func (v *Sent) From() flowev.Side { return v.peer().side() }

// Len returns the place behind the last byte in order.
func (v *Sent) Len() uint64 { return uint64(v.sent.next) }

// Peek returns, from place offset, n bytes: fewer up to a hole, none if the first is not there.
// Without n it is all, without offset from the oldest.
func (v *Sent) Peek(offset uint64, hasOffset bool, n uint32, hasN bool) (bytes []byte, hasBytes bool) {
	t, m := &v.sent, v.memory()
	at := int64(offset)
	switch {
	case !hasOffset:
		off, _, ok := t.stored(m, 0)
		if !ok {
			return nil, false
		}
		at = off
	case at < 0 || at > endless:
		return nil, false
	}
	end := int64(endless)
	if hasN {
		end = min(end, at+int64(n))
	}
	if end == at {
		return nil, len(t.piece(m, at, at+1)) > 0
	}
	b := t.read(m, at, end)
	return b, len(b) > 0
}

// Take returns the next bytes, at most n, that the calling script has not taken, up to a gap, and how
// many are lost before them.
func (v *Sent) Take(c *event.Caller, n uint32, hasN bool) (bytes []byte, lost uint64, err error) {
	t, m := &v.sent, v.memory()
	switch {
	case v.conn.ended:
		return nil, 0, errEnded
	case !t.kept(m):
		return nil, 0, errNotKept
	}
	place, err := v.peer().extra().takerOf(c)
	if err != nil {
		return nil, 0, err
	}
	off, _, ok := t.stored(m, place.at)
	if !ok || off >= t.next {
		return nil, 0, nil
	}
	end := t.next
	if hasN {
		end = min(end, off+int64(n))
	}
	b := t.read(m, off, end)
	lost = uint64(off - place.at)
	place.at = off + int64(len(b))
	return b, lost, nil
}

// read returns the bytes from place at that follow each other, up to end: a view, or a copy in m.
func (t *stream) read(m *memory, at, end int64) []byte {
	b := t.piece(m, at, end)
	at += int64(len(b))
	next := t.piece(m, at, end)
	if at == end || len(next) == 0 {
		return b
	}
	out := append(m.copied[:0], b...)
	for ; at < end && len(next) != 0; next = t.piece(m, at, end) {
		out = append(out, next...)
		at += int64(len(next))
	}
	m.copied = out[:0]
	return out
}

// Ranges lists what is stored, in order.
func (v *Sent) Ranges() any {
	list := []any{}
	for at := int64(0); ; {
		off, end, ok := v.sent.stored(v.memory(), at)
		if !ok {
			return list
		}
		list = append(list, rangeOf(off, end))
		at = end
	}
}

// Gaps lists the gaps that were given up, the latest, and the holes before bytes that wait.
func (v *Sent) Gaps() any {
	list := []any{}
	if v.extras != nil {
		for _, g := range v.extras.given {
			list = append(list, rangeOf(g.off, g.end))
		}
	}
	for at := v.sent.next; ; {
		off, end, ok := v.sent.stored(v.memory(), at)
		if !ok {
			return list
		}
		if off > at {
			list = append(list, rangeOf(at, off))
		}
		at = end
	}
}

// rangeOf is what scripts see of a range.
func rangeOf(off, end int64) []event.KV {
	return []event.KV{{Key: "offset", Value: float64(off)}, {Key: "len", Value: float64(end - off)}}
}
