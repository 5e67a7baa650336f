package packet

import "net/netip"

// Class says how far a frame could be decoded, and so which fields of a Packet are valid.
type Class uint8

// The classes of a decoded frame. The zero value promises the least.
const (
	// NotIP is a frame that carries no IPv4 or IPv6: ARP, LLDP, an unknown link type.
	NotIP Class = iota
	// Malformed is a frame whose headers contradict themselves or the frame; Err and ErrOff say how.
	Malformed
	// Truncated is a frame whose headers the capture cut off; ErrOff is the offset that was needed.
	Truncated
	// Fragment is a piece of a fragmented IP datagram, the first one too.
	Fragment
	// OtherIP is IP with an upper protocol other than those below.
	OtherIP
	// ICMP is ICMP over IPv4 or ICMPv6 over IPv6.
	ICMP
	// UDP is a whole UDP datagram.
	UDP
	// TCP is a whole TCP segment.
	TCP
)

var classNames = [...]string{"not ip", "malformed", "truncated", "fragment", "other ip", "icmp", "udp", "tcp"}

// String returns the class in words.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "invalid"
}

// Flags are the low eight TCP control bits (RFC 9293 section 3.1, RFC 3168).
type Flags uint8

// The TCP control bits.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Has reports whether all bits of f2 are set.
func (f Flags) Has(f2 Flags) bool { return f&f2 == f2 }

// String returns one letter a set bit, in tcpdump's order and alphabet ("S.", "F.", "none").
func (f Flags) String() string {
	const letters = "FSRP.UEW"
	if f == 0 {
		return "none"
	}
	var b [8]byte
	n := 0
	for _, i := range [...]int{1, 0, 2, 3, 5, 6, 7, 4} {
		if f&(1<<i) != 0 {
			b[n] = letters[i]
			n++
		}
	}
	return string(b[:n])
}

// Addr is an IP address as it stood on the wire. IPv4 fills the first four bytes and leaves the rest
// zero, so Packet.IPVersion is needed to tell the two families apart; netip.Addr costs a pointer
// more and twice the time to fill.
type Addr [16]byte

// Netip returns the address for the given IP version, 4 or 6; the zero netip.Addr for another.
func (a Addr) Netip(version uint8) netip.Addr {
	switch version {
	case 4:
		return netip.AddrFrom4([4]byte(a[:4]))
	case 6:
		return netip.AddrFrom16(a)
	}
	return netip.Addr{}
}

// Packet is one decoded frame. It is reused from frame to frame: Decode overwrites every field but
// Decap, and a field is meaningful only where its comment says so. Offsets count bytes from the start
// of Data.
//
// Where Decode entered tunnels (Decap), all that is said of IP and of what follows it, from Class to
// the payload, is the innermost packet's; what is said of the link is the frame's.
type Packet struct {
	// Data is the frame as captured: the caller's buffer, always valid. Behind Reassemble it is the
	// datagram.
	Data []byte
	// TS is the capture time in nanoseconds since the Unix epoch, always valid.
	TS int64
	// WireLen is the length of the frame on the wire in bytes, at least len(Data), always valid.
	WireLen int

	// Link is the capture's link type (a LINKTYPE_ number), always valid.
	Link uint16
	// Class says how far decoding came, always valid.
	Class Class
	// Err is the contradiction found in a Malformed frame, OK in every other class but one: a
	// frame shorter than its IP length keeps its class and carries ErrIPBeyondFrame.
	Err ErrorKind
	// ErrOff is the offset of the header that Err or Truncated speaks of.
	ErrOff uint32

	// Decap is the tunnels that Decode enters: the caller's setting, which Decode keeps. None by
	// default.
	Decap Tunnels

	// EtherType is the protocol behind the link header, all tags, SNAP, PPPoE and MPLS: valid if these
	// were whole; for link types without one it is 0x0800 or 0x86dd by the IP version.
	EtherType uint16
	// VLANs is the number of VLAN tags, valid with EtherType.
	VLANs uint8
	// VLAN is the VLAN id (0..4095) of the outermost tag, valid if VLANs > 0.
	VLAN uint16
	// VLANInner is the VLAN id of the second tag, valid if VLANs > 1.
	VLANInner uint16
	// Labels is the number of MPLS labels, valid with EtherType.
	Labels uint8
	// Label is the outermost MPLS label (20 bits), valid if Labels > 0.
	Label uint32

	// TunnelDepth is how many tunnels Decode entered, always valid.
	TunnelDepth uint8
	// Tunnel is the innermost of them, one bit; 0 if there is none.
	Tunnel Tunnels
	// TunnelID is what the innermost tunnel's header calls it: the key of GRE (NVGRE: the network in
	// the upper 24 bits; PPTP: the call; ERSPAN: the session), the VNI of VXLAN and GENEVE, the TEID of
	// GTP-U, tunnel and session of L2TP, the label of MPLS, the CPI of IPComp, the data source of sFlow; 0 if
	// it has none. Valid with Tunnel.
	TunnelID uint32
	// OuterSrc and OuterDst are the addresses of the outermost IP header, and OuterVersion its
	// version; valid if TunnelDepth > 0.
	OuterVersion       uint8
	OuterSrc, OuterDst Addr
	// Sampled reports that the packet is in a report of somebody who saw it: it passes nowhere. Always valid.
	Sampled bool

	// IPVersion is 4 or 6 if the fixed IP header was whole and of that version, else 0.
	IPVersion uint8
	// Proto is the upper protocol, behind IPv6 extension headers and AH: valid if IPVersion > 0
	// and Class is none of Malformed and Truncated, or ErrOff is of a TCP or UDP header; else 0.
	Proto uint8
	// TTL is the time to live or hop limit, valid if IPVersion > 0.
	TTL uint8
	// TCPFlags are the control bits, valid for Class TCP.
	TCPFlags Flags
	// IPOff is the offset of the IP header, valid if IPVersion > 0.
	IPOff uint32
	// L4Off is the offset of what follows the IP headers, valid for Fragment and the classes after.
	L4Off uint32
	// PayloadOff is the offset of the payload: of TCP or UDP where that is the Class, else equal to
	// L4Off. Where headers were cut off in the middle it is where the capture, or the packet around a
	// tunnel, ends: before L4Off, with nothing of the payload. Valid as L4Off is.
	PayloadOff uint32
	// PayloadLen is the payload's length on the wire in bytes, link padding excluded. Valid as L4Off is.
	PayloadLen uint32
	// PayloadCap is how much of PayloadLen was captured. Valid as L4Off is.
	PayloadCap uint32

	// Src and Dst are the IP addresses, valid if IPVersion > 0.
	Src, Dst Addr
	// SrcPort and DstPort are valid for TCP and UDP, and as far as they were captured for SCTP, for first
	// fragments of the three, and for headers of TCP and UDP that are Malformed or Truncated; else 0.
	SrcPort, DstPort uint16
	// Window is the TCP window as sent, not scaled; valid for TCP.
	Window uint16
	// Seq and Ack are valid for TCP; Ack means something only if TCPFlags has ACK.
	Seq, Ack uint32

	// FragOff is the fragment's place in its datagram in bytes, valid for Fragment.
	FragOff uint16
	// FragMore reports that further fragments follow, valid for Fragment and, behind ReadStart, for what
	// a fragment begins; else false.
	FragMore bool
	// FragID is the datagram's identification, 16 bits in IPv4; valid for Fragment, and as FragMore is.
	FragID uint32
	// Reassembled reports that fragments were put together, or a payload was inflated, to make this
	// packet: it is not in the frame. Always valid.
	Reassembled bool

	links uint8 // headers between link and IP that may nest, so far
}

// IsIP reports whether an IPv4 or IPv6 header was read, and with it Src and Dst.
func (p *Packet) IsIP() bool { return p.IPVersion != 0 }

// Cut reports that the capture holds only a part of the payload.
func (p *Packet) Cut() bool { return p.PayloadCap < p.PayloadLen }

// Payload returns the captured part of the payload, a view into Data: what follows the TCP or UDP
// header for these classes, what follows the IP headers for Fragment, ICMP and OtherIP, else nil.
func (p *Packet) Payload() []byte {
	if p.Class < Fragment {
		return nil
	}
	return p.Data[p.PayloadOff : p.PayloadOff+p.PayloadCap]
}

// SrcAddrPort returns the source with port 0 where the class has no ports; the zero value without IP.
func (p *Packet) SrcAddrPort() netip.AddrPort {
	if p.Class < UDP {
		return netip.AddrPortFrom(p.Src.Netip(p.IPVersion), 0)
	}
	return netip.AddrPortFrom(p.Src.Netip(p.IPVersion), p.SrcPort)
}

// DstAddrPort returns the destination with port 0 where the class has no ports; the zero value without IP.
func (p *Packet) DstAddrPort() netip.AddrPort {
	if p.Class < UDP {
		return netip.AddrPortFrom(p.Dst.Netip(p.IPVersion), 0)
	}
	return netip.AddrPortFrom(p.Dst.Netip(p.IPVersion), p.DstPort)
}
