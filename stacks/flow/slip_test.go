package flow_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// fronts are of shards that are driven apart, with and without what makes shards be chosen otherwise.
func fronts() map[string]*flow.Front {
	all := map[string]*flow.Front{}
	for name, cfg := range map[string]flow.Config{
		"plain":   {},
		"tunnels": {Decap: packet.AllTunnels | packet.SFlow},
		"first":   {First: func(port uint16) bool { return port == 53 }},
	} {
		cfg.Verdicts = flow.Record
		all[name] = flow.NewFront(event.NewShards(7, event.Apart, 0), cfg)
	}
	return all
}

// checkPlain checks that a frame whose shard is found without decoding it goes to the shard that it goes to decoded,
// and that it is all that goes there. It tells of how many fronts' that was found.
func checkPlain(t *testing.T, all map[string]*flow.Front, link uint16, frame []byte) (found int) {
	t.Helper()
	for name, front := range all {
		shard, ok := front.Plain(link, frame)
		if !ok {
			continue
		}
		found++
		var p flow.Parcel
		front.Sort(&p, link, frame, len(frame), 1e9)
		if p.Shard() != shard || !p.Plain() {
			t.Errorf("%s: shard %d at a look, decoded %d, plain %v: %x", name, shard, p.Shard(), p.Plain(), frame)
		}
	}
	return found
}

// TestPlain looks at frames of connections, and at others that look like them.
func TestPlain(t *testing.T) {
	t.Parallel()
	all := fronts()
	a, b := netip.MustParseAddrPort("10.1.2.3:40000"), netip.MustParseAddrPort("192.0.2.77:80")
	dns, vxlan := netip.MustParseAddrPort("192.0.2.7:53"), netip.MustParseAddrPort("192.0.2.7:4789")
	six := netip.MustParseAddrPort("[2001:db8::1]:80")
	segment := pt.TCP(a, b, 1, 0, packet.SYN, "")
	changed := func(at int, to ...byte) []byte {
		f := bytes.Clone(segment)
		copy(f[at:], to)
		return f
	}
	for _, tt := range []struct {
		what  string
		frame []byte
		found int
	}{
		{"a segment", segment, 3},
		{"its answer", pt.TCP(b, a, 1, 2, packet.SYN|packet.ACK, strings.Repeat("x", 100)), 3},
		{"a datagram", pt.UDP(a, dns, strings.Repeat("x", 30)), 2},
		{"a tunnel's", pt.UDP(a, vxlan, strings.Repeat("x", 60)), 2},
		{"a short datagram", pt.UDP(a, dns, "x"), 0},
		{"IPv6", pt.TCP(six, six, 1, 0, packet.SYN, ""), 0},
		{"a fragment", changed(20, 0x20, 0), 0},
		{"a later fragment", changed(20, 0, 3), 0},
		{"with options", changed(14, 0x46), 0},
		{"of no length", changed(16, 0, 0), 0},
		{"of a length that has no ports", changed(16, 0, 22), 0},
		{"GRE", changed(23, 47), 0},
		{"cut", segment[:50], 0},
		{"a header length that cannot be", changed(14+20+12, 0xf0), 3},
	} {
		if found := checkPlain(t, all, packet.LinkEthernet, tt.frame); found != tt.found {
			t.Errorf("%s: found by %d", tt.what, found)
		}
		if found := checkPlain(t, all, packet.LinkRaw, tt.frame); found != 0 {
			t.Errorf("%s: found in another link", tt.what)
		}
	}
}

// TestSlips sorts what decoding the frame once more does not tell, and what it does.
func TestSlips(t *testing.T) {
	t.Parallel()
	a, b := netip.MustParseAddrPort("10.1.2.3:40000"), netip.MustParseAddrPort("192.0.2.77:53")
	first := pt.UDP(a, b, strings.Repeat("x", 80), pt.Fragment(7, 0, 80))
	for _, tt := range []struct {
		what  string
		frame []byte
		plain bool
	}{
		{"a segment", pt.TCP(a, b, 1, 0, packet.SYN, ""), true},
		{"a first fragment", first, false},
		{"one that is cut and read all the same", first[:len(first)-20], false},
		{"several packets", radio(pt.TCP(a, b, 1, 0, packet.SYN, ""), pt.TCP(a, b, 1, 0, packet.SYN, "")), false},
		{"no IP", make([]byte, 60), true},
	} {
		front := flow.NewFront(event.NewShards(2, event.Apart, 0), flow.Config{
			Verdicts: flow.Record, Decap: packet.AllTunnels, Fragments: fragment.Config{ReadCut: true},
		})
		var p flow.Parcel
		front.Sort(&p, packet.LinkEthernet, tt.frame, len(first), 1e9)
		if p.Plain() != tt.plain {
			t.Errorf("%s: plain %v", tt.what, p.Plain())
		}
	}
}

// FuzzPlain does so with any frames.
func FuzzPlain(f *testing.F) {
	a, b := netip.MustParseAddrPort("10.1.2.3:40000"), netip.MustParseAddrPort("192.0.2.77:53")
	f.Add(pt.TCP(a, b, 1, 0, packet.SYN, "x"))
	f.Add(pt.UDP(a, b, strings.Repeat("x", 40)))
	all := fronts()
	f.Fuzz(func(t *testing.T, frame []byte) {
		checkPlain(t, all, packet.LinkEthernet, frame)
		if len(frame) >= 14 { // most are not IPv4
			frame = bytes.Clone(frame)
			binary.BigEndian.PutUint16(frame[12:], 0x0800)
			checkPlain(t, all, packet.LinkEthernet, frame)
		}
	})
}
