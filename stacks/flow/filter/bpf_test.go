package filter

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// programLengths are how many instructions libpcap 1.10.3 needs for an
// expression on Ethernet, as tcpdump -d prints them, and ours.
var programLengths = []struct {
	expr          string
	libpcap, ours int
}{
	{"", 1, 1},
	{"ip", 4, 4},
	{"tcp", 12, 12},
	{"host 10.1.2.3", 14, 14},
	{"host 10.1.2.3 or 8.8.8.8 or 192.168.0.1", 20, 20},
	{"src net 10.0.0.0/8 and not dst net 10.0.0.0/8", 18, 18},
	{"ip6 host 2001:db8::1", 20, 20},
	{"net 2001:db8::/32", 8, 8},
	{"port 80", 24, 24},
	{"tcp port 80 or 443", 23, 23},
	{"tcp dst port 80", 16, 16},
	{"portrange 5060-5070", 27, 27},
	{"dst net 216.58 and dst port 80", 16, 16},
	{"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", 11, 11},
	{"tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)", 30, 28},
	{"icmp[icmptype] = icmp-echo or icmp6[icmp6type] = icmp6-echo", 16, 16},
	{"vlan 7 and tcp port 80", 27, 27},
	{"vlan and vlan and udp port 53", 28, 28},
	{"mpls 100 and host 10.1.2.3", 17, 17},
	{"pppoes and ip6", 6, 6},
	{"arp or icmp or icmp6", 13, 13},
	{"ether host 02:00:00:00:00:01 and not broadcast", 14, 14},
	{"udp port 53 or tcp port 53 or udp port 5353", 36, 36},
	{"(tcp port 80 or udp port 53) and (net 10.0.0.0/8 or net 2001:db8::/32)", 43, 43},
	{"not (tcp port 22 and host 10.1.2.3) and ip", 18, 18},
	{"geneve 5 and host 10.1.2.3", 94, 80},
	// libpcap has the code that enters a tunnel once for both versions of IP.
	{"geneve and ip", 54, 62},
	// libpcap has loops here, which Linux does not take.
	{"ip protochain 6", 24, 167},
	{"ip6 protochain 6", 36, 328},
}

func TestProgramLengths(t *testing.T) {
	t.Parallel()
	for _, tc := range programLengths {
		c, err := compileFor(t, packet.LinkEthernet, tc.expr)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.code) > tc.ours {
			t.Errorf("%q: %d instructions were %d", tc.expr, len(c.code), tc.ours)
		}
	}
}

// TestSnapLength checks what a program returns.
func TestSnapLength(t *testing.T) {
	t.Parallel()
	syn := ethernetSamples().find("syn")
	for _, tc := range []struct {
		expr    string
		snaplen int
		want    int
	}{
		{"tcp", 96, 96}, {"tcp", 0, WholePacket}, {"tcp", 1<<31 - 1, 1<<31 - 1}, {"udp", 96, 0}, {"", 1, 1}, {"tcp and udp", 5, 0},
	} {
		e, err := Parse(tc.expr)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := e.BPF(packet.LinkEthernet, tc.snaplen)
		if err != nil {
			t.Fatal(err)
		}
		code, _ := bpf.Disassemble(raw)
		vm, err := bpf.NewVM(code)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := vm.Run(syn); got != tc.want || err != nil {
			t.Errorf("%q with snapshot length %d: %d, %v", tc.expr, tc.snaplen, got, err)
		}
	}
	e, err := Parse("tcp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.BPF(packet.LinkEthernet, -1); err == nil || err.Error() != "filter: compile BPF: snapshot length -1 is out of range" {
		t.Errorf("snapshot length -1: %v", err)
	}
}

// TestFarJumps runs programs whose ends are out of reach of conditional jumps.
func TestFarJumps(t *testing.T) {
	t.Parallel()
	samples := ethernetSamples().cut(recordedCuts...)
	for _, expr := range []string{
		manyHosts(900) + " or tcp port 80",
		"not " + strings.ReplaceAll(manyHosts(900), " or ", " and not ") + " and udp",
		"(" + manyHosts(600) + ") and (" + manyPorts(300) + ") or host 8.8.8.8",
		"ip6 and (" + manyHosts6(200) + ") or not ip6",
		"ip6 protochain 17 or not " + strings.ReplaceAll(manyHosts(300), " or ", " and not "),
		"geneve and (" + manyHosts(300) + " or tcp)",
	} {
		c, err := compileFor(t, packet.LinkEthernet, expr)
		if err != nil {
			t.Fatalf("%.40s: %v", expr, err)
		}
		far := 0
		for _, in := range c.code {
			switch in.(type) {
			case bpf.Jump, bpf.RetConstant:
				far++
			}
		}
		if len(c.code) < 600 || far < 3 {
			t.Errorf("%.40s: %d instructions, %d of which go anywhere", expr, len(c.code), far)
		}
		for _, s := range samples {
			checkSame(t, &c, expr[:40], s)
		}
	}
}

// TestTooLong checks the limit from both sides.
func TestTooLong(t *testing.T) {
	t.Parallel()
	longest := 0
	for n := 300; n < 1500; n += 100 {
		e, err := Parse(manyHosts(n))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := e.BPF(packet.LinkEthernet, 0)
		if err == nil {
			longest = len(raw)
			continue
		}
		if !errors.Is(err, ErrBPFTooLong) || !strings.HasPrefix(err.Error(), "filter: compile BPF: the BPF program is too long: ") {
			t.Errorf("%d hosts: %v", n, err)
		}
		if longest < 3000 || longest > MaxBPF {
			t.Errorf("the longest program has %d instructions", longest)
		}
		if _, err := e.Matcher(packet.LinkEthernet); err != nil {
			t.Errorf("a matcher of %d hosts: %v", n, err)
		}
		return
	}
	t.Errorf("no list was too long; the longest program has %d instructions", longest)
}

// TestDeepArithmetic computes a balanced tree, which needs the most memory words.
func TestDeepArithmetic(t *testing.T) {
	t.Parallel()
	tree := func(levels int) string {
		s := "ip[8]"
		for range levels {
			s = "(" + s + " + " + s + " * ip[1])"
		}
		return s
	}
	syn := ethernetSamples().samples[0]
	for levels, fits := range map[int]bool{3: true, 7: true, 11: false} {
		expr := tree(levels) + " = " + tree(levels-1)
		e, err := Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = e.BPF(packet.LinkEthernet, 0); (err == nil) != fits {
			t.Fatalf("%d levels: %v", levels, err)
		}
		if !fits {
			continue
		}
		c, err := compileFor(t, packet.LinkEthernet, expr)
		if err != nil {
			t.Fatal(err)
		}
		checkSame(t, &c, expr[:20], syn)
	}
}
