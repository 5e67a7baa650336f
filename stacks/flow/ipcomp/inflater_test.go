package ipcomp_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/flow/ipcomp"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

var (
	c4, s4 = netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:80")
	c6, s6 = netip.MustParseAddrPort("[2001:db8::1]:40000"), netip.MustParseAddrPort("[2001:db8::2]:80")
	o4, p4 = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	o6, p6 = netip.MustParseAddr("2001:db8:ff::1"), netip.MustParseAddr("2001:db8:ff::2")
)

const (
	ipcompProto = 108
	ah          = "\x04\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01123456789012" // behind the next-header byte
)

// deflated compresses b and puts IPComp's header before it.
func deflated(t testing.TB, next byte, cpi uint16, b []byte) []byte {
	t.Helper()
	out := bytes.NewBuffer(binary.BigEndian.AppendUint16([]byte{next, 0}, cpi))
	w, err := flate.NewWriter(out, 9)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decode(frame []byte) *packet.Packet {
	p := &packet.Packet{Decap: packet.AllTunnels}
	p.Decode(packet.LinkEthernet, frame, len(frame), 5)
	return p
}

// result is what one says of a packet that was given to an Inflater.
type result struct {
	Inflated bool
	Class    string
	Src      string
	Payload  string
	Depth    uint8
	Tunnel   string
	ID       uint32
	Outer    string
}

func add(f *ipcomp.Inflater, p *packet.Packet) result {
	r := result{Inflated: f.Add(p), Class: p.Class.String(), Depth: p.TunnelDepth, Tunnel: p.Tunnel.String(), ID: p.TunnelID}
	r.Src = p.SrcAddrPort().String()
	if r.Payload = string(p.Payload()); len(r.Payload) > 80 {
		r.Payload = r.Payload[:80]
	}
	if p.TunnelDepth > 0 {
		r.Outer = p.OuterSrc.Netip(p.OuterVersion).String()
	}
	return r
}

func TestInflater(t *testing.T) {
	t.Parallel()
	const cpi = 0xeed1
	body := strings.Repeat("hello ", 10)
	tcp4 := pt.TCP(c4, s4, 7, 9, packet.ACK, body, pt.Link(packet.LinkRaw))
	tcp6 := pt.TCP(c6, s6, 7, 9, packet.ACK, body, pt.Link(packet.LinkRaw))
	was := func(src, outer string) result {
		return result{true, "tcp", src, body, 1, "ipcomp", cpi, outer}
	}
	for name, tc := range map[string]struct {
		frame []byte
		want  result
	}{
		"tunnel":          {pt.IP(o4, p4, ipcompProto, deflated(t, 4, cpi, tcp4)), was("10.0.0.1:40000", "192.0.2.1")},
		"tunnel of ipv6":  {pt.IP(o4, p4, ipcompProto, deflated(t, 41, cpi, tcp6)), was("[2001:db8::1]:40000", "192.0.2.1")},
		"tunnel over 6":   {pt.IP(o6, p6, ipcompProto, deflated(t, 41, cpi, tcp6)), was("[2001:db8::1]:40000", "2001:db8:ff::1")},
		"transport":       {pt.IP(c4.Addr(), s4.Addr(), ipcompProto, deflated(t, 6, cpi, tcp4[20:])), was("10.0.0.1:40000", "10.0.0.1")},
		"transport, ipv6": {pt.IP(c6.Addr(), s6.Addr(), ipcompProto, deflated(t, 6, cpi, tcp6[40:]), pt.Ext(60, 0, 4, 0, 0, 0, 0, 0)), was("[2001:db8::1]:40000", "2001:db8::1")},
		"authenticated":   {pt.IP(o4, p4, 51, "\x6c"+ah+string(deflated(t, 4, cpi, tcp4))), was("10.0.0.1:40000", "192.0.2.1")},
		"padded":          {pt.IP(o4, p4, ipcompProto, deflated(t, 4, cpi, tcp4), pt.Pad(9), pt.VLAN(3)), was("10.0.0.1:40000", "192.0.2.1")},
		"deflate's own number": {
			pt.IP(o4, p4, ipcompProto, deflated(t, 17, 2, pt.UDP(c4, s4, "x", pt.Link(packet.LinkRaw))[20:])),
			result{true, "udp", "192.0.2.1:40000", "x", 1, "ipcomp", 2, "192.0.2.1"},
		},
	} {
		var f ipcomp.Inflater
		p := decode(tc.frame)
		got := add(&f, p)
		if strings.HasPrefix(name, "tunnel") || name == "authenticated" || name == "padded" {
			tc.want.Depth, tc.want.Tunnel, tc.want.ID = 2, "ipip", 0 // what was compressed is a tunnel too
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", name, d)
		}
		if got.Class == "tcp" && (p.Checksum() != packet.ChecksumGood || !p.Reassembled || p.TS != 5) {
			t.Errorf("%s: checksum %v, %+v", name, p.Checksum(), p)
		}
		if s := f.Stats(); s.Inflated != 1 || s.Refused() != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestRefused has what cannot be inflated stay as it is.
func TestRefused(t *testing.T) {
	t.Parallel()
	inner := pt.TCP(c4, s4, 7, 9, packet.ACK, strings.Repeat("hello ", 10), pt.Link(packet.LinkRaw))
	good := deflated(t, 4, 300, inner)
	with := func(b []byte) []byte { return pt.IP(o4, p4, ipcompProto, b) }
	long := make([]byte, 2047)
	long[0] = 255 // the length of an extension header, beside eight bytes and in eights
	for name, tc := range map[string]struct {
		frame []byte
		want  ipcomp.Stats
	}{
		"no header":          {with(good[:3]), ipcomp.Stats{Cut: 1}},
		"cut by the capture": {with(good)[:60], ipcomp.Stats{Cut: 1}},
		"lzs":                {with(deflated(t, 4, 3, inner)), ipcomp.Stats{Foreign: 1}},
		"reserved":           {with(deflated(t, 4, 255, inner)), ipcomp.Stats{Foreign: 1}},
		"nothing":            {with(good[:4]), ipcomp.Stats{Damaged: 1}},
		"half":               {with(good[:len(good)-9]), ipcomp.Stats{Damaged: 1}},
		"noise":              {with([]byte("\x04\x00\x01\x00\xff\xff\xff\xff")), ipcomp.Stats{Damaged: 1}},
		"what is no tcp":     {with(deflated(t, 6, 300, []byte("hello hello hello"))), ipcomp.Stats{Damaged: 1}},
		"a longer ip inside": {with(deflated(t, 4, 300, inner[:40])), ipcomp.Stats{Damaged: 1}},
		"a bomb":             {with(deflated(t, 17, 300, make([]byte, 50<<20))), ipcomp.Stats{TooLong: 1}},
		"one too many":       {with(deflated(t, 17, 300, make([]byte, 65536-20))), ipcomp.Stats{TooLong: 1}},
		"headers":            {pt.IP(o6, p6, ipcompProto, good, pt.Ext(60, long...)), ipcomp.Stats{TooLong: 1}},
	} {
		var f ipcomp.Inflater
		p := decode(tc.frame)
		was := *p
		if f.Add(p) || *diffable(p) != *diffable(&was) {
			t.Errorf("%s: was changed: %+v", name, p)
		}
		if d := cmp.Diff(tc.want, f.Stats()); d != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, was.Class, d)
		}
	}
}

// diffable leaves out what does not compare.
func diffable(p *packet.Packet) *struct {
	Len, Wire int
	Class     packet.Class
	Proto     uint8
	Payload   string
	Tunnel    packet.Tunnels
} {
	return &struct {
		Len, Wire int
		Class     packet.Class
		Proto     uint8
		Payload   string
		Tunnel    packet.Tunnels
	}{len(p.Data), p.WireLen, p.Class, p.Proto, string(p.Payload()), p.Tunnel}
}

// TestLeftAlone has packets that are not compressed, or whose tunnels are not entered, cost nothing.
func TestLeftAlone(t *testing.T) {
	inner := pt.TCP(c4, s4, 7, 9, packet.ACK, "hello", pt.Link(packet.LinkRaw))
	var f ipcomp.Inflater
	closed := decode(pt.IP(o4, p4, ipcompProto, deflated(t, 4, 300, inner)))
	closed.Decap = packet.AllTunnels &^ packet.IPComp
	for _, p := range []*packet.Packet{decode(pt.UDP(c4, s4, "x")), decode(pt.IP(o4, p4, 50, "esp")), closed, decode(pt.IP(o4, p4, ipcompProto, inner, pt.Piece(1, 8, true)))} {
		if n := testing.AllocsPerRun(10, func() {
			if f.Add(p) {
				t.Error("was inflated")
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations", p.Class, n)
		}
	}
	if f.Stats() != (ipcomp.Stats{}) {
		t.Errorf("%+v", f.Stats())
	}
}

// TestOnce has compressed packets in a compressed one: the second layer stays, so that a datagram costs no
// more than 64 KiB however often it was compressed.
func TestOnce(t *testing.T) {
	t.Parallel()
	bomb := pt.IP(o4, p4, ipcompProto, deflated(t, 17, 300, make([]byte, 60000)), pt.Link(packet.LinkRaw))
	var f ipcomp.Inflater
	p := decode(pt.IP(o4, p4, ipcompProto, deflated(t, 4, 301, bomb)))
	if !f.Add(p) || p.Class != packet.OtherIP || p.Proto != ipcompProto {
		t.Errorf("%v of protocol %d", p.Class, p.Proto)
	}
}

// TestFragmentInside has what was compressed be a fragment, which the next in line puts together.
func TestFragmentInside(t *testing.T) {
	t.Parallel()
	piece := pt.UDP(c4, s4, strings.Repeat("x", 100), pt.Fragment(9, 0, 48), pt.Link(packet.LinkRaw))
	var f ipcomp.Inflater
	p := decode(pt.IP(o4, p4, ipcompProto, deflated(t, 4, 300, piece)))
	if !f.Add(p) || p.Class != packet.Fragment || p.FragID != 9 || p.TunnelDepth != 2 {
		t.Errorf("%+v", p)
	}
}

// FuzzInflater has any bytes behind an IPComp header: nothing panics, what is refused stays as it was, and
// what comes out again has the bytes that went in.
func FuzzInflater(f *testing.F) {
	inner := pt.TCP(c4, s4, 7, 9, packet.ACK, strings.Repeat("hello ", 10), pt.Link(packet.LinkRaw))
	f.Add(deflated(f, 4, 300, inner), false, byte(4))
	f.Add(deflated(f, 6, 2, inner[20:]), true, byte(6))
	f.Add(deflated(f, 17, 61137, make([]byte, 70000)), false, byte(17))
	f.Add([]byte("\x04\x00\x01\x00\xff\xff\xff\xff"), true, byte(41))
	var inflater ipcomp.Inflater
	f.Fuzz(func(t *testing.T, b []byte, v6 bool, next byte) {
		src, dst := o4, p4
		if v6 {
			src, dst = o6, p6
		}
		if len(b) < 65000 {
			p := decode(pt.IP(src, dst, ipcompProto, b))
			was := *p
			if done := inflater.Add(p); !done && *diffable(p) != *diffable(&was) || done && (p.Class < packet.Fragment || p.Err != packet.OK || len(p.Data) > 65535+40+2048) {
				t.Fatalf("%v: %+v", done, p)
			}
			p.Checksum()
		}
		if len(b) > 0 && len(b) < 65000 && next != 4 && next != 6 && next != 17 && next != 41 && next != 47 && next != 51 && !v6 {
			p := decode(pt.IP(src, dst, ipcompProto, deflated(t, next, 300, b)))
			if p.Cut() || p.Class != packet.OtherIP {
				return
			}
			if done := inflater.Add(p); done && !bytes.Equal(p.Payload(), b) && p.TunnelDepth == 1 || !done && next != 137 && next != 1 {
				t.Fatalf("protocol %d: %v, %d bytes of %d", next, done, len(p.Payload()), len(b))
			}
		}
	})
}
