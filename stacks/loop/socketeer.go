package loop

import (
	"errors"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// Socketeer is a [Session] that speaks WebSocket. Its methods are those of
// connections in scripts.
type Socketeer interface {
	Session
	// SendMessage sends a message in one frame.
	SendMessage(p []byte, binary bool) error
	// SendPing sends a ping.
	SendPing(p []byte) error
	// SendClose sends a close frame, and closes when the peer answered it.
	SendClose(code uint16, reason string) error
}

var errNoSocketeer = errors.New("loop: its protocol is not WebSocket")

func (c *Conn) socketeer() (Socketeer, error) {
	if err := c.stream(); err != nil {
		return nil, err
	}
	s, ok := c.session.(Socketeer)
	if !ok {
		return nil, errNoSocketeer
	}
	return s, nil
}

// WSSend sends a WebSocket message, a text where nothing else is said.
func (c *Conn) WSSend(_ *event.Caller, p []byte, kind loopev.WSType, hasKind bool) (uint64, error) {
	s, err := c.socketeer()
	if err != nil {
		return 0, err
	}
	if err := s.SendMessage(p, hasKind && kind == loopev.WSTypeBinary); err != nil {
		return 0, err
	}
	return c.Queued(), nil
}

// WSPing sends a ping.
func (c *Conn) WSPing(_ *event.Caller, p []byte) error {
	s, err := c.socketeer()
	if err != nil {
		return err
	}
	return s.SendPing(p)
}

// WSClose closes a WebSocket.
func (c *Conn) WSClose(_ *event.Caller, code uint16, hasCode bool, reason string) error {
	s, err := c.socketeer()
	if err != nil {
		return err
	}
	if !hasCode {
		code = 1000
	}
	return s.SendClose(code, reason)
}
