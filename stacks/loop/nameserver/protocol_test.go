package nameserver

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/netio/dns"
)

// zone decides by the first label of the name.
func zone(e *loopev.DNSQuery) event.Verdict {
	answer := func(v any) event.Verdict {
		return event.Verdict{Kind: loopev.VerdictAnswer, Args: &loopev.AnswerArgs{Records: v}}
	}
	label, _, _ := strings.Cut(e.Name, ".")
	switch label {
	case "one":
		return answer("192.0.2.7")
	case "both":
		return event.Verdict{Kind: loopev.VerdictAnswer, Args: &loopev.AnswerArgs{Records: []any{"192.0.2.7", "2001:db8::7"}, TTL: 300, HasTTL: true}}
	case "mail":
		return answer([]event.KV{{Key: "type", Value: "MX"}, {Key: "value", Value: "mx.example.com"}, {Key: "priority", Value: 10.}, {Key: "ttl", Value: 5.}})
	case "text":
		return answer("hello")
	case "many":
		var list []any
		for i := range 200 {
			list = append(list, fmt.Sprintf("10.0.0.%d", i))
		}
		return answer(list)
	case "wrong":
		return answer(7.)
	case "gone":
		return event.Verdict{Kind: loopev.VerdictNxdomain}
	case "drop":
		return event.Verdict{Kind: loopev.VerdictDrop}
	case "pass":
		return event.Verdict{Kind: loopev.VerdictForward}
	case "nowhere":
		return event.Verdict{Kind: loopev.VerdictForward, Args: &loopev.ForwardArgs{Server: "127.0.0.1:1"}}
	case "junk":
		return event.Verdict{Kind: loopev.VerdictForward, Args: &loopev.ForwardArgs{Server: "junk"}}
	}
	return event.Verdict{}
}

// TestDig asks with dig, over UDP and TCP; what is passed on goes to another server of
// the same kind.
func TestDig(t *testing.T) {
	_, upstream, _ := newRig(t, dns.Settings{}, func(e *loopev.DNSQuery) event.Verdict {
		if e.Name == "pass.many.test" {
			e.Name = "many"
			return zone(e)
		}
		return event.Verdict{Kind: loopev.VerdictAnswer, Args: &loopev.AnswerArgs{Records: "192.0.2.99"}}
	})
	r, udp, tcp := newRig(t, dns.Settings{Servers: []netip.AddrPort{upstream}, Timeout: time.Second}, zone)
	for _, c := range []struct {
		args string
		want []string
	}{
		{"one.test A", []string{"NOERROR", "flags: qr aa rd ra;", "one.test.\t\t60\tIN\tA\t192.0.2.7"}},
		{"ONE.Test A +noedns", []string{"NOERROR", "ONE.Test.\t\t60\tIN\tA\t192.0.2.7"}},
		{"one.test AAAA", []string{"NOERROR", "ANSWER: 0"}},
		{"one.test MX", []string{"NOERROR", "ANSWER: 0"}}, // an address is no MX
		{"both.test AAAA", []string{"300\tIN\tAAAA\t2001:db8::7", "ANSWER: 1"}},
		{"mail.test MX", []string{"mail.test.\t\t5\tIN\tMX\t10 mx.example.com."}},
		{"text.test TXT", []string{`TXT	"hello"`}},
		{"many.test A", []string{"ANSWER: 200"}},
		{"wrong.test A", []string{"SERVFAIL"}},
		{"gone.test A", []string{"NXDOMAIN"}},
		{"other.test A", []string{"REFUSED"}},
		{"one.test CH A", []string{"REFUSED"}},
		{"pass.test A", []string{"192.0.2.99"}},
		{"nowhere.test A", []string{"SERVFAIL"}},
		{"junk.test A", []string{"SERVFAIL"}},
		{"one.test A +opcode=4", []string{"NOTIMP"}},
		{"one.test A +edns=1 +noednsnegotiation", []string{"BADVERS"}},
	} {
		for i, at := range []netip.AddrPort{udp, tcp} {
			args := strings.Fields(c.args)
			if i == 1 {
				if strings.HasPrefix(c.args, "pass") {
					continue // the other listens on another port over TCP
				}
				args = append(args, "+tcp")
			} else if strings.HasPrefix(c.args, "many") {
				args = append(args, "+ignore")
				c.want = []string{"tc", "ANSWER: 0"}
			}
			out := dig(t, at, args...)
			if i == 1 && strings.HasPrefix(c.args, "many") {
				c.want = []string{"ANSWER: 200"}
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("%s, %s: no %q in\n%s", at, c.args, want, out)
				}
			}
		}
	}
	if out := dig(t, udp, "drop.test"); !strings.Contains(out, "timed out") {
		t.Error(out)
	}
	if out := dig(t, udp, "pass.many.test", "+ignore"); !strings.Contains(out, " tc ") && !strings.Contains(out, " tc;") {
		t.Error(out)
	}
	r.do(func() {
		if r.faults == 0 {
			t.Error("no fault was told")
		}
		r.wants = false
		r.sh.Bind(r, func(event.PointID) bool { return false })
	})
	if out := dig(t, udp, "one.test"); !strings.Contains(out, "REFUSED") {
		t.Error(out)
	}
}

// TestBytes sends what no client would, and several questions at once.
func TestBytes(t *testing.T) {
	t.Parallel()
	_, udp, tcp := newRig(t, dns.Settings{Timeout: 200 * time.Millisecond}, zone)
	ask := func(id uint16, name string) []byte {
		m := dns.Message{ID: id, RecursionDesired: true, Questions: []dns.Question{{Name: name, Type: dns.A, Class: dns.ClassIN}}}
		p, err := m.Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	u, err := net.Dial("udp", udp.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = u.Close() }()
	_ = u.SetDeadline(time.Now().Add(time.Minute))
	answer := ask(1, "one.test")
	answer[2] |= 0x80
	cut := ask(3, "one.test")
	for _, p := range [][]byte{[]byte("junk"), answer, cut[:20], ask(4, "one.test"), ask(5, "drop.test"), ask(6, "gone.test")} {
		if _, err := u.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	buf := make([]byte, 1500)
	for range 3 {
		n, err := u.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		m, err := dns.Parse(buf[:n])
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(m.ID, m.RCode, len(m.Answers)))
	}
	if s := strings.Join(got, ", "); s != "3 FORMERR 0, 4 NOERROR 1, 6 NXDOMAIN 0" {
		t.Error(s)
	}
	c, err := net.Dial("tcp", tcp.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	var all []byte
	for i, name := range []string{"one.test", "nowhere.test", "nowhere2.test", "gone.test"} {
		p := ask(uint16(i), name)
		all = append(binary.BigEndian.AppendUint16(all, uint16(len(p))), p...)
	}
	for i := range all {
		if _, err := c.Write(all[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.(*net.TCPConn).CloseWrite()
	in, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[uint16]dns.RCode{}
	for len(in) > 2 {
		n := 2 + int(binary.BigEndian.Uint16(in))
		m, err := dns.Parse(in[2:n])
		if err != nil {
			t.Fatal(err)
		}
		codes[m.ID] = m.RCode
		in = in[n:]
	}
	if len(codes) != 4 || codes[0] != dns.Success || codes[1] != dns.ServerFailure || codes[3] != dns.NameError {
		t.Error(codes)
	}
}

// TestRecords reads what rules answer with.
func TestRecords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ  dns.Type
		v    any
		want string
	}{
		{dns.A, "192.0.2.1", "x 60 A 192.0.2.1"},
		{dns.A, "2001:db8::1", ""},
		{dns.AAAA, netip.MustParseAddr("2001:db8::1"), "x 60 AAAA 2001:db8::1"},
		{dns.TXT, strings.Repeat("a", 300), "x 60 TXT " + strings.Repeat("a", 300)},
		{dns.CNAME, "y.", "x 60 CNAME y"},
		{dns.HTTPS, "192.0.2.1", ""},
		{dns.A, []event.KV{{Key: "type", Value: "CNAME"}, {Key: "value", Value: "y"}, {Key: "ttl", Value: 1.}}, "x 1 CNAME y"},
		{dns.SRV, []event.KV{{Key: "value", Value: "y"}, {Key: "port", Value: 5060.}, {Key: "weight", Value: 1.}}, "x 60 SRV 0 1 5060 y"},
		{dns.A, "name", "error"},
		{dns.A, true, "error"},
		{dns.HTTPS, "text", "error"},
		{dns.MX, "a..b", "error"},
		{dns.A, []event.KV{{Key: "typ", Value: "A"}}, "error"},
		{dns.A, []event.KV{{Key: "type", Value: "WHAT"}}, "error"},
		{dns.A, []event.KV{{Key: "port", Value: 70000.}}, "error"},
		{dns.A, []event.KV{{Key: "type", Value: "AAAA"}, {Key: "value", Value: "1.2.3.4"}}, "error"},
		{dns.A, make([]any, maxRecords+1), "error"},
	} {
		list, err := recordsOf(dns.Question{Name: "x", Type: c.typ}, &loopev.AnswerArgs{Records: c.v})
		got := ""
		if err != nil {
			got = "error"
		}
		for _, r := range list {
			got += r.String()
		}
		if got != c.want {
			t.Errorf("%v %v: %s %v", c.typ, c.v, got, err)
		}
	}
}
