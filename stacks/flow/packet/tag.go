package packet

import "encoding/binary"

// tag reads a tag of type t other than VLAN's: some bytes of no interest here and, as the last two, the
// EtherType of what follows. For any other type decoding has ended.
func (p *Packet) tag(t uint16, off int) {
	var size int
	switch t {
	case typePBB: // service instance and the customer's Ethernet header
		size = 4 + 14
	case typeFabricPath: // tree, time to live, and the customer's Ethernet header
		size = 2 + 14
	case typeCMD: // version, length, one option: a security group
		size = 6 + 2
	case typeVNTag: // source and destination interface
		size = 4 + 2
	default:
		return
	}
	if len(p.Data) < off+size {
		p.short(off+size, off, ErrLinkShort)
		return
	}
	if p.nest(off) {
		p.etherType(binary.BigEndian.Uint16(p.Data[off+size-2:]), off+size)
	}
}

// nest counts a header that may contain its like, and ends decoding if there are too many.
func (p *Packet) nest(off int) bool {
	if p.links == maxLinks {
		p.bad(off, ErrLinkDepth)
		return false
	}
	p.links++
	return true
}

// mpls reads a label stack (RFC 3032). It does not name what it carries; IP is told by its version, as
// routers that share load by flow tell it. Anything else ends decoding.
func (p *Packet) mpls(off int) {
	for last := false; !last; off += 4 {
		if len(p.Data) < off+4 {
			p.short(off+4, off, ErrLinkShort)
			return
		}
		entry := binary.BigEndian.Uint32(p.Data[off:])
		last = entry&0x100 != 0
		switch p.Labels {
		case 0:
			p.Label = entry >> 12
		case maxLinks:
			p.bad(off, ErrLinkDepth)
			return
		}
		p.Labels++
	}
	p.guessIP(off)
}

// guessIP goes on at off if the byte there is the first of an IPv4 or IPv6 header.
func (p *Packet) guessIP(off int) {
	if len(p.Data) <= off {
		p.short(off+1, off, ErrIPShort)
		return
	}
	switch b := p.Data[off]; {
	case b>>4 == 4 && b&0x0f >= 5:
		p.EtherType = typeIPv4
		p.ipv4(off)
	case b>>4 == 6:
		p.EtherType = typeIPv6
		p.ipv6(off)
	}
}

// nsh reads a network service header (RFC 8300 section 2), whose length counts words.
func (p *Packet) nsh(off int) {
	if len(p.Data) < off+8 {
		p.short(off+8, off, ErrLinkShort)
		return
	}
	h := p.Data[off : off+8]
	size := int(h[1]&0x3f) * 4
	if size < 8 || !p.nest(off) {
		return
	}
	if t, ok := nextProtocol(h[3]); ok {
		p.carried(t, off+size)
	}
}

// nextProtocol returns the EtherType that a next protocol number of NSH (RFC 8300 section 2.2) and
// VXLAN-GPE stands for.
func nextProtocol(n byte) (t uint16, ok bool) {
	switch n {
	case 1:
		return typeIPv4, true
	case 2:
		return typeIPv6, true
	case 3:
		return typeEthernet, true
	case 4:
		return typeNSH, true
	case 5:
		return typeMPLS, true
	}
	return 0, false
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
