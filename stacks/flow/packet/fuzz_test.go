package packet_test

import (
	"testing"

	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// FuzzDecode checks what holds for any bytes: no panic, offsets inside the frame and in order, and
// a frame cut short says so or says less, never something else.
func FuzzDecode(f *testing.F) {
	seed := func(frame []byte) { f.Add(uint16(1), uint16(packet.AllTunnels), 0, frame) }
	inner := pt.TCP(c4, s4, 1, 2, packet.SYN, "x", pt.Link(packet.LinkRaw))
	seed(pt.VXLAN(oc4, to(os4, 4789), 9, pt.VXLAN(oc6, to(os6, 8472), 8, pt.TCP(c6, s6, 1, 2, 0, "hello"))))
	seed(pt.GTPU(oc4, to(os4, 2152), 9, inner, [][]byte{{0x85, 0x10, 0x09}}, pt.MPLS(1, 2)))
	seed(pt.GENEVE(oc6, to(os6, 6081), 9, 0x0800, make([]byte, 8), inner))
	seed(pt.ERSPAN3(oc4.Addr(), os4.Addr(), 5, true, pt.UDP(c4, s4, "x")))
	seed(pt.IPIP(oc4.Addr(), os4.Addr(), pt.GRE(oc6.Addr(), os6.Addr(), pt.GREHeader{Sum: true, HasKey: true, HasSeq: true}, inner, pt.Link(packet.LinkRaw))))
	seed(pt.UDP(oc4, to(os4, 1701), "\x4a\x02\x00\x44\x00\x05\x00\x06\x00\x01\x00\x02\x00\x03abc\x00\x21"+string(inner)))
	f.Add(packet.LinkNFLog, uint16(0), 0, append([]byte("\x02\x00\x00\x05\x05\x00\x0a\x00a\x00\x00\x00\x31\x00\x09\x00"), inner...))
	f.Add(packet.LinkPktap, uint16(0), 0, append([]byte("\x0c\x00\x00\x00\x01\x00\x00\x00\x0c\x00\x00\x00"), inner...))
	f.Add(uint16(1), uint16(0), 80, pt.TCP(c4, s4, 1, 2, packet.SYN, "x", pt.MSS(1), pt.VLAN(1, 2)))
	f.Add(uint16(1), uint16(0), 100, pt.TCP(c6, s6, 1, 2, packet.ACK, "x", pt.Ext(0, 0, 0, 0, 0, 0, 0, 0), pt.Ext(51, 0, 0, 0, 0, 0, 0, 0)))
	f.Add(packet.LinkSLL, uint16(0), 0, pt.UDP(c4, s4, "hello", pt.Link(packet.LinkSLL), pt.Fragment(1, 8, 8)))
	f.Add(packet.LinkPPP, uint16(0), 0, pt.UDP(c6, s6, "hello", pt.Link(packet.LinkPPP), pt.Fragment(1, 8, 8)))
	f.Add(packet.LinkNull, uint16(0), 0, pt.Echo(c6.Addr(), s6.Addr(), "hello", pt.Link(packet.LinkNull)))
	f.Fuzz(func(t *testing.T, link, decap uint16, wireLen int, data []byte) {
		p := packet.Packet{Decap: packet.Tunnels(decap)}
		p.Decode(link, data, wireLen, 7)
		if p.TS != 7 || p.WireLen < len(data) || p.WireLen != max(wireLen, len(data)) {
			t.Fatalf("ts %d, wire length %d of %d", p.TS, p.WireLen, len(data))
		}
		if (p.Class == packet.Malformed) != (p.Err != packet.OK) && p.Err != packet.ErrIPBeyondFrame {
			t.Fatalf("class %v with error %v", p.Class, p.Err)
		}
		if p.Class >= packet.Fragment {
			if !p.IsIP() || p.IPOff >= p.L4Off || p.L4Off > p.PayloadOff && (p.PayloadCap != 0 || p.TunnelDepth == 0 && int(p.PayloadOff) != len(data)) ||
				int(p.PayloadOff+p.PayloadCap) > len(data) || p.PayloadCap > p.PayloadLen {
				t.Fatalf("offsets out of order: %+v", p)
			}
			if !p.SrcAddrPort().IsValid() || !p.DstAddrPort().IsValid() {
				t.Fatalf("addresses not valid: %+v", p)
			}
		}
		if len(p.Payload()) != int(p.PayloadCap) && p.Class >= packet.Fragment {
			t.Fatalf("payload has %d bytes, want %d", len(p.Payload()), p.PayloadCap)
		}
		if len(p.Data) != len(data) || p.Decap != packet.Tunnels(decap) || (p.TunnelDepth > 0) != (p.Tunnel != 0) || p.TunnelDepth > 8 || p.Tunnel&^p.Decap != 0 {
			t.Fatalf("tunnel %v at depth %d of %v", p.Tunnel, p.TunnelDepth, p.Decap)
		}
		if p.TunnelDepth > 0 && (!p.IsIP() || p.OuterVersion != 4 && p.OuterVersion != 6) {
			t.Fatalf("tunnel without IP: %+v", p)
		}
		if ok := p.Checksum() != packet.ChecksumBad && p.HeaderChecksum() != packet.ChecksumBad; ok != p.ChecksumOK() {
			t.Fatalf("checksum: %v", ok)
		}
		o := p.TCPOptions()
		if int(o.SACKs) > len(o.SACK) || o.WScale > 14 {
			t.Fatalf("options out of range: %+v", o)
		}
		if len(data) == 0 || p.Class < packet.Fragment {
			return
		}
		q := packet.Packet{Decap: p.Decap}
		q.Decode(link, data[:len(data)-1], p.WireLen, 7)
		if q.TunnelDepth != p.TunnelDepth { // what was cut decides whether it is a tunnel
			return
		}
		if q.Class != p.Class && q.Class != packet.Truncated || q.IsIP() && (q.Src != p.Src || q.Dst != p.Dst) {
			t.Fatalf("cut by a byte: %+v, whole %+v", q, p)
		}
	})
}
