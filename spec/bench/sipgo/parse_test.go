package sipgo

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// invite is an INVITE as a proxy sees it second.
const invite = "INVITE sip:bob@biloxi.example.com;transport=udp SIP/2.0\r\n" +
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

// BenchmarkHookd reads what a proxy has to rely on.
func BenchmarkHookd(b *testing.B) {
	raw, lim := []byte(invite), msg.DefaultLimits()
	var m msg.Message
	b.ReportAllocs()
	for b.Loop() {
		if m.Parse(raw, lim) != nil || m.Check().Found() {
			b.Fatal("refused")
		}
	}
}

// BenchmarkSipgo parses the fields that sipgo parses by default.
func BenchmarkSipgo(b *testing.B) {
	raw := []byte(invite)
	p := sip.NewParser()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.ParseSIP(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSipgoLazy lets sipgo keep values as text.
func BenchmarkSipgoLazy(b *testing.B) {
	raw := []byte(invite)
	p := sip.NewParser(sip.WithHeadersParsers(sip.HeadersParser{}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.ParseSIP(raw); err != nil {
			b.Fatal(err)
		}
	}
}
