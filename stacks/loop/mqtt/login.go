package mqtt

import (
	"errors"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// loginTime is how long a client may take to log in.
const loginTime = 10 * time.Second

// enterTime is how long its session may take to come from another shard.
const enterTime = 3 * time.Second

// login asks the rules whether a client may come in.
func (s *server) login(p *mqttwire.Packet) {
	s.version, s.id = p.Version, p.ClientID
	if s.id == "" {
		s.id = s.b.name()
	}
	if _, asks := p.Properties.Get(mqttwire.AuthMethod); asks {
		s.fail(&mqttwire.Error{Reason: 0x8c, Text: "authentication by steps"})
		return
	}
	if !loopev.OnMQTTConnect.Wanted(s.c.Shard()) {
		s.admit(p)
		return
	}
	e := &loopev.MQTTConnect{
		C: s.c, ClientID: s.id, User: p.User, HasUser: p.HasUser, Password: p.Password, HasPassword: p.HasPassword,
		Version: p.Version, KeepAlive: time.Duration(p.KeepAlive) * time.Second,
	}
	if p.Will != nil {
		e.WillTopic, e.HasWillTopic = p.Will.Topic, true
	}
	loop.Await(s.c, loopev.OnMQTTConnect, e, func(v event.Verdict, err error) {
		switch {
		case errors.Is(err, event.ErrCanceled):
		case err != nil:
			s.fail(&mqttwire.Error{Reason: mqttwire.ServerUnavailable, Text: err.Error()})
		case v.Kind == loopev.VerdictRefuse:
			s.refuse(mqttwire.NotAuthorized)
		default:
			s.admit(p)
		}
	})
}

// admit lets a client in, as soon as its session is there.
func (s *server) admit(p *mqttwire.Packet) {
	s.entering = true
	s.b.enter(s.id, p.Clean, func(ses *session, present bool) {
		s.entering = false
		s.c.Shard().Timers().Stop(&s.patience)
		if ses == nil {
			s.busy()
			return
		}
		if s.over || s.gone {
			ses.leave(nil) // who was to have it left, or was told to come again: it stays as it was
			return
		}
		ses.expiry = expiryOf(p)
		s.begin(p, ses, present)
		s.c.Again()
	})
	if s.entering {
		s.c.Shard().Timers().Arm(&s.patience, s.b.now()+int64(enterTime), func(int64) {
			s.busy()
			s.b.stack.Loop().Stir()
		})
	}
}

// busy answers a login whose session cannot be had: its client tries again, rather than to
// begin without what it had.
func (s *server) busy() {
	if !s.over && !s.gone {
		s.b.p.counts.busy.Add(1)
		s.fail(&mqttwire.Error{Reason: mqttwire.ServerBusy, Text: "the shard that has the client's session takes nothing more"})
	}
}

// expiryOf returns for how many seconds a session is to outlive its connection.
func expiryOf(p *mqttwire.Packet) uint32 {
	switch {
	case p.Version == mqttwire.V5:
		return p.Properties.Num(mqttwire.SessionExpiry, 0)
	case p.Clean:
		return 0
	}
	return never
}

// begin serves a client that is let in.
func (s *server) begin(p *mqttwire.Packet, ses *session, present bool) {
	s.in, s.will, s.session, ses.s = true, p.Will, ses, s
	s.flow = &ses.flow
	s.keep(ses)
	s.keepAlive = time.Duration(p.KeepAlive) * time.Second
	s.window = int(min(p.Properties.Num(mqttwire.ReceiveMaximum, window), window))
	s.most = int(p.Properties.Num(mqttwire.MaximumPacketSize, 0))
	s.c.Net().Deadline("keepalive", s.keepAlive+s.keepAlive/2)
	ack := &mqttwire.Packet{Type: mqttwire.Connack, SessionPresent: present && s.version != mqttwire.V31}
	if s.version == mqttwire.V5 {
		ack.Properties = mqttwire.Properties{
			{ID: mqttwire.ReceiveMaximum, Num: maxInbound},
			{ID: mqttwire.MaximumPacketSize, Num: maxPacket},
			{ID: mqttwire.SubscriptionIDsAvail},
		}
		if most := uint32(maxAway / time.Second); ses.expiry > most {
			ack.Properties = append(ack.Properties, mqttwire.Property{ID: mqttwire.SessionExpiry, Num: most})
		}
		if p.ClientID == "" {
			ack.Properties = append(ack.Properties, mqttwire.Property{ID: mqttwire.AssignedClientID, Data: []byte(s.id)})
		}
	}
	s.send(ack)
	s.again()
	s.goOn()
}

// keep has a session outlive the process where the listener says so, and the client. One
// that is kept stays in its table, also where the listener names another since.
func (s *server) keep(ses *session) {
	switch {
	case ses.expiry == 0:
		ses.unkeep()
	case ses.flow.keeper != nil:
		ses.flow.keeper.session(ses.expiry, 0)
	case s.sessions != "":
		table, err := s.c.Stack().Group().Table(s.sessions)
		if err != nil {
			s.c.Fault("mqtt: sessions are not kept: " + err.Error())
			return
		}
		ses.keep(table)
	}
}

// refuse answers a login that is not let in.
func (s *server) refuse(reason byte) {
	code := reason
	if s.version != mqttwire.V5 {
		code = mqttwire.Refusal(reason)
	}
	s.send(&mqttwire.Packet{Type: mqttwire.Connack, Reason: code})
	s.end()
}
