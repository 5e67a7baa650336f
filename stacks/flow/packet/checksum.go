package packet

import (
	"encoding/binary"
	"math/bits"
)

// Checksum says what verifying a checksum has shown.
type Checksum uint8

// The outcomes of verifying a checksum. Only ChecksumBad speaks against a packet.
const (
	// ChecksumUnknown is a packet that cannot be verified: its class has no checksum known here, it
	// is a fragment, or the capture lacks a part of what the sum is over.
	ChecksumUnknown Checksum = iota
	// ChecksumNone is a UDP datagram whose sender computed none (RFC 768, RFC 6935).
	ChecksumNone
	// ChecksumGood is a right one.
	ChecksumGood
	// ChecksumPartial is what a sending host leaves to its network card: the sum of the pseudo
	// header alone, with or without the length, or none at all. Captures made on that host, or on
	// a virtual link, are full of them. One in 32,768 bad ones looks so too.
	ChecksumPartial
	// ChecksumBad is a wrong one: a receiver drops the packet.
	ChecksumBad
)

var checksumNames = [...]string{"unknown", "none", "good", "partial", "bad"}

// String returns the outcome in a word.
func (c Checksum) String() string {
	if int(c) < len(checksumNames) {
		return checksumNames[c]
	}
	return "invalid"
}

// ChecksumOK reports that no checksum speaks against the packet: neither the IPv4 header's nor the
// transport's is ChecksumBad. It reads the whole payload.
func (p *Packet) ChecksumOK() bool {
	return p.HeaderChecksum() != ChecksumBad && p.Checksum() != ChecksumBad
}

// HeaderChecksum verifies the checksum of the IPv4 header. One of zero counts as left to the card.
func (p *Packet) HeaderChecksum() Checksum {
	if p.IPVersion != 4 || p.Class < Fragment || p.Reassembled {
		return ChecksumUnknown
	}
	h := p.Data[p.IPOff:]
	size := int(h[0]&0x0f) * 4
	switch {
	case size > len(h):
		return ChecksumUnknown
	case fold(sum(h[:size], 0)) == 0xffff:
		return ChecksumGood
	case h[10] == 0 && h[11] == 0:
		return ChecksumPartial
	}
	return ChecksumBad
}

// Checksum verifies the checksum of a TCP segment, a UDP datagram or an ICMP message.
func (p *Packet) Checksum() Checksum {
	b, field := p.summed()
	if len(b) < field+2 {
		return ChecksumUnknown
	}
	have := binary.BigEndian.Uint16(b[field:])
	if p.Class == UDP && have == 0 {
		return ChecksumNone
	}
	if p.Cut() || p.FragMore {
		return ChecksumUnknown
	}
	if p.Class == ICMP && p.IPVersion == 4 {
		if fold(sum(b, 0)) != 0xffff {
			return ChecksumBad
		}
		return ChecksumGood
	}
	pseudo := p.pseudoHeader()
	withLen := pseudo + uint64(len(b))
	switch {
	case fold(sum(b, withLen)) == 0xffff:
		return ChecksumGood
	case have == fold(withLen), have == fold(pseudo), have == 0:
		return ChecksumPartial
	}
	return ChecksumBad
}

// summed returns what the checksum of the packet's class is over, as far as it was captured, and the
// checksum's place in it; nothing if there is none or a header was cut.
func (p *Packet) summed() (b []byte, field int) {
	switch p.Class {
	case TCP:
		if p.PayloadOff != p.L4Off+uint32(p.Data[p.L4Off+12]>>4)*4 {
			return nil, 0
		}
		field = 16
	case UDP:
		field = 6
	case ICMP:
		if p.L4Off != p.PayloadOff {
			return nil, 0
		}
		field = 2
	default:
		return nil, 0
	}
	return p.Data[p.L4Off : p.PayloadOff+p.PayloadCap], field
}

// pseudoHeader returns the sum over the protocol and the addresses between which the packet travels
// in the end (RFC 9293 section 3.1, RFC 8200 section 8.1): a source route may have another destination
// in the header, and a mobile node another source. The headers in between were all captured.
func (p *Packet) pseudoHeader() uint64 {
	h := p.Data[p.IPOff:p.L4Off]
	var src, dst []byte
	if p.IPVersion == 4 {
		src, dst = h[12:16], h[16:20]
		if last := lastHop4(h[20 : int(h[0]&0x0f)*4]); last != nil {
			dst = last
		}
	} else {
		src, dst = h[8:24], h[24:40]
		next := h[6]
		for h = h[40:]; len(h) >= 8; {
			size := min(extSize(next, h), len(h))
			switch next {
			case protoRouting:
				if last := lastHop6(h[:size]); last != nil {
					dst = last
				}
			case protoDestOpts:
				if home := homeAddress(h[2:size]); home != nil {
					src = home
				}
			}
			next, h = h[0], h[size:]
		}
	}
	return uint64(fold(sum(src, sum(dst, uint64(p.Proto)))))
}

// extSize returns the length in bytes of the extension header h.
func extSize(proto uint8, h []byte) int {
	switch proto {
	case protoFragment:
		return 8
	case protoAH:
		return (int(h[1]) + 2) * 4
	}
	return (int(h[1]) + 1) * 8
}

// lastHop4 returns the last address of a loose or strict source route (RFC 791) that is not used up, nil
// if the options hold none.
func lastHop4(b []byte) []byte {
	const end, nop, loose, strict = 0, 1, 131, 137
	for len(b) > 0 && b[0] != end {
		if b[0] == nop {
			b = b[1:]
			continue
		}
		if len(b) < 3 || b[1] < 3 || int(b[1]) > len(b) {
			return nil
		}
		if o := b[:b[1]]; (o[0] == loose || o[0] == strict) && len(o) >= 7 && int(o[2]) <= len(o)-3 {
			return o[len(o)-4:]
		}
		b = b[b[1]:]
	}
	return nil
}

// lastHop6 returns the last address of a routing header with segments left, nil if there is none: types
// 0 (RFC 2460), 2 (RFC 6275) and 4, whose list is in reverse (RFC 8754).
func lastHop6(h []byte) []byte {
	if len(h) < 24 || h[3] == 0 {
		return nil
	}
	switch h[2] {
	case 0, 2:
		n := (len(h) - 8) / 16
		return h[8+16*(n-1) : 8+16*n]
	case 4:
		return h[8:24]
	}
	return nil
}

// homeAddress returns the address of the option of RFC 6275 section 6.3, nil if the options hold none.
func homeAddress(b []byte) []byte {
	const pad1, home = 0, 201
	for len(b) > 1 {
		switch {
		case b[0] == pad1:
			b = b[1:]
			continue
		case b[0] == home && b[1] == 16 && len(b) >= 18:
			return b[2:18]
		}
		b = b[min(len(b), 2+int(b[1])):]
	}
	return nil
}

// sum adds b to a sum of 16-bit big-endian words (RFC 1071), eight bytes at a time: carries out of the
// top come back in at the bottom, where they cannot carry again: with a carry s is below its greatest.
func sum(b []byte, s uint64) uint64 {
	var carry uint64
	for ; len(b) >= 32; b = b[32:] {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), 0)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[8:]), carry)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[16:]), carry)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[24:]), carry)
		s += carry
	}
	for ; len(b) >= 8; b = b[8:] {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), 0)
		s += carry
	}
	var last [8]byte
	if copy(last[:], b) > 0 {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(last[:]), 0)
		s += carry
	}
	return s
}

// fold reduces a sum to 16 bits.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s)
}
