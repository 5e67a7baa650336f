package farend

import (
	"errors"
	"fmt"

	"github.com/hookd/hookd/stacks/loop/http1"
	"github.com/hookd/hookd/stacks/netio/wsframe"
)

// heardMessage is a message that came by WebSocket. Kind is "text", "binary", "ping", "pong" or
// "close", which has a Code.
type heardMessage struct {
	Kind string
	Data []byte
	Code int
}

// websocket is either end of a WebSocket whose handshake is over.
type websocket struct {
	e    *end
	r    *wsframe.Reader
	w    *wsframe.Writer
	came []heardMessage
	left bool // a close frame was sent
}

func newWebSocket(e *end, server bool) *websocket {
	cfg := wsframe.Config{Server: server, MaxMessage: maxKept}
	return &websocket{e: e, r: wsframe.NewReader(cfg), w: wsframe.NewWriter(cfg)}
}

func (s *websocket) hear(p []byte) (int, error) {
	m, n, ok, err := s.r.Next(p)
	if err != nil || !ok {
		return n, err
	}
	heard := heardMessage{Kind: m.Opcode.String(), Data: append([]byte(nil), m.Data...)}
	switch m.Opcode {
	case wsframe.Ping:
		return n, s.e.Send(s.w.Append(nil, wsframe.Pong, m.Data))
	case wsframe.Close:
		code, reason, wrong := wsframe.ParseClose(m.Data)
		if wrong != nil {
			return n, wrong
		}
		heard.Code, heard.Data = int(code), append([]byte(nil), reason...)
		if !s.left {
			s.left = true
			err = s.e.Send(s.w.Append(nil, wsframe.Close, m.Data))
		}
	}
	if err == nil {
		s.came, err = keep(s.came, heard)
	}
	return n, err
}

func (s *websocket) over() {}

// Upgrade asks a server for a WebSocket. When it agrees the end speaks that; else the
// response is what [end.Reply] returns.
func (e *end) Upgrade(path string, fields [][2]string) error {
	h, err := e.http(false)
	if err != nil {
		return err
	}
	key := wsframe.NewKey()
	h.onHead = func(head *http1.Head) bool {
		if head.Status != 101 {
			return false
		}
		if accept, _ := head.Get("sec-websocket-accept"); string(accept) != wsframe.AcceptKey(key) {
			e.err = errors.New("the server answers another key than was sent")
		}
		e.speech = newWebSocket(e, false)
		return true
	}
	if path == "" {
		path = "/"
	}
	list := [][2]string{{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", key}}
	return e.Ask(&message{Method: "GET", Target: path, Fields: append(list, fields...)})
}

// ServeWebSocket has the end agree to every WebSocket that is asked for.
func (e *end) ServeWebSocket() error {
	h, err := e.http(true)
	if err != nil {
		return err
	}
	h.onHead = func(head *http1.Head) bool {
		key, _ := head.Get("sec-websocket-key")
		if !wsframe.ValidKey(string(key)) {
			return false
		}
		e.speech = newWebSocket(e, true)
		out := http1.AppendStatus(nil, 101)
		out = append(out, "Upgrade: websocket\r\nConnection: Upgrade\r\n"...)
		out = http1.AppendField(out, "Sec-WebSocket-Accept", wsframe.AcceptKey(string(key)))
		if err := e.Send(append(out, "\r\n"...)); err != nil {
			e.err = err
		}
		return true
	}
	return nil
}

// WebSocket reports whether the end speaks it.
func (e *end) WebSocket() bool {
	_, ok := e.speech.(*websocket)
	return ok
}

var errNoWebSocket = errors.New("the connection is no WebSocket")

// Say sends a message or a control frame of a kind: "text", "binary", "ping", "pong".
func (e *end) Say(kind string, data []byte) error {
	s, ok := e.speech.(*websocket)
	if !ok {
		return errNoWebSocket
	}
	for _, op := range []wsframe.Opcode{wsframe.Text, wsframe.Binary, wsframe.Ping, wsframe.Pong} {
		if op.String() == kind {
			return e.Send(s.w.Append(nil, op, data))
		}
	}
	return fmt.Errorf("%q: text, binary, ping or pong expected", kind)
}

// Leave sends a close frame.
func (e *end) Leave(code int, reason string) error {
	s, ok := e.speech.(*websocket)
	if !ok {
		return errNoWebSocket
	}
	s.left = true
	return e.Send(s.w.AppendClose(nil, wsframe.Code(code), reason))
}

// Hear returns the next message that came, nil if there is none.
func (e *end) Hear() *heardMessage {
	s, ok := e.speech.(*websocket)
	if !ok || len(s.came) == 0 {
		return nil
	}
	m := s.came[0]
	s.came = s.came[1:]
	return &m
}
