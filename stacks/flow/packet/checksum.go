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
	// is a fragment, or the capture or a source route hides what the sum is over.
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
// transport's is ChecksumBad. It reads the whole payload: about 50 ns for 1,500 bytes.
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
	if p.Class < ICMP || p.Cut() || int(p.PayloadOff+p.PayloadLen) > len(p.Data) || p.L4Off > p.PayloadOff {
		return ChecksumUnknown
	}
	b := p.Data[p.L4Off : p.PayloadOff+p.PayloadLen]
	var field int // where the checksum is
	switch p.Class {
	case TCP:
		field = 16
	case UDP:
		field = 6
	case ICMP:
		field = 2
	}
	if len(b) < field+2 {
		return ChecksumUnknown
	}
	have := binary.BigEndian.Uint16(b[field:])
	if p.Class == UDP && have == 0 {
		return ChecksumNone
	}
	if p.Class == ICMP && p.IPVersion == 4 {
		if fold(sum(b, 0)) != 0xffff {
			return ChecksumBad
		}
		return ChecksumGood
	}
	pseudo, ok := p.pseudoHeader()
	if !ok {
		return ChecksumUnknown
	}
	withLen := pseudo + uint64(len(b))
	switch {
	case fold(sum(b, withLen)) == 0xffff:
		return ChecksumGood
	case have == fold(withLen), have == fold(pseudo), have == 0:
		return ChecksumPartial
	}
	return ChecksumBad
}

// pseudoHeader returns the sum over the addresses and the protocol (RFC 9293 section 3.1, RFC 8200
// section 8.1); false if a source route means another destination than the header says.
func (p *Packet) pseudoHeader() (uint64, bool) {
	n := 16
	if p.IPVersion == 4 {
		n = 4
	}
	if p.sourceRouted() {
		return 0, false
	}
	return uint64(fold(sum(p.Src[:n], sum(p.Dst[:n], uint64(p.Proto))))), true
}

// sourceRouted reports whether the packet's headers between the addresses and L4Off may replace an
// address on the way: IPv4's route options, IPv6's routing header with segments left, and the home
// address of RFC 6275.
func (p *Packet) sourceRouted() bool {
	if p.IPVersion == 4 {
		h := p.Data[p.IPOff:]
		return routeOption(h[20 : int(h[0]&0x0f)*4])
	}
	next := p.Data[p.IPOff+6]
	for off := p.IPOff + 40; off < p.L4Off; {
		h := p.Data[off:]
		switch {
		case next == protoRouting && h[3] != 0, next == protoDestOpts && homeAddress(h):
			return true
		}
		size := uint32(8)
		switch next {
		case protoAH:
			size = (uint32(h[1]) + 2) * 4
		case protoFragment:
		default:
			size = (uint32(h[1]) + 1) * 8
		}
		next = h[0]
		off += size
	}
	return false
}

// routeOption reports whether IPv4 options hold a loose or strict source route (RFC 791) that is not
// used up.
func routeOption(b []byte) bool {
	const end, nop, loose, strict = 0, 1, 131, 137
	for len(b) > 0 && b[0] != end {
		if b[0] == nop {
			b = b[1:]
			continue
		}
		if len(b) < 3 || b[1] < 2 || int(b[1]) > len(b) {
			return false
		}
		if (b[0] == loose || b[0] == strict) && b[2] <= b[1] {
			return true
		}
		b = b[b[1]:]
	}
	return false
}

// homeAddress reports whether a destination options header holds a home address (RFC 6275 section 6.3).
func homeAddress(h []byte) bool {
	const pad1, home = 0, 201
	b := h[2:min(len(h), (int(h[1])+1)*8)]
	for len(b) > 1 {
		if b[0] == pad1 {
			b = b[1:]
			continue
		}
		if b[0] == home {
			return true
		}
		b = b[min(len(b), 2+int(b[1])):]
	}
	return false
}

// sum adds b to a sum of 16-bit big-endian words (RFC 1071), eight bytes at a time: carries out of the
// top come back in at the bottom.
func sum(b []byte, s uint64) uint64 {
	var carry uint64
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
