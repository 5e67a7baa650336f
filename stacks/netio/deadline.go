package netio

// deadline is a time and the reason to close at it.
type deadline struct {
	when int64
	what string
}

// next returns the earliest of a connection's deadlines; none has when 0.
func (c *Conn) next() deadline {
	var d deadline
	earlier := func(since int64, span int64, what string) {
		if when := since + span; span > 0 && (d.when == 0 || when < d.when) {
			d = deadline{when, what}
		}
	}
	o := c.opt
	if c.flags&isPrelude != 0 {
		earlier(c.prelude.began, int64(o.Handshake), "handshake")
	} else if c.flags&isShaking != 0 {
		earlier(c.tls.hs.began, int64(o.Handshake), "handshake")
	} else if c.flags&connecting != 0 {
		earlier(c.began, int64(o.Connect), "connect")
		if c.dial != nil && c.dial.attemptBy != 0 {
			earlier(c.dial.attemptBy-1, 1, "attempt")
		}
	} else {
		earlier(c.active, int64(o.Idle), "idle")
		if c.out.n > 0 || c.tls != nil && c.tls.pend.n > 0 {
			earlier(c.moved, int64(o.Send), "send")
		}
		if c.flags&isHeld != 0 {
			earlier(c.began, int64(o.Hold), "hold")
		}
		if c.left != 0 && !c.reading() {
			earlier(c.left, max(1, int64(o.Linger)), "linger")
		}
	}
	if c.until != 0 {
		earlier(c.until-1, 1, c.untilWhat)
	}
	return d
}

// schedule arms the connection's timer for its earliest deadline. Deadlines that
// only moved later leave the timer as it is: it looks again when it runs, so that
// traffic costs no work in the queue.
func (c *Conn) schedule() {
	d := c.next()
	if d.when != 0 && (!c.timer.Armed() || d.when < c.timer.When()) {
		c.loop.sh.Timers().Arm(&c.timer, d.when, c.expire)
	}
}

// expire closes the connection if a deadline is over.
func (c *Conn) expire(now int64) {
	d := c.next()
	switch {
	case c.flags&(isClosing|isClosed) != 0 || d.when == 0:
	case d.when > now:
		c.schedule()
	case d.what == "linger":
		c.giveUp()
	case d.what == "attempt":
		c.nextTarget(Reason{Why: Timeout, What: "connect"})
		c.touch()
	case c.flags&isPrelude != 0:
		c.failPrelude(Reason{Why: Timeout, What: d.what})
	case c.flags&isShaking != 0:
		if err := c.tls.hs.failed; err != nil {
			c.failHandshake(handshakeReason(err))
			return
		}
		c.failHandshake(Reason{Why: Timeout, What: d.what})
	case c.flags&connecting != 0:
		c.connectFailed(Reason{Why: Timeout, What: d.what})
	default:
		c.fail(Reason{Why: Timeout, What: d.what})
	}
}

// giveUp is about a peer that left long ago and whose bytes nobody takes: that it
// ended is told now, although it was not read to its end.
func (c *Conn) giveUp() {
	c.left = 0
	if c.flags&sawBroken != 0 {
		c.dropQueue()
		c.fail(Reason{Why: Reset})
		return
	}
	c.flags |= sawEOF
	if half := c.h.EOF(c); !half {
		c.CloseWith(Reason{Why: EOF})
	}
	c.touch()
}
