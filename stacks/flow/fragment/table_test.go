package fragment_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

var (
	c4 = netip.MustParseAddrPort("10.0.0.1:40000")
	s4 = netip.MustParseAddrPort("10.0.0.2:80")
	c6 = netip.MustParseAddrPort("[2001:db8::1]:40000")
	s6 = netip.MustParseAddrPort("[2001:db8::2]:80")
	o4 = netip.MustParseAddr("192.0.2.1")
	p4 = netip.MustParseAddr("192.0.2.2")
)

const start = int64(1_700_000_000_000_000_000)

// text is a payload in which every place can be told.
func text(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return string(b)
}

// in is one frame of a row: what is given to the table, after so much time.
type in struct {
	frame []byte
	after time.Duration
	want  fragment.Result
}

// row runs frames through a table and says what comes out.
type row struct {
	name  string
	cfg   fragment.Config
	in    []in
	out   string         // the payload of the last datagram
	stats fragment.Stats // what is not zero of them; Fragments, Held, Peak and Datagrams are not looked at
}

func (r row) run(t *testing.T) {
	table := fragment.New(r.cfg)
	p := packet.Packet{Decap: packet.AllTunnels}
	now := start
	var out string
	for i, in := range r.in {
		now += int64(in.after)
		p.Decode(1, in.frame, len(in.frame), now)
		if got := table.Add(&p); got != in.want {
			t.Errorf("%s: frame %d (%v, %v) is %v, want %v", r.name, i, p.Class, p.Err, got, in.want)
		}
		if in.want == fragment.Whole {
			out = string(p.Payload())
			if p.Class != packet.UDP || !p.Reassembled || p.HeaderChecksum() == packet.ChecksumBad || p.TS != now {
				t.Errorf("%s: frame %d made %+v", r.name, i, p)
			}
		}
		clear(in.frame) // what is held was copied
	}
	if out != r.out {
		t.Errorf("%s: datagram of %d bytes, want %d\n%q\n%q", r.name, len(out), len(r.out), out, r.out)
	}
	got := table.Stats()
	consistent(t, r.name, got)
	got.Fragments, got.Held, got.Peak, got.Datagrams = 0, 0, 0, 0
	if d := cmp.Diff(r.stats, got); d != "" {
		t.Errorf("%s: (-want +got)\n%s", r.name, d)
	}
}

// consistent checks what holds for the counters of any input.
func consistent(t *testing.T, name string, s fragment.Stats) {
	t.Helper()
	if sum := s.Taken + s.Duplicates + s.Cut + s.Empty + s.Misaligned + s.Contradicting + s.LongHeaders + s.Late + s.Nested; sum != s.Fragments {
		t.Errorf("%s: %d fragments, %d accounted for: %+v", name, s.Fragments, sum, s)
	}
	if sum := s.Whole + s.TimedOut + s.Evicted + s.TooLong + uint64(s.Open); sum != s.Datagrams {
		t.Errorf("%s: %d datagrams, %d accounted for: %+v", name, s.Datagrams, sum, s)
	}
	if s.Held > s.Peak || s.Held < 0 || (s.Open == 0) != (s.Held == 0) {
		t.Errorf("%s: memory: %+v", name, s)
	}
}

// udp builds a fragment of one datagram with a payload of 92 bytes, 100 with the header.
func udp4(id uint32, off, n int, opts ...pt.Option) []byte {
	return pt.UDP(c4, s4, text(92), append(opts, pt.Fragment(id, off, n))...)
}

func udp6(id uint32, off, n int, opts ...pt.Option) []byte {
	return pt.UDP(c6, s6, text(92), append(opts, pt.Fragment(id, off, n))...)
}

// piece builds any fragment.
func piece(off int, more bool, body string) []byte {
	return pt.IP(c4.Addr(), s4.Addr(), 17, body, pt.Piece(1, off, more))
}

func piece6(off int, more bool, body string) []byte {
	return pt.IP(c6.Addr(), s6.Addr(), 17, body, pt.Piece(1, off, more))
}

// header is that of a UDP datagram of n bytes without checksum.
func header(n int) string {
	return "\x9c\x40\x00\x50" + string([]byte{byte((n + 8) >> 8), byte(n + 8), 0, 0})
}

func held(frames ...[]byte) (list []in) {
	for _, f := range frames {
		list = append(list, in{f, 0, fragment.Held})
	}
	return list
}

func then(list []in, more ...in) []in { return append(list, more...) }

func whole(f []byte) in   { return in{f, 0, fragment.Whole} }
func refused(f []byte) in { return in{f, 0, fragment.Refused} }

func TestTable(t *testing.T) {
	t.Parallel()
	all := text(92)
	one := fragment.Stats{Taken: 2, Whole: 1}
	hop := pt.Ext(0, 0, 1, 4, 0, 0, 0, 0)
	route := pt.Ext(43, 2, 0, 0, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9)
	rows := []row{
		{"ipv4", fragment.Config{}, then(held(udp4(1, 0, 48)), whole(udp4(1, 48, 52))), all, one},
		{"ipv6", fragment.Config{}, then(held(udp6(1, 0, 48)), whole(udp6(1, 48, 52))), all, one},
		{"backwards", fragment.Config{}, then(held(udp4(1, 96, 4), udp4(1, 48, 48)), whole(udp4(1, 0, 48))), all, fragment.Stats{Taken: 3, Whole: 1}},
		{"ipv6 backwards", fragment.Config{}, then(held(udp6(1, 96, 4), udp6(1, 48, 48)), whole(udp6(1, 0, 48))), all, fragment.Stats{Taken: 3, Whole: 1}},
		{"last in the middle", fragment.Config{}, then(held(udp4(1, 48, 52), udp4(1, 0, 24)), whole(udp4(1, 24, 24))), all, fragment.Stats{Taken: 3, Whole: 1}},
		{"a byte in the last", fragment.Config{}, then(held(piece(0, true, header(9)+"12345678")), whole(piece(16, false, "9"))), "123456789", one},
		{"options of the first alone", fragment.Config{}, then(held(udp4(1, 48, 52, pt.IPOptions(1, 1, 1, 1))), whole(udp4(1, 0, 48, pt.IPOptions(7, 7, 4, 0, 0, 0, 0, 0)))), all, one},
		{"hop-by-hop and routing", fragment.Config{}, then(held(udp6(1, 0, 48, hop, route)), whole(udp6(1, 48, 52, hop, route))), all, one},
		{"extensions in the fragments", fragment.Config{}, then(
			held(pt.IP(c6.Addr(), s6.Addr(), 60, "\x11\x00\x01\x04\x00\x00\x00\x00"+header(8), pt.Piece(1, 0, true))), whole(piece6(16, false, "12345678"))), "12345678", one},
		{"other protocol in a later fragment of ipv6", fragment.Config{}, then(held(piece6(0, true, header(8))), whole(pt.IP(c6.Addr(), s6.Addr(), 6, "12345678", pt.Piece(1, 8, false)))), "12345678", one},
		{"not one datagram", fragment.Config{}, held(
			udp4(1, 0, 48), udp4(2, 48, 52), udp4(1, 48, 52, pt.VLAN(2)), pt.TCP(c4, s4, 1, 2, 0, text(80), pt.Fragment(1, 48, 52)),
			pt.UDP(s4, c4, all, pt.Fragment(1, 48, 52)), udp6(1, 48, 52),
		), "", fragment.Stats{Taken: 6, Open: 6}},
		{"networks apart", fragment.Config{}, then(
			held(pt.VXLAN(c4, netip.MustParseAddrPort("10.0.0.9:4789"), 1, udp4(1, 0, 48)), pt.VXLAN(c4, netip.MustParseAddrPort("10.0.0.9:4789"), 2, udp4(1, 48, 52))),
			whole(pt.VXLAN(c4, netip.MustParseAddrPort("10.0.0.8:4789"), 1, udp4(1, 48, 52)))), all, fragment.Stats{Taken: 3, Whole: 1, Open: 1}},
		{"again", fragment.Config{}, then(held(udp4(1, 0, 48)), whole(udp4(1, 48, 52)), in{udp4(1, 0, 48), 0, fragment.Held}, whole(udp4(1, 48, 52))), all, fragment.Stats{Taken: 4, Whole: 2}},
		{"duplicates", fragment.Config{}, then(held(udp4(1, 0, 48), udp4(1, 0, 48), udp4(1, 96, 4), udp4(1, 96, 4)), whole(udp4(1, 48, 48))), all, fragment.Stats{Taken: 3, Duplicates: 2, Whole: 1}},

		{"overlap", fragment.Config{}, then(held(udp4(1, 0, 48)), whole(udp4(1, 24, 76))), all, fragment.Stats{Taken: 2, Overlaps: 1, Whole: 1}},
		{"overlap on both sides", fragment.Config{}, then(held(udp4(1, 0, 48), udp4(1, 72, 28)), whole(udp4(1, 40, 40))), all, fragment.Stats{Taken: 3, Overlaps: 1, Whole: 1}},
		{"overlap, other bytes", fragment.Config{}, then(held(piece(0, true, header(24)+"AAAAAAAA")), whole(piece(8, false, "BBBBBBBBCCCCCCCCDDDDDDDD"))), "AAAAAAAACCCCCCCCDDDDDDDD", fragment.Stats{Taken: 2, Overlaps: 1, Conflicts: 1, Whole: 1}},
		{"overlap, other bytes, backwards", fragment.Config{}, then(held(piece(8, false, "BBBBBBBBCCCCCCCCDDDDDDDD")), whole(piece(0, true, header(24)+"AAAAAAAA"))), "AAAAAAAACCCCCCCCDDDDDDDD", fragment.Stats{Taken: 2, Overlaps: 1, Conflicts: 1, Whole: 1}},
		{"duplicate with other bytes", fragment.Config{}, then(held(piece(8, true, "AAAAAAAA"), piece(8, true, "BBBBBBBB"), piece(0, true, header(9))), whole(piece(16, false, "9"))), "AAAAAAAA9", fragment.Stats{Taken: 3, Duplicates: 1, Conflicts: 1, Whole: 1}},
		{"teardrop", fragment.Config{}, then(held(piece(0, true, header(28)+"AAAAAAAAAAAAAAAAAAAAAAAA")), refused(piece(24, false, "BBBB"))), "", fragment.Stats{Taken: 1, Contradicting: 1, Open: 1}},
		{"one inside another", fragment.Config{}, then(held(piece(0, true, header(28)+"AAAAAAAAAAAAAAAAAAAAAAAA"), piece(8, true, "BBBBBBBB")), whole(piece(32, false, "CCCC"))), "AAAAAAAAAAAAAAAAAAAAAAAACCCC", fragment.Stats{Taken: 2, Duplicates: 1, Conflicts: 1, Whole: 1}},
		{
			"overlap discards",
			fragment.Config{Overlap: fragment.OverlapDiscard},
			then(held(udp6(1, 0, 48)), refused(udp6(1, 24, 76)), refused(udp6(1, 48, 52)), in{udp6(1, 0, 48), 31 * time.Second, fragment.Held}, whole(udp6(1, 48, 52))), all,
			fragment.Stats{Taken: 3, Late: 2, Overlaps: 1, Discarded: 1, TimedOut: 1, Whole: 1},
		},
		{"duplicate discards nothing", fragment.Config{Overlap: fragment.OverlapDiscard}, then(held(udp6(1, 0, 48), udp6(1, 0, 24), udp6(1, 24, 24)), whole(udp6(1, 48, 52))), all, fragment.Stats{Taken: 2, Duplicates: 2, Whole: 1}},

		{"two ends", fragment.Config{}, then(held(udp4(1, 48, 52)), refused(piece(96, false, "12345")), refused(piece(96, false, "123")), whole(udp4(1, 0, 48))), all, fragment.Stats{Taken: 2, Contradicting: 2, Whole: 1}},
		{"more behind the end", fragment.Config{}, then(held(udp4(1, 48, 52)), refused(piece(96, true, "12345678")), refused(piece(104, true, "12345678")), whole(udp4(1, 0, 48))), all, fragment.Stats{Taken: 2, Contradicting: 2, Whole: 1}},
		{"end before what came", fragment.Config{}, then(held(udp4(1, 48, 48)), refused(piece(64, false, "12345678"))), "", fragment.Stats{Taken: 1, Contradicting: 1, Open: 1}},
		{"more up to the end", fragment.Config{}, then(held(piece(8, false, "12345678"), piece(8, true, "12345678")), whole(piece(0, true, header(8)))), "12345678", fragment.Stats{Taken: 2, Duplicates: 1, Whole: 1}},

		{"empty", fragment.Config{}, []in{refused(piece(0, true, "")), refused(piece(8, false, ""))}, "", fragment.Stats{Empty: 2}},
		{"odd length", fragment.Config{}, then(held(piece(0, true, header(8)+"12345")), whole(piece(8, false, "abcdefgh"))), "abcdefgh", fragment.Stats{Taken: 2, Trimmed: 1, Whole: 1}},
		{"too short to be cut", fragment.Config{}, []in{refused(piece(0, true, "1234567"))}, "", fragment.Stats{Empty: 1, Trimmed: 1}},
		{"odd length of ipv6", fragment.Config{}, []in{refused(piece6(0, true, "12345678a"))}, "", fragment.Stats{Misaligned: 1}},
		{"cut by the frame", fragment.Config{}, []in{refused(udp4(1, 0, 48)[:60])}, "", fragment.Stats{Cut: 1}},
		{"no fragment", fragment.Config{}, []in{{pt.UDP(c4, s4, "x"), 0, fragment.NoFragment}, {pt.UDP(c6, s6, "x", pt.Ext(44, 0, 0, 0, 0, 0, 0, 1)), 0, fragment.NoFragment}}, "", fragment.Stats{}},
		{"largest datagram", fragment.Config{}, then(held(piece(0, true, header(65507)+text(65504-8))), whole(piece(65504, false, "12345678901"))), text(65504-8) + "12345678901", one},
		{"ping of death", fragment.Config{}, then(held(piece(0, true, header(65508)+text(65504-8))), refused(piece(65504, false, "123456789012"))), "", fragment.Stats{Taken: 2, TooLong: 1}},
		{"ping of death of ipv6", fragment.Config{}, then(held(pt.IP(c6.Addr(), s6.Addr(), 17, header(0)+text(65000-16+8), hop, pt.Piece(1, 0, true))), refused(pt.IP(c6.Addr(), s6.Addr(), 17, text(530), pt.Piece(1, 65000, false)))), "", fragment.Stats{Taken: 2, TooLong: 1}},

		{"in time", fragment.Config{}, []in{{udp4(1, 0, 48), 0, fragment.Held}, {udp4(1, 48, 52), 30*time.Second - 1, fragment.Whole}}, all, one},
		{"too late", fragment.Config{}, []in{{udp4(1, 0, 48), 0, fragment.Held}, {udp4(1, 48, 52), 30 * time.Second, fragment.Held}}, "", fragment.Stats{Taken: 2, TimedOut: 1, Open: 1}},
		{"a fragment keeps nothing alive", fragment.Config{Timeout: time.Second}, []in{{udp4(1, 0, 24), 0, fragment.Held}, {udp4(1, 24, 24), 900 * time.Millisecond, fragment.Held}, {udp4(1, 48, 52), 100 * time.Millisecond, fragment.Held}}, "", fragment.Stats{Taken: 3, TimedOut: 1, Open: 1}},
		{"clock set back", fragment.Config{}, []in{{udp4(1, 0, 48), 0, fragment.Held}, {udp4(2, 0, 48), -time.Hour, fragment.Held}, {udp4(1, 48, 52), 0, fragment.Whole}, {udp4(2, 48, 52), time.Hour + 29*time.Second, fragment.Whole}}, all, fragment.Stats{Taken: 4, Whole: 2}},
		{"oldest pushed out", fragment.Config{Datagrams: 2}, then(held(udp4(1, 0, 48), udp4(2, 0, 48), udp4(3, 0, 48), udp4(1, 48, 52)), whole(udp4(3, 48, 52))), all, fragment.Stats{Taken: 5, Evicted: 2, Whole: 1, Open: 1}},
	}
	for _, r := range rows {
		r.run(t)
	}
}

// TestHeaders compares whole datagrams with the packets that were fragmented, byte by byte.
func TestHeaders(t *testing.T) {
	t.Parallel()
	ah := pt.Ext(51, append([]byte{4}, make([]byte, 22)...)...)
	atomic := pt.Ext(44, 0xff, 0, 0, 0, 0, 0, 1)
	long := pt.Ext(60, append([]byte{30, 1, 244}, make([]byte, 244)...)...)
	var tooLong []pt.Option
	for range 9 {
		tooLong = append(tooLong, long)
	}
	body := text(3000)
	v4 := func(opts ...pt.Option) []byte { return pt.TCP(c4, s4, 1, 2, packet.ACK, body, opts...) }
	v6 := func(opts ...pt.Option) []byte { return pt.TCP(c6, s6, 1, 2, packet.ACK, body, opts...) }
	cases := []struct {
		name  string
		build func(...pt.Option) []byte
		opts  []pt.Option
		want  fragment.Result
	}{
		{"ipv4", v4, []pt.Option{pt.ID(77), pt.TTL(3)}, fragment.Whole},
		{"ipv4 options", v4, []pt.Option{pt.ID(77), pt.IPOptions(7, 7, 4, 0, 0, 0, 0, 0)}, fragment.Whole},
		{"ipv6", v6, nil, fragment.Whole},
		{"ah before the fragment", v6, []pt.Option{ah}, fragment.Whole},
		{"atomic before the fragment", v6, []pt.Option{atomic}, fragment.Whole},
		{"atomic and options before the fragment", v6, []pt.Option{atomic, pt.Ext(60, 0, 1, 4, 0, 0, 0, 0)}, fragment.Whole},
		{"long header", v6, []pt.Option{long, long, ah}, fragment.Whole},
		{"too long header", v6, tooLong, fragment.Refused},
	}
	for _, c := range cases {
		table := fragment.New(fragment.Config{})
		var p packet.Packet
		var got fragment.Result
		for off := 2400; off >= 0; off -= 1200 {
			f := c.build(append(c.opts[:len(c.opts):len(c.opts)], pt.Fragment(77, off, 1200))...)
			p.Decode(1, f, len(f), start)
			got = table.Add(&p)
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v: %+v", c.name, got, c.want, table.Stats())
			continue
		}
		if want := c.build(c.opts...)[14:]; got == fragment.Whole && string(p.Data) != string(want) {
			t.Errorf("%s: differs\n got %x\nwant %x", c.name, p.Data[:80], want[:80])
		}
		if got == fragment.Whole && (p.Class != packet.TCP || !p.ChecksumOK()) {
			t.Errorf("%s: %v, checksum %v", c.name, p.Class, p.Checksum())
		}
		consistent(t, c.name, table.Stats())
	}
}

// cut builds the two fragments of an IP packet, given as raw bytes, of which the second begins at off.
func cut(ip []byte, id uint32, off int, opts ...pt.Option) (a, b []byte) {
	body := string(ip)
	opts = append([]pt.Option{pt.Link(packet.LinkRaw)}, opts...)
	a = pt.IP(o4, p4, 4, body[:off], append(opts, pt.Piece(id, 0, true))...)
	b = pt.IP(o4, p4, 4, body[off:], append(opts, pt.Piece(id, off, false))...)
	return a, b
}

// TestNested has fragments of tunnels that carry fragments, up to the limit and one beyond.
func TestNested(t *testing.T) {
	t.Parallel()
	raw := pt.Link(packet.LinkRaw)
	for depth := 1; depth <= 5; depth++ {
		table := fragment.New(fragment.Config{})
		p := packet.Packet{Decap: packet.AllTunnels}
		add := func(f []byte) fragment.Result {
			p.Decode(packet.LinkRaw, f, len(f), start)
			return table.Add(&p)
		}
		// The last fragment of each packet is cut in two again; all that remains goes in at the end.
		var last []byte
		a, b := pt.UDP(c4, s4, text(600), raw, pt.Fragment(1, 0, 304)), pt.UDP(c4, s4, text(600), raw, pt.Fragment(1, 304, 304))
		if add(a) != fragment.Held {
			t.Fatal("first fragment")
		}
		last = b
		for i := 1; i < depth; i++ {
			a, b := cut(last, uint32(i), 16)
			if got := add(a); got != fragment.Held {
				t.Fatalf("depth %d: first fragment of level %d is %v", depth, i, got)
			}
			last = b
		}
		got := add(last)
		s := table.Stats()
		consistent(t, "nested", s)
		switch {
		case depth <= 4:
			if got != fragment.Whole || p.Class != packet.UDP || string(p.Payload()) != text(600) || int(s.Whole) != depth || p.TunnelDepth > 0 && p.OuterVersion != 4 {
				t.Errorf("depth %d: %v, %v, %+v", depth, got, p.Class, s)
			}
		case got != fragment.Refused || s.Nested != 1 || p.Class != packet.Fragment:
			t.Errorf("depth %d: %v, %v, %+v", depth, got, p.Class, s)
		}
	}
}

// TestTunnelOfFragments has both the outer and the inner packets fragmented, in all orders of two by two.
func TestTunnelOfFragments(t *testing.T) {
	t.Parallel()
	raw := pt.Link(packet.LinkRaw)
	inner := [2][]byte{udp6(5, 0, 48, raw), udp6(5, 48, 52, raw)}
	var frames [4][]byte
	for i, ip := range inner {
		frames[2*i] = pt.GRE(o4, p4, pt.GREHeader{HasKey: true, Key: 3}, ip, pt.VLAN(8), pt.Fragment(uint32(i), 0, 32))
		frames[2*i+1] = pt.GRE(o4, p4, pt.GREHeader{HasKey: true, Key: 3}, ip, pt.VLAN(8), pt.Fragment(uint32(i), 32, 1000))
	}
	for _, order := range strings.Fields("0123 1032 2301 0213 3120 3210 1302") {
		table := fragment.New(fragment.Config{})
		p := packet.Packet{Decap: packet.AllTunnels}
		for i, c := range order {
			f := frames[c-'0']
			p.Decode(1, f, len(f), start)
			want := fragment.Held
			if i == 3 {
				want = fragment.Whole
			}
			if got := table.Add(&p); got != want {
				t.Errorf("order %s, frame %d: %v", order, i, got)
			}
		}
		if string(p.Payload()) != text(92) || p.VLAN != 8 || p.Tunnel != packet.GRE || p.TunnelDepth != 1 || p.TunnelID != 3 ||
			p.OuterSrc.Netip(p.OuterVersion) != o4 || p.Src.Netip(p.IPVersion) != c6.Addr() || p.SrcPort != 40000 {
			t.Errorf("order %s: %+v", order, p)
		}
		if s := table.Stats(); s.Whole != 3 || s.Open != 0 || s.Held != 0 {
			t.Errorf("order %s: %+v", order, s)
		}
	}
}
