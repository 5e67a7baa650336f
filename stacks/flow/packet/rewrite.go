package packet

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
)

// Change is what [Packet.Rewrite] replaces. Zero fields stay as they are.
type Change struct {
	Src, Dst               netip.Addr
	SrcPort, DstPort       uint16
	HasSrcPort, HasDstPort bool
	TTL                    uint8
	HasTTL                 bool
	Payload                []byte // of TCP as long as the one that is there
}

// Nothing reports whether the change changes nothing.
func (c *Change) Nothing() bool {
	return !c.Src.IsValid() && !c.Dst.IsValid() && !c.HasSrcPort && !c.HasDstPort && !c.HasTTL && c.Payload == nil
}

// MaxRewritten is how many bytes an IP packet has at most that a longer payload made longer: what an
// Ethernet takes.
const MaxRewritten = 1500

// What keeps a packet from being rewritten.
var (
	ErrNotWhole     = errors.New("packet: it is no whole IP packet: a fragment, put together from fragments, or not decoded")
	ErrInTunnel     = errors.New("packet: it travels in a tunnel")
	ErrOtherVersion = errors.New("packet: the address is of another IP version")
	ErrNoPorts      = errors.New("packet: it has no ports")
	ErrNoPayload    = errors.New("packet: only the payload of TCP and UDP can be replaced")
	ErrCutPayload   = errors.New("packet: the capture cut the payload off")
	ErrTCPLength    = errors.New("packet: the payload of TCP keeps its length")
	ErrTooLong      = errors.New("packet: the payload is too long")
	ErrLinkLength   = errors.New("packet: the link header has a length of its own")
)

// Rewrite appends to dst the frame of p with c done to it and returns it. Checksums are as right, or
// as wrong, as they were; those that were left to the network card are computed. In an ICMP error the
// packet that it quotes is changed along, seen from the other end: where its source is the error's
// destination, by Dst and DstPort; where its destination is the error's source, by Src and SrcPort.
// p stays as it is, and dst holds no part of it.
func (p *Packet) Rewrite(dst []byte, c *Change) ([]byte, error) {
	if err := p.refuses(c); err != nil {
		return nil, err
	}
	base := len(dst)
	out := append(dst, p.Data...)
	resized := c.Payload != nil && len(c.Payload) != int(p.PayloadLen)
	if resized {
		out = append(out[:base+int(p.PayloadOff)], c.Payload...)
	}
	q := *p
	q.Data = out[base:]
	if c.Payload != nil {
		copy(q.Data[p.PayloadOff:], c.Payload)
		q.PayloadLen, q.PayloadCap = uint32(len(c.Payload)), uint32(len(c.Payload))
	}
	if resized {
		q.resize(len(c.Payload) - int(p.PayloadLen))
	}
	q.readdress(c)
	if q.Class == ICMP {
		p.requote(&q, c)
	}
	p.correct(&q)
	return out, nil
}

// refuses says why the change cannot be made.
func (p *Packet) refuses(c *Change) error {
	quotes := p.Class == ICMP && p.quote() != nil
	onlyTTL := !c.Src.IsValid() && !c.Dst.IsValid() && !c.HasSrcPort && !c.HasDstPort && c.Payload == nil
	switch {
	case p.Class < Fragment || (p.Class == Fragment || p.FragMore) && !onlyTTL || p.Reassembled:
		return ErrNotWhole
	case p.TunnelDepth > 0:
		return ErrInTunnel
	case !p.takes(c.Src) || !p.takes(c.Dst):
		return ErrOtherVersion
	case (c.HasSrcPort || c.HasDstPort) && p.Class < UDP && !quotes:
		return ErrNoPorts
	case c.Payload == nil:
		return nil
	case p.Class < UDP:
		return ErrNoPayload
	case p.Cut():
		return ErrCutPayload
	case len(c.Payload) == int(p.PayloadLen):
		return nil
	case p.Class == TCP:
		return ErrTCPLength
	case p.Link == LinkEthernet && int(p.IPOff) != 14+4*int(p.VLANs)+4*int(p.Labels):
		return ErrLinkLength
	}
	before := int(p.PayloadOff - p.IPOff + p.PayloadLen)
	if after := before + len(c.Payload) - int(p.PayloadLen); after > max(before, MaxRewritten) || after > math.MaxUint16 {
		return ErrTooLong
	}
	return nil
}

// takes reports whether a is absent or an address of the packet's version.
func (p *Packet) takes(a netip.Addr) bool {
	return !a.IsValid() || a.Unmap().Is4() == (p.IPVersion == 4)
}

// resize adds n to the lengths in the headers of a UDP datagram.
func (p *Packet) resize(n int) {
	at := p.IPOff + 2
	if p.IPVersion == 6 {
		at = p.IPOff + 4
	}
	for _, field := range [2]uint32{at, p.L4Off + 4} {
		if b := p.Data[field:]; b[0] != 0 || b[1] != 0 { // 0: the card fills it in
			binary.BigEndian.PutUint16(b, uint16(int(binary.BigEndian.Uint16(b))+n))
		}
	}
}

// readdress puts addresses, ports and time to live into the headers.
func (p *Packet) readdress(c *Change) {
	h := p.Data[p.IPOff:]
	src, dst, ttl := h[12:16], h[16:20], &h[8]
	if p.IPVersion == 6 {
		src, dst, ttl = h[8:24], h[24:40], &h[7]
	}
	putAddr(src, c.Src)
	putAddr(dst, c.Dst)
	if c.HasTTL {
		*ttl = c.TTL
	}
	if p.Class >= UDP {
		putPorts(p.Data[p.L4Off:], c.HasSrcPort, c.SrcPort, c.HasDstPort, c.DstPort)
	}
}

// putAddr writes an address, unless there is none.
func putAddr(b []byte, a netip.Addr) {
	switch a = a.Unmap(); {
	case !a.IsValid():
	case len(b) == 4:
		four := a.As4()
		copy(b, four[:])
	default:
		sixteen := a.As16()
		copy(b, sixteen[:])
	}
}

func putPorts(b []byte, hasSrc bool, src uint16, hasDst bool, dst uint16) {
	if hasSrc {
		binary.BigEndian.PutUint16(b, src)
	}
	if hasDst {
		binary.BigEndian.PutUint16(b[2:], dst)
	}
}

// correct makes q's checksums what they were for p.
func (p *Packet) correct(q *Packet) {
	if p.IPVersion == 4 {
		before, after := p.Data[p.IPOff:p.IPOff+p.header4()], q.Data[q.IPOff:q.IPOff+q.header4()]
		if p.HeaderChecksum() == ChecksumPartial {
			binary.BigEndian.PutUint16(after[10:], ^fold(sum(after, 0)))
		} else {
			adjust(after[10:], sum(before, 0), sum(after, 0))
		}
	}
	b, field := p.summed()
	if len(b) < field+2 {
		return
	}
	a, _ := q.summed()
	was, now := sum(b, p.overhead()), sum(a, q.overhead())
	switch p.Checksum() {
	case ChecksumNone:
		return
	case ChecksumPartial:
		a[field], a[field+1] = 0, 0
		binary.BigEndian.PutUint16(a[field:], ^fold(sum(a, q.overhead())))
	default:
		adjust(a[field:], was, now)
	}
	if p.Class == UDP && a[field] == 0 && a[field+1] == 0 {
		a[field], a[field+1] = 0xff, 0xff // 0 would say that there is none (RFC 768)
	}
}

// header4 returns the length of an IPv4 header, options included.
func (p *Packet) header4() uint32 { return uint32(p.Data[p.IPOff]&0x0f) * 4 }

// overhead returns the sum over what the transport's checksum is over besides the transport's bytes.
func (p *Packet) overhead() uint64 {
	if p.Class == ICMP && p.IPVersion == 4 {
		return 0
	}
	return p.pseudoHeader() + uint64(p.PayloadOff-p.L4Off+p.PayloadLen)
}

// adjust makes a checksum fit the sum now that fitted the sum was, as far as it did (RFC 1624). Both
// sums are over the checksum itself too, which is the same in both.
func adjust(field []byte, was, now uint64) {
	s := uint64(^binary.BigEndian.Uint16(field)) + uint64(^fold(was)) + uint64(fold(now))
	binary.BigEndian.PutUint16(field, ^fold(s))
}

// quote returns what an ICMP error quotes, as far as it was captured; nil for other messages.
func (p *Packet) quote() []byte {
	m := p.Payload()
	if len(m) <= 8 {
		return nil
	}
	switch t := m[0]; {
	case p.IPVersion == 4 && (t == 3 || t == 4 || t == 5 || t == 11 || t == 12), p.IPVersion == 6 && t > 0 && t < 128:
		return m[8:]
	}
	return nil
}

// requote changes the packet that an ICMP error quotes; p is the error as it was, q what becomes of it.
func (p *Packet) requote(q *Packet, c *Change) {
	b := q.quote()
	if len(b) < 20 || b[0]>>4 != p.IPVersion {
		return
	}
	src, dst, upper, proto := quotedHeaders(b)
	if src == nil {
		return
	}
	size := len(src)
	was := append([]byte(nil), b...)
	var outerSrc, outerDst [16]byte
	copy(outerSrc[:], p.Src[:size])
	copy(outerDst[:], p.Dst[:size])
	if string(src) == string(outerDst[:size]) {
		putAddr(src, c.Dst)
		quotedPort(upper, proto, 0, c.HasDstPort, c.DstPort)
	}
	if string(dst) == string(outerSrc[:size]) {
		putAddr(dst, c.Src)
		quotedPort(upper, proto, 2, c.HasSrcPort, c.SrcPort)
	}
	correctQuote(was, b, upper, proto)
}

// quotedHeaders returns the addresses, the transport header as far as it is there, and the protocol
// of a quoted packet; nil where it is a later fragment or cut off before its end.
func quotedHeaders(b []byte) (src, dst, upper []byte, proto uint8) {
	if b[0]>>4 == 4 {
		size := int(b[0]&0x0f) * 4
		if size < 20 || size > len(b) || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return nil, nil, nil, 0
		}
		return b[12:16], b[16:20], b[size:], b[9]
	}
	if len(b) < 40 {
		return nil, nil, nil, 0
	}
	next, rest := b[6], b[40:]
	for next == protoHopByHop || next == protoRouting || next == protoDestOpts || next == protoFragment {
		if len(rest) < 8 || next == protoFragment && binary.BigEndian.Uint16(rest[2:])&0xfff8 != 0 {
			return nil, nil, nil, 0
		}
		size := extSize(next, rest)
		if size > len(rest) {
			return nil, nil, nil, 0
		}
		next, rest = rest[0], rest[size:]
	}
	return b[8:24], b[24:40], rest, next
}

// quotedPort writes a port of a quoted TCP or UDP header.
func quotedPort(upper []byte, proto uint8, at int, has bool, port uint16) {
	if has && (proto == protoTCP || proto == protoUDP) && len(upper) >= at+2 {
		binary.BigEndian.PutUint16(upper[at:], port)
	}
}

// correctQuote makes the checksums of the quoted packet b fit, which was before; upper is its
// transport header.
func correctQuote(was, b, upper []byte, proto uint8) {
	head := len(b) - len(upper)
	if b[0]>>4 == 4 {
		adjust(b[10:], sum(was[:head], 0), sum(b[:head], 0))
	}
	field := -1
	switch {
	case proto == protoTCP:
		field = 16
	case proto == protoUDP:
		field = 6
	case proto == protoICMPv6 && b[0]>>4 == 6:
		field = 2
	}
	if field < 0 || len(upper) < field+2 {
		return
	}
	if proto == protoUDP && upper[field] == 0 && upper[field+1] == 0 {
		return
	}
	addrs := [2]int{12, 20}
	if b[0]>>4 == 6 {
		addrs = [2]int{8, 40}
	}
	adjust(upper[field:],
		sum(was[addrs[0]:addrs[1]], sum(was[head:], 0)), sum(b[addrs[0]:addrs[1]], sum(b[head:], 0)))
}
