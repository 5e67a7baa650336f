package flow

import (
	"encoding/binary"

	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// maxAnswers bounds how many packets of a connection that was reset are answered by a RST.
const maxAnswers = 8

// resetBoth makes a RST for each end that has a connection, and closes both.
func (s *Stack) resetBoth(st *step) {
	x, y := st.x, st.y
	s.resetSender(st)
	if t := &x.sent; y.state != closed && t.known {
		s.inject(st, false, t.seq(t.expected()), y.sent.seq(max(y.sent.acked, 0)), packet.RST|packet.ACK)
	}
	for _, p := range [2]*Peer{x, y} {
		if from := p.state; from != closed {
			p.state = closed
			s.raiseState(p, flowev.OnTCPStateChangeRcv, from, closed, true)
		}
	}
}

// resetSender answers the segment with a RST (RFC 9293 section 3.10.7.1).
func (s *Stack) resetSender(st *step) {
	p := st.p
	switch {
	case p.TCPFlags.Has(packet.RST):
	case p.TCPFlags.Has(packet.ACK):
		s.inject(st, true, p.Ack, 0, packet.RST)
	default:
		end := p.Seq + p.PayloadLen
		if p.TCPFlags.Has(packet.SYN) {
			end++
		}
		if p.TCPFlags.Has(packet.FIN) {
			end++
		}
		s.inject(st, true, 0, end, packet.RST|packet.ACK)
	}
}

// resetAgain answers what an end sends that did not take the first RST, a few times: by what it
// acknowledges it says which number it waits for.
func (s *Stack) resetAgain(x *Peer, p *packet.Packet) {
	e := x.extra()
	if e.answers == maxAnswers {
		return
	}
	e.answers++
	s.step.begin(p, x, false)
	s.resetSender(&s.step)
	s.step.p = nil
}

// inject hands over a segment without payload, made for the sender or the receiver of the frame at
// hand.
func (s *Stack) inject(st *step, toSender bool, seq, ack uint32, flags packet.Flags) {
	if s.cfg.Forward == nil {
		return
	}
	p := st.p
	b, ok := appendLink(s.made[:0], p, toSender)
	if !ok {
		s.stats.NotInjected++
		return
	}
	ends := s.alias.sees(st.x.conn, st.x.client, p)
	if toSender {
		ends = endpointsOf(p)
		if s.repl.changed {
			ends = s.repl.came
		}
		ends = endpoints{ends.dst, ends.src, ends.dstPort, ends.srcPort}
	}
	src, dst, sport, dport := ends.src, ends.dst, ends.srcPort, ends.dstPort
	at := len(b)
	b = appendIP(b, p.IPVersion, &src, &dst)
	tcp := len(b)
	b = binary.BigEndian.AppendUint16(b, sport)
	b = binary.BigEndian.AppendUint16(b, dport)
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, tcpHeader/4<<4, byte(flags), 0, 0, 0, 0, 0, 0)
	sum := add(add(uint32(protoTCP)+tcpHeader, wire(&src, p.IPVersion)), wire(&dst, p.IPVersion))
	binary.BigEndian.PutUint16(b[tcp+16:], fold(add(sum, b[tcp:])))
	if p.IPVersion == 4 {
		binary.BigEndian.PutUint16(b[at+10:], fold(add(0, b[at:tcp])))
	}
	s.made = b
	s.stats.Injected++
	s.injected = Outcome{Action: Injected, Verdict: flowev.VerdictReset, Conn: st.x.conn, Link: p.Link, Data: b, WireLen: len(b), TS: p.TS}
	s.cfg.Forward(&s.injected)
	s.injected.Data = nil
}

// Lengths of headers without options, in bytes.
const (
	tcpHeader      = 20
	ipv4Header     = 20
	ipv6Header     = 40
	ethernetHeader = 14
	vlanTag        = 4
)

// appendLink appends the link header of p, turned round if toSender; ok is false for headers that
// hold more than addresses and types, such as lengths or tunnels.
func appendLink(b []byte, p *packet.Packet, toSender bool) (_ []byte, ok bool) {
	h := p.Data[:p.IPOff]
	plain := 0
	switch p.Link {
	case packet.LinkEthernet:
		plain = ethernetHeader + vlanTag*int(p.VLANs)
	case packet.LinkNull, packet.LinkLoop:
		plain = 4
	case packet.LinkSLL:
		plain = 16
	case packet.LinkSLL2:
		plain = 20
	case packet.LinkRaw, packet.LinkRawBSD, packet.LinkRawOBSD, packet.LinkIPv4, packet.LinkIPv6:
	default:
		return b, false
	}
	if len(h) != plain {
		return b, false
	}
	b = append(b, h...)
	if toSender && p.Link == packet.LinkEthernet {
		copy(b, h[6:12])
		copy(b[6:], h[:6])
	}
	return b, true
}

// appendIP appends an IP header of the given version for a TCP segment without payload; the checksum
// of IPv4 is left open.
func appendIP(b []byte, version uint8, src, dst *packet.Addr) []byte {
	const ttl = 64
	if version == 4 {
		b = append(b, 0x45, 0, 0, ipv4Header+tcpHeader, 0, 0, 0x40, 0, ttl, protoTCP, 0, 0)
	} else {
		b = append(b, 0x60, 0, 0, 0, 0, tcpHeader, protoTCP, ttl)
	}
	return append(append(b, wire(src, version)...), wire(dst, version)...)
}

// add adds b to a sum of 16-bit words (RFC 1071).
func add(sum uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	return sum
}

// fold makes a checksum of a sum.
func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
