package packet

import "encoding/binary"

// Link types by their LINKTYPE_ number (https://www.tcpdump.org/linktypes.html) that Decode reads.
// A frame of any other is NotIP.
const (
	LinkNull     uint16 = 0   // BSD loopback, 4-byte address family in the capturing host's order
	LinkEthernet uint16 = 1   // Ethernet II or LLC/SNAP, tags, MPLS, PPPoE
	LinkPPP      uint16 = 9   // PPP, with or without the HDLC-like address and control bytes
	LinkRawBSD   uint16 = 12  // raw IP as some BSDs number it
	LinkRawOBSD  uint16 = 14  // raw IP as OpenBSD numbers it
	LinkPPPHDLC  uint16 = 50  // PPP in HDLC-like framing (RFC 1662)
	LinkPPPEther uint16 = 51  // PPPoE without the Ethernet header (RFC 2516)
	LinkATM1483  uint16 = 100 // LLC/SNAP over ATM (RFC 2684)
	LinkRaw      uint16 = 101 // raw IP, version from the first nibble
	LinkCHDLC    uint16 = 104 // Cisco HDLC
	LinkLoop     uint16 = 108 // OpenBSD loopback, 4-byte address family in network order
	LinkSLL      uint16 = 113 // Linux cooked capture
	LinkPFLog    uint16 = 117 // OpenBSD packet filter log
	LinkPPPDir   uint16 = 204 // PPP behind a byte that says the direction
	LinkIPNET    uint16 = 226 // Solaris ipnet
	LinkIPv4     uint16 = 228 // raw IPv4
	LinkIPv6     uint16 = 229 // raw IPv6
	LinkNFLog    uint16 = 239 // Linux netfilter log
	LinkPktap    uint16 = 258 // Apple pktap, which names the link type of the frame behind it
	LinkSLL2     uint16 = 276 // Linux cooked capture, second version
)

// Reads reports whether Decode looks into frames of a link type.
func Reads(link uint16) bool {
	switch link {
	case LinkNull, LinkEthernet, LinkPPP, LinkRawBSD, LinkRawOBSD, LinkPPPHDLC, LinkPPPEther, LinkATM1483, LinkRaw, LinkCHDLC,
		LinkLoop, LinkSLL, LinkPFLog, LinkPPPDir, LinkIPNET, LinkIPv4, LinkIPv6, LinkNFLog, LinkPktap, LinkSLL2:
		return true
	}
	return false
}

// The EtherTypes that are looked into.
const (
	typeIPv4       = 0x0800
	typeEthernet   = 0x6558 // an Ethernet frame, behind tunnel headers (RFC 1701)
	typeVLAN       = 0x8100 // IEEE 802.1Q
	typeIPv6       = 0x86dd
	typePPP        = 0x880b // a PPP frame, behind tunnel headers (RFC 2637)
	typeMPLS       = 0x8847 // RFC 3032
	typeMPLSMulti  = 0x8848 // RFC 5332
	typePPPoE      = 0x8864 // a PPPoE session (RFC 2516)
	typeQinQ       = 0x88a8 // IEEE 802.1ad
	typePBB        = 0x88e7 // IEEE 802.1ah
	typeFabricPath = 0x8903 // Cisco
	typeCMD        = 0x8909 // Cisco MetaData
	typeVNTag      = 0x8926 // IEEE 802.1BR's forerunner
	typeNSH        = 0x894f // RFC 8300
	typeOldQ       = 0x9100 // QinQ before the standard
	maxLength      = 1500   // up to here the field is a length (IEEE 802.3) and LLC follows
)

// maxVLANs bounds the VLAN tags of one frame; two is the standard's most. maxLinks bounds its other
// tags, and its MPLS labels.
const (
	maxVLANs = 8
	maxLinks = 64
)

// Decode reads the frame data of link type link, which was wireLen bytes long on the wire (a value
// below len(data) counts as len(data)) and was captured at ts nanoseconds since the epoch. It
// overwrites p but for Decap, keeps data, allocates nothing and accepts any bytes.
func (p *Packet) Decode(link uint16, data []byte, wireLen int, ts int64) {
	decap := p.Decap
	*p = Packet{} // and then field by field: a literal would be built aside and copied
	p.Data, p.TS, p.WireLen, p.Link, p.Decap = data, ts, max(wireLen, len(data)), link, decap
	if link == LinkEthernet {
		p.ethernet(0)
		return
	}
	p.link(link, 0)
}

// link reads the frame of link type link that begins at off.
func (p *Packet) link(link uint16, off int) {
	switch link {
	case LinkEthernet:
		p.ethernet(off)
	case LinkRaw, LinkRawBSD, LinkRawOBSD, LinkIPv4, LinkIPv6:
		p.rawIP(link, off)
	case LinkNull, LinkLoop:
		p.loopback(off)
	case LinkSLL:
		p.cooked(off, 16, 14)
	case LinkSLL2:
		p.cooked(off, 20, 0)
	case LinkCHDLC:
		p.cooked(off, 4, 2)
	case LinkPPP, LinkPPPHDLC:
		p.ppp(off)
	case LinkPPPDir:
		p.ppp(off + 1)
	case LinkPPPEther:
		p.pppoe(off)
	case LinkATM1483:
		p.snap(off)
	case LinkNFLog:
		p.nflog(off)
	case LinkPFLog:
		p.pflog(off)
	case LinkIPNET:
		p.ipnet(off)
	case LinkPktap:
		p.pktap(off)
	}
}

// ethernet reads the frame that begins at off.
func (p *Packet) ethernet(off int) {
	if len(p.Data) < off+14 {
		p.short(off+14, off, ErrLinkShort)
		return
	}
	p.etherType(binary.BigEndian.Uint16(p.Data[off+12:]), off+14)
}

// cooked reads a link header of size bytes at off whose only part of interest is an EtherType.
func (p *Packet) cooked(off, size, typeOff int) {
	if len(p.Data) < off+size {
		p.short(off+size, off, ErrLinkShort)
		return
	}
	p.etherType(binary.BigEndian.Uint16(p.Data[off+typeOff:]), off+size)
}

// rawIP reads a frame that begins with the IP header.
func (p *Packet) rawIP(link uint16, off int) {
	if len(p.Data) <= off {
		p.short(off+1, off, ErrIPShort)
		return
	}
	version := p.Data[off] >> 4
	switch {
	case version == 4 && link != LinkIPv6:
		p.EtherType = typeIPv4
		p.ipv4(off)
	case version == 6 && link != LinkIPv4:
		p.EtherType = typeIPv6
		p.ipv6(off)
	default:
		p.bad(off, ErrIPVersion)
	}
}

// etherType goes on at off with the protocol t, through any tags.
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
	case t == typeMPLS, t == typeMPLSMulti:
		p.mpls(off)
	case t == typeNSH:
		p.nsh(off)
	case t <= maxLength:
		p.snap(off)
	default:
		p.tag(t, off)
	}
}
