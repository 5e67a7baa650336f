package edge

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/wsframe"
)

// subprotocol is what both ends have to speak (RFC 7118, 4).
const subprotocol = "sip"

// Bounds of an opening handshake (RFC 6455, 4).
const (
	maxUpgrade = 16 << 10
	handshake  = 10 * time.Second
)

// websocket is SIP over a WebSocket: a message a SIP message (RFC 7118, 5).
type websocket struct {
	server bool
	key    string // a client's, in its handshake
	open   bool   // the handshake is over
	reader *wsframe.Reader
	writer *wsframe.Writer
	out    []byte
}

func newWebsocket(server bool) *websocket {
	w := &websocket{server: server}
	if !server {
		w.key = wsframe.NewKey()
	}
	return w
}

// begin takes frames from now on.
func (w *websocket) begin(s *stream, c *netio.Conn) {
	cfg := wsframe.Config{Server: w.server, MaxMessage: s.g.limits().Size}
	w.open, w.reader, w.writer = true, wsframe.NewReader(cfg), wsframe.NewWriter(cfg)
	c.Deadline("", 0)
	s.opened(c)
}

// frame makes a frame of a message, valid until the next one. Text has to be UTF-8,
// and a body need not be.
func (w *websocket) frame(b []byte) []byte {
	op := wsframe.Binary
	if utf8.Valid(b) {
		op = wsframe.Text
	}
	w.out = w.writer.Append(w.out[:0], op, b)
	return w.out
}

// recv takes what came.
func (w *websocket) recv(s *stream, c *netio.Conn) {
	for c.Len() > 0 {
		if !w.open {
			if !w.shake(s, c) {
				return
			}
			continue
		}
		m, n, ok, err := w.reader.Next(c.Bytes())
		if err != nil {
			w.fail(c, err)
			return
		}
		if ok && !w.take(s, c, &m) {
			return
		}
		if c.Discard(n); !ok {
			return
		}
	}
}

// take handles one message or control frame. false: it was the last.
func (w *websocket) take(s *stream, c *netio.Conn, m *wsframe.Message) bool {
	switch m.Opcode {
	case wsframe.Ping:
		w.out = w.writer.Append(w.out[:0], wsframe.Pong, m.Data)
		_ = c.Send(w.out)
	case wsframe.Close:
		s.forget(c)
		w.out = w.writer.AppendClose(w.out[:0], wsframe.Normal, "")
		_ = c.Send(w.out)
		c.Discard(c.Len())
		c.Close()
		return false
	case wsframe.Text, wsframe.Binary:
		if !blank(m.Data) {
			s.g.stack.Receive(s.hop(c), m.Data)
		} else if len(m.Data) == 4 {
			_ = c.Send(w.frame(pong))
		}
	}
	return true
}

// fail closes after something that is against the protocol.
func (w *websocket) fail(c *netio.Conn, err error) {
	code := wsframe.ProtocolError
	if e, ok := err.(*wsframe.Error); ok {
		code = e.Code
	}
	w.out = w.writer.AppendClose(w.out[:0], code, "")
	_ = c.Send(w.out)
	c.Discard(c.Len())
	c.CloseWith(netio.Reason{Why: netio.Local, Err: err})
}

// shake takes the peer's half of the handshake, when it is there.
func (w *websocket) shake(s *stream, c *netio.Conn) bool {
	buf := c.Bytes()
	end := bytes.Index(buf[:min(len(buf), maxUpgrade)], []byte("\r\n\r\n"))
	if end < 0 {
		if len(buf) >= maxUpgrade {
			w.refuse(c, http.StatusRequestHeaderFieldsTooLarge)
		}
		return false
	}
	head := bufio.NewReader(bytes.NewReader(buf[:end+4]))
	if !w.server {
		answer, err := http.ReadResponse(head, nil)
		if err != nil || !w.accepted(answer) {
			w.refuse(c, 0)
			return false
		}
	} else {
		r, err := http.ReadRequest(head)
		if err != nil {
			w.refuse(c, http.StatusBadRequest)
			return false
		}
		if code := upgradable(r, s.l.spec.path); code != 0 {
			w.refuse(c, code)
			return false
		}
		_ = c.Send([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
			wsframe.AcceptKey(r.Header.Get("Sec-WebSocket-Key")) + "\r\nSec-WebSocket-Protocol: " + subprotocol + "\r\n\r\n"))
	}
	c.Discard(end + 4)
	w.begin(s, c)
	return true
}

// upgradable returns the status that refuses a request, 0 for one that is good (RFC
// 6455, 4.2.1).
func upgradable(r *http.Request, path string) int {
	switch {
	case path != "" && r.URL.Path != path:
		return http.StatusNotFound
	case r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1) || r.Host == "" || !has(r.Header, "Connection", "upgrade"):
		return http.StatusBadRequest
	case !has(r.Header, "Upgrade", "websocket") || r.Header.Get("Sec-WebSocket-Version") != "13":
		return http.StatusUpgradeRequired
	case !wsframe.ValidKey(r.Header.Get("Sec-WebSocket-Key")) || !has(r.Header, "Sec-WebSocket-Protocol", subprotocol):
		return http.StatusBadRequest
	}
	return 0
}

// has reports whether a list of words holds one.
func has(h http.Header, name, word string) bool {
	for _, line := range h.Values(name) {
		for v := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(v), word) {
				return true
			}
		}
	}
	return false
}

// refuse ends a connection that is to become no WebSocket.
func (w *websocket) refuse(c *netio.Conn, code int) {
	if code != 0 {
		line := fmt.Sprintf("HTTP/1.1 %d %s", code, http.StatusText(code))
		if code == http.StatusUpgradeRequired {
			line += "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
		}
		_ = c.Send([]byte(line + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	}
	c.Discard(c.Len())
	c.Close()
}

// request is a client's half of the handshake.
func (w *websocket) request(k *peerKey) []byte {
	host := k.remote.String()
	if k.name != "" {
		host = k.name
	}
	return []byte("GET / HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + w.key +
		"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: " + subprotocol + "\r\n\r\n")
}

// accepted reports whether a server took the client's half (RFC 6455, 4.1).
func (w *websocket) accepted(r *http.Response) bool {
	return r.StatusCode == http.StatusSwitchingProtocols && has(r.Header, "Upgrade", "websocket") && has(r.Header, "Connection", "upgrade") &&
		r.Header.Get("Sec-WebSocket-Accept") == wsframe.AcceptKey(w.key) && r.Header.Get("Sec-WebSocket-Protocol") == subprotocol &&
		r.Header.Get("Sec-WebSocket-Extensions") == ""
}
