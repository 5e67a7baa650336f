package loop

import (
	"errors"
	"fmt"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/netio"
)

var (
	errNoSocket = errors.New("loop: it has no bytes: it is a listener or a timer")
	errNoTime   = errors.New("loop: the time has passed already")
)

// stream returns why bytes cannot be read from c or sent to it.
func (c *Conn) stream() error {
	switch {
	case c.over:
		return errEnded
	case c.c == nil:
		return errNoSocket
	}
	return nil
}

// Queued returns how many bytes wait to be written.
func (c *Conn) Queued() uint64 {
	if c.c == nil {
		return 0
	}
	return uint64(c.c.Queued())
}

// Send queues bytes, which are copied.
func (c *Conn) Send(_ *event.Caller, b []byte) (uint64, error) {
	if err := c.Write1(b); err != nil {
		return 0, err
	}
	return uint64(c.c.Queued()), nil
}

// Write1 queues bytes, which are copied: Send for sessions.
func (c *Conn) Write1(b []byte) error {
	if err := c.stream(); err != nil {
		return err
	}
	return c.c.Send(b)
}

// Close closes the connection when its queue is written.
func (c *Conn) Close(by *event.Caller) error { return c.SetSendAndClose(by, true) }

// SendAndClose reports whether it closes when its queue is written.
func (c *Conn) SendAndClose() bool { return c.flags&sendAndClose != 0 }

// SetSendAndClose says whether it closes when its queue is written.
func (c *Conn) SetSendAndClose(_ *event.Caller, on bool) error {
	if c.over {
		return errEnded
	}
	c.set(sendAndClose, on)
	switch {
	case c.c == nil && on:
		c.endSoon(netio.Reason{})
	case c.c == nil:
	case on:
		c.c.Close()
	default:
		c.c.Keep()
	}
	return nil
}

// CloseImmediately reports whether it closes in this turn.
func (c *Conn) CloseImmediately() bool { return c.flags&closeNow != 0 }

// SetCloseImmediately closes it in this turn; that cannot be taken back.
func (c *Conn) SetCloseImmediately(_ *event.Caller, on bool) error {
	switch {
	case c.over:
		return errEnded
	case !on && c.flags&closeNow != 0:
		return errors.New("loop: it closes already")
	case !on:
	case c.c == nil:
		c.set(closeNow, true)
		c.endSoon(netio.Reason{})
	default:
		c.set(closeNow, true)
		c.c.Abort(netio.Reason{})
	}
	return nil
}

// Abort closes the connection in this turn and drops what is queued.
func (c *Conn) Abort(by *event.Caller) error { return c.SetCloseImmediately(by, true) }

// Reset closes the connection in this turn with a reset to the peer.
func (c *Conn) Reset(by *event.Caller) error {
	if c.c == nil {
		return c.Abort(by)
	}
	if c.over {
		return errEnded
	}
	c.c.Reset()
	return nil
}

// endSoon ends what has no connection below, when the running handler returned.
func (c *Conn) endSoon(why netio.Reason) {
	if c.socket != nil {
		c.socket.Close()
	}
	if !c.ending {
		c.ending = true
		c.stack.post(func() { c.finish(why) })
	}
}

// Shutdown ends this side's stream when the queue is written.
func (c *Conn) Shutdown(*event.Caller) error {
	if err := c.stream(); err != nil {
		return err
	}
	c.c.Shutdown()
	return nil
}

// Pause stops reading; of a listener, accepting.
func (c *Conn) Pause(*event.Caller) error {
	switch {
	case c.over:
		return errEnded
	case c.socket != nil:
		c.socket.Pause()
	case c.c == nil:
		return errNoSocket
	default:
		c.c.Pause()
	}
	c.set(paused, true)
	return nil
}

// Resume reads again, after Pause or a verdict that held it.
func (c *Conn) Resume(*event.Caller) error {
	switch {
	case c.over:
		return errEnded
	case c.socket != nil:
		c.socket.Resume()
	case c.c == nil:
		return errNoSocket
	case c.flags&isHeld != 0:
		c.goAhead(true)
	case c.pair != nil && c.pair.stalled(c):
	default:
		c.c.Resume()
	}
	c.set(paused, false)
	return nil
}

func (c *Conn) set(f flags, on bool) {
	c.flags &^= f
	if on {
		c.flags |= f
	}
}

// WSNoDefrag reports whether WebSocket messages are told in fragments.
func (c *Conn) WSNoDefrag() bool { return c.flags&noDefrag != 0 }

// SetWSNoDefrag says whether they are.
func (c *Conn) SetWSNoDefrag(_ *event.Caller, on bool) error {
	c.set(noDefrag, on)
	return nil
}

// DeleteChunk reports whether the chunk that was told is not kept.
func (c *Conn) DeleteChunk() bool { return c.flags&deleteChunk != 0 }

// SetDeleteChunk says whether it is not.
func (c *Conn) SetDeleteChunk(_ *event.Caller, on bool) error {
	c.set(deleteChunk, on)
	return nil
}

// Timer has loop.timer raised at a time from now; false or nil takes that back.
func (c *Conn) Timer(_ *event.Caller, in any) error {
	if c.over {
		return errEnded
	}
	timers := c.stack.sh.Timers()
	if off, ok := in.(bool); in == nil || ok && !off {
		timers.Stop(&c.until)
		c.owed &^= owesTimer
		return nil
	}
	var d time.Duration
	if err := plain.SetDuration(&d, in); err != nil {
		return fmt.Errorf("loop: timer: %w", err)
	}
	if d < 0 {
		return errNoTime
	}
	timers.Arm(&c.until, c.stack.now()+int64(d), c.ring)
	c.stack.io.Stir()
	return nil
}

// ring is the end of a timer's time.
func (c *Conn) ring(int64) {
	c.due = c.until.When()
	c.owed |= owesTimer
	c.deliver()
}

// Deadline closes the connection at a time from now.
func (c *Conn) Deadline(_ *event.Caller, in time.Duration, hasIn bool) error {
	if err := c.stream(); err != nil {
		return err
	}
	if hasIn && in <= 0 {
		return errNoTime
	}
	c.c.Deadline("script", in)
	return nil
}

// Use gives the connection's bytes to a protocol from now on, or to none.
func (c *Conn) Use(_ *event.Caller, name string) error {
	if err := c.stream(); err != nil {
		return err
	}
	if name == "" {
		c.Swap(nil, nil)
		return nil
	}
	p := c.stack.group.protocols[name]
	if p == nil {
		return fmt.Errorf("loop: there is no protocol %s", plain.Describe(name))
	}
	s, err := p.Attach(c, nil)
	if err != nil {
		return fmt.Errorf("loop: use %s: %w", name, err)
	}
	c.Swap(p, s)
	return nil
}

// Swap makes s, of protocol p, the connection's session: an upgrade. The one before
// is told Detach, and bytes that are left go to s when the running handler or session
// returned. nil is none.
func (c *Conn) Swap(p Protocol, s Session) {
	if c.session != nil {
		c.session.Detach(c)
	}
	c.session, c.proto = s, p
	c.owed |= owesParse
	c.soon()
}

// soon delivers what is owed when nothing runs that it could interrupt.
func (c *Conn) soon() {
	if !c.posted {
		c.posted = true
		c.stack.post(func() {
			c.posted = false
			c.deliver()
		})
	}
}

// datagram is what came from a UDP peer. Where it cannot be told now it is kept, as
// far as there is room; what a handler that waits did not consume is kept for it.
func (c *Conn) datagram(n int) {
	if c.reader != nil {
		if c.feedReader(); c.c.Len() == 0 {
			return
		}
	}
	if c.holds > 0 || c.busy || c.flags&isHeld != 0 || len(c.grams) > 0 {
		if len(c.grams) >= maxGrams {
			c.stack.group.counts.grams.Add(1)
			return
		}
		c.grams = append(c.grams, append(make([]byte, 0, n), c.c.Bytes()...))
		return
	}
	c.fresh = n
	c.owed |= owesRecv
	c.deliver()
	if c.holds > 0 && c.c.Len() > 0 {
		c.gram = append(make([]byte, 0, c.c.Len()), c.c.Bytes()...)
	}
}

// nextGram drops what is left of a datagram that was kept and takes up the next.
func (c *Conn) nextGram() {
	c.gram = nil
	if len(c.grams) > 0 {
		c.gram = c.grams[0]
		c.grams = c.grams[1:]
		c.fresh = len(c.gram)
		c.owed |= owesRecv
	}
}
