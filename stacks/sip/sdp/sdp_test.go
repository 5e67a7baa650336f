package sdp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// offer has audio, video with retransmissions (RFC 4588), and a chat.
const offer = "v=0\r\no=alice 2890844526 2890844526 IN IP4 host.example.com\r\ns= \r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendonly\r\n" +
	"m=audio 49170 RTP/AVP 0 8 97 101\r\na=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=30\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n" +
	"m=video 51372/2 RTP/SAVPF 31 96 99\r\nc=IN IP4 233.252.0.1/127\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:* ccm fir\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=96;rtx-time=3000\r\n" +
	"m=message 12763 TCP/MSRP *\r\na=accept-types:text/plain\r\n"

// message makes one with a body.
func message(t testing.TB, media, body string) *msg.Message {
	t.Helper()
	m := &msg.Message{}
	text := fmt.Sprintf("INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", media, len(body), body)
	if err := m.Parse([]byte(text), msg.DefaultLimits()); err != nil {
		t.Skip(err) // too long
	}
	return m
}

// multipart is the offer as one part of several.
const multipart = "--b\r\nContent-Type: text/plain\r\n\r\nm=audio 1 RTP/AVP 0\r\n--b\r\nContent-Type: application/sdp\r\n\r\n" + offer + "\r\n--b--\r\n"

func TestRead(t *testing.T) {
	t.Parallel()
	want := []Medium{
		{Type: "audio", Port: 49170, Proto: "RTP/AVP", Address: "192.0.2.1", Direction: "sendrecv", Codecs: []Codec{
			{Format: "0", Name: "PCMU", Rate: 8000}, {Format: "8", Name: "PCMA", Rate: 8000}, {Format: "97", Name: "iLBC", Rate: 8000}, {Format: "101", Name: "telephone-event", Rate: 8000},
		}},
		{Type: "video", Port: 51372, Proto: "RTP/SAVPF", Address: "233.252.0.1", Direction: "sendonly", Codecs: []Codec{
			{Format: "31", Name: "H261", Rate: 90000}, {Format: "96", Name: "VP8", Rate: 90000}, {Format: "99", Name: "rtx", Rate: 90000, tied: "96"},
		}},
		{Type: "message", Port: 12763, Proto: "TCP/MSRP", Address: "192.0.2.1", Direction: "sendonly", Codecs: []Codec{{Format: "*"}}},
	}
	for media, body := range map[string]string{"application/sdp": offer, "Application/SDP;x=y": strings.ReplaceAll(offer, "\r\n", "\n"), "multipart/mixed;boundary=b": multipart} {
		got, ok := Read(message(t, media, body))
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Codec{}), cmpopts.IgnoreUnexported(Medium{})); !ok || diff != "" {
			t.Errorf("%s: %v %s", media, ok, diff)
		}
	}
	for _, row := range []struct{ media, body string }{{"text/plain", offer}, {"multipart/mixed;boundary=x", multipart}} {
		if got, ok := Read(message(t, row.media, row.body)); ok {
			t.Errorf("%s: %v", row.media, got)
		}
	}
	for _, body := range []string{"m=\r\n", "m=audio\r\na=rtpmap:0\r\n", "m=audio x RTP/AVP\r\n", "a=rtpmap:0 x\r\nc=IN\r\n", "m=audio 99999 RTP/AVP 0\r\na=rtpmap:0 /\r\na=fmtp:0 ;apt\r\n"} {
		if _, ok := Read(message(t, "application/sdp", body)); !ok {
			t.Errorf("%q is no description", body)
		}
	}
}

// changed is the difference of two texts by lines: attributes are only taken away, and other
// lines written anew.
func changed(before, after string) string {
	var out []string
	was, is := strings.Split(before, "\r\n"), strings.Split(after, "\r\n")
	for len(was) != 0 || len(is) != 0 {
		switch {
		case len(was) != 0 && len(is) != 0 && was[0] == is[0]:
			was, is = was[1:], is[1:]
		case len(was) != 0 && (len(is) == 0 || strings.HasPrefix(was[0], "a=")):
			out, was = append(out, "-"+was[0]), was[1:]
		case len(was) == 0:
			out, is = append(out, "+"+is[0]), is[1:]
		default:
			out, was, is = append(out, is[0]), was[1:], is[1:]
		}
	}
	return strings.Join(out, " | ")
}

func TestFilter(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, of, kept string
		want           string
		removed        int
	}{
		{"all are there", "", "PCMU PCMA iLBC telephone-event H261 VP8", "", 0},
		{"one codec", "audio", "PCMA", "m=audio 49170 RTP/AVP 8 | -a=rtpmap:97 iLBC/8000 | -a=fmtp:97 mode=30 | -a=rtpmap:101 telephone-event/8000 | -a=fmtp:101 0-15", 3},
		{"none of the audio", "audio", "opus", "m=audio 0 RTP/AVP 0 8 97 101", 4},
		{"what repeats goes with it", "video", "H261", "m=video 51372/2 RTP/SAVPF 31 | -a=rtpmap:96 VP8/90000 | -a=rtcp-fb:96 nack | -a=rtpmap:99 rtx/90000 | -a=fmtp:99 apt=96;rtx-time=3000", 2},
		{"and stays with it", "video", "vp8", "m=video 51372/2 RTP/SAVPF 96 99", 1},
		{"in all media", "", "PCMU VP8", "m=audio 49170 RTP/AVP 0 | -a=rtpmap:97 iLBC/8000 | -a=fmtp:97 mode=30 | -a=rtpmap:101 telephone-event/8000 | -a=fmtp:101 0-15 | m=video 51372/2 RTP/SAVPF 96 99", 4},
		{"not in what is no RTP", "message", "PCMU", "", 0},
		{"of no such type", "text", "PCMU", "", 0},
	} {
		for media, body := range map[string]string{"application/sdp": offer, "multipart/mixed;boundary=b": multipart} {
			m := message(t, media, body)
			got, n := Filter(m, row.of, func(c *Codec) bool {
				return strings.Contains(" "+strings.ToLower(row.kept)+" ", " "+strings.ToLower(c.Name)+" ")
			})
			if n == 0 {
				got = m.Body()
			}
			if diff := changed(body, string(got)); diff != row.want || n != row.removed {
				t.Errorf("%s, %s: %d\n%s\nwant\n%s", row.name, media, n, diff, row.want)
			}
		}
	}
	// What was refused before stays so, and a format that stands there twice is one.
	for body, want := range map[string]string{
		"m=audio 0 RTP/AVP 0\r\n": "", "m=audio 1 RTP/AVP 0 0\r\n": "m=audio 0 RTP/AVP 0 0\r\n", "m=audio 1 RTP/AVP 0 8 0": "m=audio 1 RTP/AVP 8",
		"m=video 1 RTP/AVP 99\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=96\r\n": "m=video 0 RTP/AVP 99\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=96\r\n",
	} {
		if got, _ := Filter(message(t, "application/sdp", body), "", func(c *Codec) bool { return c.Name == "PCMA" }); string(got) != want {
			t.Errorf("%q becomes %q, want %q", body, got, want)
		}
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	for of, want := range map[string]string{"video": "m=video 0 RTP/SAVPF 31 96 99", "message": "m=message 0 TCP/MSRP *", "text": "", "": ""} {
		m := message(t, "application/sdp", offer)
		got, n := Refuse(m, of)
		if n == 0 {
			got = m.Body()
		}
		if diff := changed(offer, string(got)); diff != want || (n == 1) != (want != "") {
			t.Errorf("%s: %d, %s", of, n, diff)
		}
	}
}

// FuzzFilter: whatever stands there, the media stay as many, and a second look finds nothing
// to do.
func FuzzFilter(f *testing.F) {
	f.Add([]byte(offer))
	f.Add([]byte("m=audio 1 RTP/AVP 0\nm=audio 1 RTP/AVP 0 0 8\r\na=fmtp:8 apt=0\na=rtpmap:8 x/1"))
	f.Fuzz(func(t *testing.T, body []byte) {
		wanted := func(c *Codec) bool { return c.Name == "PCMA" || c.Name == "VP8" }
		const media = "application/sdp"
		m := message(t, media, string(body))
		before, _ := Read(m)
		out, n := Filter(m, "", wanted)
		if n == 0 {
			return
		}
		again := message(t, media, string(out))
		if after, _ := Read(again); len(after) != len(before) {
			t.Fatalf("%d media became %d: %q", len(before), len(after), out)
		}
		if _, n := Filter(again, "", wanted); n != 0 {
			t.Fatalf("%d are found again in %q", n, out)
		}
		if out, n := Refuse(again, "audio"); n != 0 {
			if _, n := Refuse(message(t, media, string(out)), "audio"); n != 0 {
				t.Fatalf("refused again: %q", out)
			}
		}
	})
}
