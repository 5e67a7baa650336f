package filter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hookd/hookd/stacks/flow/packet"
)

func mustMatcher(t testing.TB, link uint16, expr string) *Matcher {
	t.Helper()
	e, err := Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Matcher(link)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// BenchmarkMatchers is the mean over the recorded expressions and the samples.
func BenchmarkMatchers(b *testing.B) {
	var matchers []*Matcher
	for _, expr := range lines(b, filtersFile) {
		matchers = append(matchers, mustMatcher(b, packet.LinkEthernet, expr))
	}
	samples := ethernetSamples().samples
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for i := 0; i < b.N; {
		for _, m := range matchers {
			for j := range samples {
				if m.Match(samples[j].data, samples[j].wireLen) {
					n++
				}
			}
			if i += len(samples); i >= b.N {
				break
			}
		}
	}
}

func BenchmarkMatcher(b *testing.B) {
	samples := ethernetSamples().samples
	for _, expr := range []string{
		"tcp port 80",
		"port 5060",
		"host 10.1.2.3",
		"net 10.0.0.0/8 and not port 22",
		"dst net 216.58 and dst port 80",
		"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
		"tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
		"vlan 7 and ip6 host 2001:db8::1",
		manyHosts(3000),
		manyHosts6(1000),
	} {
		b.Run(strings.ReplaceAll(expr[:min(len(expr), 40)], " ", "_"), func(b *testing.B) {
			m := mustMatcher(b, packet.LinkEthernet, expr)
			b.ReportAllocs()
			for i := range b.N {
				s := &samples[i%len(samples)]
				m.Match(s.data, s.wireLen)
			}
		})
	}
}

// manyHosts is a list of n addresses.
func manyHosts(n int) string {
	hosts := make([]string, n)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("10.%d.%d.%d", i/250%250, i%250, i*7%256)
	}
	return "host " + strings.Join(hosts, " or ")
}

func manyHosts6(n int) string {
	hosts := make([]string, n)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("2001:db8:%x::%x", i%16, i+16)
	}
	return "host " + strings.Join(hosts, " or ")
}

func BenchmarkCompile(b *testing.B) {
	for _, expr := range []string{"tcp port 80", "(tcp port 80 or udp port 53) and (net 10.0.0.0/8 or net 2001:db8::/32)", manyHosts(3000), manyHosts6(1000), manyPorts(7000)} {
		e, err := Parse(expr)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(strings.ReplaceAll(expr[:min(len(expr), 40)], " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Matcher(packet.LinkEthernet); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func manyPorts(n int) string {
	ports := make([]string, n)
	for i := range ports {
		ports[i] = fmt.Sprint(i * 7 % 65536)
	}
	return "port " + strings.Join(ports, " or ")
}
