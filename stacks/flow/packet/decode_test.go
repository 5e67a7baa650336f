package packet_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

var (
	c4 = netip.MustParseAddrPort("10.0.0.1:40000")
	s4 = netip.MustParseAddrPort("10.0.0.2:80")
	c6 = netip.MustParseAddrPort("[2001:db8::1]:40000")
	s6 = netip.MustParseAddrPort("[2001:db8::2]:80")
)

// got is the part of a Packet that every row states in full.
type got struct {
	Class        packet.Class
	Err          packet.ErrorKind
	Src, Dst     string
	Flags        string
	Seq, Ack     uint32
	Payload      string
	Len          uint32
	VLANs        uint8
	VLAN, VLANIn uint16
}

func look(p *packet.Packet) got {
	g := got{Class: p.Class, Err: p.Err, Payload: string(p.Payload()), VLANs: p.VLANs, VLAN: p.VLAN, VLANIn: p.VLANInner}
	if p.Class >= packet.Fragment {
		g.Len = p.PayloadLen
	}
	if p.IsIP() {
		g.Src, g.Dst = p.SrcAddrPort().String(), p.DstAddrPort().String()
	}
	if p.Class == packet.TCP {
		g.Flags, g.Seq, g.Ack = p.TCPFlags.String(), p.Seq, p.Ack
	}
	return g
}

// tcp4 and tcp6 are the result that most rows share.
func tcp4(edit func(*got)) got {
	g := got{Class: packet.TCP, Src: "10.0.0.1:40000", Dst: "10.0.0.2:80", Flags: "P.", Seq: 7, Ack: 9, Payload: "hello", Len: 5}
	if edit != nil {
		edit(&g)
	}
	return g
}

func tcp6(edit func(*got)) got {
	g := tcp4(edit)
	g.Src, g.Dst = "[2001:db8::1]:40000", "[2001:db8::2]:80"
	return g
}

// behind puts other bytes between the addresses of an Ethernet frame and its IP packet.
func behind(header string, frame []byte) []byte {
	return append(append(frame[:12:12], header...), frame[14:]...)
}

func TestDecodeTCP(t *testing.T) {
	t.Parallel()
	const pa = packet.PSH | packet.ACK
	v4 := func(opts ...pt.Option) []byte { return pt.TCP(c4, s4, 7, 9, pa, "hello", opts...) }
	v6 := func(opts ...pt.Option) []byte { return pt.TCP(c6, s6, 7, 9, pa, "hello", opts...) }
	raw4, raw6 := v4(pt.Link(packet.LinkRaw)), v6(pt.Link(packet.LinkRaw))
	cases := []struct {
		name  string
		link  uint16
		frame []byte
		want  got
	}{
		{"ethernet ipv4", 1, v4(), tcp4(nil)},
		{"ethernet padding", 1, v4(pt.Pad(6)), tcp4(nil)},
		{"ethernet ipv6", 1, v6(), tcp6(nil)},
		{"vlan", 1, v4(pt.VLAN(5)), tcp4(func(g *got) { g.VLANs, g.VLAN = 1, 5 })},
		{"qinq", 1, v6(pt.VLAN(100, 7)), tcp6(func(g *got) { g.VLANs, g.VLAN, g.VLANIn = 2, 100, 7 })},
		{"raw ipv4", packet.LinkRaw, v4(pt.Link(packet.LinkRaw)), tcp4(nil)},
		{"raw ipv6", packet.LinkRaw, v6(pt.Link(packet.LinkRaw)), tcp6(nil)},
		{"linktype ipv4", packet.LinkIPv4, v4(pt.Link(packet.LinkIPv4)), tcp4(nil)},
		{"linktype ipv6", packet.LinkIPv6, v6(pt.Link(packet.LinkIPv6)), tcp6(nil)},
		{"null ipv4", packet.LinkNull, v4(pt.Link(packet.LinkNull)), tcp4(nil)},
		{"null ipv6", packet.LinkNull, v6(pt.Link(packet.LinkNull)), tcp6(nil)},
		{"null of the other byte order", packet.LinkNull, v6(pt.Link(packet.LinkLoop)), tcp6(nil)},
		{"loop", packet.LinkLoop, v4(pt.Link(packet.LinkLoop)), tcp4(nil)},
		{"sll", packet.LinkSLL, v4(pt.Link(packet.LinkSLL)), tcp4(nil)},
		{"sll2", packet.LinkSLL2, v6(pt.Link(packet.LinkSLL2)), tcp6(nil)},
		{"ppp", packet.LinkPPP, v4(pt.Link(packet.LinkPPP)), tcp4(nil)},
		{"chdlc", packet.LinkCHDLC, v6(pt.Link(packet.LinkCHDLC)), tcp6(nil)},
		{"pppoe", 1, behind("\x88\x64\x11\x00\x00\x05\x00\x2f\x00\x21", v4(pt.Pad(3))), tcp4(nil)},
		{"pppoe ipv6 on a vlan", 1, behind("\x81\x00\x00\x07\x88\x64\x11\x00\x00\x05\x00\x42\x57", v6()), tcp6(func(g *got) { g.VLANs, g.VLAN = 1, 7 })},
		{"pppoe link", packet.LinkPPPEther, append([]byte("\x11\x00\x00\x05\x00\x2f\x00\x21"), raw4...), tcp4(nil)},
		{"ppp hdlc", packet.LinkPPPHDLC, v4(pt.Link(packet.LinkPPP)), tcp4(nil)},
		{"ppp with direction", packet.LinkPPPDir, append([]byte{1}, v6(pt.Link(packet.LinkPPP))...), tcp6(nil)},
		{"atm", packet.LinkATM1483, append([]byte("\xaa\xaa\x03\x00\x00\x00\x08\x00"), raw4...), tcp4(nil)},
		{"nflog", packet.LinkNFLog, append([]byte("\x02\x00\x00\x05\x05\x00\x0a\x00a\x00\x00\x00\x31\x00\x09\x00"), raw4...), tcp4(nil)},
		{"nflog of the other byte order", packet.LinkNFLog, append([]byte("\x0a\x00\x00\x05\x00\x05\x00\x0aa\x00\x00\x00\x00\x45\x00\x09"), raw6...), tcp6(nil)},
		{"pflog", packet.LinkPFLog, append(append([]byte("\x3d\x02"), make([]byte, 62)...), raw4...), tcp4(nil)},
		{"ipnet", packet.LinkIPNET, append(append([]byte("\x01\x1a"), make([]byte, 22)...), raw6...), tcp6(nil)},
		{"pktap of ethernet", packet.LinkPktap, append(append([]byte("\x14\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"), make([]byte, 8)...), v4(pt.VLAN(5))...), tcp4(func(g *got) { g.VLANs, g.VLAN = 1, 5 })},
		{"mpls", 1, v4(pt.MPLS(100)), tcp4(nil)},
		{"mpls of three labels on a vlan", 1, v6(pt.MPLS(7, 100, 2), pt.VLAN(5)), tcp6(func(g *got) { g.VLANs, g.VLAN = 1, 5 })},
		{"mpls on ppp", packet.LinkPPP, v6(pt.MPLS(1), pt.Link(packet.LinkPPP)), tcp6(nil)},
		{"mpls on sll", packet.LinkSLL, v4(pt.MPLS(1, 2), pt.Link(packet.LinkSLL)), tcp4(nil)},
		{"provider backbone bridge", 1, behind("\x88\xa8\x00\x0b\x88\xe7\x00\x00\x00\x0112345678abcd\x08\x00", v4()), tcp4(func(g *got) { g.VLANs, g.VLAN = 1, 11 })},
		{"fabricpath", 1, behind("\x89\x03\x00\x6012345678abcd\x81\x00\x00\x07\x86\xdd", v6()), tcp6(func(g *got) { g.VLANs, g.VLAN = 1, 7 })},
		{"vn-tag", 1, behind("\x89\x26\x00\x01\x00\x02\x08\x00", v4()), tcp4(nil)},
		{"cisco metadata", 1, behind("\x89\x09\x01\x01\x00\x01\x00\x05\x08\x00", v4()), tcp4(nil)},
		{"service chain", 1, behind("\x89\x4f\x0f\xc6\x01\x01"+string(make([]byte, 20)), v4()), tcp4(nil)},
		{"service chain of ethernet", 1, append([]byte("123456abcdef\x89\x4f\x0f\xc2\x02\x03\x00\x00\x00\x00"), v6()...), tcp6(nil)},
		{"snap", 1, behind("\x00\x35\xaa\xaa\x03\x00\x00\x00\x08\x00", v4()), tcp4(nil)},
		{"ipv4 options", 1, v4(pt.IPOptions(7, 7, 4, 0, 0, 0, 0, 0)), tcp4(nil)},
		{"ipv4 tso", 1, v4(pt.TSO()), tcp4(nil)},
		{"ipv6 tso", 1, v6(pt.TSO()), tcp6(nil)},
		{"tcp options", 1, v4(pt.Timestamps(1, 2)), tcp4(nil)},
		{"tcp option of length 0", 1, v4(pt.RawTCPOptions(99, 0)), tcp4(nil)},
		{"hop-by-hop", 1, v6(pt.Ext(0, 0, 1, 4, 0, 0, 0, 0)), tcp6(nil)},
		{"routing and destination options", 1, v6(pt.Ext(43, 0, 4, 0, 0, 0, 0, 0), pt.Ext(60, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)), tcp6(nil)},
		{"ah over ipv6", 1, v6(pt.Ext(51, append([]byte{4}, make([]byte, 22)...)...)), tcp6(nil)},
		{"atomic fragment", 1, v6(pt.Ext(44, 0, 0, 0, 0, 0, 0, 1)), tcp6(nil)},
		{"ip length beyond the frame", 1, v4()[:56], tcp4(func(g *got) { g.Err, g.Payload = packet.ErrIPBeyondFrame, "he" })},
	}
	for _, c := range cases {
		var p packet.Packet
		p.Decode(c.link, c.frame, len(c.frame), 1)
		if d := cmp.Diff(c.want, look(&p)); d != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, d)
		}
		if got := string(p.Data[p.L4Off:p.PayloadOff]); c.want.Err == 0 && len(got) < 20 {
			t.Errorf("%s: transport header has %d bytes", c.name, len(got))
		}
	}
}

// TestReads has frames of each link type of which nothing, or an LLC header, was captured: those that are read miss the rest.
func TestReads(t *testing.T) {
	t.Parallel()
	for link := range uint16(1 << 15) {
		var p packet.Packet
		read := false
		for _, frame := range []string{"", "\xaa\xaa\x03\x00\x00\x00\x08\x00"} {
			p.Decode(link, []byte(frame), 60, 0)
			read = read || p.Class != packet.NotIP
		}
		if read != packet.Reads(link) {
			t.Errorf("link type %d: read %v", link, read)
		}
	}
}

func TestDecodeOther(t *testing.T) {
	t.Parallel()
	at := func(i int, v ...byte) pt.Option { return pt.Edit(func(b []byte) { copy(b[i:], v) }) }
	tcp := func(opts ...pt.Option) []byte { return pt.TCP(c4, s4, 7, 9, packet.ACK, "hello", opts...) }
	tcpv6 := func(opts ...pt.Option) []byte { return pt.TCP(c6, s6, 7, 9, packet.ACK, "hello", opts...) }
	var chain []pt.Option
	for range 20 {
		chain = append(chain, pt.Ext(60, 0, 1, 4, 0, 0, 0, 0))
	}
	malformed := func(e packet.ErrorKind) got { return got{Class: packet.Malformed, Err: e} }
	with4 := func(g got) got { g.Src, g.Dst = "10.0.0.1:0", "10.0.0.2:0"; return g }
	with6 := func(g got) got { g.Src, g.Dst = "[2001:db8::1]:0", "[2001:db8::2]:0"; return g }
	nil14 := make([]byte, 14)
	udp := got{Class: packet.UDP, Src: "10.0.0.1:40000", Dst: "10.0.0.2:80", Payload: "hello", Len: 5}
	frag := got{Class: packet.Fragment}
	cases := []struct {
		name  string
		link  uint16
		frame []byte
		want  got
	}{
		{"arp", 1, tcp(at(12, 8, 6)), got{}},
		{"unknown link", 147, tcp(), got{}},
		{"empty", 1, nil, malformed(packet.ErrLinkShort)},
		{"empty raw", packet.LinkRaw, nil, malformed(packet.ErrIPShort)},
		{"raw of version 5", packet.LinkRaw, []byte{0x50, 0}, malformed(packet.ErrIPVersion)},
		{"ipv6 on linktype ipv4", packet.LinkIPv4, tcpv6(pt.Link(packet.LinkRaw)), malformed(packet.ErrIPVersion)},
		{"version differs", 1, tcp(at(14, 0x65)), malformed(packet.ErrIPVersion)},
		{"ipv4 header cut by the frame", 1, tcp()[:33], malformed(packet.ErrIPShort)},
		{"ipv6 header cut by the frame", 1, tcpv6()[:53], malformed(packet.ErrIPShort)},
		{"too many tags", 1, tcp(pt.VLAN(1, 2, 3, 4, 5, 6, 7, 8, 9)), got{Class: packet.Malformed, Err: packet.ErrVLANDepth, VLANs: 8, VLAN: 1, VLANIn: 2}},
		{"pppoe shorter than its packet", 1, behind("\x88\x64\x11\x00\x00\x05\x00\x2c\x00\x21", tcp()), tcp4(func(g *got) { g.Err, g.Payload, g.Len = packet.ErrIPBeyondFrame, "he", 2; g.Flags = "." })},
		{"pppoe discovery", 1, behind("\x88\x63\x11\x09\x00\x00\x00\x00", tcp()), got{}},
		{"llc without snap", 1, behind("\x00\x26\x42\x42\x03", tcp()), got{}},
		{"ihl 4", 1, tcp(at(14, 0x44)), with4(malformed(packet.ErrIPHeaderLen))},
		{"ip total length below ihl", 1, tcp(at(16, 0, 19)), with4(malformed(packet.ErrIPHeaderLen))},
		{"tcp header beyond the ip length", 1, tcp(at(16, 0, 39)), with4(malformed(packet.ErrTCPShort))},
		{"doff 4", 1, tcp(at(46, 0x40)), with4(malformed(packet.ErrTCPDataOffset))},
		{"doff beyond the packet", 1, tcp(at(46, 0xf0)), with4(malformed(packet.ErrTCPDataOffset))},
		{"extension beyond the packet", 1, tcpv6(pt.Ext(0, 200, 1, 4, 0, 0, 0, 0)), with6(malformed(packet.ErrExtHeader))},
		{"extension chain", 1, tcpv6(chain...), with6(malformed(packet.ErrExtDepth))},
		{"too many labels", 1, tcp(pt.MPLS(make([]uint32, 70)...)), malformed(packet.ErrLinkDepth)},
		{"mpls cut by the frame", 1, tcp(pt.MPLS(1, 2))[:20], malformed(packet.ErrLinkShort)},
		{"mpls of no ip", 1, tcp(pt.MPLS(1), at(18, 0)), got{}},
		{"too many tags that are no vlan's", 1, behind(strings.Repeat("\x89\x26\x00\x01\x00\x02", 70)+"\x08\x00", tcp()), malformed(packet.ErrLinkDepth)},
		{"tag cut by the frame", 1, behind("\x88\xe7\x00\x00\x00\x01", nil14), malformed(packet.ErrLinkShort)},
		{"service chain of length 0", 1, behind("\x89\x4f\x0f\xc0\x01\x01\x00\x00\x00\x00", tcp()), got{}},
		{"nflog without packet", packet.LinkNFLog, []byte("\x02\x00\x00\x05\x05\x00\x0a\x00a\x00\x00\x00"), got{}},
		{"nflog attribute of length 3", packet.LinkNFLog, []byte("\x02\x00\x00\x05\x03\x00\x0a\x00"), malformed(packet.ErrLinkShort)},
		{"pktap of length 11", packet.LinkPktap, []byte("\x0b\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"), malformed(packet.ErrLinkShort)},
		{"pktap in pktap", packet.LinkPktap, []byte("\x0c\x00\x00\x00\x01\x00\x00\x00\x02\x01\x00\x00"), got{}},
		{"udp", 1, pt.UDP(c4, s4, "hello", pt.Pad(3)), udp},
		{"udp length 0", 1, pt.UDP(c4, s4, "hello", at(38, 0, 0)), udp},
		{"udp length 7", 1, pt.UDP(c4, s4, "hello", at(38, 0, 7)), with4(malformed(packet.ErrUDPLen))},
		{"udp length beyond", 1, pt.UDP(c4, s4, "hello", at(38, 0, 14)), with4(malformed(packet.ErrUDPLen))},
		{"udp header cut", 1, pt.IP(c4.Addr(), s4.Addr(), 17, "1234567"), with4(malformed(packet.ErrUDPShort))},
		{"icmp", 1, pt.Echo(c4.Addr(), s4.Addr(), "x"), with4(got{Class: packet.ICMP, Payload: "\x08\x00\x7f\xfd\x00\x01\x00\x01x", Len: 9})},
		{"icmpv6", 1, pt.Echo(c6.Addr(), s6.Addr(), ""), with6(got{Class: packet.ICMP, Payload: "\x80\x00\x24\x46\x00\x01\x00\x01", Len: 8})},
		{"icmpv6 over ipv4", 1, pt.IP(c4.Addr(), s4.Addr(), 58, "x"), with4(got{Class: packet.OtherIP, Payload: "x", Len: 1})},
		{"sctp", 1, pt.IP(c6.Addr(), s6.Addr(), 132, "sctp"), with6(got{Class: packet.OtherIP, Payload: "sctp", Len: 4})},
		{"hop-by-hop is no extension of ipv4", 1, pt.IP(c4.Addr(), s4.Addr(), 0, "x"), with4(got{Class: packet.OtherIP, Payload: "x", Len: 1})},
		{"no next header", 1, pt.IP(c6.Addr(), s6.Addr(), 59, "", pt.Pad(6)), with6(got{Class: packet.OtherIP})},
		{"first fragment", 1, tcp(pt.Fragment(9, 0, 24)), func() got { g := with4(frag); g.Len = 24; g.Payload = string(tcp()[34:58]); return g }()},
		{"last fragment", 1, tcp(pt.Fragment(9, 16, 100)), func() got { g := with4(frag); g.Len = 9; g.Payload = string(tcp()[50:59]); return g }()},
		{"ipv6 fragment", 1, tcpv6(pt.Fragment(9, 16, 100)), func() got { g := with6(frag); g.Len = 9; g.Payload = string(tcpv6()[70:79]); return g }()},
		{"fragment beyond 65535", 1, tcp(at(20, 0x1f, 0xff)), with4(malformed(packet.ErrFragment))},
	}
	for _, c := range cases {
		var p packet.Packet
		p.Decode(c.link, c.frame, len(c.frame), 1)
		if d := cmp.Diff(c.want, look(&p)); d != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, d)
		}
	}
}

// TestDecodeSnaplen cuts one frame at every length: the wire length says that nothing is malformed.
func TestDecodeSnaplen(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string][]byte{
		"ipv4": pt.TCP(c4, s4, 7, 9, packet.ACK, "hello", pt.Timestamps(1, 2)),
		"ipv6": pt.TCP(c6, s6, 7, 9, packet.ACK, "hello", pt.Timestamps(1, 2), pt.VLAN(3), pt.Ext(0, 0, 1, 4, 0, 0, 0, 0)),
	} {
		var whole packet.Packet
		whole.Decode(1, frame, len(frame), 0)
		for n := range len(frame) {
			var p packet.Packet
			p.Decode(1, frame[:n], len(frame), 0)
			switch {
			case p.Err != packet.OK:
				t.Errorf("%s cut to %d: malformed: %v", name, n, p.Err)
			case n < int(whole.L4Off)+20:
				if p.Class != packet.Truncated || p.Payload() != nil {
					t.Errorf("%s cut to %d: class %v, payload %q", name, n, p.Class, p.Payload())
				}
			default:
				want := "hello"[:max(0, n-int(whole.PayloadOff))]
				if p.Class != packet.TCP || string(p.Payload()) != want || p.PayloadLen != 5 || !p.Cut() {
					t.Errorf("%s cut to %d: %v with %q of %d, want %q", name, n, p.Class, p.Payload(), p.PayloadLen, want)
				}
				if p.TCPOptions().HasTimestamps != (n >= int(whole.L4Off)+30) {
					t.Errorf("%s cut to %d: options %+v", name, n, p.TCPOptions())
				}
			}
		}
	}
}

func TestTCPOptions(t *testing.T) {
	t.Parallel()
	syn := func(opts ...pt.Option) []byte { return pt.TCP(c4, s4, 1, 0, packet.SYN, "", opts...) }
	cases := []struct {
		name  string
		frame []byte
		want  packet.TCPOptions
	}{
		{"none", syn(), packet.TCPOptions{}},
		{
			"all of a linux syn", syn(pt.MSS(1460), pt.SACKPermitted(), pt.Timestamps(5, 0), pt.RawTCPOptions(1), pt.WScale(7)),
			packet.TCPOptions{MSS: 1460, SACKPermitted: true, HasTimestamps: true, TSVal: 5, HasWScale: true, WScale: 7},
		},
		{"scale above 14", syn(pt.WScale(15)), packet.TCPOptions{HasWScale: true, WScale: 14}},
		{
			"sack", syn(pt.SACK(packet.SACKBlock{Left: 10, Right: 20}, packet.SACKBlock{Left: 30, Right: 40})),
			packet.TCPOptions{SACKs: 2, SACK: [4]packet.SACKBlock{{Left: 10, Right: 20}, {Left: 30, Right: 40}}},
		},
		{"end ends", syn(pt.RawTCPOptions(0), pt.MSS(1460)), packet.TCPOptions{}},
		{"length 0", syn(pt.MSS(536), pt.RawTCPOptions(99, 0, 1, 1)), packet.TCPOptions{MSS: 536, Malformed: true}},
		{"length 1", syn(pt.RawTCPOptions(99, 1, 1, 1)), packet.TCPOptions{Malformed: true}},
		{"length beyond", syn(pt.RawTCPOptions(1, 1, 2, 4)), packet.TCPOptions{Malformed: true}},
		{"kind without length", syn(pt.RawTCPOptions(1, 1, 1, 2)), packet.TCPOptions{Malformed: true}},
		{"wrong length of a kind", syn(pt.TCPOption(2, 1), pt.WScale(3)), packet.TCPOptions{HasWScale: true, WScale: 3, Malformed: true}},
		{"unknown kind", syn(pt.TCPOption(254, 1, 2), pt.WScale(3)), packet.TCPOptions{HasWScale: true, WScale: 3}},
	}
	for _, c := range cases {
		var p packet.Packet
		p.Decode(1, c.frame, len(c.frame), 0)
		if d := cmp.Diff(c.want, p.TCPOptions()); d != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, d)
		}
	}
}

func TestFlagsString(t *testing.T) {
	t.Parallel()
	for f, want := range map[packet.Flags]string{
		0: "none", packet.SYN: "S", packet.SYN | packet.ACK: "S.", packet.FIN | packet.ACK: "F.",
		packet.PSH | packet.ACK: "P.", packet.RST: "R", 0xff: "SFRPUEW.",
	} {
		if got := f.String(); got != want {
			t.Errorf("%#x: %q, want %q", uint8(f), got, want)
		}
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	frame := pt.TCP(c6, s6, 7, 9, packet.ACK, "hello", pt.VLAN(3), pt.Ext(0, 0, 1, 4, 0, 0, 0, 0), pt.MSS(9))
	tunnel := pt.VXLAN(oc4, to(os4, 4789), 9, pt.IPIP(oc6.Addr(), os6.Addr(), frame[18:]))
	p := packet.Packet{Decap: packet.AllTunnels}
	var sum int
	if n := testing.AllocsPerRun(1000, func() {
		p.Decode(1, frame, len(frame), 0)
		sum += len(p.Payload()) + int(p.TCPOptions().MSS) + p.SrcAddrPort().Addr().BitLen()
		p.Decode(1, tunnel, len(tunnel), 0)
		sum += int(p.TunnelDepth) + int(p.Checksum()) + int(p.HeaderChecksum())
		p.Reassemble(frame[18:])
		sum += int(p.Network())
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	if p.TunnelDepth != 2 || p.Class != packet.TCP {
		t.Errorf("%v at depth %d", p.Class, p.TunnelDepth)
	}
}

func BenchmarkDecode(b *testing.B) {
	body := make([]byte, 1000)
	tcp4 := pt.TCP(c4, s4, 7, 9, packet.ACK, body, pt.Timestamps(1, 2))
	udp4 := pt.UDP(c4, s4, body)
	for _, c := range []struct {
		name  string
		decap packet.Tunnels
		frame []byte
	}{
		{"tcp4", 0, tcp4},
		{"tcp6", 0, pt.TCP(c6, s6, 7, 9, packet.ACK, body, pt.Timestamps(1, 2))},
		{"vlan", 0, pt.TCP(c4, s4, 7, 9, packet.ACK, body, pt.VLAN(9))},
		{"mpls", 0, pt.TCP(c4, s4, 7, 9, packet.ACK, body, pt.MPLS(9))},
		{"udp4", 0, udp4},
		{"tcp4-decap", packet.AllTunnels, tcp4},
		{"udp4-decap", packet.AllTunnels, udp4},
		{"gre-decap", packet.AllTunnels, pt.GRE(oc4.Addr(), os4.Addr(), pt.GREHeader{}, tcp4[14:])},
		{"vxlan-decap", packet.AllTunnels, pt.VXLAN(oc4, to(os4, 4789), 1, tcp4)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			p := packet.Packet{Decap: c.decap}
			for b.Loop() {
				p.Decode(1, c.frame, len(c.frame), 1)
			}
		})
	}
}

func BenchmarkChecksum(b *testing.B) {
	var p packet.Packet
	frame := pt.TCP(c4, s4, 7, 9, packet.ACK, make([]byte, 1460))
	p.Decode(1, frame, len(frame), 1)
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		if !p.ChecksumOK() {
			b.Fatal("bad")
		}
	}
}
