package packet_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// inside lists what a frame carries side by side: the first packet, and those behind it.
func inside(decap packet.Tunnels, frame []byte, wire int) (list []string) {
	var in packet.Inside
	p := packet.Packet{Decap: decap}
	p.Decode(packet.LinkEthernet, frame, wire, 7)
	show := func() {
		sampled := ""
		if p.Sampled {
			sampled = " sampled"
		}
		list = append(list, fmt.Sprintf("%v %v>%v %q %d of %d, %v%s", p.Class, p.SrcAddrPort(), p.DstAddrPort(), p.Payload(), p.PayloadCap, p.PayloadLen, tunnels(&p), sampled))
	}
	if !in.Open(&p) {
		return nil
	}
	show()
	for in.Next(&p) {
		show()
	}
	return list
}

func TestInside(t *testing.T) {
	t.Parallel()
	raw := func(port uint16, payload string) []byte {
		return pt.TCP(c4, to(s4, port), 7, 9, packet.ACK, payload, pt.Link(packet.LinkRaw))
	}
	eth := func(payload string, opts ...pt.Option) []byte {
		return pt.TCP(c4, s4, 7, 9, packet.ACK, payload, opts...)
	}
	a4, b4 := oc4.Addr(), os4.Addr()
	raw6 := pt.UDP(c6, s6, "six", pt.Link(packet.LinkRaw))
	collector := to(os4, 6343)
	arp := append(append([]byte(nil), eth("")[:12]...), 8, 6, 0, 0, 0, 0)
	report := func(samples ...pt.Sample) []byte { return pt.SFlow(oc4, collector, samples) }
	payload := func(frame []byte) string {
		var p packet.Packet
		p.Decode(packet.LinkEthernet, frame, 0, 0)
		return string(p.Payload())
	}
	tcp := func(port uint16, payload string, cap, size int, tail string) string {
		return fmt.Sprintf("tcp %v>%v %q %d of %d, %s", c4, to(s4, port), payload, cap, size, tail)
	}
	const radio, sample = "{wlan 1 0 192.0.2.1 192.0.2.2}", "{sflow 1 5 192.0.2.1 192.0.2.2} sampled"
	udp6 := fmt.Sprintf("udp %v>%v %q 3 of 3, %s", c6, s6, "six", radio)
	first := func(frame []byte) string {
		body := payload(frame)
		return fmt.Sprintf("udp %v>%v %q %d of %d, {none 0 0  }", oc4, collector, body, len(body), len(body))
	}
	wide := report(pt.Sample{Kind: 1, Header: eth("hello"), Source: 5, Expanded: true}, pt.Sample{Source: 9}, pt.Sample{Kind: 11, Header: raw(81, "more"), Source: 5})
	mixed := report(pt.Sample{Kind: 1, Header: arp}, pt.Sample{Kind: 4, Header: eth("fddi")}, pt.Sample{Kind: 13, Header: append([]byte{0, 0, 0x11, 64}, raw(80, "label")...), Source: 5})
	short := report(pt.Sample{Kind: 1, Header: eth("hello world")[:58], Length: 65, Source: 5})
	vxlan := report(pt.Sample{Kind: 1, Header: pt.VXLAN(oc6, to(os6, 4789), 8, eth("deep")), Source: 5})
	lies := report(pt.Sample{Kind: 1, Header: eth("hello"), Source: 5})
	lies[14+28+27] = 200 // samples
	endless := report(pt.Sample{Kind: 1, Header: eth("hello"), Source: 5})
	copy(endless[14+28+28+8+28:], "\xff\xff\xff\xff") // records
	counters := report(pt.Sample{Kind: 1, Header: eth("hello"), Source: 5}, pt.Sample{Kind: 1, Header: eth("none"), Source: 24})
	copy(counters[14+28+28+8+28:], "\xff\xff\xff\xff")
	counters[14+28+28+8+32+12+8+16+60+3] = 2 // the other sample, whose number and source read as the head of a record
	for name, c := range map[string]struct {
		frame []byte
		want  []string
	}{
		"aggregate": {pt.Radio(a4, b4, [][]byte{raw(80, "one"), raw(81, "three"), raw6}), []string{
			tcp(80, "one", 3, 3, radio), tcp(81, "three", 5, 5, radio), udp6,
		}},
		"aggregate whose first packet is no ip":  {pt.Radio(a4, b4, [][]byte{{0, 1}, raw(80, "two"), {0}}), []string{tcp(80, "two", 3, 3, radio)}},
		"aggregate without ip":                   {pt.Radio(a4, b4, [][]byte{{0, 1}, {0}}), nil},
		"aggregate that ends in a header":        {pt.Radio(a4, b4, [][]byte{raw(80, "one"), raw(81, "two")})[:14+20+4+26+14+8+44+14+8+19], []string{tcp(80, "one", 3, 3, radio)}},
		"radio frame of one packet":              {pt.Radio(a4, b4, [][]byte{raw(80, "one")}), nil},
		"report":                                 {wide, []string{first(wide), tcp(80, "hello", 5, 5, sample), tcp(81, "more", 4, 4, sample)}},
		"report of other things":                 {mixed, []string{first(mixed), tcp(80, "label", 5, 5, sample)}},
		"report of the first bytes":              {short, []string{first(short), tcp(80, "hell", 4, 11, sample)}},
		"report of a tunnel":                     {vxlan, []string{first(vxlan), tcp(80, "deep", 4, 4, "{vxlan 2 8 192.0.2.1 192.0.2.2} sampled")}},
		"report with fewer samples than it says": {lies, []string{first(lies), tcp(80, "hello", 5, 5, sample)}},
		"report of a report":                     {report(pt.Sample{Kind: 1, Header: wide, Source: 5}), nil},
		"report with fewer records":              {endless, []string{first(endless), tcp(80, "hello", 5, 5, sample)}},
		"report of counters after such":          {counters, []string{first(counters), tcp(80, "hello", 5, 5, sample)}},
		"report of an older version":             {pt.UDP(oc4, collector, "\x00\x00\x00\x04\x00\x00\x00\x01\x0a\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01"), nil},
		"report of counters":                     {report(pt.Sample{}), []string{first(report(pt.Sample{}))}},
		"dns at that port":                       {pt.UDP(collector, to(oc4, 53), "a question"), nil},
	} {
		got := inside(packet.KnownTunnels, c.frame, 0)
		if name == "report of a report" { // it is sampled, and stays closed
			if len(got) != 2 || got[1][:4] != "udp " {
				t.Errorf("%s: %q", name, got)
			}
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", name, d)
		}
		if got := inside(0, c.frame, 0); got != nil {
			t.Errorf("%s, closed: %q", name, got)
		}
	}
}

// TestRadio has single packets in radio frames, and what cannot be read.
func TestRadio(t *testing.T) {
	t.Parallel()
	raw := pt.TCP(c4, s4, 7, 9, packet.ACK, "hello", pt.Link(packet.LinkRaw))
	a4, b4 := oc4.Addr(), os4.Addr()
	const mac = 14 + 20 + 4 // where the radio frame begins
	change := func(at int, v byte, insert ...byte) []byte {
		f := pt.Radio(a4, b4, [][]byte{raw})
		f[mac+at] = v
		if len(insert) == 0 {
			return f
		}
		f = append(f[:mac+24:mac+24], append(insert, f[mac+24:]...)...)
		f[14+3] += byte(len(insert)) // no length has a carry here
		return f
	}
	for name, c := range map[string]struct {
		frame []byte
		inner bool
	}{
		"a packet":               {change(0, 0x88), true},
		"between base stations":  {change(1, 0x03, 2, 0, 0, 0, 0, 4), true},
		"a beacon":               {change(0, 0x80), false},
		"of another version":     {change(0, 0x89), false},
		"without data":           {change(0, 0xc8), false},
		"encrypted":              {change(1, 0x42), false},
		"a fragment":             {change(1, 0x06), false},
		"a later fragment":       {change(22, 1), false},
		"with a header too long": {change(1, 0x82), false},
		"not of ip":              {pt.Radio(a4, b4, [][]byte{{1}}), false},
		"cut":                    {pt.GRE(a4, b4, pt.GREHeader{Proto: 0x9000}, pt.Radio(a4, b4, [][]byte{raw})[mac:mac+25]), false},
		"of another kind":        {pt.GRE(a4, b4, pt.GREHeader{Proto: 0x8241}, pt.Radio(a4, b4, [][]byte{raw})[mac:]), false},
	} {
		p := packet.Packet{Decap: packet.WLAN}
		p.Decode(packet.LinkEthernet, c.frame, 0, 0)
		if inner := p.Class == packet.TCP && p.Tunnel == packet.WLAN && string(p.Payload()) == "hello"; inner != c.inner || !inner && p.Class != packet.OtherIP {
			t.Errorf("%s: %v in %v", name, p.Class, p.Tunnel)
		}
	}
}

// TestInsideAllocates checks that going through packets allocates nothing.
func TestInsideAllocates(t *testing.T) {
	raw := pt.TCP(c4, s4, 7, 9, packet.ACK, "hello", pt.Link(packet.LinkRaw))
	p, in := packet.Packet{Decap: packet.KnownTunnels}, packet.Inside{}
	for _, frame := range [][]byte{
		pt.Radio(oc4.Addr(), os4.Addr(), [][]byte{raw, raw}),
		pt.SFlow(oc4, to(os4, 6343), []pt.Sample{{Kind: 11, Header: raw}, {Kind: 11, Header: raw}}),
	} {
		if n := testing.AllocsPerRun(100, func() {
			p.Decode(packet.LinkEthernet, frame, 0, 0)
			for more := in.Open(&p); more; more = in.Next(&p) {
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

// TestReadStart reads what first fragments begin.
func TestReadStart(t *testing.T) {
	t.Parallel()
	body := make([]byte, 64)
	for name, c := range map[string]struct {
		frame []byte
		want  packet.Class
		n     int // of the payload, and of that there
		have  int
	}{
		"tcp":            {pt.TCP(c4, s4, 7, 9, packet.ACK, body, pt.Fragment(1, 0, 48)), packet.TCP, 28, 28},
		"tcp over ipv6":  {pt.TCP(c6, s6, 7, 9, packet.ACK, body, pt.Fragment(1, 0, 48)), packet.TCP, 28, 28},
		"udp":            {pt.UDP(c4, s4, body, pt.Fragment(1, 0, 48), pt.Pad(20)), packet.UDP, 64, 40},
		"icmp":           {pt.Echo(c4.Addr(), s4.Addr(), body, pt.Fragment(1, 0, 48)), packet.ICMP, 48, 48},
		"a later one":    {pt.TCP(c4, s4, 7, 9, packet.ACK, body, pt.Fragment(1, 48, 999)), packet.Fragment, 36, 36},
		"too short":      {pt.TCP(c4, s4, 7, 9, packet.ACK, body, pt.Fragment(1, 0, 8)), packet.Fragment, 8, 8},
		"half a tunnel":  {pt.IPIP(c4.Addr(), s4.Addr(), pt.UDP(c6, s6, body, pt.Link(packet.LinkRaw)), pt.Fragment(1, 0, 64)), packet.UDP, 64, 16},
		"is no fragment": {pt.UDP(c4, s4, "x"), packet.UDP, 1, 1},
	} {
		p := packet.Packet{Decap: packet.AllTunnels}
		p.Decode(packet.LinkEthernet, c.frame, 0, 0)
		was := p
		ok := p.ReadStart()
		if p.Class != c.want || int(p.PayloadLen) != c.n || int(p.PayloadCap) != c.have || ok != (was.Class == packet.Fragment && p.Class != packet.Fragment) {
			t.Errorf("%s: %v %v with %d bytes of %d", name, ok, p.Class, p.PayloadCap, p.PayloadLen)
		}
		if !ok {
			if d := cmp.Diff(was, p, cmp.AllowUnexported(packet.Packet{})); d != "" {
				t.Errorf("%s: (-before +after)\n%s", name, d)
			}
			continue
		}
		if sum := p.Checksum(); sum != packet.ChecksumUnknown || !p.FragMore {
			t.Errorf("%s: checksum %v, more %v", name, sum, p.FragMore)
		}
		if _, err := p.Rewrite(nil, &packet.Change{SrcPort: 1, HasSrcPort: true}); err == nil {
			t.Errorf("%s: rewritten", name)
		}
	}
}

// TestPortsOfBadHeaders has the ports of TCP and UDP headers that cannot be read or believed.
func TestPortsOfBadHeaders(t *testing.T) {
	t.Parallel()
	tcp := pt.TCP(c4, s4, 7, 9, packet.ACK, "hello")
	offset := append([]byte(nil), tcp...)
	offset[46] = 0x40
	long := pt.UDP(c4, s4, "hello")
	long[39] = 99
	for name, c := range map[string]struct {
		frame []byte
		wire  int
		class packet.Class
		ports bool
	}{
		"data offset":    {offset, 0, packet.Malformed, true},
		"udp length":     {long, 0, packet.Malformed, true},
		"short tcp":      {pt.IP(c4.Addr(), s4.Addr(), 6, tcp[34:53]), 0, packet.Malformed, true},
		"short udp":      {pt.IP(c4.Addr(), s4.Addr(), 17, tcp[34:41]), 0, packet.Malformed, true},
		"half the ports": {pt.IP(c4.Addr(), s4.Addr(), 6, tcp[34:37]), 0, packet.Malformed, false},
		"cut":            {tcp[:38], len(tcp), packet.Truncated, true},
		"cut before":     {tcp[:37], len(tcp), packet.Truncated, false},
	} {
		var p packet.Packet
		p.Decode(packet.LinkEthernet, c.frame, c.wire, 0)
		if p.Class != c.class || (p.SrcPort == c4.Port() && p.DstPort == s4.Port()) != c.ports || !c.ports && p.SrcPort|p.DstPort != 0 {
			t.Errorf("%s: %v, ports %d and %d", name, p.Class, p.SrcPort, p.DstPort)
		}
	}
}

// FuzzInside checks what holds for whatever a report or an aggregate says: packets lie in the frame, there are
// no more than bytes allow, and what carries them is found again.
func FuzzInside(f *testing.F) {
	raw := pt.TCP(c4, s4, 7, 9, packet.ACK, "hello", pt.Link(packet.LinkRaw))
	f.Add(uint16(packet.KnownTunnels), 0, pt.Radio(oc4.Addr(), os4.Addr(), [][]byte{raw, raw, {1}, raw}))
	f.Add(uint16(packet.KnownTunnels), 0, pt.Radio(oc6.Addr(), os6.Addr(), [][]byte{raw}))
	f.Add(uint16(packet.KnownTunnels), 300, pt.SFlow(oc4, to(os4, 6343), []pt.Sample{
		{Kind: 1, Header: pt.TCP(c6, s6, 1, 2, 0, "hello", pt.VLAN(3)), Source: 5, Expanded: true}, {}, {Kind: 11, Header: raw, Length: 99},
	}))
	f.Add(uint16(packet.SFlow), 0, pt.SFlow(oc4, to(os4, 6343), []pt.Sample{{Kind: 1, Header: pt.VXLAN(oc4, to(os4, 4789), 9, pt.UDP(c4, s4, "x"))}}))
	f.Fuzz(func(t *testing.T, decap uint16, wire int, data []byte) {
		p := packet.Packet{Decap: packet.Tunnels(decap)}
		p.Decode(packet.LinkEthernet, data, wire, 7)
		was := p
		if p.ReadStart() && (was.Class != packet.Fragment || p.Class <= packet.Fragment || int(p.PayloadOff+p.PayloadCap) > len(data)) {
			t.Fatalf("read as %+v", p)
		}
		p = was
		var in packet.Inside
		if !in.Open(&p) {
			if !same(&p, &was) {
				t.Fatalf("changed: %+v", p)
			}
			return
		}
		n := 0
		for more := true; more; more = in.Next(&p) {
			n++
			if !p.IsIP() || len(p.Data) != len(data) || p.WireLen != was.WireLen || p.TS != 7 || p.Sampled != (in.Samples() && n > 1) {
				t.Fatalf("packet %d: %+v", n, p)
			}
			if p.Class >= packet.Fragment && (int(p.PayloadOff+p.PayloadCap) > len(data) || p.PayloadCap > p.PayloadLen) {
				t.Fatalf("packet %d lies outside: %+v", n, p)
			}
			if !in.Samples() && p.OuterVersion == 0 || p.TunnelDepth > 8 || p.Tunnel&^p.Decap != 0 {
				t.Fatalf("packet %d: tunnel %v at depth %d", n, p.Tunnel, p.TunnelDepth)
			}
			p.Checksum()
			p.HeaderChecksum()
			p.TCPOptions()
		}
		if n > 1+len(data)/34 {
			t.Fatalf("%d packets in %d bytes", n, len(data))
		}
		if !same(&p, &was) {
			t.Fatalf("was %+v\nis  %+v", was, p)
		}
	})
}

func same(p, q *packet.Packet) bool {
	return cmp.Equal(*p, *q, cmp.AllowUnexported(packet.Packet{}))
}
