package mqtt

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// Protocol is "mqtt" for loop.Config.
type Protocol struct {
	brokers sync.Map // *loop.Stack -> *broker
	homes   sync.Map // client's name -> *broker that has its session
	shared  shared
	shelved shelved
	counts  counts
}

var (
	_ loop.Broker = (*Protocol)(nil)
	_ loop.Opener = (*Protocol)(nil)
)

// New returns the protocol.
func New() *Protocol { return &Protocol{} }

// Name returns "mqtt".
func (p *Protocol) Name() string { return "mqtt" }

// Schemes returns mqtt and mqtts.
func (p *Protocol) Schemes() []loop.Scheme {
	return []loop.Scheme{{Name: "mqtt", Network: "tcp", Port: 1883}, {Name: "mqtts", Network: "tcp", TLS: true, Port: 8883}}
}

// options are those of a connection that is dialled, or of a listener: the store that keeps
// sessions.
type options struct {
	sessions string

	clientID, user, password string
	hasPassword              bool
	version                  byte
	keepAlive                time.Duration
	will                     *mqttwire.Will
}

// Options reads the options of loop.dial, or the table mqtt of a listener.
func (p *Protocol) Options(list []event.KV, inbound bool) (any, error) {
	if inbound {
		return listening(list)
	}
	o := &options{version: mqttwire.V311, keepAlive: time.Minute}
	for _, f := range list {
		var err error
		switch {
		case f.Key == "client_id":
			err = plain.SetString(&o.clientID, f.Value)
		case f.Key == "user":
			err = plain.SetString(&o.user, f.Value)
		case f.Key == "password":
			o.hasPassword = true
			err = plain.SetString(&o.password, f.Value)
		case f.Key == "version":
			err = plain.SetUint(&o.version, f.Value)
			if err == nil && (o.version < mqttwire.V31 || o.version > mqttwire.V5) {
				err = errors.New("3, 4 or 5 expected")
			}
		case f.Key == "keep_alive":
			err = plain.SetDuration(&o.keepAlive, f.Value)
			if err == nil && (o.keepAlive < time.Second || o.keepAlive > 65535*time.Second) {
				err = errors.New("1s to 65535s expected")
			}
		case f.Key == "will":
			o.will, err = parseWill(f.Value)
		default:
			err = errors.New("unknown: client_id, user, password, version, keep_alive and will are known")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Key, err)
		}
	}
	if o.hasPassword && o.user == "" && o.version != mqttwire.V5 {
		return nil, errors.New("password: without user")
	}
	return o, nil
}

func listening(list []event.KV) (any, error) {
	o := &options{}
	for _, kv := range list {
		if kv.Key != "mqtt" {
			return nil, fmt.Errorf("unknown option %s", kv.Key)
		}
		inner, ok := kv.Value.([]event.KV)
		if !ok {
			return nil, fmt.Errorf("mqtt: a table expected, got %s", plain.Describe(kv.Value))
		}
		for _, f := range inner {
			err := errors.New("unknown: sessions is known")
			if f.Key == "sessions" {
				err = plain.SetString(&o.sessions, f.Value)
			}
			if err != nil {
				return nil, fmt.Errorf("mqtt: %s: %w", f.Key, err)
			}
		}
	}
	return o, nil
}

func parseWill(v any) (*mqttwire.Will, error) {
	list, ok := v.([]event.KV)
	if !ok {
		return nil, fmt.Errorf("a table expected, got %s", plain.Describe(v))
	}
	w := &mqttwire.Will{}
	for _, f := range list {
		var err error
		switch f.Key {
		case "topic":
			err = plain.SetString(&w.Topic, f.Value)
		case "payload":
			err = plain.SetBytes(&w.Payload, f.Value)
		case "qos":
			err = plain.SetUint(&w.QoS, f.Value)
		case "retain":
			err = plain.SetBool(&w.Retain, f.Value)
		default:
			err = errors.New("unknown: topic, payload, qos and retain are known")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Key, err)
		}
	}
	return w, check(w.Topic, w.QoS)
}

// check looks at what is to be published.
func check(topic string, qos byte) error {
	if !mqttwire.ValidTopic(topic) {
		return fmt.Errorf("mqtt: publish: %s is no topic", plain.Describe(topic))
	}
	if qos > 2 {
		return errors.New("mqtt: publish: qos is 0, 1 or 2")
	}
	return nil
}

// Attach serves a connection that came in, and logs in on one that is dialled.
func (p *Protocol) Attach(c *loop.Conn, given any) (loop.Session, error) {
	if c.Inbound() {
		s := &server{b: p.broker(c.Stack())}
		if o, _ := given.(*options); o != nil {
			s.sessions = o.sessions
		}
		s.link = link{c: c, flow: &flow{}}
		return s, nil
	}
	o, _ := given.(*options)
	if o == nil {
		o = &options{version: mqttwire.V311, keepAlive: time.Minute}
	}
	s := &client{opt: o}
	s.link = link{c: c, version: o.version, flow: &flow{}}
	return s, nil
}

// broker returns that of a shard.
func (p *Protocol) broker(s *loop.Stack) *broker {
	if b, ok := p.brokers.Load(s); ok {
		return b.(*broker)
	}
	b, _ := p.brokers.LoadOrStore(s, newBroker(p, s))
	return b.(*broker)
}

// PublishAll implements [loop.Broker].
func (p *Protocol) PublishAll(s *loop.Stack, topic string, payload []byte, qos uint8, retain bool) error {
	if err := check(topic, qos); err != nil {
		return err
	}
	p.broker(s).publish(&message{topic: topic, payload: append([]byte(nil), payload...), qos: qos, retain: retain})
	return nil
}
