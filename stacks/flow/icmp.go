package flow

import (
	"encoding/binary"

	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// icmpHeader is the size of what all ICMP messages begin with (RFC 792, RFC 4443 section 2.1): type,
// code, checksum and four bytes whose meaning the type gives.
const icmpHeader = 8

// query is what an ICMP message that asks or answers has besides its addresses.
type query struct {
	kind    uint8 // type of the message that asks
	id      uint16
	answers bool
}

// queryOf reads the start of an ICMP message. Only messages with an identifier are queries here: echo,
// timestamp, information and address mask (RFC 792, RFC 950), and ICMPv6's echo (RFC 4443). Neighbour
// and router discovery, and group membership, ask nobody in particular.
func queryOf(version uint8, message []byte) (q query, ok bool) {
	if len(message) < 6 {
		return query{}, false
	}
	q.id = binary.BigEndian.Uint16(message[4:])
	t := message[0]
	switch {
	case version == 4 && (t == 8 || t == 13 || t == 15 || t == 17), version == 6 && t == 128:
		q.kind = t
	case version == 4 && t == 0:
		q.kind, q.answers = 8, true
	case version == 4 && (t == 14 || t == 16 || t == 18), version == 6 && t == 129:
		q.kind, q.answers = t-1, true
	default:
		return query{}, false
	}
	return q, true
}

// messageTypes returns the types of the messages that the lower and the higher endpoint send.
func (x *Exchange) messageTypes() (low, high uint16) {
	asks := uint16(uint8(x.key.rest >> 48))
	answers := asks + 1
	if asks == 8 && x.ipProto() == protoICMP {
		answers = 0
	}
	if x.clientLow != x.reversed {
		return asks, answers
	}
	return answers, asks
}

// icmp takes an ICMP or ICMPv6 message and returns its flow, or what it is an error for; nil for
// neither.
func (s *Stack) icmp(p *packet.Packet) flowev.Conn {
	message := p.Payload()
	if q, ok := queryOf(p.IPVersion, message); ok {
		k, low := exchangeKey(p, q)
		return s.exchange(p, &k, low, q.answers, max(p.PayloadLen, icmpHeader)-icmpHeader)
	}
	if len(message) > icmpHeader && isICMPError(p.IPVersion, message[0]) {
		return s.icmpError(p, message)
	}
	return nil
}

// isICMPError reports whether a message of type t quotes a packet behind its header: unreachable,
// source quench, redirect, time exceeded, parameter problem; ICMPv6's are those below 128.
func isICMPError(version, t uint8) bool {
	if version == 6 {
		return t > 0 && t < 128
	}
	return t == 3 || t == 4 || t == 5 || t == 11 || t == 12
}

// icmpError raises an error for the connection or flow that it quotes, if there is one. It changes
// nothing there: whoever knows addresses and ports can forge it (RFC 5927). It returns that
// connection or flow.
func (s *Stack) icmpError(p *packet.Packet, message []byte) flowev.Conn {
	q, ok := readQuote(p.IPVersion, message[icmpHeader:])
	if !ok {
		return nil
	}
	c, side := s.quoted(&q)
	if c == nil {
		return nil
	}
	s.stats.ICMPErrors++
	if flowev.OnICMPError.Wanted(s.sh) {
		e := &s.exch.ev.failure
		*e = flowev.ICMPError{C: c, Pkt: &s.pkt, Side: side, Type: message[0], Code: message[1], MTU: mtuOf(p.IPVersion, message)}
		v := flowev.OnICMPError.Emit(s.sh, e)
		switch c := c.(type) {
		case *Conn:
			s.decide(c, v)
		case *Exchange:
			s.decideExchange(c, v)
		}
	}
	return c
}

// quoted returns what a quoted packet belongs to, nil for none, and the end that sent the packet.
func (s *Stack) quoted(q *quote) (flowev.Conn, flowev.Side) {
	if q.tcp {
		if c, _, client := s.lookup(&q.key, q.low); c != nil && c.group != inCut {
			return c, c.peer(client).side()
		}
		return nil, flowev.SideNone
	}
	if x, _, client := s.lookupExchange(&q.key, q.low); x != nil {
		return x, x.speaker(client).side()
	}
	return nil, flowev.SideNone
}

// mtuOf returns the greatest packet that would have passed, as the error says it: fragmentation needed
// (RFC 1191 section 4) or packet too big (RFC 4443 section 3.2); 0 for other errors.
func mtuOf(version uint8, message []byte) uint32 {
	switch {
	case version == 4 && message[0] == 3 && message[1] == 4:
		return uint32(binary.BigEndian.Uint16(message[6:]))
	case version == 6 && message[0] == 2:
		return binary.BigEndian.Uint32(message[4:])
	}
	return 0
}
