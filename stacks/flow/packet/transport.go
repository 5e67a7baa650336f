package packet

import "encoding/binary"

// tcp reads the segment at off..end (RFC 9293 section 3.1).
func (p *Packet) tcp(off, end int) {
	if off+20 > min(end, len(p.Data)) {
		p.shortUpper(off, end, 20, ErrTCPShort)
		return
	}
	h := p.Data[off : off+20 : off+20]
	hlen := int(h[12]>>4) * 4
	if hlen < 20 || off+hlen > end {
		p.badUpper(off, end, ErrTCPDataOffset)
		return
	}
	p.Class = TCP
	p.SrcPort = binary.BigEndian.Uint16(h[0:])
	p.DstPort = binary.BigEndian.Uint16(h[2:])
	p.Seq = binary.BigEndian.Uint32(h[4:])
	p.Ack = binary.BigEndian.Uint32(h[8:])
	p.TCPFlags = Flags(h[13])
	p.Window = binary.BigEndian.Uint16(h[14:])
	p.setPayload(off, off+hlen, end)
}

// udp reads the datagram at off..end (RFC 768). Length 0 is a jumbogram (RFC 2675 section 4) or an
// offloaded one: the IP length holds.
func (p *Packet) udp(off, end int) {
	if off+8 > min(end, len(p.Data)) {
		p.shortUpper(off, end, 8, ErrUDPShort)
		return
	}
	h := p.Data[off : off+8 : off+8]
	switch n := int(binary.BigEndian.Uint16(h[4:])); {
	case n == 0:
	case n < 8, off+n > end && !p.FragMore: // else the rest is in other fragments
		p.badUpper(off, end, ErrUDPLen)
		return
	default:
		end = off + n
	}
	p.Class = UDP
	p.SrcPort = binary.BigEndian.Uint16(h[0:])
	p.DstPort = binary.BigEndian.Uint16(h[2:])
	p.setPayload(off, off+8, end)
	if p.Decap&inUDP != 0 {
		p.udpTunnel()
	}
}

// shortUpper ends decoding at a TCP or UDP header of size bytes that is not there as a whole, in the packet
// that ends at end or in what was captured of it.
func (p *Packet) shortUpper(off, end, size int, kind ErrorKind) {
	if off+size > end {
		p.badUpper(off, end, kind)
		return
	}
	p.short(off+size, off, kind)
	p.portsAt(off, end)
}

// badUpper ends decoding at a TCP or UDP header that contradicts itself or the packet, which ends at end. The
// ports are believed: they say whose packet it was meant to be.
func (p *Packet) badUpper(off, end int, kind ErrorKind) {
	p.bad(off, kind)
	p.portsAt(off, end)
}

// portsAt reads the ports with which the header at off begins, if they are there.
func (p *Packet) portsAt(off, end int) {
	if off+4 <= min(end, len(p.Data)) {
		p.SrcPort, p.DstPort = binary.BigEndian.Uint16(p.Data[off:]), binary.BigEndian.Uint16(p.Data[off+2:])
	}
}
