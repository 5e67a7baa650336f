package packet

import "encoding/binary"

// Address families that captures of a host's own packets name: AF_INET is 2 everywhere.
const (
	familyIPv4 = 2
	familyV6L  = 10 // Linux
	familyV6N  = 24 // NetBSD and OpenBSD
	familyV6S  = 26 // Solaris
	familyV6F  = 28 // FreeBSD
	familyV6D  = 30 // Darwin
)

// family goes on at off with the packet of an address family; of any that is not IP's nothing is read.
func (p *Packet) family(family uint32, off int) {
	switch family {
	case familyIPv4:
		p.EtherType = typeIPv4
		p.ipv4(off)
	case familyV6L, familyV6N, familyV6S, familyV6F, familyV6D:
		p.EtherType = typeIPv6
		p.ipv6(off)
	}
}

// loopback reads BSD's loopback header. The family of LinkNull is in the order of the host that
// captured, which the file does not tell; families are small, so the order shows.
func (p *Packet) loopback(off int) {
	if len(p.Data) < off+4 {
		p.short(off+4, off, ErrLinkShort)
		return
	}
	family := binary.BigEndian.Uint32(p.Data[off:])
	if family > 0xffff {
		family = binary.LittleEndian.Uint32(p.Data[off:])
	}
	p.family(family, off+4)
}

// nflog reads the messages of Linux's netfilter log (nfnetlink_log.h): a header whose first byte is
// the family, then attributes, one of which is the packet. Their length and type are in the order of
// the host that captured; types are small, so the order shows.
func (p *Packet) nflog(off int) {
	const payload = 9 // NFULA_PAYLOAD
	if len(p.Data) < off+4 {
		p.short(off+4, off, ErrLinkShort)
		return
	}
	family := uint32(p.Data[off])
	for off += 4; ; {
		if len(p.Data) < off+4 {
			if p.WireLen > len(p.Data) {
				p.short(off+4, off, ErrLinkShort)
			}
			return
		}
		h := p.Data[off : off+4]
		size, kind := int(binary.LittleEndian.Uint16(h)), binary.LittleEndian.Uint16(h[2:])
		if kind&0xff == 0 && kind != 0 {
			size, kind = int(binary.BigEndian.Uint16(h)), binary.BigEndian.Uint16(h[2:])
		}
		if size < 4 {
			p.bad(off, ErrLinkShort)
			return
		}
		if kind == payload {
			p.family(family, off+4)
			return
		}
		off += (size + 3) &^ 3
	}
}

// pflog reads the header of OpenBSD's packet filter log (if_pflog.h): its length without padding,
// the family, and names of no interest here.
func (p *Packet) pflog(off int) {
	if len(p.Data) < off+2 {
		p.short(off+2, off, ErrLinkShort)
		return
	}
	p.family(uint32(p.Data[off+1]), off+(int(p.Data[off])+3)&^3)
}

// ipnet reads the header of Solaris' ipnet devices (version, family, 22 bytes of no interest here).
func (p *Packet) ipnet(off int) {
	if len(p.Data) < off+24 {
		p.short(off+24, off, ErrLinkShort)
		return
	}
	p.family(uint32(p.Data[off+1]), off+24)
}

// pktap reads Apple's header: its length, the type of record, the link type of what follows, all
// little-endian. Only records of type 1 are packets.
func (p *Packet) pktap(off int) {
	if len(p.Data) < off+12 {
		p.short(off+12, off, ErrLinkShort)
		return
	}
	size := binary.LittleEndian.Uint32(p.Data[off:])
	kind := binary.LittleEndian.Uint32(p.Data[off+4:])
	link := binary.LittleEndian.Uint32(p.Data[off+8:])
	if size < 12 || size > 1<<16 {
		p.bad(off, ErrLinkShort)
		return
	}
	if kind == 1 && link < 1<<16 && uint16(link) != LinkPktap {
		p.link(uint16(link), off+int(size))
	}
}
