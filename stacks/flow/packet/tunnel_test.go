package packet_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

var (
	oc4 = netip.MustParseAddrPort("192.0.2.1:50000")
	os4 = netip.MustParseAddrPort("192.0.2.2:0")
	oc6 = netip.MustParseAddrPort("[2001:db8:ff::1]:50000")
	os6 = netip.MustParseAddrPort("[2001:db8:ff::2]:0")
)

func to(a netip.AddrPort, port uint16) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), port) }

// via is what a Packet says of the tunnels around it.
type via struct {
	Kind     string
	Depth    uint8
	ID       uint32
	Src, Dst string
}

func tunnels(p *packet.Packet) via {
	if p.TunnelDepth == 0 {
		return via{Kind: p.Tunnel.String()}
	}
	return via{p.Tunnel.String(), p.TunnelDepth, p.TunnelID, p.OuterSrc.Netip(p.OuterVersion).String(), p.OuterDst.Netip(p.OuterVersion).String()}
}

func over4(kind string, id uint32) via { return via{kind, 1, id, "192.0.2.1", "192.0.2.2"} }
func over6(kind string, id uint32) via { return via{kind, 1, id, "2001:db8:ff::1", "2001:db8:ff::2"} }

func TestDecodeTunnels(t *testing.T) {
	t.Parallel()
	const pa = packet.PSH | packet.ACK
	v4 := func(opts ...pt.Option) []byte { return pt.TCP(c4, s4, 7, 9, pa, "hello", opts...) }
	v6 := func(opts ...pt.Option) []byte { return pt.TCP(c6, s6, 7, 9, pa, "hello", opts...) }
	raw4, raw6, eth4, eth6 := v4(pt.Link(packet.LinkRaw)), v6(pt.Link(packet.LinkRaw)), v4(), v6()
	a4, b4, a6, b6 := oc4.Addr(), os4.Addr(), oc6.Addr(), os6.Addr()
	udp := func(port uint16, header string, body []byte) []byte {
		return pt.UDP(oc4, to(os4, port), header+string(body))
	}
	ppp := func(ip []byte) []byte { return append([]byte{0, 0x21}, ip...) }
	vxlan2 := pt.VXLAN(oc4, to(os4, 4789), 9, pt.VXLAN(c4, to(s4, 4789), 8, eth4))
	cases := []struct {
		name  string
		frame []byte
		want  got
		via   via
	}{
		{"4 in 4", pt.IPIP(a4, b4, raw4), tcp4(nil), over4("ipip", 0)},
		{"6 in 4", pt.IPIP(a4, b4, raw6), tcp6(nil), over4("ipip", 0)},
		{"4 in 6", pt.IPIP(a6, b6, raw4), tcp4(nil), over6("ipip", 0)},
		{"6 in 6 behind an extension header", pt.IPIP(a6, b6, raw6, pt.Ext(60, 0, 4, 1, 4, 1, 1, 0)), tcp6(nil), over6("ipip", 0)},
		{"outer padding", pt.IPIP(a4, b4, raw4, pt.Pad(7)), tcp4(nil), over4("ipip", 0)},
		{"outer vlan", pt.IPIP(a4, b4, raw4, pt.VLAN(3)), tcp4(func(g *got) { g.VLANs, g.VLAN = 1, 3 }), over4("ipip", 0)},
		{"gre", pt.GRE(a4, b4, pt.GREHeader{}, raw4), tcp4(nil), over4("gre", 0)},
		{"gre over ipv6", pt.GRE(a6, b6, pt.GREHeader{}, raw6), tcp6(nil), over6("gre", 0)},
		{"gre with checksum, key, sequence", pt.GRE(a4, b4, pt.GREHeader{Sum: true, HasKey: true, Key: 77, HasSeq: true, Seq: 5}, raw6), tcp6(nil), over4("gre", 77)},
		{"nvgre", pt.GRE(a4, b4, pt.GREHeader{Proto: 0x6558, HasKey: true, Key: 5001<<8 | 3}, eth4), tcp4(nil), over4("gre", 5001<<8|3)},
		{"gre of mpls", pt.GRE(a4, b4, pt.GREHeader{Proto: 0x8847}, append([]byte{0, 1, 1, 64}, raw4...)), tcp4(nil), over4("gre", 0)},
		{"gre over udp", pt.GREoverUDP(oc4, to(os4, 4754), pt.GREHeader{}, raw4), tcp4(nil), over4("gre", 0)},
		{"pptp", pt.IP(a4, b4, 47, "\x30\x81\x88\x0b\x00\x2f\x00\x63\x00\x00\x00\x01\x00\x00\x00\x02"+string(ppp(raw4))), tcp4(nil), over4("gre", 0x63)},
		{"erspan I", pt.GRE(a4, b4, pt.GREHeader{Proto: 0x88be}, eth4), tcp4(nil), over4("gre", 0)},
		{"erspan II", pt.ERSPAN2(a4, b4, 1000, eth6), tcp6(nil), over4("gre", 1000)},
		{"erspan III", pt.ERSPAN3(a4, b4, 12, false, eth4), tcp4(nil), over4("gre", 12)},
		{"erspan III with a subheader", pt.ERSPAN3(a6, b6, 12, true, v4(pt.VLAN(9))), tcp4(nil), over6("gre", 12)},
		{"mpls", pt.IP(a4, b4, 137, "\x00\x01\x00\x40\x00\x02\x01\x40"+string(raw6)), tcp6(nil), over4("mpls", 0x10)},
		{"mpls over udp", udp(6635, "\x00\x01\x01\x40", raw4), tcp4(nil), over4("mpls", 0x10)},
		{"vxlan", pt.VXLAN(oc4, to(os4, 4789), 5001, eth4), tcp4(nil), over4("vxlan", 5001)},
		{"vxlan over ipv6 of a tagged frame", pt.VXLAN(oc6, to(os6, 4789), 5001, v6(pt.VLAN(7))), tcp6(nil), over6("vxlan", 5001)},
		{
			"tags inside and out, more than a frame may have", pt.VXLAN(oc4, to(os4, 4789), 1, v4(pt.VLAN(7), pt.MPLS(1, 2)), pt.VLAN(1, 2, 3, 4, 5, 6, 7, 8), pt.MPLS(make([]uint32, 63)...)),
			tcp4(func(g *got) { g.VLANs, g.VLAN, g.VLANIn = 8, 1, 2 }), over4("vxlan", 1),
		},
		{"vxlan on linux's port", pt.VXLAN(oc4, to(os4, 8472), 1, eth6), tcp6(nil), over4("vxlan", 1)},
		{"vxlan-gpe", udp(4790, "\x0c\x00\x00\x01\x00\x00\x07\x00", raw4), tcp4(nil), over4("vxlan", 7)},
		{"vxlan-gpe of ethernet", udp(4790, "\x0c\x00\x00\x03\x00\x00\x07\x00", eth4), tcp4(nil), over4("vxlan", 7)},
		{"vxlan-gpe of a service chain", udp(4790, "\x0c\x00\x00\x04\x00\x00\x07\x00\x0f\xc2\x02\x02\x00\x00\x00\x00", raw6), tcp6(nil), over4("vxlan", 7)},
		{"geneve", pt.GENEVE(oc4, to(os4, 6081), 12, 0x6558, nil, eth4), tcp4(nil), over4("geneve", 12)},
		{"geneve with options, of ip", pt.GENEVE(oc6, to(os6, 6081), 12, 0x86dd, make([]byte, 12), raw6), tcp6(nil), over6("geneve", 12)},
		{"gtp-u", pt.GTPU(oc4, to(os4, 2152), 0xdeadbeef, raw4, nil), tcp4(nil), over4("gtpu", 0xdeadbeef)},
		{"gtp-u with the first part of a packet", pt.GTPU(oc4, to(os4, 2152), 9, v4(pt.Link(packet.LinkRaw))[:42], nil), tcp4(func(g *got) {
			g.Payload, g.Err = "he", packet.ErrIPBeyondFrame
		}), over4("gtpu", 9)},
		{"gtp-u with extensions", pt.GTPU(oc4, to(os4, 2152), 9, raw6, [][]byte{{0x85, 0x10, 0x09}, {0xc0, 1, 2, 3, 4, 5, 6}}), tcp6(nil), over4("gtpu", 9)},
		{"gtp-u with sequence number", udp(2152, "\x32\xff\x00\x31\x00\x00\x00\x01\x00\x05\x00\x85", raw4), tcp4(nil), over4("gtpu", 1)},
		{"teredo", udp(3544, "", raw6), tcp6(nil), over4("teredo", 0)},
		{"teredo from the server, with indications", pt.UDP(to(oc4, 3544), os4, "\x00\x01\x01\x02abc12345678\x00\x00\x00123456"+string(raw6)), tcp6(nil), over4("teredo", 0)},
		{"l2tp", udp(1701, "\x00\x02\x00\x05\x00\x06\xff\x03", ppp(raw4)), tcp4(nil), over4("l2tp", 5<<16|6)},
		{"l2tp with length, sequence, offset", udp(1701, "\x4a\x02\x00\x44\x00\x05\x00\x06\x00\x01\x00\x02\x00\x03abc", ppp(raw4)), tcp4(nil), over4("l2tp", 5<<16|6)},
		{"lisp", udp(4341, "12345678", raw6), tcp6(nil), over4("lisp", 0)},
		{"ayiya", udp(5072, "\x41\x52\x11\x29\x00\x00\x00\x011234567890123456ssssssssssssssssssss", raw6), tcp6(nil), over4("ayiya", 0)},
		{"vxlan in vxlan", vxlan2, tcp4(nil), via{"vxlan", 2, 8, "192.0.2.1", "192.0.2.2"}},
		{"gre in ipip in vxlan", pt.VXLAN(oc6, to(os6, 4789), 1, pt.IPIP(a4, b4, pt.GRE(a6, b6, pt.GREHeader{}, raw4, pt.Link(packet.LinkRaw)))), tcp4(nil), via{"gre", 3, 0, "2001:db8:ff::1", "2001:db8:ff::2"}},
	}
	for _, c := range cases {
		p := packet.Packet{Decap: packet.AllTunnels}
		p.Decode(1, c.frame, len(c.frame), 1)
		if d := cmp.Diff(c.want, look(&p)); d != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, d)
		}
		if d := cmp.Diff(c.via, tunnels(&p)); d != "" {
			t.Errorf("%s: tunnel (-want +got)\n%s", c.name, d)
		}
		if len(p.Data) != len(c.frame) || p.WireLen != len(c.frame) {
			t.Errorf("%s: %d bytes of %d, want %d", c.name, len(p.Data), p.WireLen, len(c.frame))
		}
		if p.IPVersion == 4 && ([12]byte(p.Src[4:]) != [12]byte{} || [12]byte(p.Dst[4:]) != [12]byte{}) {
			t.Errorf("%s: addresses %x and %x", c.name, p.Src, p.Dst)
		}
		outside(t, c.name, c.frame, c.via)
	}
}

// outside checks that a frame is what it is outside where its tunnel is not to be entered.
func outside(t *testing.T, name string, frame []byte, v via) {
	for _, decap := range []packet.Tunnels{0, packet.AllTunnels &^ kind(t, v.Kind)} {
		if v.Depth > 1 && decap != 0 {
			continue
		}
		p := packet.Packet{Decap: decap}
		p.Decode(1, frame, len(frame), 1)
		if p.Class != packet.OtherIP && p.Class != packet.UDP || p.TunnelDepth != 0 || p.Tunnel != 0 || p.Src.Netip(p.IPVersion).String() != v.Src {
			t.Errorf("%s, entering %v: %+v", name, decap, p)
		}
	}
}

func kind(t *testing.T, name string) packet.Tunnels {
	k, ok := packet.ParseTunnel(name)
	if !ok || k.String() != name {
		t.Fatalf("tunnel %q: %v", name, k)
	}
	return k
}

// TestDecodeNoTunnel has what looks like a tunnel and is none, or cannot be entered: it stays what
// it is outside.
func TestDecodeNoTunnel(t *testing.T) {
	t.Parallel()
	raw4 := pt.TCP(c4, s4, 7, 9, packet.ACK, "hello", pt.Link(packet.LinkRaw))
	eth4 := pt.TCP(c4, s4, 7, 9, packet.ACK, "hello")
	a4, b4 := oc4.Addr(), os4.Addr()
	broken := append([]byte(nil), raw4...)
	broken[32] = 0 // data offset
	arp := append(append([]byte(nil), eth4[:12]...), 8, 6, 0, 0)
	udp := func(port uint16, body string) []byte { return pt.UDP(oc4, to(os4, port), body) }
	gre := func(body string) []byte { return pt.IP(a4, b4, 47, body) }
	nested := raw4
	for range 8 {
		nested = pt.IPIP(a4, b4, nested, pt.Link(packet.LinkRaw))
	}
	edit := func(f []byte, at int, v ...byte) []byte { copy(f[at:], v); return f }
	cases := []struct {
		name  string
		frame []byte
		class packet.Class
		err   packet.ErrorKind
		depth uint8
	}{
		{"arp in vxlan", pt.VXLAN(oc4, to(os4, 4789), 1, arp), packet.UDP, 0, 0},
		{"vxlan without vni", edit(pt.VXLAN(oc4, to(os4, 4789), 1, eth4), 42, 0), packet.UDP, 0, 0},
		{"vxlan of a broken segment", pt.VXLAN(oc4, to(os4, 4789), 1, pt.TCP(c4, s4, 7, 9, 0, "", pt.Edit(func(b []byte) { b[46] = 0 }))), packet.UDP, 0, 0},
		{"vxlan that ends in a header", pt.VXLAN(oc4, to(os4, 4789), 1, eth4[:40]), packet.UDP, 0, 0},
		{"vxlan that ends in the payload", pt.VXLAN(oc4, to(os4, 4789), 1, eth4[:58]), packet.UDP, 0, 0},
		{"vxlan-gpe of something else", udp(4790, "\x0c\x00\x00\x09\x00\x00\x07\x00"+string(raw4)), packet.UDP, 0, 0},
		{"geneve of version 1", edit(pt.GENEVE(oc4, to(os4, 6081), 1, 0x0800, nil, raw4), 42, 0x40), packet.UDP, 0, 0},
		{"geneve with too many options", edit(pt.GENEVE(oc4, to(os4, 6081), 1, 0x0800, nil, raw4), 42, 0x3f), packet.UDP, 0, 0},
		{"gtp-u echo", udp(2152, "\x32\x01\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00"), packet.UDP, 0, 0},
		{"gtp-u error that quotes a packet", udp(2152, "\x30\x1a\x00\x2d\x00\x00\x00\x00"+string(raw4)), packet.UDP, 0, 0},
		{"gtp prime", udp(2152, "\x20\xff\x00\x2d\x00\x00\x00\x00"+string(raw4)), packet.UDP, 0, 0},
		{"gtp-u with an endless extension", udp(2152, "\x34\xff\x00\x04\x00\x00\x00\x00\x00\x00\x00\x85\x00\x00\x00\x85"), packet.UDP, 0, 0},
		{"gtp-u cut in its extensions", udp(2152, "\x34\xff\x00\x04\x00\x00\x00\x00\x00\x00\x00\x85"), packet.UDP, 0, 0},
		{"teredo bubble", udp(3544, "\x60\x00\x00\x00"), packet.UDP, 0, 0},
		{"l2tp control", udp(1701, "\xc8\x02\x00\x14\x00\x00\x00\x00\x00\x00\x00\x00"), packet.UDP, 0, 0},
		{"l2tp version 3", udp(1701, "\x00\x03\x00\x05\x00\x06\x00\x21"+string(raw4)), packet.UDP, 0, 0},
		{"l2tp with an offset beyond", udp(1701, "\x02\x02\x00\x05\x00\x06\xff\xff\x00\x21"+string(raw4)), packet.UDP, 0, 0},
		{"dns on a tunnel's port", pt.UDP(to(oc4, 4789), to(os4, 53), "\x08\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"), packet.UDP, 0, 0},
		{"nothing on a tunnel's port", udp(2152, ""), packet.UDP, 0, 0},
		{"gre of cdp", gre("\x00\x00\x20\x00\x01\x02"), packet.OtherIP, 0, 0},
		{"gre with routes", gre("\x40\x00\x08\x00\x00\x00\x00\x00" + string(raw4)), packet.OtherIP, 0, 0},
		{"gre of version 2", gre("\x00\x02\x08\x00" + string(raw4)), packet.OtherIP, 0, 0},
		{"gre without a whole header", gre("\xb0\x00\x08\x00\x00\x00"), packet.OtherIP, 0, 0},
		{"ipip of nothing", pt.IP(a4, b4, 4, ""), packet.OtherIP, 0, 0},
		{"ipip of another version", pt.IP(a4, b4, 41, raw4), packet.OtherIP, 0, 0},
		{"ipip that ends in the ip header", pt.IP(a4, b4, 4, raw4[:19], pt.Pad(30)), packet.OtherIP, 0, 0},
		{"ipip that ends in the payload", pt.IP(a4, b4, 4, raw4[:42], pt.Pad(30)), packet.TCP, packet.ErrIPBeyondFrame, 1},
		{"ipip that ends in the tcp header", pt.IP(a4, b4, 4, raw4[:30], pt.Pad(30)), packet.Malformed, packet.ErrTCPShort, 1},
		{"ipip of a broken segment", pt.IPIP(a4, b4, broken), packet.Malformed, packet.ErrTCPDataOffset, 1},
		{"ipip of a fragment", pt.IPIP(a4, b4, pt.UDP(c4, s4, make([]byte, 100), pt.Fragment(1, 16, 32), pt.Link(packet.LinkRaw))), packet.Fragment, 0, 1},
		{"fragment of ipip", pt.IPIP(a4, b4, raw4, pt.Fragment(1, 0, 40)), packet.Fragment, 0, 0},
		{"eight tunnels", pt.IPIP(a4, b4, nested[160:]), packet.TCP, 0, 1},
		{"nine tunnels", pt.IPIP(a4, b4, nested), packet.OtherIP, 0, 8},
	}
	for _, c := range cases {
		p := packet.Packet{Decap: packet.AllTunnels}
		p.Decode(1, c.frame, len(c.frame), 1)
		if p.Class != c.class || p.Err != c.err || p.TunnelDepth != c.depth {
			t.Errorf("%s: %v, %v, depth %d, want %v, %v, depth %d", c.name, p.Class, p.Err, p.TunnelDepth, c.class, c.err, c.depth)
		}
		if c.depth > 0 {
			continue
		}
		q := packet.Packet{}
		q.Decode(1, c.frame, len(c.frame), 1)
		q.Decap = packet.AllTunnels
		if d := cmp.Diff(q, p, cmp.AllowUnexported(packet.Packet{})); d != "" {
			t.Errorf("%s: differs from what it is without entering tunnels: (-without +with)\n%s", c.name, d)
		}
	}
}

// TestDecodeTunnelSnaplen cuts a tunnelled segment at every length.
func TestDecodeTunnelSnaplen(t *testing.T) {
	t.Parallel()
	frame := pt.VXLAN(oc4, to(os4, 4789), 5, pt.TCP(c6, s6, 7, 9, packet.ACK, "hello"))
	whole := packet.Packet{Decap: packet.AllTunnels}
	whole.Decode(1, frame, len(frame), 0)
	for n := range len(frame) {
		p := packet.Packet{Decap: packet.AllTunnels}
		p.Decode(1, frame[:n], len(frame), 0)
		want, depth := packet.Truncated, uint8(0)
		switch {
		case n >= int(whole.L4Off)+20:
			want, depth = packet.TCP, 1
		case n >= int(whole.IPOff)+40:
			depth = 1
		case n >= 42: // the outer UDP header: what it carries was cut, not malformed
			want = packet.UDP
		}
		if p.Class != want || p.TunnelDepth != depth || p.Err != packet.OK || n < len(frame) && want > packet.Truncated && !p.Cut() {
			t.Errorf("cut to %d: %v at depth %d (%v), want %v at depth %d", n, p.Class, p.TunnelDepth, p.Err, want, depth)
		}
	}
}

// TestReassemble keeps what is known of the frame around a fragment.
func TestReassemble(t *testing.T) {
	t.Parallel()
	inner := pt.UDP(c4, s4, make([]byte, 40), pt.Link(packet.LinkRaw))
	part := pt.UDP(c4, s4, make([]byte, 40), pt.Fragment(1, 0, 24))
	frame := pt.VXLAN(oc4, to(os4, 4789), 5, part, pt.VLAN(7, 8), pt.MPLS(99))
	p := packet.Packet{Decap: packet.AllTunnels}
	p.Decode(1, frame, len(frame), 123)
	if p.Class != packet.Fragment || p.Reassembled || p.SrcPort != 40000 || p.Network() != 1<<63|5<<24|8<<12|7 {
		t.Fatalf("fragment: %+v", p)
	}
	p.Reassemble(inner)
	want := via{"vxlan", 1, 5, "192.0.2.1", "192.0.2.2"}
	if d := cmp.Diff(want, tunnels(&p)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if !p.Reassembled || p.Class != packet.UDP || p.TS != 123 || p.Link != packet.LinkRaw || p.VLANs != 2 || p.VLAN != 7 || p.VLANInner != 8 ||
		p.Labels != 1 || p.Label != 99 || p.EtherType != 0x0800 || p.Decap != packet.AllTunnels || p.IPOff != 0 || p.WireLen != len(inner) || p.PayloadLen != 40 {
		t.Errorf("%+v", p)
	}
	p.Reassemble(pt.IPIP(c6.Addr(), s6.Addr(), inner, pt.Link(packet.LinkRaw)))
	want = via{"ipip", 2, 0, "192.0.2.1", "192.0.2.2"}
	if d := cmp.Diff(want, tunnels(&p)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// TestPortsOfFragments has the ports where a first fragment begins with them.
func TestPortsOfFragments(t *testing.T) {
	t.Parallel()
	sctp := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, 40000), 80)
	for name, c := range map[string]struct {
		frame []byte
		ports bool
	}{
		"first of udp":  {pt.UDP(c4, s4, "hello hello", pt.Fragment(1, 0, 8)), true},
		"first of tcp":  {pt.TCP(c6, s6, 1, 2, 0, "hello", pt.Fragment(1, 0, 16)), true},
		"later of udp":  {pt.UDP(c4, s4, "hello hello", pt.Fragment(1, 8, 8)), false},
		"first of icmp": {pt.Echo(c4.Addr(), s4.Addr(), "hello", pt.Fragment(1, 0, 8)), false},
		"sctp":          {pt.IP(c4.Addr(), s4.Addr(), 132, string(sctp)), true},
		"short sctp":    {pt.IP(c4.Addr(), s4.Addr(), 132, string(sctp[:3])), false},
		"gre":           {pt.IP(c4.Addr(), s4.Addr(), 47, string(sctp)), false},
	} {
		var p packet.Packet
		p.Decode(1, c.frame, len(c.frame), 0)
		if got := p.SrcPort == 40000 && p.DstPort == 80; got != c.ports || !c.ports && p.SrcPort+p.DstPort != 0 {
			t.Errorf("%s: ports %d and %d", name, p.SrcPort, p.DstPort)
		}
	}
}

func TestTunnelsString(t *testing.T) {
	t.Parallel()
	for set, want := range map[packet.Tunnels]string{
		0: "none", packet.GRE: "gre", packet.IPIP | packet.VXLAN: "ipip,vxlan",
		packet.AllTunnels:   "ipip,gre,mpls,vxlan,geneve,gtpu,teredo,l2tp,lisp,ayiya,ipcomp,wlan",
		packet.KnownTunnels: "ipip,gre,mpls,vxlan,geneve,gtpu,teredo,l2tp,lisp,ayiya,ipcomp,wlan,sflow",
	} {
		if got := set.String(); got != want {
			t.Errorf("%#x: %q, want %q", uint16(set), got, want)
		}
	}
	if k, ok := packet.ParseTunnel("none"); ok {
		t.Errorf("none is %v", k)
	}
}
