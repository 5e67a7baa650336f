package sniff

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/netio/wsframe"
)

// The heads that open a WebSocket for SIP.
const (
	asked = "GET /ws HTTP/1.1\r\nHost: sip.example.com\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: xmpp,  SIP\r\nSec-WebSocket-Version: 13\r\n\r\n"
	agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)

// frames are the frames of messages, each of at most so many bytes of payload, with a ping
// behind each.
func frames(from flowev.Side, size int, messages ...string) string {
	var b []byte
	key := [4]byte{1, 2, 3, 4}
	frame := func(h wsframe.Header, p string) {
		h.Len, h.Masked, h.Key = uint64(len(p)), from == flowev.SideClient, key
		b = append(wsframe.AppendHeader(b, h), p...)
		if h.Masked {
			wsframe.Mask(b[len(b)-len(p):], key, 0)
			key[0]++
		}
	}
	for _, m := range messages {
		for op := wsframe.Text; ; op = wsframe.Continuation {
			n := min(len(m), size)
			frame(wsframe.Header{Opcode: op, Fin: n == len(m)}, m[:n])
			frame(wsframe.Header{Opcode: wsframe.Ping, Fin: true}, "x")
			if m = m[n:]; m == "" {
				break
			}
		}
	}
	return string(b)
}

// webCase is a direction of a connection and its head.
type webCase struct {
	from flowev.Side
	head string
}

var bothWays = []webCase{{flowev.SideClient, asked}, {flowev.SideServer, agreed}}

func TestWebSockets(t *testing.T) {
	t.Parallel()
	long := "x" + strings.Repeat("y", 10_000)
	want := []string{invite + " v=0", ok, "BYE sip:a SIP/2.0 " + long}
	for _, way := range bothWays {
		for _, size := range []int{1 << 20, 200, 7} {
			text := way.head + frames(way.from, size, message(invite, "v=0"), "\r\n\r\n", message(ok, ""), "hello", message("BYE sip:a SIP/2.0", long))
			for _, segment := range []int{1, 3, 150, 1460, 1 << 20} {
				f, sh, list := found(t, DefaultConfig())
				c := connTo(1, 8080)
				for at := 0; at < len(text); at += segment {
					f.Bytes(sh, c, way.from, uint64(at), []byte(text[at:min(at+segment, len(text))]))
				}
				if diff := cmp.Diff(want, *list); diff != "" {
					t.Errorf("side %v, frames of %d, segments of %d: %s", way.from, size, segment, diff)
				}
				if st := f.Stats(); st.KeepAlives != 1 || st.Other != 1 || st.Buffered != 0 || st.Unframed+st.Lost+st.Refused != 0 || f.m.Proto != sipev.TransportWS {
					t.Errorf("%+v by %v", st, f.m.Proto)
				}
			}
		}
	}
}

// TestOtherWebSockets passes by what speaks something else, or nothing that can be told apart.
func TestOtherWebSockets(t *testing.T) {
	t.Parallel()
	good := frames(flowev.SideClient, 100, message(invite, ""))
	for name, text := range map[string]string{
		"another protocol": strings.Replace(asked, "SIP", "mqtt", 1) + good,
		"none":             strings.Replace(asked, "sec-websocket-protocol", "X", 1) + good,
		"no upgrade":       strings.Replace(asked, "Upgrade: WebSocket", "X: y", 1) + good,
		"no end":           asked[:len(asked)-2] + strings.Repeat("x: y\r\n", maxOpening/6) + "\r\n" + good,
		"POST":             "POST" + asked[3:] + good,
		"not masked":       asked + frames(flowev.SideServer, 100, message(invite, "")) + good,
		"reserved":         asked + "\x83\x80abcd" + good,
		"endless":          asked + "\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00abcd" + good,
	} {
		f, sh, list := found(t, DefaultConfig())
		c := connTo(1, 8080)
		f.Bytes(sh, c, flowev.SideClient, 0, []byte(text[:100]))
		f.Bytes(sh, c, flowev.SideClient, 100, []byte(text[100:]))
		f.Bytes(sh, c, flowev.SideClient, uint64(len(text)), []byte(good))
		if st := f.Stats(); len(*list) != 0 || st.Streams != 0 || st.Buffered != 0 {
			t.Errorf("%s: %q, %+v", name, *list, st)
		}
	}
	f, sh, list := found(t, Config{Ports: []uint16{5060}})
	f.Bytes(sh, connTo(1, 8080), flowev.SideClient, 0, []byte(asked+good))
	f.Bytes(sh, connTo(2, 5060), flowev.SideClient, 0, []byte(asked+good))
	if len(*list) != 1 {
		t.Errorf("%d messages, of which one was on a port of SIP's", len(*list))
	}
}

// TestWebSocketsThatMissSomething are read on where a frame begins with a segment.
func TestWebSocketsThatMissSomething(t *testing.T) {
	t.Parallel()
	for _, way := range bothWays {
		f, sh, list := found(t, DefaultConfig())
		c := connTo(1, 8080)
		first, second, third := frames(way.from, 50, message(invite, "this is lost")), frames(way.from, 1<<20, message(ok, "again")), frames(way.from, 90, message(invite, "read"))
		place := uint64(0)
		pass := func(text string, lost bool) {
			if !lost {
				f.Bytes(sh, c, way.from, place, []byte(text))
			}
			place += uint64(len(text))
		}
		pass(way.head+first[:60], false)
		pass(first[60:63], true)
		pass(first[63:], false)
		pass(second, false)
		pass(third, false)
		if diff := cmp.Diff([]string{ok + " again", invite + " read"}, *list); diff != "" || f.Stats().Lost != 1 {
			t.Errorf("side %v: %s%+v", way.from, diff, f.Stats())
		}
		// Where the handshake was lost, nothing says what it is.
		f.Bytes(sh, connTo(2, 8080), way.from, 0, []byte(way.head[:50]))
		f.Bytes(sh, connTo(2, 8080), way.from, 60, []byte(way.head[60:]+second))
		f.Ended(sh, c)
		if st := f.Stats(); st.Streams != 0 || st.Buffered != 0 {
			t.Errorf("left: %+v", st)
		}
	}
}

// TestPackedWebSockets counts what is compressed, and reads what stands between.
func TestPackedWebSockets(t *testing.T) {
	t.Parallel()
	f, sh, list := found(t, DefaultConfig())
	w := wsframe.NewWriter(wsframe.Config{Deflate: wsframe.Agree(wsframe.Offer)})
	text := []byte(asked)
	for _, body := range []string{strings.Repeat("v=0", 100), "", strings.Repeat("v=1", 100)} {
		text = w.Append(text, wsframe.Text, []byte(message(invite, body)))
	}
	f.Bytes(sh, connTo(1, 8080), flowev.SideClient, 0, text)
	if diff := cmp.Diff([]string{invite}, *list); diff != "" || f.Stats().Packed != 2 {
		t.Errorf("%s%+v", diff, f.Stats())
	}
}

// FuzzWebSockets finds messages again that were put into frames and segments of any size,
// and keeps to its bounds whatever follows.
func FuzzWebSockets(f *testing.F) {
	f.Add([]byte("v=0"), []byte("\x81\x05hello"), uint16(7), uint16(40), true)
	f.Add([]byte("\r\n\r\n"), []byte("\x81\x85abcdhello"), uint16(1000), uint16(1), false)
	f.Add(bytes.Repeat([]byte("x"), 300), []byte("\x02\x7e\x01\x00"), uint16(125), uint16(130), false)
	f.Fuzz(func(t *testing.T, body, tail []byte, size, segment uint16, client bool) {
		if len(body) > 1<<13 {
			return
		}
		way := bothWays[1]
		if client {
			way = bothWays[0]
		}
		cfg := DefaultConfig()
		cfg.MaxBuffered = 1 << 17
		n := 0
		sh := event.NewShard(0)
		sh.Enter()
		defer sh.Leave()
		text := fmt.Sprintf("%s\r\nContent-Length: %d\r\n\r\n%s", invite, len(body), body)
		fd := New(cfg, func(*event.Shard) bool { return true }, func(_ *event.Shard, m *Message) {
			if n++; n <= 2 && string(m.Raw) != text || !begins(m.Raw) {
				t.Fatalf("message %d is %q", n, m.Raw)
			}
		})
		c := connTo(1, 8080)
		whole := []byte(way.head + frames(way.from, int(size)+1, text, text))
		sent := len(whole)
		whole = append(whole, tail...)
		step := int(segment) + 1
		for at := 0; at < len(whole); at += step {
			end := min(at+step, len(whole))
			fd.Bytes(sh, c, way.from, uint64(at), bytes.Clone(whole[at:end]))
			if st := fd.Stats(); st.Buffered < 0 || st.Buffered > cfg.MaxBuffered {
				t.Fatalf("%+v", st)
			} else if end >= sent && st.Messages < 2 {
				t.Fatalf("%d messages were found: %+v", st.Messages, st)
			}
		}
		fd.Ended(sh, c)
		if st := fd.Stats(); st.Buffered != 0 || st.Streams != 0 {
			t.Fatalf("left: %+v", st)
		}
	})
}
