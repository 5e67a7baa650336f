package loop

import (
	"errors"
	"syscall"

	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/netio"
)

// handler is what package netio tells of all connections that have no other.
type handler struct{ s *Stack }

var _ netio.Handler = handler{}

func of(c *netio.Conn) *Conn { return c.Data.(*Conn) }

// Accept is not called: listeners have handlers of their own.
func (handler) Accept(*netio.Conn) netio.Verdict { return netio.RejectReset }

// Connect tells what became of an outgoing connection.
func (handler) Connect(n *netio.Conn, err error) {
	c := of(n)
	if c.failed = err != nil; c.failed && !errors.As(err, &c.code) {
		c.code = netio.Reason{Why: netio.Failed, Err: err}
	}
	c.owed |= owesConnect
	c.deliver()
}

// Recv tells of bytes, or keeps a datagram for a handler that waits.
func (handler) Recv(n *netio.Conn, got int) {
	c := of(n)
	if c.c.Datagrams() {
		c.datagram(got)
		return
	}
	c.fresh += got
	c.owed |= owesRecv
	if c.reader != nil {
		c.feedReader() // also where it is a handler of this connection that waits
	}
	c.deliver()
}

// Send tells at once of bytes that were written, and who waits for that.
func (handler) Send(n *netio.Conn, sent int) {
	c := of(n)
	s := c.stack
	if loopev.OnSend.Wanted(s.sh) {
		e := &s.events.send
		*e = loopev.Send{C: c, N: uint64(sent)}
		loopev.OnSend.Emit(s.sh, e)
	}
	if c.session != nil {
		c.session.Sent(c, sent)
	}
	if len(c.writer) > 0 && n.Queued() == 0 {
		c.endWriters(nil)
	}
}

// EOF tells that the peer ended its stream; what is decided then follows.
func (handler) EOF(n *netio.Conn) bool {
	c := of(n)
	c.atEOF = true
	if c.reader != nil {
		c.endReader(errEOF)
	}
	c.owed |= owesEOF
	c.deliver()
	// It closes by what was decided, perhaps later.
	return true
}

// Full tells at once that a bound was reached.
func (handler) Full(n *netio.Conn, side netio.Side) {
	c := of(n)
	if !loopev.OnFull.Wanted(c.stack.sh) {
		return
	}
	e := &c.stack.events.full
	*e = loopev.Full{C: c, Side: loopev.Side(side)}
	loopev.OnFull.Emit(c.stack.sh, e)
}

// Drained tells that the queue fell to its low mark, and lets who sends to it go on.
func (handler) Drained(n *netio.Conn) {
	c := of(n)
	if c.pair != nil {
		c.pair.drained(c)
	}
	c.owed |= owesDrain
	c.deliver()
}

// Quit tells that the loop drains.
func (handler) Quit(n *netio.Conn) {
	c := of(n)
	if c.holds > 0 && c.session == nil {
		n.CloseWith(netio.Reason{Why: netio.Stopped}) // who waits is not waited for
		return
	}
	c.owed |= owesQuit
	c.deliver()
}

// Close ends the connection.
func (handler) Close(n *netio.Conn, why netio.Reason) { of(n).finish(why) }

// finish raises close, the last event, once nothing waits any more.
func (c *Conn) finish(why netio.Reason) {
	s := c.stack
	if c.over {
		return
	}
	if c.holds > 0 {
		s.sh.CancelWaits(c)
	}
	s.sh.Timers().Stop(&c.until)
	c.ended = s.now()
	gone := errors.New("loop: the connection closed: " + why.String())
	if c.reader != nil {
		c.endReader(gone)
	}
	c.endWriters(gone)
	if c.session != nil {
		c.session.Close(c, why)
	}
	if c.pair != nil {
		c.pair.closed(c, why)
	}
	if !c.begun && c.Outbound() { // it was ended before that was decided
		c.failed, c.code = true, why
		c.begun = true
		if e := c.connectEvent(); loopev.OnConnect.Wanted(s.sh) {
			loopev.OnConnect.Emit(s.sh, e)
		}
	}
	// Who was refused before accept was no connection.
	if loopev.OnClose.Wanted(s.sh) && (c.begun || c.c == nil) {
		e := &s.events.close
		*e = loopev.Close{C: c, Why: whyOf(why), Reason: why.String()}
		if why.Err != nil {
			e.Failure, e.HasFailure = why.Err.Error(), true
		}
		loopev.OnClose.Emit(s.sh, e)
	}
	c.over = true
	c.slots.End()
	c.client.slots.End()
	c.server.slots.End()
	s.forget(c)
}

// whyOf returns the word that scripts have for a reason.
func whyOf(r netio.Reason) loopev.Why {
	if w, known := loopev.ParseWhy(r.Why.String()); known {
		return w
	}
	return loopev.WhyFailed
}

// codeOf returns what loop.connect says of a reason: the system's error number, or
// -1.
func codeOf(r netio.Reason) int64 {
	var number syscall.Errno
	switch {
	case errors.As(r.Err, &number):
		return int64(number)
	case r.Why == netio.Timeout:
		return int64(syscall.ETIMEDOUT)
	}
	return -1
}
