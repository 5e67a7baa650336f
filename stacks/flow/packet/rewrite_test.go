package packet_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

var (
	n4 = netip.MustParseAddrPort("203.0.113.7:61000")
	n6 = netip.MustParseAddrPort("[2001:db8:ffff::7]:61000")
)

// rewritten decodes a frame and rewrites it.
func rewritten(frame []byte, c packet.Change) ([]byte, error) {
	var p packet.Packet
	p.Decode(packet.LinkEthernet, frame, len(frame), 0)
	return p.Rewrite([]byte("before"), &c)
}

// source makes the change that a source NAT makes.
func source(to netip.AddrPort) packet.Change {
	return packet.Change{Src: to.Addr(), SrcPort: to.Port(), HasSrcPort: true}
}

// TestRewrite wants of each frame the one that would have been built with the new values from the
// start, byte for byte.
func TestRewrite(t *testing.T) {
	t.Parallel()
	reply := func(frame []byte) []byte { return frame[14:] } // as an ICMP error quotes it
	ethernet := func(v6 bool) pt.Option {
		if v6 {
			return pt.Ext(0, 0, 1, 4, 0, 0, 0, 0)
		}
		return pt.IPOptions(1, 1, 1, 0)
	}
	long := strings.Repeat("x", 1500-28)
	for name, tc := range map[string]struct {
		frame, want []byte
		change      packet.Change
	}{
		"source, TCP":       {pt.TCP(c4, s4, 1, 2, packet.SYN, "", pt.MSS(9)), pt.TCP(n4, s4, 1, 2, packet.SYN, "", pt.MSS(9)), source(n4)},
		"source, TCP, IPv6": {pt.TCP(c6, s6, 1, 2, packet.ACK, "odd"), pt.TCP(n6, s6, 1, 2, packet.ACK, "odd"), source(n6)},
		"source, UDP":       {pt.UDP(c4, s4, "odd", ethernet(false)), pt.UDP(n4, s4, "odd", ethernet(false)), source(n4)},
		"source, UDP, IPv6": {pt.UDP(c6, s6, "even", ethernet(true)), pt.UDP(n6, s6, "even", ethernet(true)), source(n6)},
		"destination, VLAN": {pt.TCP(s4, c4, 1, 2, 0, "x", pt.VLAN(5, 6)), pt.TCP(s4, n4, 1, 2, 0, "x", pt.VLAN(5, 6)), packet.Change{Dst: n4.Addr(), DstPort: n4.Port(), HasDstPort: true}},
		"port 0":            {pt.TCP(c4, s4, 1, 2, 0, "x"), pt.TCP(netip.AddrPortFrom(c4.Addr(), 0), s4, 1, 2, 0, "x"), packet.Change{HasSrcPort: true}},
		"TTL":               {pt.TCP(c4, s4, 1, 2, 0, "x", pt.TTL(9)), pt.TCP(c4, s4, 1, 2, 0, "x", pt.TTL(8)), packet.Change{TTL: 8, HasTTL: true}},
		"TTL, IPv6":         {pt.TCP(c6, s6, 1, 2, 0, "x", pt.TTL(9)), pt.TCP(c6, s6, 1, 2, 0, "x", pt.TTL(8)), packet.Change{TTL: 8, HasTTL: true}},
		"TCP payload":       {pt.TCP(c4, s4, 1, 2, 0, "hello", pt.Pad(3)), pt.TCP(c4, s4, 1, 2, 0, "olleh", pt.Pad(3)), packet.Change{Payload: []byte("olleh")}},
		"longer UDP":        {pt.UDP(c4, s4, "hello", pt.Pad(3)), pt.UDP(c4, s4, "hello, world"), packet.Change{Payload: []byte("hello, world")}},
		"shorter UDP, IPv6": {pt.UDP(c6, s6, "hello"), pt.UDP(c6, s6, "bye"), packet.Change{Payload: []byte("bye")}},
		"the longest":       {pt.UDP(c4, s4, "hello"), pt.UDP(c4, s4, long), packet.Change{Payload: []byte(long)}},
		"partial":           {pt.TCP(c4, s4, 1, 2, 0, "x", pt.PartialChecksum()), pt.TCP(n4, s4, 1, 2, 0, "x"), source(n4)},
		"echo":              {pt.Echo(c4.Addr(), s4.Addr(), "ping"), pt.Echo(n4.Addr(), s4.Addr(), "ping"), packet.Change{Src: n4.Addr()}},
		"echo, IPv6":        {pt.Echo(c6.Addr(), s6.Addr(), "ping"), pt.Echo(n6.Addr(), s6.Addr(), "ping"), packet.Change{Src: n6.Addr()}},
		"other protocol":    {pt.IP(c4.Addr(), s4.Addr(), 132, "sctp"), pt.IP(n4.Addr(), s4.Addr(), 132, "sctp"), packet.Change{Src: n4.Addr()}},
		"nothing":           {pt.UDP(c4, s4, "x"), pt.UDP(c4, s4, "x"), packet.Change{}},
		"TTL of a fragment": {pt.UDP(c4, s4, "hello, world", pt.Fragment(1, 8, 8)), pt.UDP(c4, s4, "hello, world", pt.Fragment(1, 8, 8), pt.TTL(8)), packet.Change{TTL: 8, HasTTL: true}},
		"mapped IPv4":       {pt.UDP(c4, s4, "x"), pt.UDP(n4, s4, "x"), packet.Change{Src: netip.AddrFrom16(n4.Addr().As16()), SrcPort: n4.Port(), HasSrcPort: true}},
		"error from a router": {
			pt.ICMP(os4.Addr(), n4.Addr(), 11, 0, 0, reply(pt.TCP(n4, s4, 1, 2, packet.ACK, "x"))),
			pt.ICMP(os4.Addr(), c4.Addr(), 11, 0, 0, reply(pt.TCP(c4, s4, 1, 2, packet.ACK, "x"))),
			packet.Change{Dst: c4.Addr(), DstPort: c4.Port(), HasDstPort: true},
		},
		"error from the other end": {
			pt.ICMP(s4.Addr(), c4.Addr(), 3, 3, 0, reply(pt.UDP(c4, s4, "asked"))),
			pt.ICMP(n4.Addr(), c4.Addr(), 3, 3, 0, reply(pt.UDP(c4, n4, "asked"))),
			packet.Change{Src: n4.Addr(), SrcPort: n4.Port(), HasSrcPort: true},
		},
		"error, IPv6": {
			pt.ICMP(os6.Addr(), n6.Addr(), 1, 4, 0, reply(pt.UDP(n6, s6, "asked", ethernet(true)))),
			pt.ICMP(os6.Addr(), c6.Addr(), 1, 4, 0, reply(pt.UDP(c6, s6, "asked", ethernet(true)))),
			packet.Change{Dst: c6.Addr(), DstPort: c6.Port(), HasDstPort: true},
		},
		"error about an echo": {
			pt.ICMP(os4.Addr(), n4.Addr(), 11, 0, 0, reply(pt.Echo(n4.Addr(), s4.Addr(), "ping"))),
			pt.ICMP(os4.Addr(), c4.Addr(), 11, 0, 0, reply(pt.Echo(c4.Addr(), s4.Addr(), "ping"))),
			packet.Change{Dst: c4.Addr()},
		},
		"error with a short quote": {
			pt.ICMP(os4.Addr(), n4.Addr(), 11, 0, 0, reply(pt.TCP(n4, s4, 1, 2, packet.ACK, "x"))[:28]),
			pt.ICMP(os4.Addr(), c4.Addr(), 11, 0, 0, reply(pt.TCP(c4, s4, 1, 2, packet.ACK, "x"))[:28]),
			packet.Change{Dst: c4.Addr(), DstPort: c4.Port(), HasDstPort: true},
		},
	} {
		got, err := rewritten(tc.frame, tc.change)
		if err != nil || !bytes.Equal(got, append([]byte("before"), tc.want...)) {
			t.Errorf("%s: %v\ngot  before%x\nwant before%x", name, err, bytes.TrimPrefix(got, []byte("before")), tc.want)
		}
	}
}

// TestRewriteKeepsWrongChecksums wants what was damaged to stay so.
func TestRewriteKeepsWrongChecksums(t *testing.T) {
	t.Parallel()
	for _, frame := range [][]byte{
		pt.TCP(c4, s4, 1, 2, 0, "x", pt.BadChecksum()),
		pt.UDP(c4, s4, "x", pt.Edit(func(b []byte) { b[24] ^= 0x55 })), // the IPv4 header's
	} {
		got, err := rewritten(frame, source(n4))
		if err != nil {
			t.Fatal(err)
		}
		var p packet.Packet
		p.Decode(packet.LinkEthernet, got[len("before"):], len(got)-len("before"), 0)
		if p.ChecksumOK() || p.Src.Netip(4) != n4.Addr() {
			t.Errorf("%x: a damaged packet became a good one", got)
		}
	}
}

// TestRewriteOfCutPackets rewrites what a capture cut short: the checksum fits the whole packet.
func TestRewriteOfCutPackets(t *testing.T) {
	t.Parallel()
	whole, want := pt.TCP(c4, s4, 1, 2, 0, "a long payload"), pt.TCP(n4, s4, 1, 2, 0, "a long payload")
	var p packet.Packet
	p.Decode(packet.LinkEthernet, whole[:60], len(whole), 0)
	c := source(n4)
	got, err := p.Rewrite(nil, &c)
	if err != nil || !bytes.Equal(got, want[:60]) {
		t.Errorf("%v\ngot  %x\nwant %x", err, got, want[:60])
	}
	if _, err := p.Rewrite(nil, &packet.Change{Payload: []byte("a brief packet")}); !errors.Is(err, packet.ErrCutPayload) {
		t.Error(err)
	}
}

func TestRewriteAllocates(t *testing.T) {
	frame := pt.TCP(c4, s4, 1, 2, packet.ACK, "hello")
	var p packet.Packet
	p.Decode(packet.LinkEthernet, frame, len(frame), 0)
	c, buf := source(n4), make([]byte, 0, 2048)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := p.Rewrite(buf, &c); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRewriteRefuses(t *testing.T) {
	t.Parallel()
	text := packet.Change{Payload: []byte("other")}
	for name, tc := range map[string]struct {
		frame  []byte
		change packet.Change
		want   error
	}{
		"fragment":       {pt.UDP(c4, s4, "hello, world", pt.Fragment(1, 8, 8)), source(n4), packet.ErrNotWhole},
		"no IP":          {make([]byte, 60), source(n4), packet.ErrNotWhole},
		"version":        {pt.UDP(c4, s4, "x"), source(n6), packet.ErrOtherVersion},
		"version, IPv6":  {pt.UDP(c6, s6, "x"), source(n4), packet.ErrOtherVersion},
		"port of a ping": {pt.Echo(c4.Addr(), s4.Addr(), "x"), source(n4), packet.ErrNoPorts},
		"payload of one": {pt.Echo(c4.Addr(), s4.Addr(), "hello"), text, packet.ErrNoPayload},
		"longer TCP":     {pt.TCP(c4, s4, 1, 2, 0, "hi"), text, packet.ErrTCPLength},
		"over the MTU":   {pt.UDP(c4, s4, "hi"), packet.Change{Payload: make([]byte, 1473)}, packet.ErrTooLong},
		"PPPoE length":   {pppoeFrame(), text, packet.ErrLinkLength},
	} {
		if _, err := rewritten(tc.frame, tc.change); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	tunnel := packet.Packet{Decap: packet.AllTunnels}
	f := pt.IPIP(oc4.Addr(), os4.Addr(), pt.UDP(c4, s4, "x", pt.Link(packet.LinkRaw)))
	tunnel.Decode(packet.LinkEthernet, f, len(f), 0)
	if c := source(n4); tunnel.TunnelDepth != 1 {
		t.Error("no tunnel")
	} else if _, err := tunnel.Rewrite(nil, &c); !errors.Is(err, packet.ErrInTunnel) {
		t.Error(err)
	}
}

// pppoeFrame is a datagram in a PPPoE session (RFC 2516), whose header has a length.
func pppoeFrame() []byte {
	ip := pt.UDP(c4, s4, "hi", pt.Link(packet.LinkRaw))
	b := append(make([]byte, 12), 0x88, 0x64, 0x11, 0, 0, 1, 0, byte(len(ip)+2), 0, 0x21)
	return append(b, ip...)
}

// FuzzRewrite rewrites any frame and wants good checksums to stay good, and everything that was not
// named to stay as it was.
func FuzzRewrite(f *testing.F) {
	for _, frame := range [][]byte{
		pt.TCP(c4, s4, 1, 2, 0, "hello"), pt.UDP(c6, s6, "hello", pt.Ext(60, 0, 1, 4, 0, 0, 0, 0)), pt.Echo(c6.Addr(), s6.Addr(), "x"),
		pt.ICMP(os4.Addr(), n4.Addr(), 11, 0, 0, pt.TCP(n4, s4, 1, 2, packet.ACK, "x")[14:]),
		pt.ICMP(os6.Addr(), n6.Addr(), 1, 4, 0, pt.UDP(n6, s6, "x", pt.Ext(44, 0, 0, 0, 0, 0, 0, 1))[14:]),
	} {
		f.Add(frame, uint64(1), "text")
	}
	f.Fuzz(func(t *testing.T, frame []byte, seed uint64, payload string) {
		var p, q packet.Packet
		p.Decode(packet.LinkEthernet, frame, len(frame), 0)
		r := rand.New(rand.NewPCG(seed, 0))
		c := packet.Change{SrcPort: uint16(r.Uint32()), HasSrcPort: seed&1 != 0, TTL: uint8(r.Uint32()), HasTTL: seed&2 != 0}
		if seed&4 != 0 {
			c.Dst = n4.Addr()
			if p.IPVersion == 6 {
				c.Dst = n6.Addr()
			}
		}
		if seed&8 != 0 {
			c.Payload = []byte(payload)
		}
		out, err := p.Rewrite(nil, &c)
		if err != nil {
			return
		}
		q.Decode(packet.LinkEthernet, out, len(out), 0)
		if q.Class != p.Class && q.Class != packet.Malformed { // ports may turn a datagram into another tunnel's
			t.Fatalf("class %v became %v", p.Class, q.Class)
		}
		if q.Class != p.Class {
			return
		}
		if h := p.HeaderChecksum(); h == packet.ChecksumGood && q.HeaderChecksum() != h {
			t.Fatalf("header checksum is %v", q.HeaderChecksum())
		}
		if was, is := p.Checksum(), q.Checksum(); was == packet.ChecksumGood && is != packet.ChecksumGood && is != packet.ChecksumNone {
			t.Fatalf("checksum is %v\n%x\n%x", is, frame, out)
		}
		if !c.HasSrcPort && p.SrcPort != q.SrcPort || !c.Dst.IsValid() && p.Dst != q.Dst || p.Src != q.Src || !c.HasTTL && p.TTL != q.TTL {
			t.Fatal("what was not named changed")
		}
	})
}
