package mqtt

import (
	"slices"
	"time"

	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// message is what is published. It does not change.
type message struct {
	topic      string
	payload    []byte
	qos        byte
	retain     bool
	properties mqttwire.Properties
	from       *session // nil: not a client of this shard
	share      string   // the shared subscription that it goes by, "" for none
	// until is when it is no longer to be delivered, at that many nanoseconds of event
	// time; 0: always (MQTT 5 section 3.3.2.3.3).
	until int64
	// encoded are the bytes for those who get it with quality 0 and not as retained, by
	// version; made when first needed.
	encoded [2][]byte
}

// messageOf makes a message of PUBLISH, or of a will.
func messageOf(p *mqttwire.Packet, now int64) *message {
	m := &message{topic: p.Topic, payload: p.Payload, qos: p.QoS, retain: p.Retain, properties: p.Properties}
	if x, ok := p.Properties.Get(mqttwire.MessageExpiry); ok {
		m.until = now + int64(x.Num)*int64(time.Second)
	}
	return m
}

func (m *message) expired(now int64) bool { return m.until != 0 && now >= m.until }

// packet returns the message as one subscriber gets it. What is left of its time is said
// as it is at that time; 0 says what its publisher did.
func (m *message) packet(qos byte, retain bool, now int64) *mqttwire.Packet {
	p := &mqttwire.Packet{Type: mqttwire.Publish, Topic: m.topic, Payload: m.payload, QoS: qos, Retain: retain, Properties: m.properties}
	if m.until != 0 && now != 0 {
		setExpiry(p, m.until-now)
	}
	return p
}

// setExpiry says how much of a message's time is left, in whole seconds that began, and
// never more than its publisher gave it: another shard's clock may be a little behind.
func setExpiry(p *mqttwire.Packet, left int64) {
	p.Properties = slices.Clone(p.Properties)
	for i := range p.Properties {
		if x := &p.Properties[i]; x.ID == mqttwire.MessageExpiry {
			x.Num = min(x.Num, uint32((left+int64(time.Second)-1)/int64(time.Second)))
		}
	}
}
