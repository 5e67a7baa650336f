package services

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/sip"
)

// TestSessions: what a policy sees of a session description, and what it makes of it.
func TestSessions(t *testing.T) {
	t.Parallel()
	const offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
		"m=audio 4000 RTP/AVP 0 18 96\r\na=rtpmap:96 L16/44100\r\nm=video 4002 RTP/AVP 31\r\n"
	raw := fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(offer), offer)
	b := newBench(t, Config{})
	body := func(do func(m *sip.Message)) string {
		t.Helper()
		got := ""
		b.look("INVITE", func(_ *sip.Tx, m *sip.Message) { do(m); got = string(m.Body()) }, raw)
		return got
	}
	body(func(m *sip.Message) {
		want := []any{
			[]event.KV{
				{Key: "type", Value: "audio"},
				{Key: "port", Value: 4000.0},
				{Key: "proto", Value: "RTP/AVP"},
				{Key: "address", Value: "192.0.2.1"},
				{Key: "direction", Value: "sendrecv"},
				{Key: "codecs", Value: []any{
					[]event.KV{{Key: "format", Value: "0"}, {Key: "name", Value: "PCMU"}, {Key: "rate", Value: 8000.0}},
					[]event.KV{{Key: "format", Value: "18"}, {Key: "name", Value: "G729"}, {Key: "rate", Value: 8000.0}},
					[]event.KV{{Key: "format", Value: "96"}, {Key: "name", Value: "L16"}, {Key: "rate", Value: 44100.0}},
				}},
			},
			[]event.KV{
				{Key: "type", Value: "video"},
				{Key: "port", Value: 4002.0},
				{Key: "proto", Value: "RTP/AVP"},
				{Key: "address", Value: "192.0.2.1"},
				{Key: "direction", Value: "sendrecv"},
				{Key: "codecs", Value: []any{[]event.KV{{Key: "format", Value: "31"}, {Key: "name", Value: "H261"}, {Key: "rate", Value: 90000.0}}}},
			},
		}
		if diff := cmp.Diff(want, b.desk.SDPRead(b.by(), m)); diff != "" {
			t.Error(diff)
		}
	})
	for _, row := range []struct {
		name string
		do   func(m *sip.Message) (uint32, error)
		n    uint32
		want string // m= lines
	}{
		{"keep", func(m *sip.Message) (uint32, error) {
			return b.desk.SDPKeep(b.by(), m, []string{"pcmu", "l16/44100"}, "audio")
		}, 1, "audio 4000 RTP/AVP 0 96|video 4002 RTP/AVP 31"},
		{"keep in all", func(m *sip.Message) (uint32, error) { return b.desk.SDPKeep(b.by(), m, []string{"PCMU"}, "") }, 3, "audio 4000 RTP/AVP 0|video 0 RTP/AVP 31"},
		{"keep what is of another rate", func(m *sip.Message) (uint32, error) { return b.desk.SDPKeep(b.by(), m, []string{"L16/8000"}, "audio") }, 3, "audio 0 RTP/AVP 0 18 96|video 4002 RTP/AVP 31"},
		{"drop", func(m *sip.Message) (uint32, error) { return b.desk.SDPDrop(b.by(), m, []string{"G729", "H263"}, "") }, 1, "audio 4000 RTP/AVP 0 96|video 4002 RTP/AVP 31"},
		{"drop nothing", func(m *sip.Message) (uint32, error) { return b.desk.SDPDrop(b.by(), m, nil, "") }, 0, "audio 4000 RTP/AVP 0 18 96|video 4002 RTP/AVP 31"},
		{"refuse", func(m *sip.Message) (uint32, error) { return b.desk.SDPRefuse(b.by(), m, "video") }, 1, "audio 4000 RTP/AVP 0 18 96|video 0 RTP/AVP 31"},
		{"refuse nothing", func(m *sip.Message) (uint32, error) { return b.desk.SDPRefuse(b.by(), m, "text") }, 0, "audio 4000 RTP/AVP 0 18 96|video 4002 RTP/AVP 31"},
	} {
		text := body(func(m *sip.Message) {
			if n, err := row.do(m); n != row.n || err != nil {
				t.Errorf("%s: %d, %v", row.name, n, err)
			}
		})
		var got []string
		for line := range strings.Lines(text) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), "m="); ok {
				got = append(got, value)
			}
		}
		if diff := cmp.Diff(strings.Split(row.want, "|"), got); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
	b.look("OPTIONS", func(_ *sip.Tx, m *sip.Message) {
		if got := b.desk.SDPRead(b.by(), m); got != nil {
			t.Errorf("of no description there is %v", got)
		}
		if n, err := b.desk.SDPRefuse(b.by(), m, "video"); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}
