package mqtt

import (
	"errors"

	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// Bounds of a connection.
const (
	maxPacket = 256 << 10 // bytes of a packet
	// maxQueued is how many bytes wait for a peer before messages of quality 0 are dropped.
	maxQueued = 1 << 20
)

// link is what both ends of MQTT have: messages of the three qualities, both ways, over
// one connection.
type link struct {
	c       *loop.Conn
	version byte
	window  int
	most    int // bytes of a packet that the peer takes; 0: any
	*flow
}

// drop counts a message that the peer does not get.
func (l *link) drop() { l.c.Stack().Group().MessageRefused() }

// send queues a packet.
func (l *link) send(p *mqttwire.Packet) {
	b, err := p.Append(nil, l.version)
	if err != nil {
		l.drop()
		return
	}
	l.write(b)
}

// write queues a packet that is encoded, unless the peer does not take it. That the
// connection ends, or its queue is too long, is told by close.
func (l *link) write(b []byte) {
	if l.most > 0 && len(b) > l.most || l.c.Net().Send(b) != nil {
		l.drop()
	}
}

var errWaiting = errors.New("mqtt: too many messages wait for the peer")

// publish sends a message that is encoded once for all who get it so, quality 0 and not
// as retained.
func (l *link) publish(m *message) {
	if l.c.Net().Queued() > maxQueued {
		l.drop()
		return
	}
	i := 0
	if l.version == mqttwire.V5 {
		i = 1
	}
	if m.encoded[i] == nil {
		m.encoded[i], _ = m.packet(0, false, 0).Append(nil, l.version) // a message that came in fits
	}
	l.write(m.encoded[i])
}

// room returns how many more messages may be under way.
func (l *link) room() int {
	most := l.window
	if most == 0 {
		most = window
	}
	return most - (len(l.sent) - len(l.unsent))
}

// deliver sends PUBLISH, or has it wait for its turn.
func (l *link) deliver(w waiting) error {
	switch {
	case w.p.QoS == 0:
		l.send(w.p)
	case l.room() > 0 && len(l.unsent) == 0 && len(l.waiting) == 0:
		l.begin(w)
	case !l.wait(w):
		return errWaiting
	}
	return nil
}

// begin sends a message of quality 1 or 2. One that the peer does not take for its
// length is nobody's to wait for.
func (l *link) begin(w waiting) {
	p := w.p
	l.track(w)
	b, err := p.Append(nil, l.version)
	if err != nil || l.most > 0 && len(b) > l.most {
		l.done(p.ID)
		l.drop()
		return
	}
	// Where it cannot be queued, the connection ends, and the next one carries it.
	_ = l.c.Net().Send(b)
}

// goOn sends what there is room for: first what an earlier connection did not bring to
// its end, then what waits.
func (l *link) goOn() {
	for len(l.unsent) > 0 && l.room() > 0 {
		id := l.unsent[0]
		l.unsent = l.unsent[1:]
		switch m := l.sent[id]; {
		case m.released:
			l.send(&mqttwire.Packet{Type: mqttwire.Pubrel, ID: id})
		default:
			m.p.Dup = true
			l.send(m.p)
		}
	}
	for len(l.unsent) == 0 && l.room() > 0 {
		w, ok := l.shift(l.c.Stack().Loop().Now())
		if !ok {
			return
		}
		l.begin(w)
	}
}

// acknowledged goes on with a message that the peer has. It reports whether p was an
// acknowledgement.
func (l *link) acknowledged(p *mqttwire.Packet) bool {
	switch p.Type {
	case mqttwire.Puback, mqttwire.Pubcomp:
	case mqttwire.Pubrec:
		m := l.sent[p.ID]
		if m != nil && p.Reason < 0x80 {
			l.release(m)
			l.send(&mqttwire.Packet{Type: mqttwire.Pubrel, ID: p.ID})
			return true
		}
		if m == nil {
			l.send(&mqttwire.Packet{Type: mqttwire.Pubrel, ID: p.ID, Reason: mqttwire.PacketIDNotFound})
			return true
		}
	case mqttwire.Pubrel:
		reason := byte(mqttwire.Success)
		if !l.forget(p.ID) {
			reason = mqttwire.PacketIDNotFound
		}
		l.send(&mqttwire.Packet{Type: mqttwire.Pubcomp, ID: p.ID, Reason: reason})
		return true
	default:
		return false
	}
	if l.done(p.ID) {
		l.goOn()
	}
	return true
}

// repeated reports whether a message of quality 2 came before, and remembers it. One
// too many is an error.
func (l *link) repeated(p *mqttwire.Packet) (bool, error) {
	if p.QoS != 2 {
		return false, nil
	}
	if l.got[p.ID] {
		return true, nil
	}
	if len(l.got) >= maxInbound {
		return false, &mqttwire.Error{Reason: mqttwire.ReceiveMaximumExceeded, Text: "too many messages of quality 2 are not ended"}
	}
	l.receive(p.ID)
	return false, nil
}

// received acknowledges a message.
func (l *link) received(p *mqttwire.Packet, reason byte) {
	if l.version != mqttwire.V5 {
		reason = 0
	}
	switch p.QoS {
	case 1:
		l.send(&mqttwire.Packet{Type: mqttwire.Puback, ID: p.ID, Reason: reason})
	case 2:
		if reason >= 0x80 {
			l.forget(p.ID) // it is over
		}
		l.send(&mqttwire.Packet{Type: mqttwire.Pubrec, ID: p.ID, Reason: reason})
	}
}

// Publish sends a message that a script made.
func (l *link) Publish(topic string, payload []byte, qos uint8, retain bool) error {
	if err := check(topic, qos); err != nil {
		return err
	}
	return l.deliver(waiting{p: &mqttwire.Packet{Type: mqttwire.Publish, Topic: topic, Payload: append([]byte(nil), payload...), QoS: qos, Retain: retain}})
}
