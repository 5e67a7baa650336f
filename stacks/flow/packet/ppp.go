package packet

import "encoding/binary"

// pppoe reads the header of RFC 2516 section 4. An IP packet that ends beyond its payload is read as it
// says, as one that ends beyond its frame is.
func (p *Packet) pppoe(off int) {
	p.ppp(off + 6)
	if p.Class < Fragment {
		return
	}
	end := uint32(off) + 6 + uint32(binary.BigEndian.Uint16(p.Data[off+4:]))
	if p.PayloadOff+p.PayloadLen > end {
		p.Err, p.ErrOff = ErrIPBeyondFrame, p.IPOff
		over := p.PayloadOff + p.PayloadLen - end
		p.PayloadLen -= min(over, p.PayloadLen)
		p.PayloadCap = min(p.PayloadCap, p.PayloadLen)
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
	case 0x0281, 0x0283: // RFC 3032 section 4
		p.EtherType = typeMPLS
		p.mpls(off)
	}
}
