package loop

import (
	"errors"

	"github.com/hookd/hookd/engine/event"
)

// Answerer is a [Session] of a protocol in which this side answers requests. Its
// methods are those of connections in scripts.
type Answerer interface {
	Session
	// Reply answers the request that was told last, wholly or up to its body.
	Reply(status uint16, body []byte, headers any, stream bool) error
	// WriteChunk sends a part of a body and calls done when it was written; by, where
	// nobody waits for that any more.
	WriteChunk(by *event.Caller, part []byte, done func(error))
	// EndReply ends a body that is sent in parts.
	EndReply() error
}

var errNoAnswerer = errors.New("loop: its protocol has no requests to answer")

func (c *Conn) answerer() (Answerer, error) {
	if err := c.stream(); err != nil {
		return nil, err
	}
	a, ok := c.session.(Answerer)
	if !ok {
		return nil, errNoAnswerer
	}
	return a, nil
}

// Reply answers the request that was told last.
func (c *Conn) Reply(_ *event.Caller, status uint16, body []byte, headers any, stream bool) error {
	a, err := c.answerer()
	if err != nil {
		return err
	}
	return a.Reply(status, body, headers, stream)
}

// WriteChunk sends a part of an answer's body and waits until it is written.
func (c *Conn) WriteChunk(by *event.Caller, part []byte, done func(error)) {
	a, err := c.answerer()
	if err != nil {
		done(err)
		return
	}
	a.WriteChunk(by, part, done)
}

// EndReply ends an answer's body.
func (c *Conn) EndReply(*event.Caller) error {
	a, err := c.answerer()
	if err != nil {
		return err
	}
	return a.EndReply()
}
