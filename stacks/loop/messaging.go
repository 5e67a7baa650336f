package loop

import (
	"errors"

	"github.com/hookd/hookd/engine/event"
)

// Messenger is a [Session] of a protocol of messages with topics. Its methods are
// those of connections in scripts.
type Messenger interface {
	Session
	// Publish sends a message to the peer.
	Publish(topic string, payload []byte, qos uint8, retain bool) error
	// Subscribe asks the peer for messages.
	Subscribe(filter string, qos uint8) error
}

// Broker is a [Protocol] that passes messages between connections.
type Broker interface {
	Protocol
	// PublishAll publishes to the connections of all shards; s is the one that is entered.
	PublishAll(s *Stack, topic string, payload []byte, qos uint8, retain bool) error
}

var (
	errNoMessenger = errors.New("loop: its protocol has no messages to publish")
	errNoBroker    = errors.New("mqtt.publish: no protocol here passes messages")
)

// MessageRefused counts a message that a protocol did not pass on for a limit. Any
// goroutine.
func (g *Group) MessageRefused() { g.counts.messages.Add(1) }

func (c *Conn) messenger() (Messenger, error) {
	if err := c.stream(); err != nil {
		return nil, err
	}
	m, ok := c.session.(Messenger)
	if !ok {
		return nil, errNoMessenger
	}
	return m, nil
}

// Publish sends a message to the peer.
func (c *Conn) Publish(_ *event.Caller, topic string, payload []byte, qos uint8, _, retain bool) error {
	m, err := c.messenger()
	if err != nil {
		return err
	}
	return m.Publish(topic, payload, qos, retain)
}

// Subscribe asks the peer for messages.
func (c *Conn) Subscribe(_ *event.Caller, filter string, qos uint8, _ bool) error {
	m, err := c.messenger()
	if err != nil {
		return err
	}
	return m.Subscribe(filter, qos)
}

// MQTTPublish implements [loopev.Functions].
func (g *Group) MQTTPublish(by *event.Caller, topic string, payload []byte, qos uint8, _, retain bool) error {
	s, err := g.of(by, "mqtt.publish")
	if err != nil {
		return err
	}
	for _, p := range g.cfg.Protocols {
		if b, ok := p.(Broker); ok {
			return b.PublishAll(s, topic, payload, qos, retain)
		}
	}
	return errNoBroker
}
