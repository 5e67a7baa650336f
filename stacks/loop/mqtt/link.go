package mqtt

import (
	"errors"

	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// Bounds of a connection.
const (
	maxPacket  = 256 << 10 // bytes of a packet
	maxInbound = 1_000     // messages of quality 2 that a peer has not ended
	window     = 100       // messages of quality 1 and 2 that are under way to a peer
	maxWaiting = 1_000     // that wait for that
	// maxQueued is how many bytes wait for a peer before messages of quality 0 are dropped.
	maxQueued = 1 << 20
)

// link is what both ends of MQTT have: messages of the three qualities, both ways.
type link struct {
	c       *loop.Conn
	version byte
	window  int
	most    int // bytes of a packet that the peer takes; 0: any
	next    uint16
	sent    map[uint16]bool // by identifier; true: PUBREL is under way
	waiting []*mqttwire.Packet
	got     map[uint16]bool // of quality 2, not ended by their sender
	dropped uint64
}

// drop counts a message that the peer does not get.
func (l *link) drop() {
	l.dropped++
	l.c.Stack().Group().MessageRefused()
}

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

// publish sends a message.
func (l *link) publish(m *message, qos byte, retain bool) {
	if qos == 0 && l.c.Net().Queued() > maxQueued {
		l.drop()
		return
	}
	if qos == 0 && !retain {
		i := 0
		if l.version == mqttwire.V5 {
			i = 1
		}
		if m.encoded[i] == nil {
			p := mqttwire.Packet{Type: mqttwire.Publish, Topic: m.topic, Payload: m.payload, Properties: m.properties}
			m.encoded[i], _ = p.Append(nil, l.version) // a message that came in fits
		}
		l.write(m.encoded[i])
		return
	}
	p := &mqttwire.Packet{Type: mqttwire.Publish, Topic: m.topic, Payload: m.payload, QoS: qos, Retain: retain, Properties: m.properties}
	if err := l.deliver(p); err != nil {
		l.drop()
	}
}

// deliver sends PUBLISH, or has it wait for its turn.
func (l *link) deliver(p *mqttwire.Packet) error {
	most := l.window
	if most == 0 {
		most = window
	}
	switch {
	case p.QoS == 0:
		l.send(p)
	case len(l.sent) < most:
		p.ID = l.number()
		if l.sent == nil {
			l.sent = map[uint16]bool{}
		}
		l.sent[p.ID] = false
		l.send(p)
	case len(l.waiting) >= maxWaiting:
		return errWaiting
	default:
		l.waiting = append(l.waiting, p)
	}
	return nil
}

// number returns an identifier that nothing under way has.
func (l *link) number() uint16 {
	for {
		l.next++
		if _, taken := l.sent[l.next]; !taken && l.next != 0 {
			return l.next
		}
	}
}

// acknowledged goes on with a message that the peer has. It reports whether p was an
// acknowledgement.
func (l *link) acknowledged(p *mqttwire.Packet) bool {
	switch p.Type {
	case mqttwire.Puback, mqttwire.Pubcomp:
	case mqttwire.Pubrec:
		_, known := l.sent[p.ID]
		if known && p.Reason < 0x80 {
			l.sent[p.ID] = true
			l.send(&mqttwire.Packet{Type: mqttwire.Pubrel, ID: p.ID})
			return true
		}
		if !known {
			l.send(&mqttwire.Packet{Type: mqttwire.Pubrel, ID: p.ID, Reason: mqttwire.PacketIDNotFound})
			return true
		}
	case mqttwire.Pubrel:
		reason := byte(mqttwire.Success)
		if !l.got[p.ID] {
			reason = mqttwire.PacketIDNotFound
		}
		delete(l.got, p.ID)
		l.send(&mqttwire.Packet{Type: mqttwire.Pubcomp, ID: p.ID, Reason: reason})
		return true
	default:
		return false
	}
	if _, known := l.sent[p.ID]; known {
		delete(l.sent, p.ID)
		if len(l.waiting) > 0 {
			next := l.waiting[0]
			l.waiting[0] = nil
			l.waiting = l.waiting[1:]
			// There is room: the one that is acknowledged made it.
			_ = l.deliver(next)
		}
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
	if l.got == nil {
		l.got = map[uint16]bool{}
	}
	l.got[p.ID] = true
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
			delete(l.got, p.ID) // it is over
		}
		l.send(&mqttwire.Packet{Type: mqttwire.Pubrec, ID: p.ID, Reason: reason})
	}
}

// Publish implements [loop.Messenger].
func (l *link) Publish(topic string, payload []byte, qos uint8, retain bool) error {
	if err := check(topic, qos); err != nil {
		return err
	}
	if l.version == 0 {
		return errNotYet
	}
	return l.deliver(&mqttwire.Packet{Type: mqttwire.Publish, Topic: topic, Payload: append([]byte(nil), payload...), QoS: qos, Retain: retain})
}

var errNotYet = errors.New("mqtt: the client did not log in yet")
