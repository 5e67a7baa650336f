package filter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/hookd/hookd/stacks/flow/packet"
	"github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// TestMatcherSemantics are the traps of the language, on frames by their names.
func TestMatcherSemantics(t *testing.T) {
	t.Parallel()
	s := ethernetSamples()
	for _, tc := range []struct{ expr, in, out string }{
		// vlan moves everything to its right, whatever is around it.
		{"tcp port 80", "syn", "vlan"},
		{"vlan and tcp port 80", "vlan", "syn"},
		{"vlan or tcp port 80", "vlan", "syn"},
		{"not vlan or tcp port 80", "syn", "qinq"},
		{"vlan 100 and vlan 7 and udp", "qinq", "vlan"},

		// A load beyond the end rejects the packet.
		{"not ip[200] = 0", "stp", "syn"},
		{"tcp or ip[200] = 0", "syn", "dns"},
		{"ip[200] = 0 or ip6", "syn 6", "syn"},

		// Ports are those of first fragments, and of IPv6 without extension headers.
		{"udp port 53", "first fragment", "middle fragment"},
		{"udp", "middle fragment", "hop by hop"},
		{"port 53", "dns 6", "hop by hop"},
		{"ip6 proto 17", "first fragment 6", "hop by hop"},
		{"ip6 protochain 17", "hop by hop", "syn 6"},
		{"protochain 17", "ah 6", "ah"},

		{"host 10.1.2.3", "arp", "dns 6"},
		{"tcp[13] & 2 != 0", "syn", "syn 6"},
		{"byte 12 < 1", "stp", "syn"},
		{"byte 0 & 1", "arp", "syn"},

		// What is inside of tunnels.
		{"vxlan 5 and tcp dst port 80", "vxlan", "vxlan 6"},
		{"vxlan and ip6 host 2001:db8::1", "vxlan 6 over 6", "vxlan"},
		{"vxlan and ip", "vxlan over 6", "vxlan 6"},
		{"geneve and ether host 02:00:00:00:00:01", "geneve", "geneve bare"},
		{"geneve 5 and vlan 7 and tcp", "geneve vlan", "geneve"},
		{"geneve or vxlan", "geneve over 6", "geneve version"},
		{"mpls and ip", "mpls", "mpls 6"},
	} {
		m := mustMatcher(t, packet.LinkEthernet, tc.expr)
		for name, want := range map[string]bool{tc.in: true, tc.out: false} {
			data := s.find(name)
			if data == nil {
				t.Fatalf("no sample is named %q", name)
			}
			if m.Match(data, len(data)) != want {
				t.Errorf("%q of %q: %v", tc.expr, name, !want)
			}
		}
	}
}

// TestEitherByteOrder filters BSD's loopback frames of hosts of both orders.
func TestEitherByteOrder(t *testing.T) {
	t.Parallel()
	ip := internetSamples(packet.LinkIPv4).samples[0].data
	for _, tc := range []struct {
		link   uint16
		family string
		want   bool
	}{
		{packet.LinkNull, "\x02\x00\x00\x00", true},
		{packet.LinkNull, "\x00\x00\x00\x02", true},
		{packet.LinkNull, "\x02\x00\x00\x02", false},
		{packet.LinkNull, "\x1e\x00\x00\x00", false},
		{packet.LinkLoop, "\x00\x00\x00\x02", true},
		{packet.LinkLoop, "\x02\x00\x00\x00", false},
	} {
		c, err := compileFor(t, tc.link, "tcp dst port 80")
		if err != nil {
			t.Fatal(err)
		}
		s := sample{"loopback", append([]byte(tc.family), ip...), 4 + len(ip)}
		if got := c.matcher.Match(s.data, s.wireLen); got != tc.want {
			t.Errorf("family %x of link type %d: %v", tc.family, tc.link, got)
		}
		checkSame(t, &c, "tcp dst port 80", s)
	}
}

// TestProtocolChain checks that a search goes behind any number of headers, and
// that of BPF behind maxChained.
func TestProtocolChain(t *testing.T) {
	t.Parallel()
	c, err := compileFor(t, packet.LinkEthernet, "ip6 protochain 17")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 2, maxChained, maxChained + 1, 1000} {
		var opts []packettest.Option
		for range n {
			opts = append(opts, packettest.Ext(60, 0, 1, 4, 0, 0, 0, 0))
		}
		data := packettest.UDP(endpoint(alice6, 1), endpoint(bob6, 2), "x", opts...)
		if !c.matcher.Match(data, len(data)) {
			t.Errorf("the matcher does not look behind %d headers", n)
		}
		s := sample{"chained", data, len(data)}
		if got, want := c.run(t, &s), n <= maxChained; got != want {
			t.Errorf("BPF behind %d headers: %v", n, got)
		}
	}
}

// TestCompileErrors checks what is refused, where, and why.
func TestCompileErrors(t *testing.T) {
	t.Parallel()
	const ethernet, cooked = packet.LinkEthernet, packet.LinkSLL
	for _, tc := range []struct {
		link   uint16
		expr   string
		column int
		what   string
	}{
		{ethernet, "tcp or type mgt", 8, `"type" cannot be tested in packets of link type 1 (ETHERNET)`},
		{ethernet, "inbound", 1, `"inbound" cannot be tested in packets of link type 1 (ETHERNET)`},
		{ethernet, "tcp and gateway x", 9, `"x" cannot be tested in packets of link type 1 (ETHERNET)`},
		{ethernet, "radio[0] = 1 or fisu", 1, `"radio" cannot be tested in packets of link type 1 (ETHERNET)`},
		{cooked, "tcp and vlan", 9, `"vlan" cannot be tested in packets of link type 113 (LINUX_SLL)`},
		{cooked, "broadcast", 1, `"broadcast" cannot be tested in packets of link type 113 (LINUX_SLL)`},
		{cooked, "ether host 1:2:3:4:5:6", 1, `"1:2:3:4:5:6" cannot be tested in packets of link type 113 (LINUX_SLL)`},
		{ethernet, "mpls and (tcp or vlan)", 18, `"vlan" cannot be tested behind an MPLS label`},
		{ethernet, "mpls and arp", 10, "behind an MPLS label only IP can be told"},
		{ethernet, "geneve and ip protochain 6", 12, "protochain cannot be tested inside a tunnel"},
		{ethernet, "geneve and vxlan and geneve and vxlan", 33, "more than 3 Geneve or VXLAN tunnels in one expression"},
		{ethernet, "ip[0] / (2 - 2) = 1", 1, "division by zero"},
		{ethernet, "len << (16 * 2) = 1", 1, "shift by more than 31 bits"},
	} {
		e, err := Parse(tc.expr)
		if err != nil {
			t.Errorf("%s: %v", tc.expr, err)
			continue
		}
		_, err = e.Matcher(tc.link)
		_, err2 := e.BPF(tc.link, 0)
		for _, err := range []error{err, err2} {
			if se := new(SyntaxError); !errors.As(err, &se) || se.Column != tc.column || se.What != tc.what {
				t.Errorf("%s: %v, want column %d: %s", tc.expr, err, tc.column, tc.what)
			}
		}
	}
}

func TestUnknownLink(t *testing.T) {
	t.Parallel()
	e, err := Parse("")
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Matcher(105)
	_, err2 := e.BPF(147, 0)
	for err, want := range map[error]string{
		err:  "filter: packets of link type 105 (IEEE802_11) cannot be filtered",
		err2: "filter: packets of link type 147 (USER0) cannot be filtered",
	} {
		if le := new(LinkError); !errors.As(err, &le) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestLongLists compares lists that become tables with what they are lists of.
func TestLongLists(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 3))
	ip4 := func() netip.Addr {
		return netip.AddrFrom4([4]byte{10, byte(random.IntN(3)), byte(random.IntN(40)), byte(random.IntN(40))})
	}
	ip6 := func() netip.Addr {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", random.IntN(3), random.IntN(2000)))
	}
	for _, tc := range []struct {
		name, word string
		value      func() string
		addr       func() netip.Addr
	}{
		{"hosts", "host", func() string { return ip4().String() }, ip4},
		{"sources", "src host", func() string { return ip4().String() }, ip4},
		{"hosts 6", "host", func() string { return ip6().String() }, ip6},
		{"destinations 6", "dst host", func() string { return ip6().String() }, ip6},
		{"nets", "net", func() string { return netip.PrefixFrom(ip4(), 20+random.IntN(13)).Masked().String() }, ip4},
		{"nets 6", "src net", func() string { return netip.PrefixFrom(ip6(), 100+random.IntN(29)).Masked().String() }, ip6},
		{"ports", "port", func() string { return fmt.Sprint(random.IntN(6000)) }, ip4},
		{"macs", "ether host", func() string { return fmt.Sprintf("2:0:0:%x:0:%x", random.IntN(256), random.IntN(4)) }, ip4},
	} {
		values, single := make([]string, 2000), make([]*Matcher, 2000)
		for i := range values {
			values[i] = tc.value()
			single[i] = mustMatcher(t, packet.LinkEthernet, tc.word+" "+values[i])
		}
		list := mustMatcher(t, packet.LinkEthernet, tc.word+" "+strings.Join(values, " or "))
		none := mustMatcher(t, packet.LinkEthernet, "not "+tc.word+" "+strings.Join(values, " and not "))
		if len(list.tables) == 0 || len(none.tables) == 0 {
			t.Errorf("%s: no table", tc.name)
		}
		in := 0
		packets := 300
		if testing.Short() {
			packets = 50
		}
		for range packets {
			src, dst := netip.AddrPortFrom(tc.addr(), uint16(random.IntN(6000))), netip.AddrPortFrom(tc.addr(), uint16(random.IntN(6000)))
			data := packettest.UDP(src, dst, make([]byte, 40), packettest.Edit(func(b []byte) { b[9], b[11] = byte(random.IntN(256)), byte(random.IntN(8)) }))
			data = data[:len(data)-random.IntN(2)*random.IntN(len(data))]
			want := false
			for _, m := range single {
				want = want || m.Match(data, len(data))
			}
			if want {
				in++
			}
			short := len(data) < 62 // a load may fail, and then both are false
			if got := list.Match(data, len(data)); got != want && !short {
				t.Errorf("%s: %x: %v", tc.name, data, got)
			}
			if got := none.Match(data, len(data)); got == want && !short {
				t.Errorf("not %s: %x: %v", tc.name, data, got)
			}
		}
		t.Logf("%s: %d of %d are in the list", tc.name, in, packets)
		if in == 0 {
			t.Errorf("%s: no packet is in the list", tc.name)
		}
	}
}

// TestGraphGrowsWithTheExpression checks that the longest expressions become
// graphs of a size that is in proportion.
func TestGraphGrowsWithTheExpression(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(n int) string{
		"hosts": manyHosts, "hosts 6": manyHosts6, "ports": manyPorts,
		"mixed": func(n int) string {
			return strings.Repeat("host 10.0.0.1 and (port 53 or net 10.2) or not ip6 host ::1 or ", n/20) + "tcp"
		},
		"tags": func(n int) string { return strings.Repeat("vlan or ", n) + "vlan" },
	} {
		sizes := []int{}
		for _, n := range []int{500, 1000, 2000} {
			e, err := Parse(make(n))
			if err != nil {
				t.Fatal(err)
			}
			g, err := e.lower(packet.LinkEthernet)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(g.branches)+1)
		}
		if sizes[2] > 5*sizes[0] || sizes[2] > 40*2000 {
			t.Errorf("%s: %v branches", name, sizes)
		}
	}
}

func TestMatcherAllocatesNothing(t *testing.T) {
	samples := ethernetSamples().samples
	exprs := append(lines(t, filtersFile), "vxlan and tcp", manyHosts(500), manyHosts6(500))
	for _, expr := range exprs {
		m := mustMatcher(t, packet.LinkEthernet, expr)
		n := testing.AllocsPerRun(1, func() {
			for i := range samples {
				m.Match(samples[i].data, samples[i].wireLen)
			}
		})
		if n != 0 {
			t.Errorf("%.60q: %v allocations", expr, n)
		}
	}
}

// TestMatcherIsShared has goroutines use one matcher, for the race detector.
func TestMatcherIsShared(t *testing.T) {
	t.Parallel()
	m := mustMatcher(t, packet.LinkEthernet, "geneve and tcp or "+manyHosts(50))
	samples := ethernetSamples().samples
	want := selection(samples, func(s *sample) bool { return m.Match(s.data, s.wireLen) })
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if got := selection(samples, func(s *sample) bool { return m.Match(s.data, s.wireLen) }); got != want {
				t.Error(difference(samples, got, want))
			}
		})
	}
	all.Wait()
}
