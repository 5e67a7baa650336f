package packet

import "encoding/binary"

// Upper protocol numbers (IANA protocol-numbers) that are looked into.
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoTCP      = 6
	protoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	protoAH       = 51
	protoICMPv6   = 58
	protoNoNext   = 59
	protoDestOpts = 60
	protoSCTP     = 132
)

// maxExtHeaders bounds the chain of extension headers; RFC 8200 section 4.1 knows seven.
const maxExtHeaders = 16

// ipv4 reads the header at off (RFC 791).
func (p *Packet) ipv4(off int) {
	if len(p.Data) < off+20 {
		p.short(off+20, off, ErrIPShort)
		return
	}
	h := p.Data[off : off+20 : off+20]
	if h[0]>>4 != 4 {
		p.bad(off, ErrIPVersion)
		return
	}
	p.IPVersion = 4
	p.IPOff = uint32(off)
	p.TTL = h[8]
	copy(p.Src[:4], h[12:16])
	copy(p.Dst[:4], h[16:20])

	hlen := int(h[0]&0x0f) * 4
	total := int(binary.BigEndian.Uint16(h[2:]))
	if total == 0 { // a segment taken before the card cut it (TSO): the frame's length holds
		total = p.WireLen - off
	}
	if hlen < 20 || hlen > total {
		p.bad(off, ErrIPHeaderLen)
		return
	}
	end := off + total
	if end > p.WireLen {
		p.Err, p.ErrOff = ErrIPBeyondFrame, uint32(off)
	}
	if len(p.Data) < off+hlen {
		p.short(off+hlen, off, ErrIPHeaderLen)
		return
	}
	if frag := binary.BigEndian.Uint16(h[6:]); frag&0x3fff != 0 { // more fragments, or an offset
		p.Proto = h[9]
		p.fragment(off+hlen, end, int(frag&0x1fff)*8, frag&0x2000 != 0, uint32(binary.BigEndian.Uint16(h[4:])))
		return
	}
	if h[9] == protoTCP {
		p.Proto = protoTCP
		p.tcp(off+hlen, end)
		return
	}
	p.upper(h[9], off+hlen, end)
}

// ipv6 reads the header at off (RFC 8200 section 3).
func (p *Packet) ipv6(off int) {
	if len(p.Data) < off+40 {
		p.short(off+40, off, ErrIPShort)
		return
	}
	h := p.Data[off : off+40 : off+40]
	if h[0]>>4 != 6 {
		p.bad(off, ErrIPVersion)
		return
	}
	p.IPVersion = 6
	p.IPOff = uint32(off)
	p.TTL = h[7]
	p.Src = Addr(h[8:24])
	p.Dst = Addr(h[24:40])

	end := off + 40 + int(binary.BigEndian.Uint16(h[4:]))
	if end == off+40 && h[6] != protoNoNext { // a jumbogram (RFC 2675) or TSO: the frame's length holds
		end = p.WireLen
	}
	if end > p.WireLen {
		p.Err, p.ErrOff = ErrIPBeyondFrame, uint32(off)
	}
	p.upper(h[6], off+40, end)
}

// upper goes on at off with the protocol proto of an IP payload that ends at end, through extension
// headers (RFC 8200 section 4) and AH (RFC 4302).
func (p *Packet) upper(proto uint8, off, end int) {
	for n := 0; ; n++ {
		var size int
		switch proto {
		case protoTCP:
			p.Proto = proto
			p.tcp(off, end)
			return
		case protoUDP:
			p.Proto = proto
			p.udp(off, end)
			return
		case protoAH:
			size = 4
		case protoHopByHop, protoRouting, protoDestOpts, protoFragment:
			if p.IPVersion == 4 {
				p.other(proto, off, end)
				return
			}
			size = 8
		default:
			p.other(proto, off, end)
			return
		}
		if n == maxExtHeaders {
			p.bad(off, ErrExtDepth)
			return
		}
		next, after, ok := p.extHeader(proto, off, end, size)
		if !ok {
			return
		}
		proto, off = next, after
	}
}

// extHeader reads one extension header at off whose length field counts units of unit bytes, and
// returns what follows; false if decoding has ended.
func (p *Packet) extHeader(proto uint8, off, end, unit int) (next uint8, after int, ok bool) {
	if off+8 > end {
		p.bad(off, ErrExtHeader)
		return 0, 0, false
	}
	if len(p.Data) < off+8 {
		p.short(off+8, off, ErrExtHeader)
		return 0, 0, false
	}
	h := p.Data[off : off+8]
	if proto == protoFragment {
		frag := binary.BigEndian.Uint16(h[2:])
		if frag&0xfff9 == 0 { // an atomic fragment is a whole datagram (RFC 6946)
			return h[0], off + 8, true
		}
		p.Proto = h[0]
		p.fragment(off+8, end, int(frag&0xfff8), frag&1 != 0, binary.BigEndian.Uint32(h[4:]))
		return 0, 0, false
	}
	size := (int(h[1]) + 1) * unit
	if proto == protoAH {
		size = (int(h[1]) + 2) * unit
	}
	if off+size > end {
		p.bad(off, ErrExtHeader)
		return 0, 0, false
	}
	return h[0], off + size, true
}

// fragment ends decoding at a piece of a datagram, which lies at off..end of the frame.
func (p *Packet) fragment(off, end, at int, more bool, id uint32) {
	if at+end-off > 0xffff {
		p.bad(off, ErrFragment)
		return
	}
	p.Class = Fragment
	p.FragOff, p.FragMore, p.FragID = uint16(at), more, id
	p.setPayload(off, off, end)
	if at == 0 && (p.Proto == protoTCP || p.Proto == protoUDP || p.Proto == protoSCTP) {
		p.ports()
	}
}

// other ends decoding at an upper protocol that is not looked into.
func (p *Packet) other(proto uint8, off, end int) {
	p.Class = OtherIP
	p.setPayload(off, off, end)
	if proto == protoICMP && p.IPVersion == 4 || proto == protoICMPv6 && p.IPVersion == 6 {
		p.Class = ICMP
	}
	p.Proto = proto
	if proto == protoSCTP {
		p.ports()
	}
	if p.Decap != 0 {
		p.ipTunnel(proto)
	}
}

// ReadStart reads a first fragment as the packet that it begins: what its TCP or UDP header says, and what is
// there of the payload, which counts as cut where the header names its length. It reports whether that
// could be done; if not, p is what it was. It is for fragments of which no datagram will be made.
func (p *Packet) ReadStart() bool {
	if p.Class != Fragment || p.FragOff != 0 {
		return false
	}
	was := *p
	p.Data = p.Data[:p.PayloadOff+p.PayloadCap] // what else is in the frame is padding
	if p.upper(p.Proto, int(p.L4Off), int(p.L4Off+p.PayloadLen)); p.Class <= Fragment {
		*p = was
		return false
	}
	p.Data = was.Data
	return true
}

// ports reads the ports with which TCP, UDP and SCTP headers begin, if they were captured.
func (p *Packet) ports() {
	if b := p.Payload(); len(b) >= 4 {
		p.SrcPort, p.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	}
}

// setPayload notes the payload at off..end behind the header at l4, clipped to what was captured.
func (p *Packet) setPayload(l4, off, end int) {
	p.L4Off = uint32(l4)
	p.PayloadLen = uint32(end - off)
	have := len(p.Data)
	if off <= have {
		p.PayloadOff = uint32(off)
		p.PayloadCap = uint32(min(end, have) - off)
		return
	}
	p.PayloadOff, p.PayloadCap = uint32(have), 0 // options or headers cut off: no byte of the payload was captured
}
