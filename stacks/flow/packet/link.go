package packet

import "encoding/binary"

// Link types by their LINKTYPE_ number (https://www.tcpdump.org/linktypes.html) that Decode reads.
// A frame of any other is NotIP.
const (
	LinkNull     uint16 = 0   // BSD loopback, 4-byte address family in the capturing host's order
	LinkEthernet uint16 = 1   // Ethernet II or LLC/SNAP, 802.1Q and 802.1ad tags, PPPoE
	LinkPPP      uint16 = 9   // PPP, with or without the HDLC-like address and control bytes
	LinkRawBSD   uint16 = 12  // raw IP as some BSDs number it
	LinkRawOBSD  uint16 = 14  // raw IP as OpenBSD numbers it
	LinkRaw      uint16 = 101 // raw IP, version from the first nibble
	LinkCHDLC    uint16 = 104 // Cisco HDLC
	LinkLoop     uint16 = 108 // OpenBSD loopback, 4-byte address family in network order
	LinkSLL      uint16 = 113 // Linux cooked capture
	LinkIPv4     uint16 = 228 // raw IPv4
	LinkIPv6     uint16 = 229 // raw IPv6
	LinkSLL2     uint16 = 276 // Linux cooked capture, second version
)

// The EtherTypes that are looked into.
const (
	typeIPv4  = 0x0800
	typeIPv6  = 0x86dd
	typeVLAN  = 0x8100 // IEEE 802.1Q
	typeQinQ  = 0x88a8 // IEEE 802.1ad
	typeOldQ  = 0x9100 // QinQ before the standard
	typePPPoE = 0x8864 // a PPPoE session (RFC 2516)
	maxLength = 1500   // up to here the field is a length (IEEE 802.3) and LLC follows
)

// maxVLANs bounds the tags of one frame; two is the standard's most.
const maxVLANs = 8

// Decode reads the frame data of link type link, which was wireLen bytes long on the wire (a value
// below len(data) counts as len(data)) and was captured at ts nanoseconds since the epoch. It
// overwrites p, keeps data, allocates nothing and accepts any bytes.
func (p *Packet) Decode(link uint16, data []byte, wireLen int, ts int64) {
	*p = Packet{Data: data, TS: ts, WireLen: max(wireLen, len(data)), Link: link}
	switch link {
	case LinkEthernet:
		if len(data) < 14 {
			p.short(14, 0, ErrLinkShort)
			return
		}
		p.etherType(binary.BigEndian.Uint16(data[12:]), 14)
	case LinkRaw, LinkRawBSD, LinkRawOBSD, LinkIPv4, LinkIPv6:
		p.rawIP(link)
	case LinkNull, LinkLoop:
		p.loopback()
	case LinkSLL:
		p.cooked(16, 14)
	case LinkSLL2:
		p.cooked(20, 0)
	case LinkPPP:
		p.ppp(0)
	case LinkCHDLC:
		p.cooked(4, 2)
	}
}

// cooked reads a link header of size bytes whose only part of interest is an EtherType at typeOff.
func (p *Packet) cooked(size, typeOff int) {
	if len(p.Data) < size {
		p.short(size, 0, ErrLinkShort)
		return
	}
	p.etherType(binary.BigEndian.Uint16(p.Data[typeOff:]), size)
}

// etherType goes on at off with the protocol t, through any VLAN tags.
func (p *Packet) etherType(t uint16, off int) {
	if t == typeIPv4 {
		p.EtherType = t
		p.ipv4(off)
		return
	}
	for t == typeVLAN || t == typeQinQ || t == typeOldQ {
		if len(p.Data) < off+4 {
			p.short(off+4, off, ErrLinkShort)
			return
		}
		id := binary.BigEndian.Uint16(p.Data[off:]) & 0x0fff
		switch p.VLANs {
		case 0:
			p.VLAN = id
		case 1:
			p.VLANInner = id
		case maxVLANs:
			p.bad(off, ErrVLANDepth)
			return
		}
		p.VLANs++
		t = binary.BigEndian.Uint16(p.Data[off+2:])
		off += 4
	}
	p.EtherType = t
	switch {
	case t == typeIPv4:
		p.ipv4(off)
	case t == typeIPv6:
		p.ipv6(off)
	case t == typePPPoE:
		p.pppoe(off)
	case t <= maxLength:
		p.snap(off)
	}
}

// snap reads the LLC and SNAP headers of IEEE 802.2 where they carry an EtherType (RFC 1042).
func (p *Packet) snap(off int) {
	if len(p.Data) < off+8 || string(p.Data[off:off+6]) != "\xaa\xaa\x03\x00\x00\x00" {
		return
	}
	switch p.EtherType = binary.BigEndian.Uint16(p.Data[off+6:]); p.EtherType {
	case typeIPv4:
		p.ipv4(off + 8)
	case typeIPv6:
		p.ipv6(off + 8)
	}
}

// rawIP reads a frame that begins with the IP header.
func (p *Packet) rawIP(link uint16) {
	if len(p.Data) == 0 {
		p.short(1, 0, ErrIPShort)
		return
	}
	version := p.Data[0] >> 4
	switch {
	case version == 4 && link != LinkIPv6:
		p.EtherType = typeIPv4
		p.ipv4(0)
	case version == 6 && link != LinkIPv4:
		p.EtherType = typeIPv6
		p.ipv6(0)
	default:
		p.bad(0, ErrIPVersion)
	}
}

// loopback reads BSD's loopback header. The family of LinkNull is in the order of the host that
// captured, which the file does not tell; families are small, so the order shows.
func (p *Packet) loopback() {
	if len(p.Data) < 4 {
		p.short(4, 0, ErrLinkShort)
		return
	}
	family := binary.BigEndian.Uint32(p.Data)
	if family > 0xffff {
		family = binary.LittleEndian.Uint32(p.Data)
	}
	switch family {
	case 2: // AF_INET everywhere
		p.EtherType = typeIPv4
		p.ipv4(4)
	case 10, 24, 28, 30: // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin
		p.EtherType = typeIPv6
		p.ipv6(4)
	}
}

// pppoe reads the header of RFC 2516 section 4. An IP packet that ends beyond its payload is one that
// the other end of the session drops; what lies there is padding.
func (p *Packet) pppoe(off int) {
	p.ppp(off + 6)
	if p.Class < Fragment {
		return
	}
	end := uint32(off) + 6 + uint32(binary.BigEndian.Uint16(p.Data[off+4:]))
	if p.PayloadOff+p.PayloadLen > end {
		p.bad(int(p.IPOff), ErrIPBeyondFrame)
	}
}

// ppp reads RFC 1661 framing at off. The address and control bytes of RFC 1662 may have been left
// out, and the protocol may be one byte (its low bit set).
func (p *Packet) ppp(off int) {
	start := off
	if len(p.Data) >= off+2 && p.Data[off] == 0xff && p.Data[off+1] == 0x03 {
		off += 2
	}
	if len(p.Data) < off+2 {
		p.short(off+2, start, ErrLinkShort)
		return
	}
	proto := uint16(p.Data[off])
	if off++; proto&1 == 0 {
		proto = proto<<8 | uint16(p.Data[off])
		off++
	}
	switch proto {
	case 0x0021:
		p.EtherType = typeIPv4
		p.ipv4(off)
	case 0x0057:
		p.EtherType = typeIPv6
		p.ipv6(off)
	}
}
