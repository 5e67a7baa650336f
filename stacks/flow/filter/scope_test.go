package filter

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func mustScope(t testing.TB, expr string) *Scope {
	t.Helper()
	e, err := Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Scope()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFlowRules are the forms of rules that mOS accepts for its SYN filters.
func TestFlowRules(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		expr     string
		in, outs []string
	}{
		{
			"dst net 216.58 and dst port 80",
			[]string{"tcp 10.0.0.1/4000 216.58.1.2/80", "udp 10.0.0.1/4000 216.58.0.0/80"},
			[]string{"tcp 10.0.0.1/4000 216.59.1.2/80", "tcp 10.0.0.1/4000 216.58.1.2/81", "tcp 216.58.1.2/80 10.0.0.1/4000"},
		},
		{"portrange 80-90", []string{"tcp 10.0.0.1/85 10.0.0.2/4000", "tcp 10.0.0.1/4000 10.0.0.2/90"}, []string{"tcp 10.0.0.1/91 10.0.0.2/79", "icmp 10.0.0.1 10.0.0.2"}},
		{"net 10.2.0.0 mask 255.255.0.0", []string{"tcp 10.2.3.4/1 1.1.1.1/2", "tcp 1.1.1.1/2 10.2.3.4/1"}, []string{"tcp 10.3.3.4/1 1.1.1.1/2"}},
		{"src host 10.0.0.1 and not port 22", []string{"tcp 10.0.0.1/1 10.0.0.2/23"}, []string{"tcp 10.0.0.1/1 10.0.0.2/22", "tcp 10.0.0.2/1 10.0.0.1/23"}},
		{"tcp and src 10.0.0.1 or dst 10.0.0.1", []string{"tcp 10.0.0.1/1 1.1.1.1/1", "udp 1.1.1.1/1 10.0.0.1/1"}, []string{"udp 10.0.0.1/1 1.1.1.1/1"}},
	} {
		s := mustScope(t, tc.expr)
		for _, text := range tc.in {
			if k := key(text); !s.Match(&k) {
				t.Errorf("%s: %s is not in scope", tc.expr, text)
			}
		}
		for _, text := range tc.outs {
			if k := key(text); s.Match(&k) {
				t.Errorf("%s: %s is in scope", tc.expr, text)
			}
		}
	}
}

// TestVLANIsAProperty are the expressions that a packet filter takes otherwise.
func TestVLANIsAProperty(t *testing.T) {
	t.Parallel()
	const plain, seven, eight = "tcp 10.0.0.1/1 10.0.0.2/80", "tcp 10.0.0.1/1 10.0.0.2/80 vlan 7", "tcp 10.0.0.1/1 10.0.0.2/80 vlan 8"
	for _, tc := range []struct {
		expr                string
		plain, seven, eight bool
	}{
		{"tcp port 80", true, true, true},
		{"tcp and vlan 7", false, true, false},
		{"vlan 7 or vlan 8", false, true, true},
		{"vlan 7 or tcp", true, true, true},
		{"not vlan 7 and tcp", true, false, true},
		{"not vlan and tcp", true, false, false},
		{"vlan and not vlan 7 and tcp port 80", false, false, true},
		{"vlan 7 and vlan 8", false, false, false},
	} {
		s := mustScope(t, tc.expr)
		for text, want := range map[string]bool{plain: tc.plain, seven: tc.seven, eight: tc.eight} {
			if k := key(text); s.Match(&k) != want {
				t.Errorf("%s: %s is in scope: %v", tc.expr, text, !want)
			}
		}
	}
}

// TestScopeRefuses checks that what needs the packet is refused by name, with
// the column of the word.
func TestScopeRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		expr   string
		column int
		word   string
	}{
		{"tcp and tcp[13] & 2 != 0", 9, `"tcp[...]"`},
		{"tcp and 5 < ip[8]", 13, `"ip[...]"`},
		{"udp or len > 100", 8, `"len"`},
		{"greater 100", 1, `"greater"`},
		{"less 100", 1, `"less"`},
		{"byte 0 = 1", 1, `"byte"`},
		{"1 = 1", 1, `"1"`},
		{"tcp and (port 80 or ether host 1:2:3:4:5:6)", 21, `"ether"`},
		{"ether proto 0x800", 1, `"ether proto"`},
		{"tcp or gateway x", 8, `"gateway"`},
		{"arp", 1, `"arp"`},
		{"arp host 10.0.0.1", 1, `"arp"`},
		{"not rarp net 10", 5, `"rarp"`},
		{"ip multicast", 4, `"multicast"`},
		{"broadcast", 1, `"broadcast"`},
		{"inbound", 1, `"inbound"`},
		{"ip protochain 6", 1, `"protochain"`},
		{"iso proto 5", 1, `"iso proto"`},
		{"mpls 5", 1, `"mpls"`},
		{"vlan 5 and pppoes", 12, `"pppoes"`},
		{"geneve", 1, `"geneve"`},
		{"decnet host 1.2", 1, `"decnet"`},
		{"stp", 1, `"stp"`},
		{"type data", 1, `"type"`},
		{"llc", 1, `"llc"`},
		{"vci 3", 1, `"vci"`},
		{"on eth0", 1, `"on"`},
		{"ifindex 3", 1, `"ifindex"`},
	} {
		e, err := Parse(tc.expr)
		if err != nil {
			t.Errorf("%s: %v", tc.expr, err)
			continue
		}
		_, err = e.Scope()
		want := tc.word + ": a scope takes only what a connection's key decides"
		if se := new(SyntaxError); !errors.As(err, &se) || se.Column != tc.column || se.What != want {
			t.Errorf("%s: %v, want column %d: %s", tc.expr, err, tc.column, want)
		}
	}
	e, err := Parse("tcp and vlan 0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = e.Scope(); err == nil || !strings.Contains(err.Error(), `column 9: "vlan 0" is a priority without a VLAN`) {
		t.Errorf("vlan 0: %v", err)
	}
}

// TestOddKeys asks about keys whose addresses are missing or of another family
// than they say.
func TestOddKeys(t *testing.T) {
	t.Parallel()
	four, six := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	mapped := netip.MustParseAddr("::ffff:10.0.0.1")
	for _, tc := range []struct {
		expr string
		key  Key
		want bool
	}{
		{"host 10.0.0.1", Key{}, false},
		{"host 10.0.0.1 or host 2001:db8::1", Key{IPv6: true}, false},
		{"host 10.0.0.1", Key{SrcIP: four, DstIP: four}, true},
		{"host 10.0.0.1", Key{SrcIP: four, DstIP: four, IPv6: true}, false},
		{"host 10.0.0.1", Key{SrcIP: mapped, DstIP: mapped}, true},
		{"host 10.0.0.1", Key{SrcIP: mapped, DstIP: mapped, IPv6: true}, false},
		{"host ::ffff:10.0.0.1", Key{SrcIP: mapped, DstIP: mapped, IPv6: true}, true},
		{"host 2001:db8::1", Key{SrcIP: six, DstIP: six}, false},
		{"host fe80::1", Key{SrcIP: netip.MustParseAddr("fe80::1%eth0"), IPv6: true}, true},
		{"port 0", Key{Proto: 6}, true},
		{"port 0", Key{Proto: 1}, false},
		{"vlan 4095", Key{VLAN: 4095}, true},
	} {
		if got := mustScope(t, tc.expr).Match(&tc.key); got != tc.want {
			t.Errorf("%s of %+v: %v", tc.expr, tc.key, got)
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	s := mustScope(t, "tcp and (dst net 216.58 or dst net 2001:db8::/32) and not port 22")
	for _, k := range keys(0) {
		if n := testing.AllocsPerRun(100, func() { s.Match(&k) }); n != 0 {
			t.Fatalf("%v allocations", n)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, expr := range []string{
		"dst port 5060",
		"dst net 216.58 and dst port 80",
		"ip6 and tcp dst port 80 and dst net 2001:db8::/32",
		"tcp and (src net 10 or src net 172.16.0.0/12 or src net 192.168.0.0/16) and not (port 22 or 443)",
	} {
		b.Run(strings.ReplaceAll(expr, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			s, all := mustScope(b, expr), keys(0)
			n := 0
			for i := range b.N {
				if s.Match(&all[i%len(all)]) {
					n++
				}
			}
		})
	}
}

func BenchmarkParseAndScope(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		e, err := Parse("dst net 216.58 and dst port 80 or host (10.0.0.1 or 2001:db8::1) and not udp")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.Scope(); err != nil {
			b.Fatal(err)
		}
	}
}
