package ws

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/wsframe"
)

// Config is what a session is made of. A zero field means its default.
type Config struct {
	// Server is true for the end that was connected to.
	Server bool
	// Protocol is the subprotocol that was agreed on, empty for none.
	Protocol string
	// Deflate is what was agreed on about compression, nil if nothing was.
	Deflate *wsframe.Deflate
	// Flater has the compressors of the shard.
	Flater *wsframe.Flater
	// Max is how many bytes a message has at most, 1 MiB by default.
	Max int
	// Ping is the silence after which the peer is pinged, and after which again it is
	// given up; 30 s by default.
	Ping time.Duration
}

const (
	defaultMax  = 1 << 20
	defaultPing = 30 * time.Second
	// closeTime is how long a peer gets to answer a close frame.
	closeTime = 5 * time.Second
)

// state is where a session is.
type state uint8

const (
	handshake state = iota // of a client: its response is expected
	open
	closing // a close frame was sent
	over    // the connection closes; what comes is dropped
)

// Session is a WebSocket on a connection.
type Session struct {
	c     *loop.Conn
	cfg   Config
	r     *wsframe.Reader
	w     *wsframe.Writer
	state state
	// told: ws_close was raised. parts: r tells fragments.
	told, parts bool
	heard       int64 // when something came last
	pinged      bool  // since then
	timer       event.Timer
	shake       *shake // while in the handshake
	done        func(event.Verdict, error)
}

var (
	_ loop.Session   = (*Session)(nil)
	_ loop.Socketeer = (*Session)(nil)
)

// New returns the session of a connection whose handshake is over.
func New(c *loop.Conn, cfg Config) *Session {
	s := &Session{c: c, cfg: cfg}
	if s.cfg.Max <= 0 {
		s.cfg.Max = defaultMax
	}
	if s.cfg.Ping <= 0 {
		s.cfg.Ping = defaultPing
	}
	s.done = c.Then(func(event.Verdict, error) {})
	s.begin()
	return s
}

// begin makes what reads and writes frames.
func (s *Session) begin() {
	f := wsframe.Config{Server: s.cfg.Server, MaxMessage: s.cfg.Max, Deflate: s.cfg.Deflate, Flater: s.cfg.Flater}
	s.w = wsframe.NewWriter(f)
	f.Fragments = s.c.WSNoDefrag()
	s.r, s.parts = wsframe.NewReader(f), f.Fragments
	s.state = open
}

// Start raises ws_open, once the session is the connection's.
func (s *Session) Start() {
	s.heard = s.c.Stack().Loop().Now()
	s.watch()
	sh := s.c.Shard()
	if !loopev.OnWSOpen.Wanted(sh) {
		return
	}
	e := &loopev.WSOpen{C: s.c, Subprotocol: s.cfg.Protocol, Compressed: s.cfg.Deflate != nil}
	loop.AwaitOnce(s.c, loopev.OnWSOpen, e, s.done)
}

// Open begins the handshake of a client.
func (s *Session) Open(*loop.Conn) {
	if s.state == handshake {
		s.ask()
	}
}

// Recv takes frames as long as there are whole ones and nobody waits.
func (s *Session) Recv(c *loop.Conn) {
	s.heard, s.pinged = s.c.Stack().Loop().Now(), false
	for !c.Waiting() && c.Session() == loop.Session(s) {
		b := c.Bytes()
		if len(b) == 0 {
			return
		}
		switch s.state {
		case over:
			c.Skip(len(b))
			return
		case handshake:
			if !s.answered(b) {
				return
			}
			continue
		}
		s.parts = s.r.SetFragments(c.WSNoDefrag())
		m, used, ok, err := s.r.Next(b)
		if err != nil {
			s.refuse(err)
			return
		}
		if ok {
			s.take(m, used)
		} else {
			c.Skip(used)
			return
		}
	}
}

// take tells a message or does what a control frame asks for. Its bytes are consumed
// before anybody is told, so what is told is a copy where it is kept.
func (s *Session) take(m wsframe.Message, used int) {
	sh := s.c.Shard()
	switch m.Opcode {
	case wsframe.Ping:
		s.send(wsframe.Pong, m.Data)
		if loopev.OnWSPing.Wanted(sh) {
			loopev.OnWSPing.Emit(sh, &loopev.WSPing{C: s.c, Payload: m.Data})
		}
		s.c.Skip(used)
	case wsframe.Pong:
		if loopev.OnWSPong.Wanted(sh) {
			loopev.OnWSPong.Emit(sh, &loopev.WSPong{C: s.c, Payload: m.Data})
		}
		s.c.Skip(used)
	case wsframe.Close:
		code, reason, _ := wsframe.ParseClose(m.Data) // Next looked at it
		text := string(reason)
		s.c.Skip(used)
		s.closed(code, text)
	default:
		s.message(m, used)
	}
}

// message tells a message, or a part of one.
func (s *Session) message(m wsframe.Message, used int) {
	sh := s.c.Shard()
	kind := loopev.WSTypeText
	switch m.Opcode {
	case wsframe.Binary:
		kind = loopev.WSTypeBinary
	case wsframe.Continuation:
		kind = loopev.WSTypeContinuation
	}
	wanted := s.parts && loopev.OnWSFragment.Wanted(sh) || !s.parts && loopev.OnWSMessage.Wanted(sh)
	if !wanted {
		s.c.Skip(used)
		return
	}
	data := append(make([]byte, 0, len(m.Data)), m.Data...)
	s.c.Skip(used)
	if s.parts {
		loop.AwaitOnce(s.c, loopev.OnWSFragment, &loopev.WSFragment{C: s.c, Message: data, Type: kind, Last: m.Fin}, s.done)
		return
	}
	loop.AwaitOnce(s.c, loopev.OnWSMessage, &loopev.WSMessage{C: s.c, Message: data, Type: kind}, s.done)
}

// send queues a frame. Where too many bytes are queued the connection ends.
func (s *Session) send(op wsframe.Opcode, p []byte) {
	if s.state == open {
		_ = s.c.Net().Send(s.w.Append(nil, op, p))
	}
}

// closed is a close frame of the peer: it is echoed, and then the server closes (RFC
// 6455 section 7.1.1).
func (s *Session) closed(code wsframe.Code, text string) {
	if s.state == open {
		_ = s.c.Net().Send(s.w.AppendClose(nil, code, ""))
	}
	s.state = over
	s.tell(code, text)
	if s.cfg.Server {
		s.c.Net().CloseWith(netio.Reason{Why: netio.EOF})
		return
	}
	s.c.Net().Deadline("close", closeTime)
}

// refuse closes for what the peer did wrong.
func (s *Session) refuse(err error) {
	code := wsframe.ProtocolError
	var e *wsframe.Error
	if errors.As(err, &e) {
		code = e.Code
	}
	if s.state == open {
		_ = s.c.Net().Send(s.w.AppendClose(nil, code, ""))
	}
	s.state = over
	s.c.Skip(int(s.c.Unread()))
	s.c.Fault(err.Error())
	s.tell(code, err.Error())
	why := netio.Reason{Why: netio.Failed, What: "ws", Err: err}
	if code == wsframe.TooBig {
		why = netio.Reason{Why: netio.Limit, What: "ws", Err: err}
	}
	s.c.Net().CloseWith(why)
}

// tell raises ws_close, once.
func (s *Session) tell(code wsframe.Code, text string) {
	if s.told {
		return
	}
	s.told = true
	if sh := s.c.Shard(); loopev.OnWSClose.Wanted(sh) {
		loopev.OnWSClose.Emit(sh, &loopev.WSClose{C: s.c, Code: uint16(code), Text: text})
	}
}

// watch pings a peer that is silent, and gives it up when it stays so.
func (s *Session) watch() {
	timers := s.c.Shard().Timers()
	timers.Arm(&s.timer, s.heard+int64(s.cfg.Ping)*(1+b2i(s.pinged)), func(now int64) {
		switch silent := time.Duration(now - s.heard); {
		case s.state != open:
			return
		case s.pinged && silent >= 2*s.cfg.Ping:
			s.state = over
			s.tell(wsframe.Abnormal, "no answer to a ping")
			s.c.Net().Abort(netio.Reason{Why: netio.Timeout, What: "ping"})
			return
		case !s.pinged && silent >= s.cfg.Ping:
			s.pinged = true
			s.send(wsframe.Ping, nil)
		}
		s.watch()
	})
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Sent does nothing.
func (s *Session) Sent(*loop.Conn, int) {}

// Drain does nothing.
func (s *Session) Drain(*loop.Conn) {}

// EOF closes: nothing can follow.
func (s *Session) EOF(*loop.Conn) bool { return false }

// Quit says that this end goes away.
func (s *Session) Quit(c *loop.Conn) {
	if s.shut(wsframe.GoingAway, "") != nil {
		c.Net().CloseWith(netio.Reason{Why: netio.Stopped})
	}
}

// Close tells that the WebSocket is over, where no close frame did.
func (s *Session) Close(_ *loop.Conn, why netio.Reason) {
	if s.shake == nil {
		s.tell(wsframe.Abnormal, why.String())
	}
	s.state = over
	s.c.Shard().Timers().Stop(&s.timer)
}

// Detach ends the session; the connection goes on.
func (s *Session) Detach(*loop.Conn) {
	s.state = over
	s.c.Shard().Timers().Stop(&s.timer)
}

var (
	errNotOpen = errors.New("ws: the WebSocket is not open")
	errText    = errors.New("ws: a text is UTF-8: send other bytes as \"binary\"")
)

// SendMessage implements [loop.Socketeer].
func (s *Session) SendMessage(p []byte, binary bool) error {
	op := wsframe.Text
	switch {
	case s.state != open:
		return errNotOpen
	case binary:
		op = wsframe.Binary
	case !utf8.Valid(p):
		return errText
	}
	return s.c.Net().Send(s.w.Append(nil, op, p))
}

// SendPing implements [loop.Socketeer].
func (s *Session) SendPing(p []byte) error {
	switch {
	case s.state != open:
		return errNotOpen
	case len(p) > wsframe.MaxControl:
		return fmt.Errorf("ws: a ping has at most %d bytes", wsframe.MaxControl)
	}
	return s.c.Net().Send(s.w.Append(nil, wsframe.Ping, p))
}

// SendClose implements [loop.Socketeer].
func (s *Session) SendClose(code uint16, reason string) error {
	if !wsframe.Code(code).Sendable() {
		return fmt.Errorf("ws: %d is no code to close with", code)
	}
	if !utf8.ValidString(reason) {
		return errText
	}
	return s.shut(wsframe.Code(code), reason)
}

// shut sends a close frame, and closes when the peer's is there, or the time for it
// is over.
func (s *Session) shut(code wsframe.Code, reason string) error {
	if s.state != open {
		return errNotOpen
	}
	if err := s.c.Net().Send(s.w.AppendClose(nil, code, reason)); err != nil {
		return err
	}
	s.state = closing
	s.c.Net().Deadline("close", closeTime)
	return nil
}
