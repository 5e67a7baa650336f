package flow_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

var (
	host4, other4 = netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.1")
	host6, other6 = netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8::1")
	router4       = netip.MustParseAddr("10.0.0.254")
	router6       = netip.MustParseAddr("2001:db8::fe")
)

func TestICMPQueries(t *testing.T) {
	t.Parallel()
	const id = 0x1234 << 16
	for _, c := range []struct {
		name   string
		frames [][]byte
		events string
		proto  flowev.Proto
		id     uint16
		pkts   [2]uint64
		bytes  [2]uint64
		cid    string // where others say it
	}{
		{
			name:   "echo, two sequence numbers",
			frames: [][]byte{pt.ICMP(host4, other4, 8, 0, id|1, "ping"), pt.ICMP(other4, host4, 0, 0, id|1, "ping"), pt.ICMP(host4, other4, 8, 0, id|2, "ping")},
			events: "udp_start datagram/C orphan datagram/S orphan datagram/C orphan",
			proto:  flowev.ProtoICMP, id: 0x1234, pkts: [2]uint64{2, 1}, bytes: [2]uint64{8, 4},
		},
		{
			name:   "ICMPv6 echo",
			frames: [][]byte{pt.ICMP(host6, other6, 128, 0, id, "ping"), pt.ICMP(other6, host6, 129, 0, id, "ping")},
			events: "udp_start datagram/C orphan datagram/S orphan",
			proto:  flowev.ProtoICMP6, id: 0x1234, pkts: [2]uint64{1, 1}, bytes: [2]uint64{4, 4},
		},
		{
			name:   "timestamp",
			frames: [][]byte{pt.ICMP(host4, other4, 13, 0, id, "123456789012"), pt.ICMP(other4, host4, 14, 0, id, "123456789012")},
			events: "udp_start datagram/C orphan datagram/S orphan",
			proto:  flowev.ProtoICMP, id: 0x1234, pkts: [2]uint64{1, 1}, bytes: [2]uint64{12, 12},
		},
		{
			name:   "the capture begins with an answer",
			frames: [][]byte{pt.ICMP(other4, host4, 0, 0, id, ""), pt.ICMP(host4, other4, 8, 0, id, "")},
			events: "udp_start datagram/C orphan datagram/S orphan",
			proto:  flowev.ProtoICMP, id: 0x1234, pkts: [2]uint64{1, 1},
		},
		{
			name:   "of a host to itself",
			frames: [][]byte{pt.ICMP(host4, host4, 8, 0, id, "x"), pt.ICMP(host4, host4, 0, 0, id, "x")},
			events: "udp_start datagram/C orphan datagram/S orphan",
			proto:  flowev.ProtoICMP, id: 0x1234, pkts: [2]uint64{1, 1}, bytes: [2]uint64{1, 1},
		},
		{
			name:   "Community ID as its specification has it",
			frames: [][]byte{pt.ICMP(netip.MustParseAddr("192.168.0.89"), netip.MustParseAddr("192.168.0.1"), 8, 0, 1<<16, "")},
			events: "udp_start datagram/C orphan",
			proto:  flowev.ProtoICMP, id: 1, pkts: [2]uint64{1, 0}, cid: "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
		},
		{
			name:   "the same, from the answer",
			frames: [][]byte{pt.ICMP(netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("192.168.0.89"), 0, 0, 1<<16, "")},
			events: "udp_start datagram/C orphan",
			proto:  flowev.ProtoICMP, id: 1, pkts: [2]uint64{1, 0}, cid: "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
		},
		{
			name:   "the same of ICMPv6",
			frames: [][]byte{pt.ICMP(netip.MustParseAddr("3ffe:507:0:1:200:86ff:fe05:80da"), netip.MustParseAddr("3ffe:501:0:1001::2"), 128, 0, 1<<16, "")},
			events: "udp_start datagram/C orphan",
			proto:  flowev.ProtoICMP6, id: 1, pkts: [2]uint64{1, 0}, cid: "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg=",
		},
	} {
		n := newNet(t, flow.Config{})
		n.want(c.name, n.send(c.frames...), c.events)
		conn := n.conn()
		got := []any{
			conn.Proto(), conn.ICMPID(),
			[2]uint64{conn.Client().Pkts(), conn.Server().Pkts()},
			[2]uint64{conn.Client().Bytes(), conn.Server().Bytes()},
			conn.Client().Port() + conn.Server().Port(),
		}
		if d := cmp.Diff([]any{c.proto, c.id, c.pkts, c.bytes, uint16(0)}, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
		if c.cid != "" && conn.CID() != c.cid {
			t.Errorf("%s: %s", c.name, conn.CID())
		}
		if st := n.s.Stats(); st.ICMPFlows != 1 || st.Open != 1 {
			t.Errorf("%s: %+v", c.name, st)
		}
	}
}

func TestUDPCommunityID(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.send(pt.UDP(n6("192.168.1.52:54585"), n6("8.8.8.8:53"), ""))
	n.want("of the specification", n.conn().CID(), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=")
}

// TestICMPWithoutFlow shows messages that ask nobody in particular, and broken ones.
func TestICMPWithoutFlow(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	group := netip.MustParseAddr("ff02::1")
	short := pt.ICMP(host4, other4, 8, 0, 1, "")
	for name, frame := range map[string][]byte{
		"neighbour solicitation":    pt.ICMP(host6, group, 135, 0, 0, "0123456789abcdef"),
		"router advertisement":      pt.ICMP(host6, group, 134, 0, 0, "01234567"),
		"membership report":         pt.ICMP(host6, group, 143, 0, 0, ""),
		"ICMP router solicitation":  pt.ICMP(host4, other4, 10, 0, 0, ""),
		"ICMPv6 over IPv4":          pt.IP(host4, other4, 58, "\x80\x00\x00\x00\x00\x01\x00\x01"),
		"ICMP over IPv6":            pt.IP(host6, other6, 1, "\x08\x00\x00\x00\x00\x01\x00\x01"),
		"echo without identifier":   pt.IP(host4, other4, 1, "\x08\x00\x00\x00"),
		"nothing":                   pt.IP(host4, other4, 1, ""),
		"unreachable without quote": pt.ICMP(host4, other4, 3, 1, 0, ""),
		"fragment of an echo":       pt.ICMP(host4, other4, 8, 0, 1, "01234567", pt.Fragment(1, 0, 8)),
	} {
		n.want(name, n.send(frame), "orphan")
	}
	n.s.Frame(1, short[:len(short)-3], len(short), start)
	n.want("echo of which the capture cut the identifier", n.rec.take(), "orphan")
	if st := n.s.Stats(); st.ICMPFlows+st.ICMPErrors+st.Datagrams != 0 || st.Orphans != 11 {
		t.Errorf("%+v", st)
	}
}

// quoteOf returns what a router quotes of an Ethernet frame: its IP packet, up to n bytes.
func quoteOf(frame []byte, n int) string { return string(frame[14:min(14+n, len(frame))]) }

func TestICMPErrors(t *testing.T) {
	t.Parallel()
	c, s := n6("10.0.0.1:40000"), n6("10.0.0.2:80")
	c6, s6 := n6("[2001:db8::1]:40000"), n6("[2001:db8::2]:80")
	udp, back := pt.UDP(c, s, "question"), pt.UDP(s, c, "answer")
	udp6 := pt.UDP(c6, s6, "question", pt.Ext(0, 0, 1, 4, 0, 0, 0, 0), pt.Ext(60, 0, 1, 4, 0, 0, 0, 0), pt.Ext(44, 0, 0, 0, 0, 0, 0, 1))
	tcp := pt.TCP(c, s, 1, 0, syn, "")
	echo := pt.ICMP(c.Addr(), s.Addr(), 8, 0, 9<<16, "ping")
	echo6 := pt.ICMP(c6.Addr(), s6.Addr(), 128, 0, 9<<16, "ping")
	for _, row := range []struct {
		name  string
		first []byte
		error []byte
		want  string
		mtu   uint32
	}{
		{name: "port unreachable, 8 bytes quoted", first: udp, error: pt.ICMP(s.Addr(), c.Addr(), 3, 3, 0, quoteOf(udp, 28)), want: "icmp_error/C:3/3 orphan"},
		{name: "of the answer", first: udp, error: pt.ICMP(c.Addr(), s.Addr(), 3, 3, 0, quoteOf(back, 28)), want: "icmp_error/S:3/3 orphan"},
		{name: "4 bytes quoted", first: udp, error: pt.ICMP(router4, c.Addr(), 11, 0, 0, quoteOf(udp, 24)), want: "icmp_error/C:11/0 orphan"},
		{name: "IP options quoted", first: udp, error: pt.ICMP(router4, c.Addr(), 11, 0, 0, quoteOf(pt.UDP(c, s, "", pt.IPOptions(1, 1, 1, 0)), 32)), want: "icmp_error/C:11/0 orphan"},
		{name: "redirect", first: udp, error: pt.ICMP(router4, c.Addr(), 5, 1, 0x0a0000fe, quoteOf(udp, 28)), want: "icmp_error/C:5/1 orphan"},
		{name: "fragmentation needed of TCP", first: tcp, error: pt.ICMP(router4, c.Addr(), 3, 4, 1400, quoteOf(tcp, 28)), want: "icmp_error/C:3/4 orphan", mtu: 1400},
		{name: "time exceeded of an echo", first: echo, error: pt.ICMP(router4, c.Addr(), 11, 0, 0, quoteOf(echo, 28)), want: "icmp_error/C:11/0 orphan"},
		{name: "packet too big of IPv6", first: udp6, error: pt.ICMP(router6, c6.Addr(), 2, 0, 1280, quoteOf(udp6, 1200)), want: "icmp_error/C:2/0 orphan", mtu: 1280},
		{name: "of ICMPv6", first: echo6, error: pt.ICMP(router6, c6.Addr(), 1, 4, 0, quoteOf(echo6, 1200)), want: "icmp_error/C:1/4 orphan"},

		{name: "another flow", first: udp, error: pt.ICMP(s.Addr(), c.Addr(), 3, 3, 0, quoteOf(pt.UDP(c, n6("10.0.0.2:81"), ""), 28)), want: "orphan"},
		{name: "TCP of the same ports", first: udp, error: pt.ICMP(s.Addr(), c.Addr(), 3, 3, 0, quoteOf(tcp, 28)), want: "orphan"},
		{name: "another identifier", first: echo, error: pt.ICMP(s.Addr(), c.Addr(), 3, 1, 0, quoteOf(pt.ICMP(c.Addr(), s.Addr(), 8, 0, 8<<16, ""), 28)), want: "orphan"},
		{name: "no port quoted", first: udp, error: pt.ICMP(s.Addr(), c.Addr(), 3, 3, 0, quoteOf(udp, 23)), want: "orphan"},
		{name: "part of the IP header", first: udp, error: pt.ICMP(s.Addr(), c.Addr(), 3, 3, 0, quoteOf(udp, 19)), want: "orphan"},
		{name: "a later fragment", first: udp, error: pt.ICMP(router4, c.Addr(), 11, 1, 0, quoteOf(pt.UDP(c, s, "0123456789abcdef", pt.Fragment(1, 8, 8)), 28)), want: "orphan"},
		{name: "a later fragment of IPv6", first: udp6, error: pt.ICMP(router6, c6.Addr(), 3, 1, 0, quoteOf(pt.UDP(c6, s6, "0123456789abcdef", pt.Fragment(1, 8, 8)), 64)), want: "orphan"},
		{name: "extension header cut off", first: udp6, error: pt.ICMP(router6, c6.Addr(), 2, 0, 1280, quoteOf(udp6, 44)), want: "orphan"},
		{name: "an error of an error", first: udp, error: pt.ICMP(s.Addr(), c.Addr(), 3, 3, 0, quoteOf(pt.ICMP(c.Addr(), s.Addr(), 3, 3, 0, quoteOf(udp, 28)), 100)), want: "orphan"},
		{name: "IPv6 quoted by ICMP", first: udp6, error: pt.ICMP(s.Addr(), c.Addr(), 3, 3, 0, quoteOf(udp6, 100)), want: "orphan"},
		{name: "another protocol", first: udp, error: pt.ICMP(s.Addr(), c.Addr(), 3, 2, 0, quoteOf(pt.IP(c.Addr(), s.Addr(), 132, "12345678"), 28)), want: "orphan"},
		{name: "a header length of 0", first: udp, error: pt.ICMP(s.Addr(), c.Addr(), 3, 3, 0, "\x40"+quoteOf(udp, 28)[1:]), want: "orphan"},
	} {
		n := newNet(t, flow.Config{})
		n.send(row.first)
		var mtu uint32
		n.rec.on = func(e any) event.Verdict {
			if e, ok := e.(*flowev.ICMPError); ok {
				mtu = e.MTU
				return event.Verdict{Kind: flowev.VerdictCut}
			}
			return event.Verdict{}
		}
		n.want(row.name, n.send(row.error), row.want)
		counted := n.s.Stats().ICMPErrors == 1
		if counted != (row.want != "orphan") || mtu != row.mtu || n.s.Stats().Open != 1 {
			t.Errorf("%s: counted %v, MTU %d", row.name, counted, mtu)
		}
		cut := n.conn().(interface{ Verdict() event.VerdictKind }).Verdict() == flowev.VerdictCut
		if c := n.conn(); cut != counted || c.Client().Pkts() != 1 || c.Duration() != 0 {
			t.Errorf("%s: cut %v, %d packets, duration %v", row.name, cut, c.Client().Pkts(), c.Duration())
		}
	}
}
