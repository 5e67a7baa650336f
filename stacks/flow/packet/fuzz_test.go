package packet_test

import (
	"testing"

	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// FuzzDecode checks what holds for any bytes: no panic, offsets inside the frame and in order, and
// a frame cut short says so or says less, never something else.
func FuzzDecode(f *testing.F) {
	f.Add(uint16(1), 80, pt.TCP(c4, s4, 1, 2, packet.SYN, "x", pt.MSS(1), pt.VLAN(1, 2)))
	f.Add(uint16(1), 100, pt.TCP(c6, s6, 1, 2, packet.ACK, "x", pt.Ext(0, 0, 0, 0, 0, 0, 0, 0), pt.Ext(51, 0, 0, 0, 0, 0, 0, 0)))
	f.Add(packet.LinkSLL, 0, pt.UDP(c4, s4, "hello", pt.Link(packet.LinkSLL), pt.Fragment(1, 8, 8)))
	f.Add(packet.LinkPPP, 0, pt.UDP(c6, s6, "hello", pt.Link(packet.LinkPPP), pt.Fragment(1, 8, 8)))
	f.Add(packet.LinkNull, 0, pt.Echo(c6.Addr(), s6.Addr(), "hello", pt.Link(packet.LinkNull)))
	f.Fuzz(func(t *testing.T, link uint16, wireLen int, data []byte) {
		var p packet.Packet
		p.Decode(link, data, wireLen, 7)
		if p.TS != 7 || p.WireLen < len(data) || p.WireLen != max(wireLen, len(data)) {
			t.Fatalf("ts %d, wire length %d of %d", p.TS, p.WireLen, len(data))
		}
		if (p.Class == packet.Malformed) != (p.Err != packet.OK) && p.Err != packet.ErrIPBeyondFrame {
			t.Fatalf("class %v with error %v", p.Class, p.Err)
		}
		if p.Class >= packet.Fragment {
			if !p.IsIP() || p.IPOff >= p.L4Off || p.L4Off > p.PayloadOff && int(p.PayloadOff) != len(data) ||
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
		o := p.TCPOptions()
		if int(o.SACKs) > len(o.SACK) || o.WScale > 14 {
			t.Fatalf("options out of range: %+v", o)
		}
		if len(data) == 0 || p.Class < packet.Fragment {
			return
		}
		var q packet.Packet
		q.Decode(link, data[:len(data)-1], p.WireLen, 7)
		if q.Class != p.Class && q.Class != packet.Truncated || q.IsIP() && (q.Src != p.Src || q.Dst != p.Dst) {
			t.Fatalf("cut by a byte: %+v, whole %+v", q, p)
		}
	})
}
