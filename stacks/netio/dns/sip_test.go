package dns

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSIPServers has RFC 3263 sections 4.1 and 4.2.
func TestSIPServers(t *testing.T) {
	t.Parallel()
	s := newServer(t, zone(
		// NAPTR leads to SRV (the example of section 4.1).
		naptr("example.test", 50, 50, "s", "SIPS+D2T", "_sips._tcp.example.test"),
		naptr("example.test", 90, 50, "s", "SIP+D2T", "_sip._tcp.example.test"),
		naptr("example.test", 100, 50, "S", "sip+d2u", "_sip._udp.example.test"),
		naptr("example.test", 10, 50, "u", "E2U+sip", "."),
		srv("_sips._tcp.example.test", 0, 1, 5071, "s1.example.test"),
		srv("_sip._tcp.example.test", 0, 1, 5060, "s1.example.test"),
		srv("_sip._tcp.example.test", 1, 2, 5062, "s2.example.test"),
		srv("_sip._udp.example.test", 0, 0, 5060, "s2.example.test"),
		a("s1.example.test", "192.0.2.1"), aaaa("s1.example.test", "2001:db8::1"), a("s2.example.test", "192.0.2.2"),
		a("example.test", "192.0.2.99"),
		// SRV alone.
		srv("_sip._udp.srv.test", 5, 0, 5080, "s2.example.test"), srv("_sip._tcp.srv.test", 5, 0, 5081, "s2.example.test"),
		a("srv.test", "192.0.2.98"),
		// Neither.
		a("bare.test", "192.0.2.3"), aaaa("bare.test", "2001:db8::3"),
		// The service is said not to be there.
		srv("_sip._udp.off.test", 0, 0, 0, "."), a("off.test", "192.0.2.4"),
		// NAPTR for what nobody here has.
		naptr("ws.test", 1, 1, "s", "SIPS+D2W", "_sips._ws.ws.test"), srv("_sips._ws.ws.test", 0, 0, 8443, "s2.example.test"), a("ws.test", "192.0.2.5"),
		// A server without address, then one with.
		srv("_sip._udp.half.test", 0, 0, 5060, "gone.test"), srv("_sip._udp.half.test", 1, 0, 5060, "s2.example.test"),
	))
	r := newRig(t, Config{Settings: using(s)})
	all := []string{"udp", "tcp", "tls"}
	for _, c := range []struct {
		q    SIPQuery
		want string
	}{
		{SIPQuery{Host: "192.0.2.7"}, "udp 192.0.2.7:5060"},
		{SIPQuery{Host: "[2001:db8::7]", Port: 5070, Transport: "tcp"}, "tcp [2001:db8::7]:5070"},
		{SIPQuery{Host: "192.0.2.7", Secure: true}, "tls 192.0.2.7:5061"},
		{SIPQuery{Host: "192.0.2.7", Secure: true, Transport: "tcp"}, "tls 192.0.2.7:5061"},
		{SIPQuery{Host: "bare.test", Port: 5070}, "udp 192.0.2.3:5070 udp [2001:db8::3]:5070"},
		{SIPQuery{Host: "bare.test", Port: 5070, Secure: true}, "tls 192.0.2.3:5070 tls [2001:db8::3]:5070"},
		{SIPQuery{Host: "example.test", Supported: all}, "tls 192.0.2.1:5071 tls [2001:db8::1]:5071 tcp 192.0.2.1:5060 tcp [2001:db8::1]:5060 tcp 192.0.2.2:5062 udp 192.0.2.2:5060"},
		{SIPQuery{Host: "example.test", Supported: []string{"udp"}}, "udp 192.0.2.2:5060"},
		{SIPQuery{Host: "example.test", Secure: true}, "tls 192.0.2.1:5071 tls [2001:db8::1]:5071"},
		{SIPQuery{Host: "example.test", Transport: "udp"}, "udp 192.0.2.2:5060"},
		{SIPQuery{Host: "example.test", Port: 5060}, "udp 192.0.2.99:5060"},
		{SIPQuery{Host: "srv.test"}, "udp 192.0.2.2:5080 tcp 192.0.2.2:5081"},
		{SIPQuery{Host: "srv.test", Supported: []string{"tcp", "udp"}}, "tcp 192.0.2.2:5081 udp 192.0.2.2:5080"},
		{SIPQuery{Host: "bare.test"}, "udp 192.0.2.3:5060 udp [2001:db8::3]:5060"},
		{SIPQuery{Host: "bare.test", Secure: true}, "tls 192.0.2.3:5061 tls [2001:db8::3]:5061"},
		{SIPQuery{Host: "bare.test", Supported: []string{"tcp"}}, "tcp 192.0.2.3:5060 tcp [2001:db8::3]:5060"},
		{SIPQuery{Host: "bare.test", Transport: "ws", Secure: true, Supported: []string{"wss"}}, "wss 192.0.2.3:443 wss [2001:db8::3]:443"},
		{SIPQuery{Host: "off.test", Supported: []string{"udp"}}, "dns: no such record"},
		{SIPQuery{Host: "ws.test", Supported: []string{"wss", "udp"}}, "wss 192.0.2.2:8443"},
		{SIPQuery{Host: "ws.test"}, "udp 192.0.2.5:5060"},
		{SIPQuery{Host: "half.test", Supported: []string{"udp"}}, "udp 192.0.2.2:5060"},
		{SIPQuery{Host: "none.test"}, "dns: no such name"},
		{SIPQuery{Host: "none.test", Transport: "sctp"}, "dns: no transport that both have"},
		{SIPQuery{Host: "none.test", Transport: "udp", Secure: true}, "dns: no transport that both have"},
		{SIPQuery{Host: "localhost"}, "udp 127.0.0.1:5060 udp [::1]:5060"},
	} {
		got := make(chan string, 1)
		r.do(func() {
			r.r.SIPServers(c.q, func(list []SIPServer, err error) {
				var s []string
				for _, x := range list {
					s = append(s, x.Transport+" "+x.Addr.String())
				}
				if err != nil {
					s = append(s, err.Error())
				}
				got <- strings.Join(s, " ")
			})
		})
		if g := <-got; g != c.want {
			t.Errorf("%+v:\n %s\n want %s", c.q, g, c.want)
		}
	}
	r.do(func() {
		cancel := r.r.SIPServers(SIPQuery{Host: "late.test"}, func([]SIPServer, error) { t.Error("canceled, and called") })
		cancel()
		cancel = r.r.SIPServers(SIPQuery{Host: "127.0.0.1", Transport: "none"}, func([]SIPServer, error) { t.Error("canceled, and called") })
		cancel()
	})
	r.lookup("late.test", A)
}

// TestOrder counts who is first of servers with weights (RFC 2782).
func TestOrder(t *testing.T) {
	t.Parallel()
	r := &Resolver{cfg: Config{Rand: rand.New(rand.NewPCG(3, 4))}}
	list := []Record{srv("x", 2, 0, 1, "last"), srv("x", 1, 0, 1, "zero"), srv("x", 1, 10, 1, "ten"), srv("x", 1, 30, 1, "thirty"), srv("x", 1, 60, 1, "sixty")}
	first := map[string]int{}
	const rounds = 20_000
	for range rounds {
		got := r.order(list)
		if len(got) != 5 || got[4].Target != "last" {
			t.Fatal(got)
		}
		seen := map[string]bool{}
		for _, x := range got {
			seen[x.Target] = true
		}
		if len(seen) != 5 {
			t.Fatal(got)
		}
		first[got[0].Target]++
	}
	for name, share := range map[string]float64{"zero": 1. / 101, "ten": 10. / 101, "thirty": 30. / 101, "sixty": 60. / 101} {
		if got := float64(first[name]) / rounds; got < share*0.85-0.001 || got > share*1.15+0.001 {
			t.Errorf("%s is first in %s", name, fmt.Sprintf("%.3f, want %.3f", got, share))
		}
	}
}
