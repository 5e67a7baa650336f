package pattern

import (
	"strings"
	"testing"
)

// request is a SIP request of about 400 bytes.
const request = "INVITE sip:00900123456@192.0.2.10 SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK776asdhds;rport\r\n" +
	"Max-Forwards: 70\r\n" +
	"To: <sip:00900123456@192.0.2.10>\r\n" +
	"From: \"100\" <sip:100@192.0.2.10>;tag=1928301774\r\n" +
	"Call-ID: a84b4c76e66710@198.51.100.7\r\n" +
	"CSeq: 314159 INVITE\r\n" +
	"Contact: <sip:100@198.51.100.7:5060>\r\n" +
	"User-Agent: friendly-scanner\r\n" +
	"Content-Length: 0\r\n\r\n"

func BenchmarkFind400(b *testing.B) {
	for _, bm := range []struct{ name, pat string }{
		{"literal", "friendly"},
		{"header", "User%-Agent:%s*(.-)\r\n"},
		{"digits", "%d+ INVITE"},
		{"anchored", "^(%u+) (%S+) SIP/2%.0\r\n"},
		{"word", "%f[%w](%w+)@(%w+)%.com"},
		{"uri", "<sip:([^@>]+)@([^>;]+)>"},
		{"absent", "(%w+)=(%d+);lr"},
		{"lazy", "Via:.-branch=(.-)[;\r]"},
		{"nothing", "[%z\x80-\xff]"},
		{"pair", "(%w+): *([^\r\n]*zz)"},
		{"balanced", "%b<>"},
		{"fails-late", "(%w+)=([%w.]+);%d"}, // its literals are there, the match is not
		{"fails-lazy", "<(.-)>%s*(.-)=%a"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			p := Compile(bm.pat)
			var c Captures
			budget := Countdown(0)
			b.ReportAllocs()
			for b.Loop() {
				budget = 1 << 40
				if _, err := p.Find(&c, request, 0, &budget); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(1<<40-budget), "steps/op")
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Compile("User%-Agent:%s*(.-)\r\n")
	}
}

func BenchmarkCacheHit(b *testing.B) {
	c := NewCache(0)
	pats := []string{"%d+", "%a+"}
	for i := 0; b.Loop(); i++ {
		c.Get(pats[i&1])
	}
}

func BenchmarkDotStar1MiB(b *testing.B) {
	p, s := Compile("^([ab]*)$"), strings.Repeat("a", 1<<20)
	var c Captures
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		if ok, err := p.Find(&c, s, 0, nil); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
