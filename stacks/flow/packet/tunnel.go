package packet

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// Tunnels is a set of ways in which IP travels inside IP.
type Tunnels uint16

// The tunnels that Decode knows. Those in UDP are told by their port, at either end, and by a header
// without fault: a datagram whose inside does not decode to the end stays UDP. One exception: what a GTP-U
// message carries may be longer than the message where that has its very length, since some nodes cut
// a packet that is too long for one message in two.
const (
	IPIP   Tunnels = 1 << iota // IPv4 or IPv6 as the payload of either (RFC 2003, RFC 2473, RFC 4213)
	GRE                        // RFC 2784 and 2890, bare and in UDP (RFC 8086); NVGRE, ERSPAN, PPTP
	MPLS                       // a label stack in IP (RFC 4023) or UDP (RFC 7510)
	VXLAN                      // RFC 7348 on UDP 4789, Linux's 8472, and VXLAN-GPE on 4790
	GENEVE                     // RFC 8926, UDP 6081
	GTPU                       // 3GPP TS 29.281, UDP 2152
	Teredo                     // RFC 4380, UDP 3544
	L2TP                       // version 2 (RFC 2661), UDP 1701
	LISP                       // RFC 9300, UDP 4341
	AYIYA                      // draft-massar-v6ops-ayiya, UDP 5072
	IPComp                     // RFC 3173 with DEFLATE; Decode leaves it to who calls Expand
	WLAN                       // radio frames (IEEE 802.11) in GRE, as Aruba's base stations send them; see Inside
	SFlow                      // packets that a report samples (sFlow version 5, UDP 6343); Decode leaves it to Inside
)

// KnownTunnels is every tunnel; AllTunnels those through which traffic goes, which samples are not; inUDP
// those that only their port tells.
const (
	KnownTunnels = SFlow<<1 - 1
	AllTunnels   = KnownTunnels &^ SFlow
	inUDP        = GRE | MPLS | VXLAN | GENEVE | GTPU | Teredo | L2TP | LISP | AYIYA
)

var tunnelNames = [...]string{
	"ipip", "gre", "mpls", "vxlan", "geneve", "gtpu", "teredo", "l2tp", "lisp", "ayiya", "ipcomp", "wlan", "sflow",
}

// String returns the names of the set's tunnels with commas between them, "none" for the empty set.
func (t Tunnels) String() string {
	var names []string
	for i, name := range tunnelNames {
		if t&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ",")
}

// ParseTunnel returns the tunnel of the given name, as String spells it; false if there is none.
func ParseTunnel(name string) (Tunnels, bool) {
	for i, n := range tunnelNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// maxTunnels bounds how deep tunnels may nest; what is deeper stays the payload of the last.
const maxTunnels = 8

// Protocol numbers of tunnels.
const (
	protoIPv4 = 4
	protoIPv6 = 41
	protoGRE  = 47
	protoMPLS = 137
)

// ipTunnel enters a tunnel whose header is the payload of an IP packet.
func (p *Packet) ipTunnel(proto uint8) {
	b, off := p.Payload(), int(p.PayloadOff)
	switch proto {
	case protoIPv4:
		p.enter(IPIP, 0, typeIPv4, off)
	case protoIPv6:
		p.enter(IPIP, 0, typeIPv6, off)
	case protoGRE:
		p.gre(b, off)
	case protoMPLS:
		p.mplsTunnel(b, off)
	}
}

// TunnelPorts returns the UDP ports at which Decode looks for tunnels. A packet between hosts of which
// one uses such a port may be another's packet.
func TunnelPorts() []uint16 {
	return []uint16{4789, 8472, 4790, 6081, 2152, 3544, 1701, 4754, 6635, 4341, 5072}
}

// udpTunnel enters a tunnel whose header is the payload of a UDP datagram. The end of the tunnel is
// the port of one end and often of both; the other may have chosen its own.
func (p *Packet) udpTunnel() {
	b, off := p.Payload(), int(p.PayloadOff)
	for _, port := range [2]uint16{p.DstPort, p.SrcPort} {
		switch port {
		case 4789, 8472:
			p.vxlan(b, off, false)
		case 4790:
			p.vxlan(b, off, true)
		case 6081:
			p.geneve(b, off)
		case 2152:
			p.gtpu(b, off)
		case 3544:
			p.teredo(b, off)
		case 1701:
			p.l2tp(b, off)
		case 4754:
			p.gre(b, off)
		case 6635:
			p.mplsTunnel(b, off)
		case 4341:
			p.lisp(b, off)
		case 5072:
			p.ayiya(b, off)
		default:
			continue
		}
		return
	}
}

// enter decodes what a tunnel carries at off: a packet or frame of EtherType t, which ends where the
// payload ends that p has so far. It leaves p alone if no IP header is there, and behind a UDP header
// if what follows contradicts itself: then it was no tunnel.
func (p *Packet) enter(kind Tunnels, id uint32, t uint16, off int) {
	if p.Decap&kind == 0 || p.TunnelDepth == maxTunnels {
		return
	}
	outer := *p
	cut := p.FragMore || kind == GTPU && int(binary.BigEndian.Uint16(p.Data[p.PayloadOff+2:]))+8 == int(p.PayloadLen)
	end := int(p.PayloadOff + p.PayloadLen)
	p.open(kind, id, t, off, min(p.WireLen, end), min(len(p.Data), end))
	wrong := p.Class == Malformed || p.Err != outer.Err && !(cut && p.Err == ErrIPBeyondFrame)
	if p.IPVersion == 0 || wrong && outer.Class == UDP {
		*p = outer
	}
}

// open decodes what a tunnel carries at off, which ended at place wire and was captured up to place have.
func (p *Packet) open(kind Tunnels, id uint32, t uint16, off, wire, have int) {
	outer := *p
	p.WireLen, p.Data = wire, p.Data[:have]
	p.Tunnel, p.TunnelID = kind, id
	p.TunnelDepth++
	if p.TunnelDepth == 1 {
		p.OuterVersion, p.OuterSrc, p.OuterDst = p.IPVersion, p.Src, p.Dst
	}
	p.Class, p.IPVersion = NotIP, 0
	p.Src, p.Dst, p.SrcPort, p.DstPort = Addr{}, Addr{}, 0, 0
	p.VLANs, p.Labels = 0, 0

	p.carried(t, off)

	p.Data, p.WireLen = outer.Data, outer.WireLen
	p.EtherType, p.VLANs, p.VLAN, p.VLANInner = outer.EtherType, outer.VLANs, outer.VLAN, outer.VLANInner
	p.Labels, p.Label = outer.Labels, outer.Label
}

// carried reads what lies behind a tunnel's header at off.
func (p *Packet) carried(t uint16, off int) {
	switch t {
	case typeEthernet:
		p.ethernet(off)
	case typePPP:
		p.ppp(off)
	default:
		p.etherType(t, off)
	}
}

// greHeader is what the header of GRE says.
type greHeader struct {
	carries uint16 // EtherType
	size    int    // of the header
	key     uint32
	seq     bool // it has a sequence number
}

// readGRE reads the header of RFC 2784 with the fields of RFC 2890, and PPTP's of RFC 2637 section 4.1.
// Source routes (RFC 1701) are not read.
func readGRE(b []byte) (g greHeader, ok bool) {
	const sum, routes, key, seq, ack, version = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080, 7
	if len(b) < 4 {
		return g, false
	}
	flags := binary.BigEndian.Uint16(b)
	g.carries, g.seq = binary.BigEndian.Uint16(b[2:]), flags&seq != 0
	pptp := flags&version == 1
	if flags&routes != 0 || flags&version > 1 || pptp != (g.carries == typePPP) {
		return g, false
	}
	g.size = 4 + 4*bits.OnesCount16(flags&(sum|key|seq))
	if pptp {
		g.size += 4 * bits.OnesCount16(flags&ack)
	}
	if len(b) < g.size {
		return g, false
	}
	if flags&key != 0 {
		g.key = binary.BigEndian.Uint32(b[4+4*bits.OnesCount16(flags&sum):])
		if pptp {
			g.key &= 0xffff // below the payload's length
		}
	}
	return g, true
}

// gre enters what GRE carries.
func (p *Packet) gre(b []byte, off int) {
	g, ok := readGRE(b)
	if !ok {
		return
	}
	switch t := g.carries; {
	case t == 0x88be || t == 0x22eb:
		p.erspan(t, g.seq, b[g.size:], off+g.size)
	case radioType(t):
		p.radio(g.key, b[g.size:], off+g.size)
	case t > maxLength:
		p.enter(GRE, g.key, t, off+g.size)
	}
}

// erspan reads the header of a mirrored frame (draft-foschiano-erspan), of type III or, by the
// sequence number in its GRE header, of type II. Type I has none.
func (p *Packet) erspan(t uint16, seq bool, b []byte, off int) {
	var id uint32
	size := 0
	switch {
	case t == 0x22eb:
		if len(b) < 12 {
			return
		}
		size = 12 + 8*int(b[11]&1) // with the platform specific subheader
		id = uint32(binary.BigEndian.Uint16(b[2:]) & 0x3ff)
		if b[10]&0x7c == 2<<2 { // the frame type: a bare IP packet
			p.enter(GRE, id, versionType(b, size), off+size)
			return
		}
	case seq:
		if len(b) < 8 {
			return
		}
		size = 8
		id = uint32(binary.BigEndian.Uint16(b[2:]) & 0x3ff)
	}
	p.enter(GRE, id, typeEthernet, off+size)
}

// mplsTunnel reads a label stack that IP or UDP carries.
func (p *Packet) mplsTunnel(b []byte, off int) {
	if len(b) >= 4 {
		p.enter(MPLS, binary.BigEndian.Uint32(b)>>12, typeMPLS, off)
	}
}

// versionType returns the EtherType of the IP packet at n by its version, 0 if it is none.
func versionType(b []byte, n int) uint16 {
	if n < len(b) {
		switch b[n] >> 4 {
		case 4:
			return typeIPv4
		case 6:
			return typeIPv6
		}
	}
	return 0
}
