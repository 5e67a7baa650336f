package packettest

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// frame collects what the options ask for; the builders then write it out.
type frame struct {
	link    uint16
	vlans   []uint16
	labels  []uint32
	ttl     uint8
	id      uint16
	window  uint16
	ipOpts  []byte
	ext     []extHeader
	tcpOpts []byte
	frag    *fragment
	pad     int
	tso     bool
	badSum  bool
	partial bool
	edit    func([]byte)
}

type extHeader struct {
	proto uint8
	body  []byte // without the next-header byte
}

type fragment struct {
	off, n int
	more   bool
	whole  bool // the payload is the fragment's already
	id     uint32
}

// Option changes one thing of a frame.
type Option func(*frame)

// Link sets the link type, a LINKTYPE_ number that package packet reads; Ethernet by default.
func Link(link uint16) Option { return func(f *frame) { f.link = link } }

// VLAN adds 802.1Q tags, the outermost first; with two, the outer one is 802.1ad.
func VLAN(ids ...uint16) Option { return func(f *frame) { f.vlans = ids } }

// MPLS adds a label stack, the outermost first, to an Ethernet, PPP or SLL frame.
func MPLS(labels ...uint32) Option { return func(f *frame) { f.labels = labels } }

// TTL sets the time to live or hop limit, 64 by default.
func TTL(n uint8) Option { return func(f *frame) { f.ttl = n } }

// ID sets the IPv4 identification, 0 by default.
func ID(n uint16) Option { return func(f *frame) { f.id = n } }

// Pad adds n zero bytes behind the IP packet, as Ethernet does to reach its minimum.
func Pad(n int) Option { return func(f *frame) { f.pad = n } }

// TSO sets the IP length to 0, as frames have it that were taken before the card cut them up.
func TSO() Option { return func(f *frame) { f.tso = true } }

// BadChecksum leaves the transport checksum wrong.
func BadChecksum() Option { return func(f *frame) { f.badSum = true } }

// PartialChecksum leaves the transport checksum as a host does whose card completes it: the sum over
// the pseudo header.
func PartialChecksum() Option { return func(f *frame) { f.partial = true } }

// IPOptions sets the IPv4 options, a multiple of four bytes.
func IPOptions(b ...byte) Option { return func(f *frame) { f.ipOpts = b } }

// Ext adds an IPv6 extension header of the given protocol number; body is all of it but its first
// byte.
func Ext(proto uint8, body ...byte) Option {
	return func(f *frame) { f.ext = append(f.ext, extHeader{proto, body}) }
}

// Fragment makes the frame carry only a part of the IP payload: n bytes from off, a multiple of
// eight. More is set unless the part reaches the end.
func Fragment(id uint32, off, n int) Option {
	return func(f *frame) {
		f.frag = &fragment{off: off, n: n, id: id}
	}
}

// Piece makes the frame a fragment whose payload is the packet's as given: what Fragment cannot cut
// from any packet, such as fragments that contradict each other. Off is a multiple of eight.
func Piece(id uint32, off int, more bool) Option {
	return func(f *frame) {
		f.frag = &fragment{off: off, more: more, whole: true, id: id}
	}
}

// Edit lets fn spoil the finished frame.
func Edit(fn func(frame []byte)) Option { return func(f *frame) { f.edit = fn } }

// newFrame applies the options to the defaults.
func newFrame(opts []Option) *frame {
	f := &frame{link: packet.LinkEthernet, ttl: 64, window: 65535}
	for _, o := range opts {
		o(f)
	}
	return f
}

// build wraps an IP payload of the given protocol, whose checksum lies at sumOff, into a frame.
func (f *frame) build(src, dst netip.Addr, proto uint8, payload []byte, sumOff int) []byte {
	if src.Is4() != dst.Is4() {
		panic(fmt.Sprintf("packettest: %v and %v are of two IP versions", src, dst))
	}
	if sumOff >= 0 {
		binary.BigEndian.PutUint16(payload[sumOff:], 0)
		sum := checksum(payload, pseudo(src, dst, proto, len(payload)))
		if proto == 17 && sum == 0 {
			sum = 0xffff
		}
		if f.badSum {
			sum ^= 0x5555
		}
		if f.partial {
			sum = ^checksum(nil, pseudo(src, dst, proto, len(payload)))
		}
		binary.BigEndian.PutUint16(payload[sumOff:], sum)
	}
	b := f.linkHeader(src.Is4())
	if src.Is4() {
		b = f.ipv4(b, src, dst, proto, payload)
	} else {
		b = f.ipv6(b, src, dst, proto, payload)
	}
	if f.pad > 0 {
		b = append(b, make([]byte, f.pad)...)
	}
	if f.edit != nil {
		f.edit(b)
	}
	return b
}

// cut returns the part of payload that the fragment option asks for.
func (f *frame) cut(payload []byte) []byte {
	if f.frag == nil || f.frag.whole {
		return payload
	}
	end := min(f.frag.off+f.frag.n, len(payload))
	f.frag.more = end < len(payload)
	return payload[f.frag.off:end]
}

func (f *frame) ipv4(b []byte, src, dst netip.Addr, proto uint8, payload []byte) []byte {
	payload = f.cut(payload)
	h := make([]byte, 20, 20+len(f.ipOpts))
	h = append(h, f.ipOpts...)
	h[0] = 0x40 | byte(len(h)/4)
	if !f.tso {
		binary.BigEndian.PutUint16(h[2:], uint16(len(h)+len(payload)))
	}
	binary.BigEndian.PutUint16(h[4:], f.id)
	if f.frag != nil {
		binary.BigEndian.PutUint16(h[4:], uint16(f.frag.id))
		v := uint16(f.frag.off / 8)
		if f.frag.more {
			v |= 0x2000
		}
		binary.BigEndian.PutUint16(h[6:], v)
	}
	h[8], h[9] = f.ttl, proto
	copy(h[12:], src.AsSlice())
	copy(h[16:], dst.AsSlice())
	binary.BigEndian.PutUint16(h[10:], checksum(h, 0))
	return append(append(b, h...), payload...)
}

func (f *frame) ipv6(b []byte, src, dst netip.Addr, proto uint8, payload []byte) []byte {
	payload = f.cut(payload)
	if f.frag != nil {
		v := uint16(f.frag.off)
		if f.frag.more {
			v |= 1
		}
		body := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16([]byte{0}, v), f.frag.id)
		f.ext = append(f.ext, extHeader{44, body})
	}
	var ext []byte
	next := proto
	for i := len(f.ext) - 1; i >= 0; i-- {
		e := append([]byte{next}, f.ext[i].body...)
		ext = append(e, ext...)
		next = f.ext[i].proto
	}
	h := make([]byte, 40)
	h[0] = 0x60
	if !f.tso {
		binary.BigEndian.PutUint16(h[4:], uint16(len(ext)+len(payload)))
	}
	h[6], h[7] = next, f.ttl
	copy(h[8:], src.AsSlice())
	copy(h[24:], dst.AsSlice())
	return append(append(append(b, h...), ext...), payload...)
}

// linkHeader returns the bytes before the IP header.
func (f *frame) linkHeader(v4 bool) []byte {
	etherType, ppp := uint16(0x86dd), byte(0x57)
	if v4 {
		etherType, ppp = 0x0800, 0x21
	}
	if f.labels == nil {
		return f.framing(v4, etherType, []byte{0, ppp})
	}
	b := f.framing(v4, 0x8847, []byte{2, 0x81})
	for i, l := range f.labels {
		entry := l<<12 | 64
		if i == len(f.labels)-1 {
			entry |= 0x100
		}
		b = binary.BigEndian.AppendUint32(b, entry)
	}
	return b
}

// framing returns the link header of a frame that carries the given EtherType or PPP protocol.
func (f *frame) framing(v4 bool, etherType uint16, ppp []byte) []byte {
	switch f.link {
	case packet.LinkEthernet:
		return f.ethernet(etherType)
	case packet.LinkRaw, packet.LinkIPv4, packet.LinkIPv6, packet.LinkRawBSD, packet.LinkRawOBSD:
		return nil
	case packet.LinkNull, packet.LinkLoop:
		family := uint32(24)
		if v4 {
			family = 2
		}
		if f.link == packet.LinkNull {
			return binary.LittleEndian.AppendUint32(nil, family)
		}
		return binary.BigEndian.AppendUint32(nil, family)
	case packet.LinkSLL:
		return binary.BigEndian.AppendUint16(append([]byte{0, 0, 0, 1, 0, 6}, make([]byte, 8)...), etherType)
	case packet.LinkSLL2:
		return append(binary.BigEndian.AppendUint16(nil, etherType), make([]byte, 18)...)
	case packet.LinkCHDLC:
		return binary.BigEndian.AppendUint16([]byte{0x0f, 0}, etherType)
	case packet.LinkPPP:
		return append([]byte{0xff, 0x03}, ppp...)
	}
	panic(fmt.Sprintf("packettest: link type %d cannot be built", f.link))
}

func (f *frame) ethernet(etherType uint16) []byte {
	b := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	for i, id := range f.vlans {
		tag := uint16(0x8100)
		if i < len(f.vlans)-1 {
			tag = 0x88a8
		}
		b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, tag), id)
	}
	return binary.BigEndian.AppendUint16(b, etherType)
}

// checksum is the Internet checksum (RFC 1071) of b on top of a partial sum.
func checksum(b []byte, sum uint32) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// pseudo is the partial sum over the pseudo header of either IP version.
func pseudo(src, dst netip.Addr, proto uint8, n int) (sum uint32) {
	for _, a := range [2]netip.Addr{src, dst} {
		for b := a.AsSlice(); len(b) > 0; b = b[2:] {
			sum += uint32(binary.BigEndian.Uint16(b))
		}
	}
	return sum + uint32(proto) + uint32(n)
}
