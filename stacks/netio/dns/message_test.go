package dns

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var sameMessage = []cmp.Option{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.EquateEmpty()}

// every has a record of each type.
func every() *Message {
	m := &Message{
		ID: 4711, Response: true, Authoritative: true, RecursionDesired: true, RecursionAvailable: true, Authentic: true, RCode: Success,
		Questions: []Question{{"www.example.com", ANY, ClassIN}},
		Answers: []Record{
			a("www.example.com", "192.0.2.1"),
			aaaa("www.example.com", "2001:db8::1"),
			cname("alias.example.com", "www.example.com"),
			srv("_sip._udp.example.com", 10, 60, 5060, "a.example.com"),
			naptr("example.com", 50, 100, "s", "SIPS+D2T", "_sips._tcp.example.com"),
			naptr("4.3.2.1.e164.arpa", 1, 2, "u", "E2U+sip", "."),
			{Name: "example.com", Type: MX, TTL: 1, Priority: 10, Target: "mail.example.com"},
			{Name: "example.com", Type: TXT, TTL: 1, Text: []string{"v=spf1 -all", "more"}},
			{Name: "1.2.0.192.in-addr.arpa", Type: PTR, TTL: 1, Target: "www.example.com"},
			{Name: ".", Type: NS, TTL: 1, Target: "a.root-servers.net"},
			{Name: "x.example.com", Type: 257, TTL: 1, Data: []byte("\x00\x05issueca")},
		},
		Authority: []Record{{Name: "example.com", Type: SOA, TTL: 9, Target: "ns.example.com", Mailbox: "root.example.com", Serial: 1, Refresh: 2, Retry: 3, Expire: 4, Minimum: 5}},
		EDNS:      &EDNS{Size: 1232, DO: true},
	}
	for _, s := range [][]Record{m.Answers, m.Authority} {
		for i := range s {
			s[i].Class = ClassIN
		}
	}
	return m
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	m := every()
	p, err := m.Append([]byte("before"), 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(p[len("before"):])
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, got, sameMessage...); d != "" {
		t.Error(d)
	}
	// What does not fit is left out, and said to be.
	short, err := m.Append(nil, 200)
	if err != nil || len(short) > 200 {
		t.Fatal(len(short), err)
	}
	got, err = Parse(short)
	if err != nil || !got.Truncated || len(got.Answers) != 0 || got.EDNS == nil || len(got.Questions) != 1 {
		t.Errorf("%+v %v", got, err)
	}
	for _, code := range []RCode{Refused, 16} {
		m := &Message{RCode: code, EDNS: &EDNS{}}
		p, err := m.Append(nil, 0)
		if got, perr := Parse(p); err != nil || perr != nil || got.RCode != code {
			t.Errorf("%v: %v %v", code, err, perr)
		}
	}
}

// TestParseBytes has messages as they are on the wire.
func TestParseBytes(t *testing.T) {
	t.Parallel()
	head := "\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x03www\x04test\x00\x00\x01\x00\x01"
	for _, c := range []struct{ name, in, want string }{
		{"compressed", head + "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01", "www.test 60 A 127.0.0.1"},
		{"negative TTL", head + "\xc0\x0c\x00\x01\x00\x01\xff\x00\x00\x3c\x00\x04\x7f\x00\x00\x01", "www.test 0 A 127.0.0.1"},
		{"NAPTR", head + "\xc0\x10\x00\x23\x00\x01\x00\x00\x00\x3c\x00\x13\x00\x01\x00\x02\x01s\x07SIP+D2U\x00\x01a\x00\x00", ""},
		{"whole NAPTR", head + "\xc0\x10\x00\x23\x00\x01\x00\x00\x00\x3c\x00\x12\x00\x01\x00\x02\x01s\x07SIP+D2U\x00\x01a\x00", `test 60 NAPTR 1 2 "s" "SIP+D2U" "" a`},
		{"NAPTR compressed", head + "\xc0\x10\x00\x23\x00\x01\x00\x00\x00\x3c\x00\x11\x00\x01\x00\x02\x01s\x07SIP+D2U\x00\xc0\x0c", ""},
		{"pointer to itself", head + "\xc0\x1a\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01", ""},
		{"A of 3 bytes", head + "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x03\x7f\x00\x00", ""},
		{"record cut", head + "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00", ""},
		{"record missing", head, ""},
		{"header cut", head[:11], ""},
		{"label of 64", "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x40" + strings.Repeat("a", 64) + "\x00\x00\x01\x00\x01", ""},
		{"two OPT", "\x12\x34\x81\x80\x00\x00\x00\x00\x00\x00\x00\x02" + strings.Repeat("\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00", 2), ""},
		{"OPT among answers", "\x12\x34\x81\x80\x00\x00\x00\x01\x00\x00\x00\x00" + "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00", ""},
	} {
		m, err := Parse([]byte(c.in))
		got := ""
		if err == nil {
			got = m.Answers[0].String()
		}
		if got != c.want {
			t.Errorf("%s: %q %v", c.name, got, err)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	for name, want := range map[string]bool{
		".": true, "a": true, "a.": true, "_sip._udp.example.com": true, label + ".b": true,
		label + "." + label + "." + label + "." + label[:61]: true,
		label + "." + label + "." + label + "." + label[:62]: false,
		"": false, "..": false, "a..b": false, ".a": false, label + "a": false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
		m := Message{Questions: []Question{{name, A, ClassIN}}}
		if _, err := m.Append(nil, 0); (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
	for addr, want := range map[string]string{
		"192.0.2.1":          "1.2.0.192.in-addr.arpa",
		"::ffff:192.0.2.1":   "1.2.0.192.in-addr.arpa",
		"2001:db8::567:89ab": "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	} {
		if got := ReverseName(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %s", addr, got)
		}
	}
	for _, typ := range []Type{A, NAPTR, 4711} {
		if got, ok := ParseType(strings.ToLower(typ.String())); got != typ || !ok {
			t.Errorf("%v: %v", typ, got)
		}
	}
	if _, ok := ParseType("TYPE70000"); ok {
		t.Error("TYPE70000")
	}
}

func TestBuildErrors(t *testing.T) {
	t.Parallel()
	for _, r := range []Record{
		{Name: "a", Type: A, Addr: netip.MustParseAddr("::1")},
		{Name: "a", Type: AAAA, Addr: netip.MustParseAddr("127.0.0.1")},
		{Name: "a", Type: A},
		{Name: "a", Type: CNAME, Target: "a..b"},
		{Name: "a", Type: TXT, Text: []string{strings.Repeat("x", 256)}},
		{Name: "a", Type: NAPTR, Target: ".", Text: []string{strings.Repeat("x", 256)}},
		{Name: "a", Type: SOA, Target: "b", Mailbox: ""},
	} {
		m := Message{Answers: []Record{r}}
		if _, err := m.Append(nil, 0); err == nil {
			t.Errorf("%v was built", r.Type)
		}
	}
}

// FuzzParse builds again what was parsed, and parses that.
func FuzzParse(f *testing.F) {
	p, err := every().Append(nil, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Add([]byte("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x03www\x04test\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01"))
	f.Add([]byte("\x12\x34\x81\x80\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x29\x10\x00\x01\x00\x80\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, p []byte) {
		m, err := Parse(p)
		if err != nil {
			return
		}
		out, err := m.Append(nil, 0)
		if err != nil {
			return // a name with an empty label is not written
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("built %x: %v", out, err)
		}
		if m.Truncated = again.Truncated; again.Truncated {
			return
		}
		if m.EDNS == nil {
			m.RCode &= 15
		}
		if d := cmp.Diff(m, again, sameMessage...); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte("nameserver 127.0.0.1\nsearch a b\noptions ndots:3 timeout:1 attempts:2 rotate\n127.0.0.1 localhost # c\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s Settings
		s.parseResolv(text)
		s = s.withDefaults()
		if len(s.Servers) == 0 || len(s.Servers) > maxServers || s.Attempts < 1 || s.Attempts > 5 || s.Timeout <= 0 || s.Ndots < 0 || s.Ndots > 15 {
			t.Fatalf("%+v", s)
		}
		for _, d := range s.Search {
			if !ValidName(d) {
				t.Fatal(d)
			}
		}
		for name, addrs := range parseHosts(text) {
			if name == "" || len(addrs) == 0 {
				t.Fatal(name)
			}
		}
	})
}
