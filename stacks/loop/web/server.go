package web

import (
	"errors"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/http1"
	"github.com/hookd/hookd/stacks/netio"
)

// state is where a server session is.
type state uint8

const (
	reading   state = iota // a head, or waiting for one
	inBody                 // a body
	asking                 // handlers are being asked, and may wait
	owing                  // an answer was promised
	streaming              // an answer is being sent in parts
	over                   // nothing is read any more; the connection closes
)

// server serves HTTP/1.1 on one connection.
type server struct {
	c   *loop.Conn
	d   *desk
	opt *options

	state    state
	body     http1.Body
	req      *request // being read or answered; nil between requests
	answered bool     // while handlers are asked
	chunked  bool     // of the answer that is streamed
	last     bool     // the connection closes after the answer
	discard  bool     // the body is not kept
	running  bool     // handlers have the request, or wait with it
	finished bool     // it was answered meanwhile

	came    int64  // bytes of the body so far
	before  uint64 // bytes that were there when the head was whole
	until   deadline
	waiters []func(error) // for what is queued to be written
	file    *fileJob
	form    *form // the body, where its parts are told
	// askedHeaders and asked are what decided, made at the first request.
	askedHeaders, asked func(event.Verdict, error)
}

var _ loop.Session = (*server)(nil)

// Open begins the time in which a request is expected.
func (s *server) Open(*loop.Conn) { s.expect("idle", s.opt.idleTime) }

// Recv reads requests as long as there are whole ones and nobody waits.
func (s *server) Recv(c *loop.Conn) {
	for !c.Waiting() && c.Session() == loop.Session(s) && s.step() {
	}
}

// step does one thing with what is there and reports whether there may be more.
func (s *server) step() bool {
	b := s.c.Bytes()
	switch {
	case len(b) == 0:
		return false
	case s.state == reading:
		return s.head(b)
	case s.state == inBody:
		return s.content(b)
	case s.state == over:
		s.c.Skip(len(b))
	}
	return false
}

// head reads a request's head.
func (s *server) head(b []byte) bool {
	if s.req == nil {
		s.req = s.d.request(s.opt)
	}
	r := s.req
	begun := r.p.Begun()
	n, err := r.p.Request(b)
	if err == nil && n > 0 {
		err = r.p.Check()
	}
	if err != nil {
		s.refuse(err)
		return false
	}
	if n == 0 {
		if !begun {
			s.expect("header", s.opt.headerTime)
		}
		return false
	}
	s.state, s.last, s.discard, s.answered, s.came = asking, !r.p.KeepAlive, false, false, 0
	r.front, s.before = n, uint64(len(b))
	// Handlers may take their time: what was expected of the peer came.
	s.until.stop(s)
	s.body.Begin(&r.p.Head, r.p.Limits())
	if !loopev.OnHTTPHeaders.Wanted(s.c.Shard()) {
		return s.afterHeaders()
	}
	e := &s.d.events.headers
	*e = loopev.HTTPHeaders{C: s.c, Req: r, Method: r.Method(), Path: r.Path(), Host: r.Host()}
	if s.askedHeaders == nil {
		s.askedHeaders = s.c.Then(s.headersDecided)
	}
	s.running = true
	loop.AwaitOnce(s.c, loopev.OnHTTPHeaders, e, s.askedHeaders)
	s.detain()
	return !s.c.Waiting() && s.state != over
}

// detain is called when handlers were asked: where one waits, the request stays
// with the session, and its place in the buffer is free. What a handler took of it
// is gone from there already.
func (s *server) detain() {
	if s.req != nil && s.c.Waiting() {
		s.hold()
	}
}

// hold keeps the request while its answer is made, and gives its place in the
// buffer back.
func (s *server) hold() {
	if front := s.req.front; front > 0 {
		s.req.keep()
		s.skip(front)
	}
}

// skip consumes the request, of which handlers may have taken a part.
func (s *server) skip(front int) {
	if gone := int(s.before - s.c.Unread()); front > gone {
		s.c.Skip(front - gone)
	}
}

// headersDecided goes on when handlers saw the head.
func (s *server) headersDecided(v event.Verdict, err error) {
	if s.handled() || s.state != asking || errors.Is(err, event.ErrCanceled) {
		return
	}
	switch {
	case err != nil:
		s.fail(503, err.Error())
	case v.Kind == loopev.VerdictReply:
		s.replyVerdict(v)
	default:
		s.discard = v.Kind == loopev.VerdictStream
		s.afterHeaders()
	}
}

// afterHeaders reads the body, in place where it is there as a whole. It reports
// whether there may be more to do.
func (s *server) afterHeaders() bool {
	r := s.req
	s.discard = s.discard || s.c.DeleteChunk()
	switch {
	case s.body.Done():
		r.whole = true
		return s.ask()
	case !s.discard && r.p.Framing == http1.ByLength && r.p.Length > s.opt.body:
		s.refuse(http1.ErrBodyLong)
		return false
	}
	if err := s.beginForm(); err != nil {
		s.refuse(err)
		return false
	}
	b := s.c.Bytes()
	if end := int64(r.front) + r.p.Length; s.form == nil && r.front > 0 && r.p.Framing == http1.ByLength && int64(len(b)) >= end && !loopev.OnHTTPChunk.Wanted(s.c.Shard()) {
		if !s.discard {
			r.body = b[r.front:end:end]
		}
		r.front, r.whole = int(end), true
		return s.ask()
	}
	s.hold()
	s.state = inBody
	if r.p.Continue && s.c.Unread() == 0 {
		s.send([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	}
	s.expect("body", s.opt.bodyTime)
	return true
}

// content takes what there is of a body.
func (s *server) content(b []byte) bool {
	data, n, err := s.body.Next(b)
	if err != nil {
		s.refuse(err)
		return false
	}
	if len(data) > 0 && !s.part(data) {
		return false
	}
	s.c.Skip(n)
	if s.body.Done() {
		if err := s.endForm(); err != nil {
			s.refuse(err)
			return false
		}
		s.req.whole = true
		s.ask()
		return !s.c.Waiting()
	}
	return n > 0
}

// part takes a part of a body, and reports whether reading goes on.
func (s *server) part(data []byte) bool {
	r := s.req
	if e := &s.d.events.chunk; loopev.OnHTTPChunk.Wanted(s.c.Shard()) {
		*e = loopev.HTTPChunk{C: s.c, Req: r, Chunk: data, Offset: uint64(s.came)}
		s.running = true
		loopev.OnHTTPChunk.Emit(s.c.Shard(), e)
		if s.handled() || s.state != inBody {
			return false // it was answered
		}
	}
	s.came += int64(len(data))
	if s.form != nil && !s.takeApart(data) {
		return false
	}
	if s.discard = s.discard || s.c.DeleteChunk(); s.discard {
		return true
	}
	if int64(len(r.body)+len(data)) > s.opt.body {
		s.refuse(http1.ErrBodyLong)
		return false
	}
	r.body = append(r.body, data...)
	return true
}

// ask raises the request. It reports whether there may be more to do.
func (s *server) ask() bool {
	s.state = asking
	s.until.stop(s)
	if s.upgrade() {
		return s.state == reading && !s.c.Waiting()
	}
	return s.askRules()
}

// askRules raises the request for whoever answers.
func (s *server) askRules() bool {
	r := s.req
	if !loopev.OnHTTPRequest.Wanted(s.c.Shard()) {
		s.unanswered()
		return true
	}
	e := &s.d.events.request
	*e = loopev.HTTPRequest{C: s.c, Req: r, Method: r.Method(), Path: r.Path(), Host: r.Host()}
	if s.asked == nil {
		s.asked = s.c.Then(s.decided)
	}
	s.running = true
	loop.AwaitOnce(s.c, loopev.OnHTTPRequest, e, s.asked)
	s.detain()
	return !s.c.Waiting() && s.state == reading
}

// decided answers as the rules decided.
func (s *server) decided(v event.Verdict, err error) {
	switch {
	case s.handled() || s.state != asking || errors.Is(err, event.ErrCanceled):
	case err != nil:
		s.fail(503, err.Error())
	case v.Kind == loopev.VerdictReply:
		s.replyVerdict(v)
	case v.Kind == loopev.VerdictFile:
		s.serveFile(v)
	case v.Kind == loopev.VerdictLater:
		s.state = owing
		s.hold()
		s.expect("reply", s.opt.replyTime)
	case v.Failed:
		s.answer(answer{status: 500, body: []byte("internal server error\n")})
	default:
		s.unanswered()
	}
}

// handled notes that no handler has the request any more. It reports whether one
// answered it already, and then ends it.
func (s *server) handled() bool {
	s.running = false
	if !s.finished {
		return false
	}
	s.finished = false
	s.done()
	return true
}

// unanswered is the answer where no rule has one: there is no such resource, or
// the method is none that resources have here.
func (s *server) unanswered() {
	switch string(s.req.p.Method()) {
	case "CONNECT", "TRACE":
		s.answer(answer{status: 405, body: []byte("method not allowed\n"), fields: []event.KV{{Key: "Allow", Value: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}}})
	default:
		s.answer(answer{status: 404, body: []byte("not found\n")})
	}
}

// done ends a request that was answered, and makes room for the next.
func (s *server) done() {
	if s.running {
		s.finished = true
		return
	}
	s.dropForm()
	r := s.req
	s.req = nil
	if r != nil {
		if r.front > 0 {
			s.skip(r.front)
		}
		s.d.release(r)
	}
	if s.last {
		s.shut(netio.Reason{})
		return
	}
	s.state = reading
	s.expect("idle", s.opt.idleTime)
}

// shut closes when what is queued is written, and drops what still comes.
func (s *server) shut(why netio.Reason) {
	s.state = over
	s.until.stop(s)
	s.c.Net().CloseWith(why)
}

// send queues bytes. Where too many are queued the connection ends, which Close tells.
func (s *server) send(b []byte) { _ = s.c.Net().Send(b) }

// Sent lets who waits go on when the queue is short.
func (s *server) Sent(c *loop.Conn, _ int) {
	if len(s.waiters) > 0 && c.Queued() == 0 {
		s.wake(nil)
	}
}

func (s *server) wake(err error) {
	list := s.waiters
	s.waiters = nil
	for _, done := range list {
		done(err)
	}
}

// Drain does nothing: who waits, waits for Sent.
func (s *server) Drain(*loop.Conn) {}

// EOF lets an answer that is being made go out.
func (s *server) EOF(*loop.Conn) bool {
	s.last = true
	return s.state == asking || s.state == owing || s.state == streaming
}

// Quit closes between requests, else after the answer.
func (s *server) Quit(c *loop.Conn) {
	s.last = true
	if s.state == reading && (s.req == nil || !s.req.p.Begun()) {
		s.shut(netio.Reason{Why: netio.Stopped})
	}
}

// Close ends what is under way.
func (s *server) Close(*loop.Conn, netio.Reason) { s.end(errors.New("http: the connection closed")) }

// Detach ends what is under way; the connection goes on without it.
func (s *server) Detach(*loop.Conn) { s.end(errors.New("http: the connection is no longer HTTP")) }

func (s *server) end(err error) {
	s.state = over
	s.until.stop(s)
	if s.file != nil {
		s.file.cancel()
		s.file = nil
	}
	s.wake(err)
	s.dropForm()
	if s.req != nil && !s.running {
		s.d.release(s.req)
	}
	s.req = nil
}
