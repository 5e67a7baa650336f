package packet

import (
	"encoding/binary"
	"math"
)

// Reassemble decodes datagram, an IP packet that was put together from the fragment that p is and
// others, in p's place. What was known of the link and of tunnels around the fragment stays, as does
// the time; Data, and with it every offset, is the datagram from now on, and Link is LinkRaw. What was
// Malformed or Truncated as a whole may of course come out of it.
func (p *Packet) Reassemble(datagram []byte) {
	part := *p
	p.Decode(LinkRaw, datagram, len(datagram), part.TS)
	p.Reassembled = true
	p.EtherType, p.VLANs, p.VLAN, p.VLANInner = part.EtherType, part.VLANs, part.VLAN, part.VLANInner
	p.Labels, p.Label = part.Labels, part.Label
	p.within(&part)
}

// Expand decodes datagram, an IP packet that is p with its payload inflated (RFC 3173), in p's place, as
// Reassemble does. The compression counts as a tunnel, IPComp, of number cpi, even where what it carries
// has no addresses of its own. It reports whether what came out is IP without fault; if not, p is what it
// was.
func (p *Packet) Expand(datagram []byte, cpi uint16) bool {
	part := *p
	if part.TunnelDepth == maxTunnels {
		return false
	}
	part.Tunnel, part.TunnelID = IPComp, uint32(cpi)
	part.TunnelDepth++
	if part.TunnelDepth == 1 {
		part.OuterVersion, part.OuterSrc, part.OuterDst = part.IPVersion, part.Src, part.Dst
	}
	was := *p
	*p = part
	p.Reassemble(datagram)
	if p.Class < Fragment || p.Err != OK {
		*p = was
		return false
	}
	return true
}

// within notes that p came out of part, and out of the tunnels around that.
func (p *Packet) within(part *Packet) {
	if part.TunnelDepth == 0 {
		return
	}
	if p.TunnelDepth == 0 {
		p.Tunnel, p.TunnelID = part.Tunnel, part.TunnelID
	}
	p.TunnelDepth += part.TunnelDepth
	p.OuterVersion, p.OuterSrc, p.OuterDst = part.OuterVersion, part.OuterSrc, part.OuterDst
}

// Seal writes into datagram, whose header with all extension headers has head bytes, that it has the
// length that it has and is no fragment, and for IPv4 the checksum. It reports whether a datagram may
// have that length.
func Seal(datagram []byte, version uint8, head int) bool {
	be := binary.BigEndian
	if version == 6 {
		if len(datagram)-40 > math.MaxUint16 {
			return false
		}
		be.PutUint16(datagram[4:], uint16(len(datagram)-40))
		return true
	}
	if len(datagram) > math.MaxUint16 {
		return false
	}
	be.PutUint16(datagram[2:], uint16(len(datagram)))
	be.PutUint16(datagram[6:], 0)
	be.PutUint16(datagram[10:], 0)
	be.PutUint16(datagram[10:], ^fold(sum(datagram[:head], 0)))
	return true
}

// NextHeader returns the place, in the IP header with extension headers that head is, of the byte that
// names what follows.
func NextHeader(head []byte) int {
	at, off := 6, 40
	if head[0]>>4 == 4 {
		at, off = 9, int(head[0]&0x0f)*4
	}
	for off+1 < len(head) {
		size := (int(head[off+1]) + 1) * 8
		switch head[at] {
		case protoFragment: // an atomic one
			size = 8
		case protoAH:
			size = (int(head[off+1]) + 2) * 4
		}
		at, off = off, off+size
	}
	return at
}

// Network tells networks apart whose addresses may be the same: by the VLAN ids, and by the network's
// number where the innermost tunnel is VXLAN or GENEVE. Other tunnels' numbers name a path, of which
// the packets of one connection, and even of one datagram, may take several.
func (p *Packet) Network() uint64 {
	n := uint64(p.VLAN) | uint64(p.VLANInner)<<12
	if p.Tunnel&(VXLAN|GENEVE) != 0 {
		n |= uint64(p.TunnelID)<<24 | 1<<63
	}
	return n
}
