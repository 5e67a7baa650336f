package web

import (
	"errors"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/http1"
)

var _ loop.Answerer = (*server)(nil)

var (
	errNothing  = errors.New("http: no request waits for an answer")
	errNoStream = errors.New("http: no answer is being sent in parts")
)

// Reply implements [loop.Answerer].
func (s *server) Reply(status uint16, body []byte, headers any, stream bool) error {
	switch {
	case s.answered && s.state != over:
		return errAnswered
	case s.req == nil || s.state != asking && s.state != owing && s.state != inBody:
		return errNothing
	}
	a := answer{status: int(status), fields: headers, body: body, stream: stream}
	if err := s.answer(a); err != nil {
		return err
	}
	if stream && len(body) > 0 {
		s.part1(body)
	}
	s.c.Again()
	return nil
}

// part1 sends a part of a streamed body.
func (s *server) part1(p []byte) {
	switch {
	case string(s.req.p.Method()) == "HEAD":
	case s.chunked:
		out := http1.AppendChunk(s.d.out[:0], p)
		s.send(out)
		s.d.sent(out)
	default:
		s.send(p)
	}
}

// WriteChunk implements [loop.Answerer].
func (s *server) WriteChunk(by *event.Caller, p []byte, done func(error)) {
	if s.state != streaming || s.file != nil {
		done(errNoStream)
		return
	}
	s.part1(p)
	if s.c.Queued() == 0 || by.Waiter == nil {
		done(nil)
		return
	}
	over := false
	s.waiters = append(s.waiters, func(err error) {
		if !over {
			done(err)
		}
	})
	by.Waiter.OnCancel(func() { over = true })
}

// EndReply implements [loop.Answerer].
func (s *server) EndReply() error {
	if s.state != streaming || s.file != nil {
		return errNoStream
	}
	s.endStream()
	return nil
}

// endStream ends a body that was sent in parts.
func (s *server) endStream() {
	if s.chunked && string(s.req.p.Method()) != "HEAD" {
		s.send(http1.AppendLast(s.d.out[:0]))
	}
	s.done()
	s.c.Again()
}
