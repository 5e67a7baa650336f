package msg

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/spec/cputime"
)

// typical is an INVITE as a proxy sees it second.
const typical = "INVITE sip:bob@biloxi.example.com;transport=udp SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP bigbox3.site3.atlanta.example.com:5060;branch=z9hG4bK77ef4c2312983.1;rport\r\n" +
	"Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bKnashds8;received=192.0.2.1\r\n" +
	"Max-Forwards: 69\r\n" +
	"Record-Route: <sip:bigbox3.site3.atlanta.example.com;lr>\r\n" +
	"To: Bob <sip:bob@biloxi.example.com>\r\n" +
	"From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n" +
	"Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n" +
	"CSeq: 314159 INVITE\r\n" +
	"Contact: <sip:alice@pc33.atlanta.example.com>\r\n" +
	"Allow: INVITE, ACK, CANCEL, OPTIONS, BYE\r\n" +
	"User-Agent: Softphone Beta1.5\r\n" +
	"Supported: replaces, timer\r\n" +
	"Content-Type: application/sdp\r\n" +
	"Content-Length: 147\r\n\r\n" +
	"v=0\r\no=UserA 2890844526 2890844526 IN IP4 here.com\r\ns=Session SDP\r\nc=IN IP4 pc33.atlanta.com\r\nt=0 0\r\nm=audio 49172 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"

func parse(t testing.TB, text string) *Message {
	t.Helper()
	m := &Message{}
	if err := m.Parse([]byte(text), DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	return m
}

// request builds a message with the given header lines.
func request(lines ...string) string {
	return "OPTIONS sip:user@example.com SIP/2.0\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func TestTypical(t *testing.T) {
	t.Parallel()
	m := parse(t, typical)
	if f := m.Check(); f.Found() {
		t.Fatal(f)
	}
	via, err := m.Via()
	if err != nil || string(via.Host) != "bigbox3.site3.atlanta.example.com" || via.Port != 5060 || !via.Magic() {
		t.Errorf("Via %+v, %v", via, err)
	}
	from, err := m.Address(From)
	if err != nil || string(from.Tag()) != "1928301774" || string(from.Display) != "Alice" {
		t.Errorf("From %+v, %v", from, err)
	}
	seq, err := m.CSeq()
	if err != nil || seq.Number != 314159 || string(seq.Method) != "INVITE" {
		t.Errorf("CSeq %+v, %v", seq, err)
	}
	if v, ok, err := m.MaxForwards(); v != 69 || !ok || err != nil {
		t.Errorf("Max-Forwards %d %v %v", v, ok, err)
	}
	var lines []string
	sdp, _ := m.SDP()
	SDPLines(sdp, func(l SDPLine) bool {
		lines = append(lines, fmt.Sprintf("%c%d %s", l.Type, l.Media, l.Value))
		return true
	})
	if len(lines) != 7 || lines[5] != "m1 audio 49172 RTP/AVP 0" || lines[6] != "a1 rtpmap:0 PCMU/8000" {
		t.Errorf("SDP lines %q", lines)
	}
}

// TestRelayAllocatesNothing is the promise of the package.
func TestRelayAllocatesNothing(t *testing.T) {
	raw := []byte(typical)
	via := []byte("SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKabcdef")
	uri := []byte("sip:bob@192.0.2.20")
	var m Message
	var e Edits
	var out []byte
	var pieces [][]byte
	relay := func() {
		if m.Parse(raw, DefaultLimits()) != nil || m.Check().Found() {
			t.Fatal("refused")
		}
		e.Reset(&m)
		if e.Before(ViaName, "Via", via) != nil || e.SetRequestURI(uri) != nil || e.SetValue(m.Index(0, MaxForwards, ""), []byte("68")) != nil {
			t.Fatal("not edited")
		}
		out = e.AppendTo(out[:0])
		pieces = e.Vector(pieces[:0])
	}
	relay()
	if n := testing.AllocsPerRun(100, relay); n != 0 {
		t.Errorf("relaying allocates %v times", n)
	}
	want := strings.Replace(typical, "sip:bob@biloxi.example.com;transport=udp", "sip:bob@192.0.2.20", 1)
	want = strings.Replace(want, "Max-Forwards: 69", "Max-Forwards: 68", 1)
	want = strings.Replace(want, "Via:", "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKabcdef\r\nVia:", 1)
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, string(bytes.Join(pieces, nil))); diff != "" {
		t.Error("pieces:", diff)
	}
}

// TestParseTime bounds what an INVITE takes that is parsed and checked: 1.5 µs of the
// processor, twice that where other work disturbs.
func TestParseTime(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes its own time")
	}
	raw := []byte(typical)
	var m Message
	best := time.Hour
	for range 20 {
		const n = 2000
		took := cputime.Of(func() {
			for range n {
				if m.Parse(raw, DefaultLimits()) != nil || m.Check().Found() {
					t.Fatal("refused")
				}
			}
		})
		best = min(best, took/n)
	}
	t.Logf("%v each", best)
	if best > 3*time.Microsecond {
		t.Errorf("an INVITE takes %v", best)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for n := OtherName + 1; n < nameCount; n++ {
		row := names[n]
		if row.text == "" || len(row.text) >= nameRoom {
			t.Fatalf("name %d is %q", n, row.text)
		}
		for _, text := range []string{row.text, strings.ToUpper(row.text), strings.ToLower(row.text)} {
			if got := NameOf([]byte(text)); got != n {
				t.Errorf("%q is %v", text, got)
			}
		}
		if row.compact != 0 && NameOf([]byte{row.compact}) != n {
			t.Errorf("%c is not %s", row.compact, row.text)
		}
	}
	for _, text := range []string{"", "z", "1", "Vi", "X-Via", "Content-Lengt_"} {
		if got := NameOf([]byte(text)); got != OtherName {
			t.Errorf("%q is %v", text, got)
		}
	}
	for m := Invite; int(m) < len(methodTexts); m++ {
		if MethodOf([]byte(m.String())) != m || MethodOf([]byte(strings.ToLower(m.String()))) != OtherMethod {
			t.Errorf("%v is not found, or in lower case too", m)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"":                           ErrEmpty,
		"\r\n\r\n":                   ErrEmpty,
		"hello":                      ErrNoEnd,
		"hello\r\n":                  ErrStartLine,
		"GET / HTTP/1.1\r\n\r\n":     ErrStartLine,
		"INVITE sip:a SIP/2.0\r\n":   ErrNoEnd,
		"INVITE sip:a SIP/2.0\r\nTo": ErrNoEnd,
		"SIP/2.0 20 OK\r\n\r\n":      ErrStatus,
		"SIP/2.0 099 OK\r\n\r\n":     ErrStatus,
		"SIP/2.0 700 OK\r\n\r\n":     ErrStatus,
		"SIP/2.0\r\n\r\n":            ErrStartLine,
	} {
		var m Message
		if err := m.Parse([]byte(text), DefaultLimits()); err != want {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	small := Limits{Size: 200, Head: 100, Fields: 3}
	for text, want := range map[string]error{
		request(strings.Repeat("a: b\r\n", 50)):       ErrTooLong,
		request("a: 1", "b: 2", "c: 3", "d: 4"):       ErrFields,
		request("a: " + strings.Repeat("x", 100)):     ErrTooLong,
		request("a: 1", "b: 2", "c: 3") + "body text": nil,
	} {
		var m Message
		if err := m.Parse([]byte(text), small); err != want {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	m := parse(t, request(
		"Route: <sip:a;lr>, \"x, y\" <sip:b>",
		"Contact: *",
		"route:\t<sip:c,d>",
		"v: SIP/2.0/UDP a,\r\n  SIP/2.0/UDP b",
		"WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"",
		"X-Odd: 1, 2",
		"Supported:",
	))
	for name, want := range map[string][]string{
		"Route":            {"<sip:a;lr>", "\"x, y\" <sip:b>", "<sip:c,d>"},
		"Via":              {"SIP/2.0/UDP a", "SIP/2.0/UDP b"},
		"WWW-Authenticate": {"Digest realm=\"a\", nonce=\"b\""},
		"x-odd":            {"1, 2"},
		"Supported":        {""},
		"Allow":            nil,
	} {
		var got []string
		for v := m.ValuesOf(name); v.Next(); {
			got = append(got, string(v.Value()))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ in, display, uri, tag, err string }{
		{in: `sip:a@b;tag=1`, uri: "sip:a@b", tag: "1"},
		{in: `<sip:a@b;tag=2>;TAG=3`, uri: "sip:a@b;tag=2", tag: "3"},
		{in: `"A \"B\" <c>" <sip:a@b> ; x ; tag = 4`, display: `"A \"B\" <c>"`, uri: "sip:a@b", tag: "4"},
		{in: `A B<sip:a@b>`, display: "A B", uri: "sip:a@b"},
		{in: `<sip:a@b>;x="a;tag=9";tag=5`, uri: "sip:a@b", tag: "5"},
		{in: `A, B <sip:a@b>`, err: ErrDisplay.Error()},
		{in: `"A <sip:a@b>`, err: ErrDisplay.Error()},
		{in: `<sip:a@b`, err: ErrBracket.Error()},
		{in: `< sip:a@b>`, err: ErrBracket.Error()},
		{in: `<sip:a@b>;;x`, err: ErrParams.Error()},
		{in: `<sip:a@b> x`, err: ErrParams.Error()},
		{in: `<>`, err: ErrAddress.Error()},
		{in: ``, err: ErrAddress.Error()},
	} {
		a, err := ParseAddress([]byte(row.in))
		if err != nil || row.err != "" {
			if err == nil || err.Error() != row.err {
				t.Errorf("%s: error %v, want %s", row.in, err, row.err)
			}
			continue
		}
		if string(a.Display) != row.display || string(a.URI) != row.uri || string(a.Tag()) != row.tag {
			t.Errorf("%s: %q %q %q", row.in, a.Display, a.URI, a.Tag())
		}
	}
}

func TestVias(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		in, host, branch string
		port             uint16
		magic            bool
	}{
		{in: "SIP/2.0/UDP a.b:5060;branch=z9hG4bKx", host: "a.b", port: 5060, branch: "z9hG4bKx", magic: true},
		{in: "sip / 2.0 /\r\n UDP [2001:db8::1] : 5070 ; branch = Z9HG4BKy ;ttl=1", host: "[2001:db8::1]", port: 5070, branch: "Z9HG4BKy", magic: true},
		{in: "SIP/2.0/TLS 192.0.2.1;branch=z9hG4bK", host: "192.0.2.1", branch: "z9hG4bK"},
		{in: "SIP/2.0/UDP a;rport", host: "a"},
		{in: "SIP/3.0/UDP a"},
		{in: "SIP/2.0/UDP a:0"},
		{in: "SIP/2.0/UDP a:99999"},
		{in: "SIP/2.0/UDP"},
		{in: "SIP/2.0/UDP [::1"},
		{in: "SIP/2.0/UDP a;;"},
	} {
		v, err := ParseVia([]byte(row.in))
		if (err != nil) != (row.host == "") {
			t.Errorf("%s: %v", row.in, err)
			continue
		}
		if err == nil && (string(v.Host) != row.host || v.Port != row.port || string(v.Branch()) != row.branch || v.Magic() != row.magic) {
			t.Errorf("%s: %+v", row.in, v)
		}
	}
}

func TestAuth(t *testing.T) {
	t.Parallel()
	a := ParseAuth([]byte("Digest username=\"bo,b\", realm=\"a=\\\"b\\\"\",nc=00000001 , qop=auth,\r\n uri=\"sip:x\""))
	want := map[string]string{"username": `"bo,b"`, "realm": `"a=\"b\""`, "NC": "00000001", "qop": "auth", "uri": `"sip:x"`}
	for name, value := range want {
		if got, ok := a.Get(name); !ok || string(got) != value {
			t.Errorf("%s is %s", name, got)
		}
	}
	if _, ok := a.Get("nonce"); ok || string(a.Scheme) != "Digest" {
		t.Error("found what is not there")
	}
	if got := Unquote(nil, []byte(`"a=\"b\""`)); string(got) != `a="b"` {
		t.Errorf("unquoted %s", got)
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	body := "preamble\r\n--x y\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x y2\r\n--x y \r\nContent-ID: 1\r\nContent-Type:\r\n application/sdp\r\n\r\nv=0\r\n\r\n--x y--\r\n"
	m := parse(t, request("Content-Type: multipart/mixed;boundary=\"x y\"", fmt.Sprintf("l: %d", len(body)))+body)
	var got []string
	if err := m.Parts(func(p Part) bool { got = append(got, string(p.Body)); return true }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"hello\r\n--x y2", "v=0\r\n"}, got); diff != "" {
		t.Error(diff)
	}
	sdp, off := m.SDP()
	if string(sdp) != "v=0\r\n" || !bytes.HasPrefix(m.Body()[off:], sdp) {
		t.Errorf("SDP %q at %d", sdp, off)
	}
	m = parse(t, request("Content-Type: multipart/mixed;boundary=z")+body)
	if err := m.Parts(func(Part) bool { return true }); err != ErrMultipart {
		t.Errorf("error %v", err)
	}
}

func BenchmarkParse(b *testing.B) {
	raw, lim := []byte(typical), DefaultLimits()
	var m Message
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Parse(raw, lim); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRelay is all that a message costs that is relayed: parsed, checked,
// changed, written.
func BenchmarkRelay(b *testing.B) {
	raw, lim := []byte(typical), DefaultLimits()
	var m Message
	var e Edits
	var out []byte
	via, uri := []byte("SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKabcdef"), []byte("sip:bob@192.0.2.20")
	b.ReportAllocs()
	for b.Loop() {
		if m.Parse(raw, lim) != nil || m.Check().Found() {
			b.Fatal("refused")
		}
		e.Reset(&m)
		if e.Before(ViaName, "Via", via) != nil || e.SetRequestURI(uri) != nil {
			b.Fatal("not edited")
		}
		out = e.AppendTo(out[:0])
	}
}

// TestFoldedPartHeader: lines of a part's header that go on are taken as far as they go.
func TestFoldedPartHeader(t *testing.T) {
	t.Parallel()
	header := "X: a" + strings.Repeat("\r\n b", 300) + "\r\n"
	p := Part{Header: []byte(header)[:len(header):len(header)]}
	v, ok := p.Get("x")
	if want := strings.TrimSpace(header[2:]); !ok || string(v) != want {
		t.Errorf("%d bytes of %d", len(v), len(want))
	}
	p = Part{Header: []byte("A: 1\r\n 2\r\n\t3\r\nB: 4\r\n 5")}
	a, _ := p.Get("A")
	b, _ := p.Get("B")
	if string(a) != "1\r\n 2\r\n\t3" || string(b) != "4\r\n 5" {
		t.Errorf("%q, %q", a, b)
	}
}
