package mqtt

import (
	"errors"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
	"github.com/hookd/hookd/stacks/netio"
)

// client is this end of a connection to a server.
type client struct {
	loop.BaseSession
	link
	opt     *options
	in      bool // the server let us in
	over    bool
	timer   event.Timer // of PINGREQ
	every   time.Duration
	waiting []*mqttwire.Packet // until the server let us in
}

var _ loop.Messenger = (*client)(nil)

// Open logs in.
func (s *client) Open(c *loop.Conn) {
	o := s.opt
	s.every = o.keepAlive
	s.send(&mqttwire.Packet{
		Type: mqttwire.Connect, Version: o.version, Clean: true, KeepAlive: uint16(o.keepAlive / time.Second), ClientID: o.clientID,
		HasUser: o.user != "", User: o.user, HasPassword: o.hasPassword, Password: []byte(o.password), Will: o.will,
	})
	c.Net().Deadline("login", loginTime)
}

// Recv takes packets, one after another.
func (s *client) Recv(c *loop.Conn) {
	for !c.Waiting() && !s.over && c.Session() == loop.Session(s) {
		p, n, err := mqttwire.Parse(c.Bytes(), s.version, maxPacket)
		if err != nil {
			s.fail(err)
			return
		}
		if n == 0 {
			return
		}
		p.Payload = append([]byte(nil), p.Payload...)
		c.Skip(n)
		s.packet(&p)
	}
}

func (s *client) packet(p *mqttwire.Packet) {
	switch {
	case !s.in && p.Type == mqttwire.Connack:
		s.answered(p)
	case !s.in:
		s.fail(&mqttwire.Error{Reason: mqttwire.ProtocolError, Text: p.Type.String() + " before CONNACK"})
	case s.acknowledged(p):
	case p.Type == mqttwire.Publish:
		s.message(p)
	case p.Type == mqttwire.Suback, p.Type == mqttwire.Unsuback:
		for _, code := range p.Reasons {
			if code >= 0x80 {
				s.c.Fault("mqtt: the server refuses a subscription")
			}
		}
	case p.Type == mqttwire.Pingresp:
		s.c.Net().Deadline("keepalive", 0)
	case p.Type == mqttwire.Disconnect:
		s.over = true
		s.c.Net().CloseWith(netio.Reason{Why: netio.EOF, What: "disconnect"})
	default:
		s.fail(&mqttwire.Error{Reason: mqttwire.ProtocolError, Text: p.Type.String() + " from a server"})
	}
}

// answered is the answer to the login.
func (s *client) answered(p *mqttwire.Packet) {
	s.in = p.Reason == 0
	s.c.Net().Deadline("login", 0)
	if s.in {
		s.most = int(p.Properties.Num(mqttwire.MaximumPacketSize, 0))
		s.link.window = int(min(p.Properties.Num(mqttwire.ReceiveMaximum, window), window))
		if n := p.Properties.Num(mqttwire.ServerKeepAlive, 0); n > 0 {
			s.every = time.Duration(n) * time.Second
		}
		s.arm()
		list := s.waiting
		s.waiting = nil
		for _, p := range list {
			s.submit(p)
		}
	}
	e := &loopev.MQTTConnected{C: s.c, Code: p.Reason}
	loop.Await(s.c, loopev.OnMQTTConnected, e, func(event.Verdict, error) {
		if !s.in {
			s.over = true
			s.c.Net().CloseWith(netio.Reason{Why: netio.Rejected, What: "login"})
		}
	})
}

// arm has the server hear of us in time.
func (s *client) arm() {
	l := s.c.Stack().Loop()
	l.Shard().Timers().Arm(&s.timer, l.Now()+int64(s.every)*3/4, func(int64) {
		s.send(&mqttwire.Packet{Type: mqttwire.Pingreq})
		s.c.Net().Deadline("keepalive", s.every)
		s.arm()
	})
}

// message asks the rules about one, and acknowledges it.
func (s *client) message(p *mqttwire.Packet) {
	again, err := s.repeated(p)
	if err != nil {
		s.fail(err)
		return
	}
	if again || !loopev.OnMQTTMessage.Wanted(s.c.Shard()) {
		s.received(p, 0)
		return
	}
	e := &loopev.MQTTMessage{C: s.c, Topic: p.Topic, Payload: p.Payload, Qos: p.QoS, Retain: p.Retain}
	loop.Await(s.c, loopev.OnMQTTMessage, e, func(_ event.Verdict, err error) {
		if !errors.Is(err, event.ErrCanceled) {
			s.received(p, 0)
		}
	})
}

// submit sends what is only for a server that let us in, or has it wait for that.
func (s *client) submit(p *mqttwire.Packet) error {
	switch {
	case s.over:
		return netio.ErrClosed
	case !s.in && len(s.waiting) >= maxWaiting:
		return errWaiting
	case !s.in:
		s.waiting = append(s.waiting, p)
		return nil
	case p.Type == mqttwire.Publish:
		return s.deliver(waiting{p: p})
	}
	s.send(p)
	return nil
}

// Publish implements [loop.Messenger]. What is published before the server let us in
// goes out then.
func (s *client) Publish(topic string, payload []byte, qos uint8, retain bool) error {
	if err := check(topic, qos); err != nil {
		return err
	}
	return s.submit(&mqttwire.Packet{Type: mqttwire.Publish, Topic: topic, Payload: append([]byte(nil), payload...), QoS: qos, Retain: retain})
}

// Subscribe implements [loop.Messenger].
func (s *client) Subscribe(filter string, qos uint8) error {
	if !mqttwire.ValidFilter(filter) || qos > 2 {
		return errors.New("mqtt: subscribe: want a filter, and 0, 1 or 2")
	}
	return s.submit(&mqttwire.Packet{Type: mqttwire.Subscribe, ID: s.number(), Filters: []mqttwire.Filter{{Topic: filter, QoS: qos}}})
}

// fail ends a connection for what its server did.
func (s *client) fail(err error) {
	s.c.Fault(err.Error())
	s.over = true
	s.c.Net().CloseWith(netio.Reason{Why: netio.Failed, What: "mqtt", Err: err})
}

// Quit takes leave of the server.
func (s *client) Quit(c *loop.Conn) {
	if s.in {
		s.send(&mqttwire.Packet{Type: mqttwire.Disconnect})
	}
	c.Net().Close()
}

// Close stops the timer.
func (s *client) Close(c *loop.Conn, _ netio.Reason) { c.Shard().Timers().Stop(&s.timer) }

// Detach does as Close.
func (s *client) Detach(c *loop.Conn) { c.Shard().Timers().Stop(&s.timer) }
