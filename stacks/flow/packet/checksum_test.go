package packet_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

func TestChecksum(t *testing.T) {
	t.Parallel()
	const (
		unknown = packet.ChecksumUnknown
		none    = packet.ChecksumNone
		good    = packet.ChecksumGood
		partial = packet.ChecksumPartial
		bad     = packet.ChecksumBad
	)
	at := func(i int, v ...byte) pt.Option { return pt.Edit(func(b []byte) { copy(b[i:], v) }) }
	tcp4 := func(opts ...pt.Option) []byte { return pt.TCP(c4, s4, 7, 9, packet.ACK, "hello", opts...) }
	tcp6 := func(opts ...pt.Option) []byte { return pt.TCP(c6, s6, 7, 9, packet.ACK, "hello", opts...) }
	udp4 := func(opts ...pt.Option) []byte { return pt.UDP(c4, s4, "hello", opts...) }
	// A packet on its way: the builder summed over the address at its end, which then leaves the
	// header for the list.
	hop := []byte{0x20, 1, 0xd, 0xb8, 15: 9}
	last := s6.Addr().AsSlice()
	routed := func(kind, left byte, list ...byte) []byte {
		body := append([]byte{byte(len(list) / 8), kind, left, 0, 0, 0, 0}, list...)
		return tcp6(pt.Ext(43, body...), pt.Edit(func(b []byte) { copy(b[38:], hop) }))
	}
	home := tcp6(pt.Ext(60, append([]byte{2, 1, 2, 0, 0, 201, 16}, c6.Addr().AsSlice()...)...), pt.Edit(func(b []byte) { copy(b[22:], hop) }))
	route4 := func(opt ...byte) []byte {
		return udp4(pt.IPOptions(opt...), pt.Edit(func(b []byte) { copy(b[30:], []byte{9, 9, 9, 9}); fixHeader(b[14:]) }))
	}
	cases := []struct {
		name          string
		frame         []byte
		header, upper packet.Checksum
	}{
		{"tcp over ipv4", tcp4(), good, good},
		{"tcp over ipv6", tcp6(), unknown, good},
		{"padding is not summed", tcp4(pt.Pad(1), at(59, 0xff)), good, good},
		{"bad", tcp4(pt.BadChecksum()), good, bad},
		{"bad over ipv6", tcp6(pt.BadChecksum()), unknown, bad},
		{"bad header", tcp4(at(22, 63)), bad, good},
		{"header left to the card", tcp4(at(24, 0, 0)), partial, good},
		{"header with options", tcp4(pt.IPOptions(7, 7, 4, 0, 0, 0, 0, 0)), good, good},
		{"left to the card", tcp4(pt.PartialChecksum()), good, partial},
		{"left to the card over ipv6", pt.UDP(c6, s6, "hello", pt.PartialChecksum()), unknown, partial},
		{"left to the card without the length", tcp4(pt.PartialChecksum(), pt.Edit(func(b []byte) { b[51] -= 25 })), good, partial},
		{"none", udp4(at(40, 0, 0)), good, none},
		{"none of a cut datagram", udp4(at(40, 0, 0))[:44], good, none},
		{"zero of tcp", tcp4(at(50, 0, 0)), good, partial},
		{"udp", udp4(), good, good},
		{"udp of odd length and padding", pt.UDP(c4, s4, "hell", pt.Pad(5), at(46, 1)), good, good},
		{"icmp", pt.Echo(c4.Addr(), s4.Addr(), "odd"), good, good},
		{"bad icmp", pt.Echo(c4.Addr(), s4.Addr(), "odd", at(42, 1)), good, bad},
		{"icmpv6", pt.Echo(c6.Addr(), s6.Addr(), "odd"), unknown, good},
		{"bad icmpv6", pt.Echo(c6.Addr(), s6.Addr(), "odd", pt.BadChecksum()), unknown, bad},
		{"icmp without a checksum", pt.IP(c4.Addr(), s4.Addr(), 1, "abc"), good, unknown},
		{"cut payload", tcp4()[:58], good, unknown},
		{"cut options", pt.TCP(c4, s4, 1, 0, packet.SYN, "", pt.MSS(9))[:56], good, unknown},
		{"cut header", tcp4()[:40], unknown, unknown},
		{"fragment", tcp4(pt.Fragment(1, 0, 16)), good, unknown},
		{"sctp", pt.IP(c4.Addr(), s4.Addr(), 132, "12345678"), good, unknown},
		{"not ip", []byte("123456abcdef\x08\x06arp"), unknown, unknown},
		{"malformed", tcp4(at(46, 0)), unknown, unknown},
		{"route of type 0", routed(0, 2, append(append([]byte{}, hop...), last...)...), unknown, good},
		{"route of type 0, used up", routed(0, 0, append(append([]byte{}, hop...), last...)...), unknown, bad},
		{"route of type 2", routed(2, 1, last...), unknown, good},
		{"segment routing", routed(4, 1, append(append([]byte{}, last...), hop...)...), unknown, good},
		{"route of an unknown type", routed(9, 1, last...), unknown, bad},
		{"route without address", routed(0, 1), unknown, bad},
		{"home address", home, unknown, good},
		{"loose source route", route4(131, 7, 4, 10, 0, 0, 2, 0), good, good},
		{"strict source route", route4(1, 137, 11, 4, 1, 1, 1, 1, 10, 0, 0, 2), good, good},
		{"source route, used up", route4(131, 7, 8, 10, 0, 0, 2, 0), good, bad},
		{"source route without address", route4(131, 3, 0, 0), good, bad},
		{"option of length 0", route4(131, 0, 4, 0), good, bad},
		{"behind hop-by-hop and ah", tcp6(pt.Ext(0, 0, 1, 4, 0, 0, 0, 0), pt.Ext(51, append([]byte{4}, make([]byte, 22)...)...)), unknown, good},
		{"atomic fragment", tcp6(pt.Ext(44, 0, 0, 0, 0, 0, 0, 1)), unknown, good},
		{"innermost", pt.VXLAN(oc4, to(os4, 4789), 1, tcp6(), pt.BadChecksum()), unknown, good},
	}
	for _, c := range cases {
		p := packet.Packet{Decap: packet.AllTunnels}
		wire := len(c.frame)
		if c.frame[12] == 8 && c.frame[13] == 0 {
			wire = max(wire, 14+int(c.frame[16])<<8+int(c.frame[17]))
		}
		p.Decode(1, c.frame, wire, 1)
		if h, u := p.HeaderChecksum(), p.Checksum(); h != c.header || u != c.upper {
			t.Errorf("%s: header %v, %v %v, want %v, %v", c.name, h, p.Class, u, c.header, c.upper)
		}
		if want := c.header != bad && c.upper != bad; p.ChecksumOK() != want {
			t.Errorf("%s: ok %v", c.name, !want)
		}
	}
}

// fixHeader gives an IPv4 header a right checksum.
func fixHeader(h []byte) {
	h = h[:int(h[0]&15)*4]
	h[10], h[11] = 0, 0
	var sum uint32
	for i := 0; i < len(h); i += 2 {
		sum += uint32(h[i])<<8 | uint32(h[i+1])
	}
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	h[10], h[11] = ^byte(sum>>8), ^byte(sum)
}

// TestChecksumOfAnyLength compares with the builder's, which adds word by word, and finds every
// single-bit error.
func TestChecksumOfAnyLength(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	ones4 := netip.MustParseAddrPort("255.255.255.255:65535")
	for n := range 300 {
		payload := make([]byte, n)
		for i := range payload {
			payload[i] = byte(rng.Uint32()) | 0x80*byte(n&1)
		}
		ones := bytes.Repeat([]byte{0xff}, n)
		for _, frame := range [][]byte{pt.TCP(c4, s4, 1, 2, packet.ACK, payload), pt.UDP(c6, s6, payload), pt.UDP(ones4, ones4, ones)} {
			var p packet.Packet
			p.Decode(1, frame, len(frame), 1)
			if p.Checksum() != packet.ChecksumGood {
				t.Fatalf("%d bytes: %v", n, p.Checksum())
			}
			bit := rng.IntN((len(frame) - int(p.L4Off)) * 8)
			frame[int(p.L4Off)+bit/8] ^= 1 << (bit % 8)
			p.Decode(1, frame, len(frame), 1)
			if p.Class > packet.OtherIP && p.Checksum() == packet.ChecksumGood {
				t.Fatalf("%d bytes, bit %d: %v", n, bit, p.Checksum())
			}
		}
	}
}
