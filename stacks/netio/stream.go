package netio

import (
	"errors"
	"io"
)

// newConn returns a connection in a slot.
func (l *Loop) newConn(h Handler, opt *Options) *Conn {
	now := l.time()
	c := &Conn{loop: l, h: h, opt: opt, began: now, active: now}
	c.id = l.slots.add(c)
	l.open++
	return c
}

// ready is called when the connection's socket is.
func (c *Conn) ready(what readiness) {
	if c.flags&(isClosing|isClosed) != 0 {
		return
	}
	touched := c.flags & isTouched
	c.flags |= isTouched // what its handler does is seen to here
	switch {
	case c.flags&isPrelude != 0:
		c.hearProxy()
	case c.flags&isShaking != 0:
		c.feed()
	case c.flags&connecting != 0:
		c.settleConnect()
	case what&(readable|gone|hung|broken|urgent) != 0:
		c.noticeLeaving(what)
		c.flags |= mayRead
		if c.reading() {
			c.receive()
		} else if c.flags&(sawEOF|sawBroken) == sawEOF|sawBroken {
			c.afterEOF()
		}
	}
	c.flags = c.flags&^isTouched | touched
	c.settle()
}

// reading reports whether bytes are wanted from the socket.
func (c *Conn) reading() bool {
	if c.flags&isDuplex == 0 && c.flags&sendFull != 0 {
		return false
	}
	return c.flags&(connecting|isHeld|isPaused|recvFull|sawEOF|isClosing|isClosed) == 0 &&
		(c.tls == nil || c.tls.pend.n <= 2*tlsBatch) // a peer can have TLS answer without end
}

// noticeLeaving is about a peer that ended its stream, or reset it, perhaps while
// it is not read. What it sent before is read when reading goes on.
func (c *Conn) noticeLeaving(what readiness) {
	if what&(gone|hung|broken) != 0 {
		c.flags |= sawGone
	}
	if what&hung != 0 {
		c.flags |= sawHung
	}
	if what&urgent != 0 {
		c.flags |= sawUrgent
	}
	if what&broken != 0 {
		c.flags |= sawBroken
		if c.flags&sendFull != 0 {
			c.dropQueue()
			c.flags &^= sendFull
		}
	}
}

// await begins the time after which a peer is given up that left, or was lost,
// while nobody takes what it sent. Who called Pause is trusted to read on; a queue
// that is being written holds it up rightly.
func (c *Conn) await() {
	idle := c.flags&(recvFull|isHeld) != 0 || c.flags&(isPaused|sawBroken) == isPaused|sawBroken
	if c.left == 0 && idle && c.flags&sawGone != 0 && c.flags&(sawEOF|sendFull) == 0 {
		c.left = c.loop.time()
	}
}

// afterEOF is an error of a connection that still writes.
func (c *Conn) afterEOF() {
	if _, err := c.w.read(c.loop.read[:1]); err != nil && err != errAgain && !errors.Is(err, io.EOF) {
		c.lost(err)
		return
	}
	c.fail(Reason{Why: Reset})
}

// receive reads once, a turn's share at most, and tells.
func (c *Conn) receive() {
	l := c.loop
	room := min(len(l.read), c.opt.RecvLimit-c.in.len())
	n := copy(l.read[:room], c.ahead)
	var err error
	if c.ahead = c.ahead[n:]; n == 0 {
		n, err = c.w.read(l.read[:room])
		if err == errAgain || n > 0 && n < room && c.flags&(sawGone|sawUrgent) == 0 {
			c.flags &^= mayRead
		}
	}
	switch {
	case n > 0:
		l.stats.BytesIn += uint64(n)
		c.nread += uint64(n)
		c.active = l.time()
		c.in.take(&l.pool, l.read[:n])
		c.h.Recv(c, n)
		c.in.keep(&l.pool)
		if c.in.len() >= c.opt.RecvLimit && c.flags&isClosing == 0 {
			c.flags |= recvFull
			c.h.Full(c, RecvSide)
		}
	case err == errAgain:
	case errors.Is(err, io.EOF):
		c.endOfStream()
	default:
		c.lost(err)
	}
}

// endOfStream is the end of what the peer sends, in order behind its bytes.
func (c *Conn) endOfStream() {
	if c.flags&sawBroken != 0 {
		// The queue could not be written: that is why, although the end came in order.
		c.fail(Reason{Why: Reset})
		return
	}
	c.flags |= sawEOF
	c.left = 0
	if half := c.h.EOF(c); !half && c.flags&flushClose == 0 {
		c.CloseWith(Reason{Why: EOF})
	}
}

// lost closes after an error of the socket.
func (c *Conn) lost(err error) {
	c.dropQueue()
	c.fail(reasonOf(err))
}

// settle does what is left to do about a connection: write, tell, close, and say
// what of the socket matters from now on.
func (c *Conn) settle() {
	if c.flags&(isClosing|isClosed) != 0 {
		return
	}
	if c.flags&isPrelude != 0 {
		c.settlePrelude()
		return
	}
	if c.flags&isShaking != 0 {
		c.settleHandshake()
		return
	}
	if c.flags&tellQuit != 0 {
		c.flags &^= tellQuit
		c.h.Quit(c)
	}
	if c.flags&tellConnect != 0 {
		c.flags &^= tellConnect
		c.settleConnect()
	}
	if c.peer != nil {
		c.settlePeer()
		return
	}
	if c.flags&(connecting|isShaking|isPrelude) == 0 {
		c.highMark()
		c.flush()
		c.lowMark()
		c.finishStream()
		c.await()
	}
	if c.flags&isPrelude != 0 {
		c.settlePrelude() // just begun
	} else if c.flags&isShaking != 0 {
		c.settleHandshake()
	} else if c.flags&isClosing == 0 {
		c.watch()
		c.schedule()
	}
}

// flush writes what is queued, once a turn and a turn's share at most.
func (c *Conn) flush() {
	l := c.loop
	if c.out.n == 0 && c.tls != nil && c.flags&isClosing == 0 {
		// What TLS has to say by itself.
		if err := c.tls.push(); err != nil && err != errAgain {
			c.unwritable(err)
		}
	}
	if c.out.n == 0 || c.flags&isClosing != 0 {
		return
	}
	if c.lastWrite == l.turn {
		if c.flags&isLater == 0 {
			c.flags |= isLater
			l.later = append(l.later, c)
		}
		return
	}
	c.lastWrite = l.turn
	sent := 0
	for sent < turnWrite && c.out.n > 0 {
		bufs := c.out.bufs(l.vec[:0], turnWrite-sent)
		asked := 0
		for _, b := range bufs {
			asked += len(b)
		}
		n, err := c.w.write(bufs)
		if n > 0 {
			sent += n
			c.out.discard(&l.pool, n)
		}
		if err != nil && err != errAgain {
			c.unwritable(err)
		}
		if err != nil || n < asked {
			break
		}
	}
	if sent == 0 {
		return
	}
	l.queued -= sent
	l.stats.BytesOut += uint64(sent)
	c.nwriten += uint64(sent)
	c.active = l.time()
	c.moved = c.active
	c.h.Send(c, sent)
}

// unwritable drops the queue of a peer that takes no more. What it sent before
// is still read; then the connection closes for that reason.
func (c *Conn) unwritable(err error) {
	c.dropQueue()
	c.flags |= sawBroken
	c.flags &^= sendFull
	if c.flags&closeAsked == 0 || c.why.Why <= EOF {
		c.why = reasonOf(err)
		c.flags |= closeAsked
	}
	if c.flags&(sawEOF|flushClose) != 0 {
		c.fail(c.why)
	}
}

func (c *Conn) dropQueue() {
	c.loop.queued -= c.out.n
	c.out.clear(&c.loop.pool)
}

// highMark tells that the queue reached its high mark. Until it fell to the low
// one nothing is read, so that a peer which does not read is not served for
// nothing. It is looked at before writing: who stops at the mark hears Drained.
func (c *Conn) highMark() {
	if c.flags&(sendFull|isClosing) == 0 && c.out.n >= c.opt.SendHigh {
		c.flags |= sendFull
		c.h.Full(c, SendSide)
	}
}

func (c *Conn) lowMark() {
	if c.flags&sendFull != 0 && c.out.n <= c.opt.SendLow && c.flags&isClosing == 0 {
		c.flags &^= sendFull
		c.h.Drained(c)
	}
}

// finishStream ends the stream or the connection when nothing is queued.
func (c *Conn) finishStream() {
	if c.out.n > 0 || c.flags&isClosing != 0 {
		return
	}
	if c.flags&(wantShut|flushClose) != 0 && c.flags&sawBroken == 0 && c.tls != nil && !c.tls.notified() {
		return
	}
	if c.flags&flushClose != 0 {
		c.fail(c.why)
		return
	}
	if c.flags&(wantShut|didShut) == wantShut {
		c.flags |= didShut
		if err := c.w.shut(); err != nil {
			c.unwritable(err)
		}
	}
	if c.flags&(sawEOF|didShut) == sawEOF|didShut {
		c.CloseWith(Reason{Why: EOF})
	}
}

// watch is the one place that says what of the socket matters. What is known
// already and not acted on is not asked for again, because it would be told for
// ever; nor can a socket that hung or broke be watched at all unless it is read.
func (c *Conn) watch() {
	if c.w == nil {
		return
	}
	var want interest
	switch {
	case c.flags&connecting != 0:
		want = writable
	case c.reading():
		want = readable | gone
		if c.tls == nil && c.flags&mayRead == 0 {
			want |= edges
		}
	case c.flags&(sawHung|sawBroken) != 0:
	case c.flags&(sawGone|sawEOF) != 0:
		want = broken
	default:
		want = gone
	}
	if c.flags&(connecting|isLater) == 0 && c.out.n > 0 || c.tls != nil && c.tls.pend.n > 0 {
		want = want&^edges | writable
	}
	if (c.tls != nil && c.tls.more || len(c.ahead) > 0) && c.flags&isMore == 0 && c.reading() {
		c.flags |= isMore
		c.loop.more = append(c.loop.more, c)
		c.loop.stir()
	}
	c.watchFor(want)
}

// watchFor asks for that, if it is not what was asked for before.
func (c *Conn) watchFor(want interest) {
	if want == c.want {
		return
	}
	c.want = want
	if err := c.w.watch(want); err != nil {
		c.fail(reasonOf(err))
	}
}

// end closes the socket, gives the slot back and tells Close.
func (c *Conn) end() {
	l := c.loop
	c.flags |= isClosed
	c.flags &^= isClosing
	l.sh.Timers().Stop(&c.timer)
	reset := c.flags&byReset != 0
	shaking := c.flags&isShaking != 0
	there := c.isThere()
	l.slots.remove(c.id)
	l.open--
	l.stats.Closed++
	switch {
	case c.peer != nil:
		c.peer.sock.forget(c)
	case c.w != nil && !reset && c.shouldLinger():
		l.linger(c)
	case shaking && !reset && c.why.Why == Handshake && l.mayLinger():
		l.linger(c) // so that the peer reads the alert
	case c.w != nil:
		c.w.close(reset)
	}
	if c.dial != nil {
		c.dial.cancel()
		c.dial = nil
	}
	c.w = nil
	c.dropQueue()
	if c.flags&wasAccepted != 0 {
		c.lis.left(c)
	}
	if !there {
		if c.lis.Failed != nil {
			c.lis.Failed(c.remote, c.why)
		}
	} else {
		c.h.Close(c, c.why)
	}
	c.in.release(&l.pool)
	l.drained()
}
