package packet

import "encoding/binary"

// tcp reads the segment at off..end (RFC 9293 section 3.1).
func (p *Packet) tcp(off, end int) {
	if off+20 > end {
		p.bad(off, ErrTCPShort)
		return
	}
	if len(p.Data) < off+20 {
		p.short(off+20, off, ErrTCPShort)
		return
	}
	h := p.Data[off : off+20 : off+20]
	hlen := int(h[12]>>4) * 4
	if hlen < 20 || off+hlen > end {
		p.bad(off, ErrTCPDataOffset)
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
	if off+8 > end {
		p.bad(off, ErrUDPShort)
		return
	}
	if len(p.Data) < off+8 {
		p.short(off+8, off, ErrUDPShort)
		return
	}
	h := p.Data[off : off+8 : off+8]
	if n := int(binary.BigEndian.Uint16(h[4:])); n != 0 {
		if n < 8 || off+n > end {
			p.bad(off, ErrUDPLen)
			return
		}
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
