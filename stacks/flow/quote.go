package flow

import (
	"encoding/binary"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// quote is the start of a packet that an ICMP error returns to its sender.
type quote struct {
	key key  // as the packet's own key would be
	low bool // its source is the lower endpoint
	tcp bool // the key is a Conn's, else an Exchange's
}

// readQuote reads a quoted packet: its IP header and the first bytes behind it, as many as say what it
// belongs to. There may be no more: RFC 792 asks for eight. False for fragments but the first, for
// other protocols, and for what is too short.
func readQuote(version uint8, b []byte) (quote, bool) {
	var p packet.Packet
	var upper []byte
	switch {
	case version == 4:
		upper = quotedIPv4(&p, b)
	case version == 6:
		upper = quotedIPv6(&p, b)
	}
	if len(upper) < 4 {
		return quote{}, false
	}
	var q quote
	switch {
	case p.Proto == protoTCP || p.Proto == protoUDP:
		p.SrcPort, p.DstPort = binary.BigEndian.Uint16(upper), binary.BigEndian.Uint16(upper[2:])
		if q.tcp = p.Proto == protoTCP; q.tcp {
			q.key, q.low = keyOf(&p)
		} else {
			q.key, q.low = exchangeKey(&p, query{})
		}
	case p.Proto == protoICMP && version == 4, p.Proto == protoICMPv6 && version == 6:
		asked, ok := queryOf(version, upper)
		if !ok {
			return quote{}, false
		}
		p.Class = packet.ICMP
		q.key, q.low = exchangeKey(&p, asked)
	default:
		return quote{}, false
	}
	return q, true
}

// quotedIPv4 reads an IPv4 header into p and returns what follows it, nil if that is not the start of
// a datagram.
func quotedIPv4(p *packet.Packet, b []byte) []byte {
	if len(b) < 20 || b[0]>>4 != 4 || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
		return nil
	}
	size := int(b[0]&0x0f) * 4
	if size < 20 || size > len(b) {
		return nil
	}
	p.IPVersion, p.Proto = 4, b[9]
	copy(p.Src[:4], b[12:16])
	copy(p.Dst[:4], b[16:20])
	return b[size:]
}

// quotedIPv6 does the same for IPv6 and its extension headers (RFC 8200 section 4).
func quotedIPv6(p *packet.Packet, b []byte) []byte {
	if len(b) < 40 || b[0]>>4 != 6 {
		return nil
	}
	p.IPVersion = 6
	p.Src, p.Dst = packet.Addr(b[8:24]), packet.Addr(b[24:40])
	next, b := b[6], b[40:]
	for {
		size := 8
		switch next {
		case 0, 43, 60: // hop-by-hop, routing, destination options
			if len(b) < 8 {
				return nil
			}
			size += int(b[1]) * 8
		case 44: // fragment
			if len(b) < 8 || binary.BigEndian.Uint16(b[2:])&0xfff8 != 0 {
				return nil
			}
		default:
			p.Proto = next
			return b
		}
		if size > len(b) {
			return nil
		}
		next, b = b[0], b[size:]
	}
}
