package nat

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

func parse(t testing.TB, via, contact, body string) *msg.Message {
	t.Helper()
	var m msg.Message
	text := "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/" + via + ";branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
	if contact != "" {
		text += "Contact: " + contact + "\r\n"
	}
	if body != "" {
		text += "Content-Type: application/sdp\r\n"
	}
	if err := m.Parse([]byte(text+"\r\n"+body), msg.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	return &m
}

func TestSigns(t *testing.T) {
	t.Parallel()
	source := netip.MustParseAddrPort("203.0.113.5:40000")
	for _, row := range []struct {
		via, contact, body string
		want               []Sign
	}{
		{"UDP 203.0.113.5:40000", "<sip:a@203.0.113.5:40000>", "v=0\r\nc=IN IP4 203.0.113.5\r\n", nil},
		{"UDP 203.0.113.5:40000", "<sip:a@phone.example.com>", "", nil},
		{"UDP 10.0.0.7:5060", "<sip:a@10.0.0.7>", "v=0\r\nc=IN IP4 10.0.0.7\r\n", []Sign{InContact, InVia, InSDP}},
		{"UDP 203.0.113.5", "<sip:a@[fd00::1]:5060>", "", []Sign{InContact, InVia}},
		{"TCP 203.0.113.5:9999", "sip:a@100.64.3.4", "", []Sign{InContact}},
		{"UDP phone.example.com", "", "v=0\r\nc=IN IP6 fe80::1\r\n", []Sign{InSDP}},
		{"UDP 203.0.113.5:40000", "*", "c=nonsense\r\n", nil},
	} {
		if diff := cmp.Diff(row.want, Signs(parse(t, row.via, row.contact, row.body), source)); diff != "" {
			t.Errorf("%+v: %s", row, diff)
		}
	}
	inside := netip.MustParseAddrPort("10.0.0.7:5060")
	if signs := Signs(parse(t, "UDP 10.0.0.7", "<sip:a@10.0.0.7>", ""), inside); signs != nil {
		t.Errorf("a neighbour in the same network: %v", signs)
	}
}

func TestAlias(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ contact, source, want, bare, next string }{
		{"<sip:a@10.0.0.7>", "203.0.113.5:40000", "<sip:a@10.0.0.7;alias=203.0.113.5~40000~1>", "sip:a@10.0.0.7", "sip:203.0.113.5:40000"},
		{"sip:a@10.0.0.7;expires=5", "203.0.113.5:40000", "<sip:a@10.0.0.7;alias=203.0.113.5~40000~1>;expires=5", "sip:a@10.0.0.7", "sip:203.0.113.5:40000"},
		{`"A B" <sip:a@h;ob?x=y>;q=1, <sip:b@h>`, "[2001:db8::1]:5061", `"A B" <sip:a@h;ob;alias=2001-db8--1~5061~1?x=y>;q=1, <sip:b@h>`, "sip:a@h;ob?x=y", "sip:[2001:db8::1]:5061"},
	} {
		got, err := Alias(parse(t, "UDP h", row.contact, ""), netip.MustParseAddrPort(row.source), sipev.TransportUDP)
		if err != nil || got != row.want {
			t.Errorf("%s: %s, %v", row.contact, got, err)
			continue
		}
		a, err := msg.ParseAddress([]byte(strings.TrimSuffix(got, ", <sip:b@h>")))
		if err != nil {
			t.Fatal(err)
		}
		if bare, next, ok := Split(string(a.URI)); !ok || bare != row.bare || next != row.next {
			t.Errorf("%s: %s, %s, %v", a.URI, bare, next, ok)
		}
	}
	if got, err := Alias(parse(t, "UDP h", "<sip:a@h;alias=1.2.3.4~5~1>", ""), netip.MustParseAddrPort("203.0.113.5:1"), sipev.TransportUDP); err != nil || got != "<sip:a@h;alias=1.2.3.4~5~1>" {
		t.Errorf("an alias that is there: %s, %v", got, err)
	}
	for _, contact := range []string{"", "*", "<tel:+1>"} {
		if got, err := Alias(parse(t, "UDP h", contact, ""), netip.MustParseAddrPort("203.0.113.5:1"), sipev.TransportUDP); err == nil {
			t.Errorf("%q: %s", contact, got)
		}
	}
	for _, uri := range []string{"sip:a@h", "sip:a@h;alias=x", "sip:a@h;alias=1.2.3.4~99999~1", "sip:a@h;alias=1.2.3.4~5~9", "sip:a@h;alias=1.2.3.4~5~0", "sip:a@h;%61lias=1.2.3.4~5~1", "sip:a@h;ALIAS=1.2.3.4~5~1", "sip:a@h;Alias=1.2.3.4~5~1"} {
		if bare, next, ok := Split(uri); ok {
			t.Errorf("%s: %s, %s", uri, bare, next)
		}
	}
}

func TestFixSDP(t *testing.T) {
	t.Parallel()
	const body = "v=0\r\no=- 1 1 IN IP4 10.0.0.7\r\nc=IN IP4 10.0.0.7\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\nm=video 4002 RTP/AVP 9\r\nc=IN IP6 ::1\r\na=x"
	got, ok := FixSDP(parse(t, "UDP h", "", body), netip.MustParseAddr("203.0.113.5"))
	want := strings.NewReplacer("c=IN IP4 10.0.0.7", "c=IN IP4 203.0.113.5", "c=IN IP6 ::1", "c=IN IP4 203.0.113.5").Replace(body)
	if diff := cmp.Diff(want, string(got)); diff != "" || !ok {
		t.Error(diff)
	}
	if _, ok := FixSDP(parse(t, "UDP h", "", "v=0\r\nc=IN IP4 203.0.113.5\r\n"), netip.MustParseAddr("203.0.113.5")); ok {
		t.Error("what is right is changed")
	}
	if _, ok := FixSDP(parse(t, "UDP h", "", ""), netip.MustParseAddr("203.0.113.5")); ok {
		t.Error("a message without a body is changed")
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("sip:a@h;ob;alias=2001-db8--1~5061~1?x=y")
	f.Add("sip:a@h;ALIAS=1.2.3.4~5~2")
	f.Fuzz(func(t *testing.T, uri string) {
		_, next, ok := Split(uri)
		if _, err := msg.ParseURI([]byte(next)); ok && err != nil {
			t.Errorf("%q leads to %q: %v", uri, next, err)
		}
	})
}
