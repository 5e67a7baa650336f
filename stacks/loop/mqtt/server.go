package mqtt

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
	"github.com/hookd/hookd/stacks/netio"
)

// server is the broker's end of a client's connection.
type server struct {
	loop.BaseSession
	link
	b         *broker
	sessions  string // the table that keeps them, "" for none
	id        string
	in        bool // logged in
	entering  bool // its session is being found
	over      bool // nothing is read any more
	gone      bool // the connection is no longer its
	keepAlive time.Duration
	will      *mqttwire.Will
	session   *session    // of one that is logged in
	patience  event.Timer // until its session is there
	asking    uint16      // the identifier of a message of quality 2 that rules are asked about
}

var _ loop.Messenger = (*server)(nil)

// Open begins the time for the login.
func (s *server) Open(c *loop.Conn) { c.Net().Deadline("login", loginTime) }

// Recv takes packets, one after another.
func (s *server) Recv(c *loop.Conn) {
	for !c.Waiting() && !s.over && !s.entering && c.Session() == loop.Session(s) {
		p, n, err := mqttwire.Parse(c.Bytes(), s.version, maxPacket)
		if err != nil {
			s.fail(err)
			return
		}
		if n == 0 {
			return
		}
		if s.in && s.keepAlive > 0 {
			c.Net().Deadline("keepalive", s.keepAlive+s.keepAlive/2)
		}
		p.Payload = append([]byte(nil), p.Payload...)
		p.Password = append([]byte(nil), p.Password...)
		c.Skip(n)
		s.packet(&p)
	}
}

// packet serves one.
func (s *server) packet(p *mqttwire.Packet) {
	switch {
	case !s.in && p.Type == mqttwire.Connect:
		s.login(p)
	case !s.in || p.Type == mqttwire.Connect:
		s.fail(&mqttwire.Error{Reason: mqttwire.ProtocolError, Text: p.Type.String() + " at the wrong time"})
	case s.acknowledged(p):
	case p.Type == mqttwire.Publish:
		s.publishes(p)
	case p.Type == mqttwire.Subscribe && slices.ContainsFunc(p.Filters, selfless):
		s.fail(&mqttwire.Error{Reason: mqttwire.ProtocolError, Text: "a shared subscription without what its client publishes"})
	case p.Type == mqttwire.Subscribe:
		s.subscribes(p, nil)
	case p.Type == mqttwire.Unsubscribe:
		s.unsubscribes(p)
	case p.Type == mqttwire.Pingreq:
		s.send(&mqttwire.Packet{Type: mqttwire.Pingresp})
	case p.Type == mqttwire.Disconnect:
		s.disconnects(p)
	default:
		s.fail(&mqttwire.Error{Reason: mqttwire.ProtocolError, Text: p.Type.String() + " from a client"})
	}
}

// disconnects takes leave as the client says.
func (s *server) disconnects(p *mqttwire.Packet) {
	if p.Reason != mqttwire.DisconnectWithWill {
		s.will = nil
	}
	if x, says := p.Properties.Get(mqttwire.SessionExpiry); says {
		if s.session.expiry == 0 && x.Num != 0 {
			s.fail(&mqttwire.Error{Reason: mqttwire.ProtocolError, Text: "a session that ends is to outlive its connection"})
			return
		}
		s.session.expiry = x.Num
	}
	if loopev.OnMQTTDisconnect.Wanted(s.c.Shard()) {
		loopev.OnMQTTDisconnect.Emit(s.c.Shard(), &loopev.MQTTDisconnect{C: s.c, ClientID: s.id, Code: p.Reason})
	}
	s.end()
}

// publishes asks the rules about a message, and passes it on.
func (s *server) publishes(p *mqttwire.Packet) {
	if _, alias := p.Properties.Get(mqttwire.TopicAlias); alias {
		s.fail(&mqttwire.Error{Reason: mqttwire.InvalidTopicAlias, Text: "topic alias"}) // none was offered
		return
	}
	if _, id := p.Properties.Get(mqttwire.SubscriptionID); id {
		s.fail(&mqttwire.Error{Reason: mqttwire.ProtocolError, Text: "subscription identifier from a client"})
		return
	}
	if again, err := s.repeated(p); err != nil {
		s.fail(err)
		return
	} else if again {
		s.received(p, 0)
		return
	}
	m := messageOf(p, s.b.now())
	m.from = s.session
	if !loopev.OnMQTTPublish.Wanted(s.c.Shard()) {
		s.accept(p, m)
		return
	}
	if p.QoS == 2 {
		s.asking = p.ID
	}
	e := &loopev.MQTTPublish{C: s.c, Topic: p.Topic, Payload: p.Payload, Qos: p.QoS, Retain: p.Retain, ClientID: s.id}
	loop.Await(s.c, loopev.OnMQTTPublish, e, func(v event.Verdict, err error) {
		if errors.Is(err, event.ErrCanceled) {
			s.unasked()
			return
		}
		s.asking = 0
		switch {
		case err != nil:
			s.received(p, mqttwire.UnspecifiedError)
		case v.Kind == loopev.VerdictRefuse:
			s.received(p, mqttwire.NotAuthorized)
		case v.Kind == loopev.VerdictDrop:
			s.received(p, 0)
		default:
			s.accept(p, m)
		}
	})
}

// unasked forgets a message that nobody had: the client sends it again. It is done while
// the session is this connection's still, since another may have it in another shard.
func (s *server) unasked() {
	if s.in && s.asking != 0 {
		s.forget(s.asking)
	}
	s.asking = 0
}

func (s *server) accept(p *mqttwire.Packet, m *message) {
	reason := byte(mqttwire.Success)
	if s.b.publish(m) == 0 {
		reason = mqttwire.NoMatchingSubscribers
	}
	s.received(p, reason)
}

// subscribes asks the rules about the filters of SUBSCRIBE that have no answer yet, one
// after another.
func (s *server) subscribes(p *mqttwire.Packet, reasons []byte) {
	if s.session == nil {
		return // it went on by another connection
	}
	if len(reasons) == len(p.Filters) {
		s.send(&mqttwire.Packet{Type: mqttwire.Suback, ID: p.ID, Reasons: reasons})
		return
	}
	f := p.Filters[len(reasons)]
	if code := s.refused(p, f); code != 0 {
		s.subscribes(p, append(reasons, s.code(code)))
		return
	}
	if !loopev.OnMQTTSubscribe.Wanted(s.c.Shard()) {
		s.subscribes(p, append(reasons, s.subscribe(f)))
		return
	}
	e := &loopev.MQTTSubscribe{C: s.c, Filter: f.Topic, Qos: f.QoS, ClientID: s.id}
	loop.Await(s.c, loopev.OnMQTTSubscribe, e, func(v event.Verdict, err error) {
		switch {
		case errors.Is(err, event.ErrCanceled), s.session == nil:
			return
		case err != nil:
			reasons = append(reasons, s.code(mqttwire.UnspecifiedError))
		case v.Kind == loopev.VerdictRefuse:
			reasons = append(reasons, s.code(mqttwire.NotAuthorized))
		default:
			reasons = append(reasons, s.subscribe(f))
		}
		s.subscribes(p, reasons)
	})
}

// selfless reports whether a filter is shared and is to leave out what its own client
// publishes: that cannot be (MQTT 5 section 3.8.3.1).
func selfless(f mqttwire.Filter) bool {
	group, _ := mqttwire.SplitShared(f.Topic)
	return group != "" && f.NoLocal
}

// code returns a reason as the client's version has it.
func (s *server) code(reason byte) byte {
	if s.version != mqttwire.V5 {
		return 0x80
	}
	return reason
}

// refused returns why a filter cannot be had whatever the rules say, 0 if it can.
func (s *server) refused(p *mqttwire.Packet, f mqttwire.Filter) byte {
	_, ids := p.Properties.Get(mqttwire.SubscriptionID)
	switch {
	case ids:
		return mqttwire.NoSubscriptionIDs
	case strings.Count(f.Topic, "/")+1 > maxLevels:
		return mqttwire.QuotaExceeded
	}
	if _, had := s.session.filters[f.Topic]; !had && len(s.session.filters) >= maxFilters {
		return mqttwire.QuotaExceeded
	}
	return 0
}

// subscribe adds a filter and sends what was kept for it.
func (s *server) subscribe(f mqttwire.Filter) byte {
	ses := s.session
	if ses.filters == nil {
		ses.filters = map[string]mqttwire.Filter{}
	}
	ses.filters[f.Topic] = f
	ses.flow.keeper.filter(f)
	fresh := s.b.subscribe(ses, f)
	// What was kept is for who asks for himself (MQTT 5 section 4.8.2).
	if group, _ := mqttwire.SplitShared(f.Topic); group == "" && (f.RetainHandling == 0 || f.RetainHandling == 1 && fresh) {
		s.b.recall(ses, f)
	}
	return f.QoS
}

func (s *server) unsubscribes(p *mqttwire.Packet) {
	ack := &mqttwire.Packet{Type: mqttwire.Unsuback, ID: p.ID}
	for _, f := range p.Filters {
		reason := byte(mqttwire.NoSubscription)
		had := s.b.unsubscribe(s.session, f.Topic)
		if had {
			reason = mqttwire.Success
		}
		delete(s.session.filters, f.Topic)
		s.flow.keeper.unfilter(f.Topic)
		if had && loopev.OnMQTTUnsubscribe.Wanted(s.c.Shard()) {
			loopev.OnMQTTUnsubscribe.Emit(s.c.Shard(), &loopev.MQTTUnsubscribe{C: s.c, Filter: f.Topic, ClientID: s.id})
		}
		ack.Reasons = append(ack.Reasons, reason)
	}
	s.send(ack)
}

// Publish implements [loop.Messenger].
func (s *server) Publish(topic string, payload []byte, qos uint8, retain bool) error {
	if !s.in {
		return errNotYet
	}
	return s.link.Publish(topic, payload, qos, retain)
}

var errNotYet = errors.New("mqtt: the client is not logged in")

// Subscribe is for clients only.
func (s *server) Subscribe(string, uint8) error {
	return errors.New("mqtt: the other end is the client")
}

// fail ends a connection for what its client did.
func (s *server) fail(err error) {
	reason := byte(mqttwire.UnspecifiedError)
	if e, ok := errors.AsType[*mqttwire.Error](err); ok {
		reason = e.Reason
	}
	s.c.Fault(err.Error())
	switch {
	case !s.in && (s.version != 0 || reason == mqttwire.UnsupportedVersion || reason == mqttwire.BadClientID):
		s.refuse(reason)
		return
	case s.in && s.version == mqttwire.V5:
		s.send(&mqttwire.Packet{Type: mqttwire.Disconnect, Reason: reason})
	}
	s.end()
}

// replaced ends a connection because another has its name.
func (s *server) replaced() {
	if s.version == mqttwire.V5 {
		s.send(&mqttwire.Packet{Type: mqttwire.Disconnect, Reason: mqttwire.SessionTakenOver})
	}
	s.leave()
	s.end()
}

// end closes the connection when what is queued was written.
func (s *server) end() {
	s.over = true
	s.c.Net().Close()
}

// leave ends the client's connection with its session, which may outlive it.
func (s *server) leave() {
	s.gone = true
	s.c.Shard().Timers().Stop(&s.patience)
	if !s.in {
		return
	}
	s.unasked()
	s.in = false
	ses, will := s.session, s.will
	s.session, s.will, s.flow = nil, nil, &flow{}
	if ses.s == s {
		ses.leave(will)
	}
}

// Quit tells the client that the broker ends.
func (s *server) Quit(*loop.Conn) {
	if s.in && s.version == mqttwire.V5 {
		s.send(&mqttwire.Packet{Type: mqttwire.Disconnect, Reason: mqttwire.ServerShuttingDown})
	}
	s.end()
}

// Close publishes the will of a client that is lost.
func (s *server) Close(*loop.Conn, netio.Reason) { s.leave() }

// Detach does as Close.
func (s *server) Detach(*loop.Conn) { s.leave() }
