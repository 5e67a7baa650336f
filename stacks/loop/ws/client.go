package ws

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/http1"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/wsframe"
)

// Request is what a client asks for.
type Request struct {
	// Host and Path are of the URL; Path "/" by default.
	Host, Path string
	// Protocols are the subprotocols offered, the liked best first.
	Protocols []string
	// Fields are further fields of the request, checked by the caller.
	Fields [][2]string
}

// shake is the handshake of a client (RFC 6455 section 4.1).
type shake struct {
	q   Request
	key string
	p   *http1.Parser
}

// Dial returns the session of a connection that is about to be up, which begins with
// the handshake.
func Dial(c *loop.Conn, cfg Config, q Request) *Session {
	s := New(c, cfg)
	s.state = handshake
	s.shake = &shake{q: q, key: wsframe.NewKey(), p: http1.NewParser(http1.Limits{})}
	return s
}

// ask sends the request.
func (s *Session) ask() {
	q := &s.shake.q
	path := q.Path
	if path == "" {
		path = "/"
	}
	out := http1.AppendRequest(nil, "GET", path)
	out = http1.AppendField(out, "Host", q.Host)
	out = append(out, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"...)
	out = http1.AppendField(out, "Sec-WebSocket-Key", s.shake.key)
	out = http1.AppendField(out, "Sec-WebSocket-Extensions", wsframe.Offer)
	if len(q.Protocols) > 0 {
		out = http1.AppendField(out, "Sec-WebSocket-Protocol", strings.Join(q.Protocols, ", "))
	}
	for _, f := range q.Fields {
		out = http1.AppendField(out, f[0], f[1])
	}
	// Where the connection is gone already its Close says so.
	_ = s.c.Net().Send(append(out, "\r\n"...))
	s.c.Net().Deadline("handshake", closeTime)
}

// answered reads the response, and reports whether it is there and right.
func (s *Session) answered(b []byte) bool {
	k := s.shake
	n, err := k.p.Response(b)
	if err == nil && n == 0 {
		return false
	}
	if err == nil {
		err = s.check()
	}
	if err != nil {
		s.state = over
		s.c.Skip(len(b))
		s.c.Fault(err.Error())
		s.tell(wsframe.Abnormal, err.Error())
		s.c.Net().CloseWith(netio.Reason{Why: netio.Failed, What: "ws", Err: err})
		return false
	}
	s.shake = nil
	s.c.Skip(n)
	s.c.Net().Deadline("", 0)
	s.begin()
	s.Start()
	return true
}

// check compares the response with the request.
func (s *Session) check() error {
	h, k := &s.shake.p.Head, s.shake
	field := func(name string) string {
		v, _ := h.Get(name)
		return string(v)
	}
	if h.Status != 101 {
		return fmt.Errorf("ws: the server answers %d %s", h.Status, h.Reason())
	}
	switch {
	case !h.Upgrade || !strings.EqualFold(field("upgrade"), "websocket"):
		return errors.New("ws: the server upgrades to something else")
	case field("sec-websocket-accept") != wsframe.AcceptKey(k.key):
		return errors.New("ws: the server answers another key")
	}
	var err error
	if s.cfg.Deflate, err = wsframe.Agreed(field("sec-websocket-extensions")); err != nil {
		return err
	}
	if s.cfg.Protocol = field("sec-websocket-protocol"); s.cfg.Protocol == "" {
		return nil
	}
	for _, p := range k.q.Protocols {
		if p == s.cfg.Protocol {
			return nil
		}
	}
	return fmt.Errorf("ws: the server chose protocol %q, which was not offered", s.cfg.Protocol)
}
