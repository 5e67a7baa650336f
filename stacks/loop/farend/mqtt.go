package farend

import (
	"errors"

	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// mqtt is a client of a broker, or the broker's end of a client.
type mqtt struct {
	e       *end
	server  bool
	version byte
	next    uint16
	came    []mqttwire.Packet // PUBLISH, in order
	answers []mqttwire.Packet // all else that is not acknowledged here
}

func (s *mqtt) hear(p []byte) (int, error) {
	pkt, n, err := mqttwire.Parse(p, s.version, 0)
	if err != nil || n == 0 {
		return 0, err
	}
	pkt.Payload = append([]byte(nil), pkt.Payload...)
	pkt.Password = append([]byte(nil), pkt.Password...)
	if s.server {
		if done, err := s.serve(&pkt); done {
			return n, err
		}
	}
	return n, s.packet(&pkt)
}

func (s *mqtt) packet(p *mqttwire.Packet) (err error) {
	switch p.Type {
	case mqttwire.Publish:
		if s.came, err = keep(s.came, *p); err != nil {
			return err
		}
		switch p.QoS {
		case 1:
			return s.send(&mqttwire.Packet{Type: mqttwire.Puback, ID: p.ID})
		case 2:
			return s.send(&mqttwire.Packet{Type: mqttwire.Pubrec, ID: p.ID})
		}
		return nil
	case mqttwire.Pubrel:
		return s.send(&mqttwire.Packet{Type: mqttwire.Pubcomp, ID: p.ID})
	case mqttwire.Pubrec:
		if p.Reason < 0x80 {
			return s.send(&mqttwire.Packet{Type: mqttwire.Pubrel, ID: p.ID})
		}
	case mqttwire.Pingresp:
		return nil
	}
	s.answers, err = keep(s.answers, *p)
	return err
}

func (s *mqtt) over() {}

func (s *mqtt) send(p *mqttwire.Packet) error {
	b, err := p.Append(nil, s.version)
	if err != nil {
		return err
	}
	return s.e.Send(b)
}

// Login sends CONNECT.
func (e *end) Login(p *mqttwire.Packet) error {
	s := &mqtt{e: e, version: p.Version}
	if err := e.speak(s); err != nil {
		return err
	}
	return s.send(p)
}

var errNoMQTT = errors.New("the connection did not log in by MQTT")

// SendPacket sends a packet of MQTT. PUBLISH with a quality, SUBSCRIBE and UNSUBSCRIBE are
// given an identifier, which it returns.
func (e *end) SendPacket(p *mqttwire.Packet) (id uint16, err error) {
	s, ok := e.speech.(*mqtt)
	if !ok {
		return 0, errNoMQTT
	}
	switch {
	case p.Type == mqttwire.Publish && p.QoS > 0, p.Type == mqttwire.Subscribe, p.Type == mqttwire.Unsubscribe:
		s.next++
		p.ID = s.next
	}
	return p.ID, s.send(p)
}

// Packet takes the packet of that type and identifier out of those that came, nil if
// there is none.
func (e *end) Packet(id uint16, types ...mqttwire.Type) *mqttwire.Packet {
	s, ok := e.speech.(*mqtt)
	if !ok {
		return nil
	}
	for i := range s.answers {
		p := s.answers[i]
		for _, t := range types {
			if p.Type == t && p.ID == id {
				s.answers = append(s.answers[:i], s.answers[i+1:]...)
				return &p
			}
		}
	}
	return nil
}

// Published returns the next message that came, nil if there is none.
func (e *end) Published() *mqttwire.Packet {
	s, ok := e.speech.(*mqtt)
	if !ok || len(s.came) == 0 {
		return nil
	}
	p := s.came[0]
	s.came = s.came[1:]
	return &p
}

// MQTT reports whether the end speaks it.
func (e *end) MQTT() bool {
	_, ok := e.speech.(*mqtt)
	return ok
}

// ServeMQTT has the end be a broker that lets everybody in, grants every subscription,
// acknowledges what is published, and passes nothing on: what it gets is what
// [end.Published] returns.
func (e *end) ServeMQTT() error { return e.speak(&mqtt{e: e, server: true}) }

// serve answers what clients ask, and reports whether p was that.
func (s *mqtt) serve(p *mqttwire.Packet) (bool, error) {
	ack := &mqttwire.Packet{ID: p.ID}
	switch p.Type {
	case mqttwire.Connect:
		s.version = p.Version
		ack.Type = mqttwire.Connack
	case mqttwire.Subscribe:
		ack.Type = mqttwire.Suback
		for _, f := range p.Filters {
			ack.Reasons = append(ack.Reasons, f.QoS)
		}
	case mqttwire.Unsubscribe:
		ack.Type, ack.Reasons = mqttwire.Unsuback, make([]byte, len(p.Filters))
	case mqttwire.Pingreq:
		ack.Type = mqttwire.Pingresp
	default:
		return false, nil
	}
	return true, s.send(ack)
}
