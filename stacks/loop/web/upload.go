package web

import (
	"errors"
	"fmt"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/http1"
	"github.com/hookd/hookd/stacks/netio"
)

const (
	uploadTimeout = time.Minute
	// expectTime is how long a server may take to say that it wants a body: then it is sent,
	// since there are servers that say nothing (RFC 9110 section 10.1.1).
	expectTime = time.Second
	// maxHeld is how many bytes of parts wait for that.
	maxHeld = 1 << 20
)

var (
	errNoMore    = errors.New("http: the server answered before the body was whole")
	errBodyEnded = errors.New("http: the body is ended already")
	errGivenUp   = errors.New("http: the upload was given up")
	errHeld      = fmt.Errorf("http: %d bytes wait until the server wants the body", maxHeld)
)

// upload is a request whose body a script sends in parts: loopev.Upload. Its query has
// the connection and the time.
type upload struct {
	a     *query
	id    uint64
	slots event.Slots
	sent  uint64
	ended bool // the script ended the body
	// asks: the server is asked whether it wants the body. What is written waits in held
	// until it says so, or until patience runs out.
	asks     bool
	held     []byte
	patience event.Timer
	refused  bool // the server wants no more of the body
	settled  bool // response or err is there
	over     bool // and the script knows, or wants to know no more
	response any
	err      error
	writers  []*partWriter
	finisher func(any, error)
}

// partWriter is a script that waits until its part is written.
type partWriter struct{ done func(error) }

var _ loopev.Upload = (*upload)(nil)

// Upload implements [loop.Asker].
func (p *Protocol) Upload(s *loop.Stack, q loop.Ask, expect bool) (loopev.Upload, error) {
	d := p.desk(s)
	if q.Timeout <= 0 {
		q.Timeout = uploadTimeout
	}
	u := &upload{id: p.uploads.Add(1), asks: expect}
	u.a = &query{d: d, q: q, up: u, fresh: true, done: u.settle}
	if err := u.a.admit(); err != nil {
		return nil, err
	}
	if u.a.start(); u.settled {
		return nil, u.err
	}
	return u, nil
}

// ID returns the upload's number.
func (u *upload) ID() uint64 { return u.id }

// Label returns "upload 3".
func (u *upload) Label() string { return fmt.Sprintf("upload %d", u.id) }

// Ended reports whether the script has what became of it, or gave it up.
func (u *upload) Ended() bool { return u.over }

// Slots returns where others attach data.
func (u *upload) Slots() *event.Slots { return &u.slots }

// Sent returns how many bytes were given to it.
func (u *upload) Sent() uint64 { return u.sent }

// Answered reports whether it takes nothing further.
func (u *upload) Answered() bool { return u.refused || u.settled }

// Write sends a part and waits until it is written.
func (u *upload) Write(by *event.Caller, p []byte, done func(error)) {
	err := u.part(p)
	if err != nil || len(p) == 0 {
		done(err)
		return
	}
	w := &partWriter{done}
	u.writers = append(u.writers, w)
	by.Waiter.OnCancel(func() { w.done = func(error) {} })
}

// part sends a part, or keeps it until the server wants it.
func (u *upload) part(p []byte) error {
	switch {
	case u.settled && u.err != nil:
		return u.err
	case u.Answered():
		return errNoMore
	case u.ended:
		return errBodyEnded
	case u.asks && len(u.held)+len(p) > maxHeld:
		return errHeld
	case u.asks:
		u.held = http1.AppendChunk(u.held, p)
	default:
		if err := u.send(http1.AppendChunk(u.a.d.out[:0], p)); err != nil {
			return err
		}
	}
	u.sent += uint64(len(p))
	return nil
}

// send queues bytes on the request's connection.
func (u *upload) send(p []byte) error {
	err := u.a.conn.c.Net().Send(p)
	u.a.d.sent(p)
	return err
}

// wanted goes on with the body: the server wants it, or nothing is known.
func (u *upload) wanted() {
	if !u.asks || u.Answered() {
		return
	}
	u.asks = false
	u.a.d.stack.Shard().Timers().Stop(&u.patience)
	if u.ended {
		u.held = http1.AppendLast(u.held)
	}
	// Where the connection is gone already its Close says so.
	_ = u.a.conn.c.Net().Send(u.held)
	u.held = nil
}

// connected has the server's time for its answer begin: it was asked now.
func (u *upload) connected() {
	if u.asks {
		timers := u.a.d.stack.Shard().Timers()
		timers.Arm(&u.patience, u.a.d.stack.Loop().Now()+int64(expectTime), func(int64) {
			u.wanted()
			u.a.d.stack.Loop().Stir()
		})
	}
}

// wrote lets those go on whose parts are written.
func (u *upload) wrote() {
	if !u.asks {
		u.free(nil)
	}
}

func (u *upload) free(err error) {
	list := u.writers
	u.writers = nil
	for _, w := range list {
		w.done(err)
	}
}

// whole reports whether the server has, or will have, all of the request.
func (u *upload) whole() bool { return u.ended && !u.asks && !u.refused }

// answers is the head of a final response. A server that says no, or answers without
// having asked for the body, gets no more of it (RFC 9112 section 9.5).
func (u *upload) answers(status int) {
	if !u.whole() && (status >= 400 || u.asks) {
		u.refused = true
		u.a.d.stack.Shard().Timers().Stop(&u.patience)
		u.free(errNoMore)
	}
}

// unasked reports whether a response says no more than that the server is not to be asked,
// and has the request sent anew without that (RFC 9110 section 10.1.1).
func (u *upload) unasked(status int) bool {
	if status != 417 || !u.asks {
		return false
	}
	u.a.d.stack.Shard().Timers().Stop(&u.patience)
	u.asks = false
	held := u.held
	if u.held = nil; u.ended {
		held = http1.AppendLast(held)
	}
	u.a.conn = nil
	if u.a.begin(); !u.settled {
		_ = u.a.conn.c.Net().Send(held)
	}
	return true
}

// settle is what became of the request.
func (u *upload) settle(response any, err error) {
	u.settled, u.response, u.err = true, response, err
	u.a.d.stack.Shard().Timers().Stop(&u.patience)
	u.held = nil
	if err == nil {
		err = errNoMore
	}
	u.free(err)
	if done := u.finisher; done != nil {
		u.conclude(done)
	}
}

// Finish ends the body and waits for the response.
func (u *upload) Finish(by *event.Caller, done func(any, error)) {
	if u.ended {
		done(nil, errBodyEnded)
		return
	}
	if u.settled {
		u.conclude(done)
		return
	}
	u.ended, u.finisher = true, done
	by.Waiter.OnCancel(u.giveUp)
	if !u.asks && !u.refused {
		_ = u.send(http1.AppendLast(u.a.d.out[:0]))
	}
}

// conclude gives the script what became of the request.
func (u *upload) conclude(done func(any, error)) {
	u.finisher = nil
	u.end()
	done(u.response, u.err)
}

// Cancel gives the request up.
func (u *upload) Cancel(*event.Caller) error {
	u.giveUp()
	return nil
}

func (u *upload) giveUp() {
	u.finisher = nil
	u.a.end(nil, nil)
	u.settle(nil, errGivenUp)
	u.end()
}

func (u *upload) end() {
	if !u.over {
		u.over = true
		u.slots.End()
	}
}

// close ends a connection whose request is over, in the middle of what was to be sent
// where that is not whole.
func (a *query) close(c *asker) {
	if a.up != nil && !a.up.whole() {
		c.c.Net().Abort(netio.Reason{})
		return
	}
	c.c.Net().Close()
}
