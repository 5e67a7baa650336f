package web

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/netio/wsframe"
)

var socketPoints = []event.PointID{
	loopev.OnWSHandshake.ID(), loopev.OnWSOpen.ID(), loopev.OnWSMessage.ID(), loopev.OnWSFragment.ID(), loopev.OnWSPing.ID(),
	loopev.OnWSPong.ID(), loopev.OnWSClose.ID(), loopev.OnClose.ID(), loopev.OnHTTPRequest.ID(),
}

const upgradeHead = "GET /chat HTTP/1.1\nHost: x\nUpgrade: websocket\nConnection: keep-alive, Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n"

// echoes sends messages back.
func echoes(e any) event.Verdict {
	if m, ok := e.(*loopev.WSMessage); ok && m.C.Inbound() {
		_, _ = m.C.WSSend(nil, m.Message, m.Type, true)
	}
	return event.Verdict{}
}

// socket is a client that sends frames as a test makes them.
type socket struct {
	*peer
	r *wsframe.Reader
	b []byte
}

func (r *rig) socket(fields string) *socket {
	r.t.Helper()
	p := r.peer()
	p.send(upgradeHead + fields + "\n")
	s := &socket{peer: p}
	head := s.line()
	accept := false
	var deflate *wsframe.Deflate
	for l := s.line(); l != ""; l = s.line() {
		accept = accept || l == "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
		if offer, ok := strings.CutPrefix(l, "Sec-WebSocket-Extensions: "); ok {
			deflate, _ = wsframe.Agreed(offer)
		}
	}
	if head != "HTTP/1.1 101 Switching Protocols" || !accept {
		r.t.Fatalf("%q, accepted %v", head, accept)
	}
	s.r = wsframe.NewReader(wsframe.Config{Deflate: deflate})
	return s
}

func (s *socket) line() string {
	s.t.Helper()
	l, err := s.in.ReadString('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSuffix(l, "\r\n")
}

// frame writes a frame with a mask.
func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := [4]byte{1, 2, 3, 4}
	b = append(b, key[:]...)
	p := []byte(payload)
	wsframe.Mask(p, key, 0)
	return append(b, p...)
}

// next reads a message or control frame: "text hello".
func (s *socket) next() string {
	s.t.Helper()
	for {
		m, used, ok, err := s.r.Next(s.b)
		if err != nil {
			return "error " + err.Error()
		}
		text := fmt.Sprintf("%s %.20s", m.Opcode, m.Data)
		if m.Opcode == wsframe.Close {
			code, reason, _ := wsframe.ParseClose(m.Data)
			text = fmt.Sprintf("close %d %s", code, reason)
		}
		s.b = s.b[used:]
		if ok {
			return text
		}
		more := make([]byte, 4096)
		n, err := s.in.Read(more)
		if err == io.EOF {
			return "eof"
		}
		if err != nil {
			return "error " + err.Error()
		}
		s.b = append(s.b, more[:n]...)
	}
}

// TestWebSocket sends frames, right ones and wrong ones (RFC 6455 sections 5 to 7).
func TestWebSocket(t *testing.T) {
	t.Parallel()
	r := newRig(t, echoes, event.KV{Key: "message", Value: 4096.0})
	r.bind(socketPoints...)
	long := strings.Repeat("x", 4096)
	for _, c := range []struct {
		name   string
		frames [][]byte
		want   []string
	}{
		{"text", [][]byte{frame(0x81, "hello")}, []string{"text hello"}},
		{"binary", [][]byte{frame(0x82, "\xff\x00")}, []string{"binary \xff\x00"}},
		{"empty", [][]byte{frame(0x81, "")}, []string{"text "}},
		{"126", [][]byte{frame(0x81, long[:126])}, []string{"text " + long[:20]}},
		{"4096", [][]byte{frame(0x81, long)}, []string{"text " + long[:20]}},
		{"fragments", [][]byte{frame(0x01, "he"), frame(0x00, "ll"), frame(0x80, "o")}, []string{"text hello"}},
		{"ping between", [][]byte{frame(0x01, "he"), frame(0x89, "?"), frame(0x80, "llo")}, []string{"pong ?", "text hello"}},
		{"character across", [][]byte{frame(0x01, "\xc3"), frame(0x80, "\xa9")}, []string{"text \xc3\xa9"}},
		{"unasked pong", [][]byte{frame(0x8a, "x"), frame(0x81, "y")}, []string{"text y"}},
		{"close", [][]byte{frame(0x88, "\x03\xe8bye")}, []string{"close 1000 ", "eof"}},
		{"close without code", [][]byte{frame(0x88, "")}, []string{"close 1005 ", "eof"}},
		{"nothing after close", [][]byte{frame(0x88, "\x03\xe9"), frame(0x81, "x")}, []string{"close 1001 ", "eof"}},
		{"not UTF-8", [][]byte{frame(0x81, "\xff")}, []string{"close 1007 ", "eof"}},
		{"too long", [][]byte{frame(0x81, long+"x")}, []string{"close 1009 ", "eof"}},
		{"too long in fragments", [][]byte{frame(0x01, long), frame(0x80, "x")}, []string{"close 1009 ", "eof"}},
		{"no mask", [][]byte{{0x81, 1, 'x'}}, []string{"close 1002 ", "eof"}},
		{"reserved bit", [][]byte{frame(0xc1, "x")}, []string{"close 1002 ", "eof"}},
		{"reserved opcode", [][]byte{frame(0x83, "x")}, []string{"close 1002 ", "eof"}},
		{"continuation of nothing", [][]byte{frame(0x80, "x")}, []string{"close 1002 ", "eof"}},
		{"text within a message", [][]byte{frame(0x01, "x"), frame(0x81, "y")}, []string{"close 1002 ", "eof"}},
		{"long ping", [][]byte{frame(0x89, long[:126])}, []string{"close 1002 ", "eof"}},
		{"ping in parts", [][]byte{frame(0x09, "x")}, []string{"close 1002 ", "eof"}},
		{"half a code", [][]byte{frame(0x88, "\x03")}, []string{"close 1002 ", "eof"}},
		{"code 1005", [][]byte{frame(0x88, "\x03\xed")}, []string{"close 1002 ", "eof"}},
		{"reason not UTF-8", [][]byte{frame(0x88, "\x03\xe8\xff")}, []string{"close 1007 ", "eof"}},
		{"length with a sign", [][]byte{{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}}, []string{"close 1002 ", "eof"}},
	} {
		for _, piece := range []int{1 << 20, 1} {
			all := slices.Concat(c.frames...)
			if piece == 1 && len(all) > 200 {
				continue
			}
			s := r.socket("")
			for part := range slices.Chunk(all, piece) {
				if _, err := s.Write(part); err != nil {
					break // it closed already
				}
			}
			var got []string
			for range c.want {
				got = append(got, s.next())
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("%s, in pieces of %d: %s", c.name, piece, d)
			}
			_ = s.Close()
		}
	}
}

// TestHandshakes has rules accept and refuse, and refuses what is no handshake.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(e any) event.Verdict {
		h, ok := e.(*loopev.WSHandshake)
		switch {
		case !ok:
			return event.Verdict{}
		case h.Path == "/no":
			return reply(403, "no")
		case h.Path == "/proto":
			return event.Verdict{Kind: loopev.VerdictUpgrade, Args: &loopev.UpgradeArgs{Protocol: "b", Headers: []event.KV{{Key: "X-A", Value: "1"}}}}
		}
		return event.Verdict{}
	})
	const key, version = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n", "Sec-WebSocket-Version: 13\n"
	const up = "Host: x\nUpgrade: websocket\nConnection: Upgrade\n"
	for _, c := range []struct {
		name, input string
		bound       []event.PointID
		want        string
	}{
		{"refused", "GET /no HTTP/1.1\n" + up + key + version, socketPoints, "403 no"},
		{"protocol", "GET /proto HTTP/1.1\n" + up + key + version + "Sec-WebSocket-Protocol: a, b\n", socketPoints, "101 "},
		{"protocol not offered", "GET /proto HTTP/1.1\n" + up + key + version, socketPoints, "500 internal server error!"},
		{"nothing bound", "GET / HTTP/1.1\n" + up + key + version, []event.PointID{loopev.OnHTTPRequest.ID()}, "404 not found"},
		{"only the handshake bound", "GET / HTTP/1.1\n" + up + key + version, []event.PointID{loopev.OnWSHandshake.ID()}, "404 not found"},
		{"only messages bound", "GET / HTTP/1.1\n" + up + key + version, []event.PointID{loopev.OnWSMessage.ID()}, "101 "},
		{"no key", "GET / HTTP/1.1\n" + up + version, socketPoints, "400 bad request!"},
		{"short key", "GET / HTTP/1.1\n" + up + "Sec-WebSocket-Key: dGhl\n" + version, socketPoints, "400 bad request!"},
		{"POST", "POST / HTTP/1.1\n" + up + key + version, socketPoints, "400 bad request!"},
		{"version 8", "GET / HTTP/1.1\n" + up + key + "Sec-WebSocket-Version: 8\n", socketPoints, "426 upgrade required"},
		{"no option", "GET / HTTP/1.1\nHost: x\nUpgrade: websocket\n" + key + version, socketPoints, "404 not found"},
		{"another protocol", "GET / HTTP/1.1\nHost: x\nUpgrade: h2c\nConnection: Upgrade\n" + key + version, socketPoints, "404 not found"},
	} {
		r.bind(c.bound...)
		p := r.peer()
		p.send(c.input + "\n")
		if got := p.answer("GET"); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		_ = p.Close()
	}
}

// TestBothEnds has a client of the loop talk to its server: handshake, messages,
// compression, fragments, pings, and closing from either side.
func TestBothEnds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("compress me, ", 1000)
	r := newRig(t, func(e any) event.Verdict {
		switch e := e.(type) {
		case *loopev.WSOpen:
			if !e.C.Inbound() {
				_, _ = e.C.WSSend(nil, []byte(long), 0, false)
				_ = e.C.WSPing(nil, []byte("there?"))
			}
		case *loopev.WSPong:
			if err := e.C.WSClose(nil, 4000, true, "enough"); err != nil {
				t.Error(err)
			}
			if _, err := e.C.WSSend(nil, []byte("late"), 0, false); err == nil {
				t.Error("sent behind the close frame")
			}
		case *loopev.WSHandshake:
			return event.Verdict{Kind: loopev.VerdictUpgrade, Args: &loopev.UpgradeArgs{Protocol: "chat"}}
		}
		return echoes(e)
	})
	r.bind(socketPoints...)
	r.do(func() {
		_, err := r.g.Dial(&event.Caller{Shard: r.sh}, strings.Replace(r.url, "http", "ws", 1)+"/x", []event.KV{{Key: "protocols", Value: []any{"talk", "chat"}}})
		if err != nil {
			t.Fatal(err)
		}
	})
	want := []string{
		`C open "chat" true`, `C pong "there?"`, `C text "compress me, compres"`, `C ws_close 4000 `,
		`S open "chat" true`, `S ping "there?"`, `S text "compress me, compres"`, `S ws_close 4000 enough`, "close eof", "close eof",
	}
	got := r.logged(len(want))
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestFragments has parts told as they come, while that is asked for.
func TestFragments(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(e any) event.Verdict {
		if o, ok := e.(*loopev.WSOpen); ok {
			_ = o.C.SetWSNoDefrag(nil, true)
		}
		return event.Verdict{}
	})
	r.bind(loopev.OnWSOpen.ID(), loopev.OnWSFragment.ID(), loopev.OnWSMessage.ID())
	s := r.socket("")
	_, _ = s.Write(slices.Concat(frame(0x01, "a"), frame(0x00, "b"), frame(0x80, "c"), frame(0x82, "whole")))
	want := []string{`S open "" false`, `S part text "a" false`, `S part continuation "b" false`, `S part continuation "c" true`, `S part binary "whole" true`}
	if d := cmp.Diff(want, r.logged(5)); d != "" {
		t.Error(d)
	}
}

// TestSilence pings a peer that says nothing, and gives it up.
func TestSilence(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, event.KV{Key: "ping_time", Value: "300ms"})
	r.bind(socketPoints...)
	s := r.socket("")
	if got := s.next(); got != "ping " {
		t.Error(got)
	}
	if _, err := s.Write(frame(0x8a, "")); err != nil {
		t.Fatal(err)
	}
	if got := s.next() + s.next(); got != "ping eof" {
		t.Error(got)
	}
	want := []string{`S open "" false`, `S pong ""`, "S ws_close 1006 no answer to a ping", "close timeout:ping"}
	if d := cmp.Diff(want, r.logged(4)); d != "" {
		t.Error(d)
	}
}

// TestWSDrain tells clients that the server goes away.
func TestWSDrain(t *testing.T) {
	t.Parallel()
	r := newRig(t, echoes)
	r.bind(socketPoints...)
	s := r.socket("")
	r.logged(1)
	r.g.Drain(5 * time.Second)
	if got := s.next(); got != "close 1001 " {
		t.Error(got)
	}
	if _, err := s.Write(frame(0x88, "\x03\xe9")); err != nil {
		t.Fatal(err)
	}
	if got := s.next(); got != "eof" {
		t.Error(got)
	}
}

// TestWSWaiting has messages queue behind a handler that waits; each is what it was.
func TestWSWaiting(t *testing.T) {
	t.Parallel()
	var seen []string
	r := newRig(t, func(e any) event.Verdict {
		if m, ok := e.(*loopev.WSMessage); ok {
			seen = append(seen, string(m.Message))
		}
		return event.Verdict{}
	})
	r.bind(loopev.OnWSMessage.ID())
	r.do(func() { r.wait = func(any) bool { return len(seen) == 1 } })
	s := r.socket("")
	_, _ = s.Write(slices.Concat(frame(0x81, "one"), frame(0x81, "two"), frame(0x81, "three")))
	r.logged(1)
	time.Sleep(20 * time.Millisecond)
	r.do(func() {
		if len(seen) != 1 {
			t.Error(seen)
		}
	})
	r.free(event.Verdict{})
	r.logged(3)
	r.do(func() {
		if strings.Join(seen, " ") != "one two three" {
			t.Error(seen)
		}
	})
}

// TestFuzzedSockets sends what fuzzers of WebSocket libraries collected, as requests
// and, behind a handshake, as frames: each connection ends.
func TestFuzzedSockets(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("HOOKD_CORPORA")
	if dir == "" {
		dir = "../../../../shared/corpora/public"
	}
	r := newRig(t, echoes)
	r.bind(socketPoints...)
	for _, name := range []string{"gofuzz-websocketserver.jsonl", "gofuzz-websocketclient.jsonl"} {
		text, err := os.ReadFile(filepath.Join(dir, "ws", name))
		if err != nil {
			t.Skipf("corpora absent: set HOOKD_CORPORA (%v)", err)
		}
		for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
			if testing.Short() && i%4 != 0 {
				continue
			}
			var c struct {
				Input []byte `json:"input_b64"`
			}
			if err := json.Unmarshal(line, &c); err != nil {
				t.Fatal(err)
			}
			for _, head := range []string{"", strings.ReplaceAll(upgradeHead+"\n", "\n", "\r\n")} {
				p := r.peer()
				_, _ = p.Write(append([]byte(head), c.Input...))
				_ = p.Conn.(*net.TCPConn).CloseWrite()
				if _, err := io.Copy(io.Discard, p.in); err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Fatalf("%s:%d: %v", name, i+1, err)
				}
				_ = p.Close()
			}
		}
	}
}

// TestFragmentsWithinAMessage has a script ask for parts in the middle of a message: it
// ends as it began.
func TestFragmentsWithinAMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(e any) event.Verdict {
		switch e := e.(type) {
		case *loopev.WSPing:
			_ = e.C.SetWSNoDefrag(nil, string(e.Payload) == "on")
		}
		return event.Verdict{}
	})
	r.bind(loopev.OnWSPing.ID(), loopev.OnWSFragment.ID(), loopev.OnWSMessage.ID())
	s := r.socket("Sec-WebSocket-Extensions: permessage-deflate\n")
	// The empty frame leaves nothing that is kept of the message.
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00" // RFC 7692 section 7.2.3.1
	_, _ = s.Write(slices.Concat(
		frame(0xc1, hello), frame(0x89, "on"), frame(0xc1, hello),
		frame(0x01, "a"), frame(0x89, "off"), frame(0x80, "b"), frame(0xc1, hello),
		frame(0x01, ""), frame(0x89, "on"), frame(0x80, "c"), frame(0x82, "whole"),
	))
	want := []string{
		`S text "Hello"`, `S ping "on"`, `S part text "Hello" true`,
		`S part text "a" false`, `S ping "off"`, `S part continuation "b" true`, `S text "Hello"`,
		`S ping "on"`, `S text "c"`, `S part binary "whole" true`,
	}
	if d := cmp.Diff(want, r.logged(len(want))); d != "" {
		t.Error(d)
	}
}
