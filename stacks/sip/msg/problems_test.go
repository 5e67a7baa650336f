package msg

import (
	"strings"
	"testing"

	"github.com/hookd/hookd/stacks/sip/msg/msgtest"
)

func TestProblems(t *testing.T) {
	t.Parallel()
	sound := "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
	for _, c := range []struct{ old, now, at, text string }{
		{"Via: S", "Via: S", "", ""},
		{"sip:bob@example.com", "bob", "bob", "the request URI: not sip:user@host:port;params?headers"},
		{"sip:bob@example.com", "http://x", "http://x", "the request URI has a scheme that SIP does not route"},
		{"Call-ID: x\r\n", "", "", "there is no Call-ID"},
		{"Call-ID: x", "Call-ID x", "Call-ID x", "a line of the header without a colon behind a name"},
		{"Call-ID: x", "Call-ID: x\r\nA b: c", "A b", "a name of a header field is letters, digits and -.!%*_+`'~"},
		{"To: ", "To: <sip:e@f>\r\nt: ", "t: <sip:c@d>", "a second To"},
		{"<sip:a@b>", "<sip:a@b", "<sip:a@b;tag=1", "From: angle brackets do not close, or hold white space"},
		{"1 INVITE", "1 BYE", "1 BYE", "CSeq: it names another method than the first line"},
		{"Length: 0", "Length: 5", "5", "Content-Length: the body is shorter"},
		{"UDP a;branch=z9hG4bK1", "UDP a;branch=z9hG4bK1, nothing", "nothing", "Via: not SIP/2.0/TRANSPORT host:port"},
		{"Call-ID", "Contact: <sip:x@y>, <sip:\r\nCall-ID", "<sip:", "Contact: angle brackets do not close, or hold white space"},
	} {
		raw := strings.Replace(sound, c.old, c.now, 1)
		list := Problems([]byte(raw), DefaultLimits())
		found := c.text == "" && len(list) == 0
		for _, p := range list {
			if p.Text == c.text && strings.TrimSpace(raw[p.Offset:p.Offset+p.Len]) == c.at {
				found = true
			}
		}
		if !found {
			t.Errorf("%q: %+v", c.now, list)
		}
	}
	if list := Problems([]byte("hello\r\n\r\n"), DefaultLimits()); len(list) != 1 || list[0].Text != "no SIP start line" {
		t.Errorf("%+v", list)
	}
}

// TestProblemsOfTorture finds a fatal problem in what a proxy refuses for its form, and none in what it
// relays.
func TestProblemsOfTorture(t *testing.T) {
	t.Parallel()
	for _, row := range msgtest.Tortures {
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			raw := row.Raw(t, "../../..")
			fatal := false
			for _, p := range Problems(raw, DefaultLimits()) {
				fatal = fatal || p.Fatal
				if p.Offset < 0 || p.Len < 0 || p.Offset+p.Len > len(raw) {
					t.Errorf("%+v of %d bytes", p, len(raw))
				}
			}
			// These two are refused for what they ask.
			wants := row.Want != msgtest.Relayed && !strings.HasPrefix(row.Want, "483") && !strings.HasPrefix(row.Want, "420")
			if fatal != wants {
				t.Errorf("%s: %+v", row.Want, Problems(raw, DefaultLimits()))
			}
		})
	}
}

// FuzzProblems finds something fatal in what is refused, and nowhere else.
func FuzzProblems(f *testing.F) {
	f.Add([]byte("INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1, x\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d\r\nContact: <sip:e>,\r\n f\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nl: 3\r\n\r\nab"))
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\nf: sip:a@b\r\nt: sip:a@b\r\ni: x\r\nCSeq: 1 X\r\nbad line\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m Message
		err := m.Parse(raw, DefaultLimits())
		refused := err != nil || m.Check().Found()
		fatal := false
		for _, p := range Problems(raw, DefaultLimits()) {
			fatal = fatal || p.Fatal
			if p.Offset < 0 || p.Len < 0 || p.Offset+p.Len > len(raw) {
				t.Fatalf("%+v of %d bytes", p, len(raw))
			}
		}
		if fatal != refused {
			t.Fatalf("%v, %+v: %+v", err, m.Check(), Problems(raw, DefaultLimits()))
		}
	})
}
