package netio

import (
	"net/netip"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio/proxyproto"
)

// flags are a connection's state.
type flags uint32

const (
	connecting  flags = 1 << iota // not decided; resolving while there is no wire
	inbound                       // it was accepted
	isHeld                        // accepted with Hold and not resumed
	isPaused                      // by Pause
	recvFull                      // RecvLimit is reached
	sendFull                      // SendHigh was reached and SendLow not yet
	sawEOF                        // the end of the peer's stream was read
	sawGone                       // it is known to come, while reading is paused
	sawHung                       // so did ours
	sawBroken                     // nothing can be written any more
	wantShut                      // end our stream when the queue is written
	didShut                       // it is ended
	flushClose                    // close when the queue is written
	isClosing                     // to be closed in this turn
	isClosed                      // Close was told
	isTouched                     // in Loop.touched
	isLater                       // in Loop.later
	tellQuit                      // the loop drains, and the handler was not told
	tellConnect                   // connected, or not, without waiting
	byReset                       // close with a reset
	wasAccepted                   // it counts with the budget
	gramCut                       // the datagram in hand was longer than its buffer
	closeAsked                    // the reason is decided
	isDuplex                      // read although its own queue is full
	isShaking                     // its TLS handshake is not over
	isMore                        // in Loop.more
	isPrelude                     // what stands before TLS, and all else, is not over
	isCounted                     // it counts with its address
	mayRead                       // the socket told of bytes, and may have some still
	sawUrgent                     // a short read does not mean that it has not
)

// Conn is a stream connection or a UDP peer. Its methods want the loop's shard
// entered. Those that write, close or change what is read take effect at the end
// of the current turn; when a connection ended they do nothing.
type Conn struct {
	// Data is its user's.
	Data any

	loop  *Loop
	h     Handler
	opt   *Options
	lis   *Listener
	dial  *dialing // while connecting
	w     wire
	tls   *tlsWire // w, if it has TLS
	peer  *peer    // of a UDP peer
	id    ID
	flags flags
	want  interest

	in    inbuf
	out   sendq
	ahead []byte // came before and is read next

	prelude *prelude // while isPrelude
	proxied *proxyproto.Header

	remote, local  netip.AddrPort
	path           string
	asked          string // the name in a hello that was passed on
	why            Reason
	timer          event.Timer
	began          int64 // event time
	active         int64 // of the last byte
	moved          int64 // when the queue began or moved last
	left           int64 // when the peer was seen to leave while not read
	until          int64 // the deadline that the user set
	untilWhat      string
	nread, nwriten uint64
	lastWrite      uint64 // the turn of the last write
}

// ID returns the connection's name in its loop, which no other ever has.
func (c *Conn) ID() ID { return c.id }

// Loop returns the loop that drives c.
func (c *Conn) Loop() *Loop { return c.loop }

// Remote returns the peer's address; none for a Unix socket and while resolving.
func (c *Conn) Remote() netip.AddrPort { return c.remote }

// Local returns the address of this side; none for a Unix socket.
func (c *Conn) Local() netip.AddrPort {
	if !c.local.IsValid() && c.w != nil && c.path == "" {
		c.local = c.w.local()
	}
	return c.local
}

// Path returns the path of a Unix socket's listener.
func (c *Conn) Path() string { return c.path }

// Listener returns the listener that accepted c, nil for others.
func (c *Conn) Listener() *Listener { return c.lis }

// Inbound reports whether the peer began.
func (c *Conn) Inbound() bool { return c.flags&inbound != 0 }

// Datagrams reports whether c is a UDP peer.
func (c *Conn) Datagrams() bool { return c.peer != nil }

// Open reports whether c is connected and neither closed nor about to be.
func (c *Conn) Open() bool { return c.flags&(connecting|isClosing|isClosed|flushClose) == 0 }

// Began returns event time at accept or dial; Active of the last byte either way.
func (c *Conn) Began() int64 { return c.began }

// Active returns event time of the last byte either way.
func (c *Conn) Active() int64 { return c.active }

// Counts returns how many bytes were received and written.
func (c *Conn) Counts() (in, out uint64) { return c.nread, c.nwriten }

// Handle makes h the connection's handler from the next call on.
func (c *Conn) Handle(h Handler) { c.h = h }

// Bytes returns what was received and not consumed. It is lent until the handler
// returns, or until the next call that consumes.
func (c *Conn) Bytes() []byte { return c.in.bytes() }

// Len returns how many bytes were received and not consumed.
func (c *Conn) Len() int { return c.in.len() }

// Truncated reports whether the datagram that Recv told was longer than what is
// there of it.
func (c *Conn) Truncated() bool { return c.flags&gramCut != 0 }

// Discard consumes the first n bytes, or all if there are fewer, and returns how many.
func (c *Conn) Discard(n int) int {
	n = max(0, min(n, c.in.len()))
	if n == 0 {
		return 0
	}
	c.in.discard(&c.loop.pool, n)
	if c.flags&recvFull != 0 && c.in.len() < c.opt.RecvLimit {
		c.flags &^= recvFull
		c.left = 0
		c.touch()
	}
	return n
}

// Queued returns how many bytes wait to be written.
func (c *Conn) Queued() int { return c.out.n }

// Send queues p, which is copied; to a UDP peer it is one datagram. Nothing is
// written before the handler returns. [ErrLimit] means that SendMax or the loop's
// bound was exceeded: p is dropped and the connection will close. [ErrClosed] means
// that it is closing or that its own stream is ended already.
func (c *Conn) Send(p []byte) error {
	if c.flags&(isClosing|isClosed|wantShut|sawBroken) != 0 {
		return ErrClosed
	}
	if c.peer != nil {
		return c.peer.sock.sendFrom(p, c.remote, c.local.Addr(), c.id)
	}
	if len(p) == 0 {
		return nil
	}
	l := c.loop
	if what := c.exceeds(len(p)); what != "" {
		l.stats.SendLimit++
		c.fail(Reason{Why: Limit, What: what})
		return ErrLimit
	}
	if c.out.n == 0 {
		c.moved = l.time()
	}
	c.out.add(&l.pool, p)
	l.queued += len(p)
	c.touch()
	return nil
}

// exceeds names the limit that n more queued bytes would exceed.
func (c *Conn) exceeds(n int) string {
	switch {
	case c.out.n+n > c.opt.SendMax:
		return "send"
	case c.loop.queued+n > c.loop.cfg.SendTotal:
		return "memory"
	}
	return ""
}

// Pause stops reading until Resume: the peer feels it when the kernel's buffers
// are full. That it leaves is noticed meanwhile.
func (c *Conn) Pause() {
	c.flags |= isPaused
	c.touch()
}

// Resume reads again after Pause or Hold.
func (c *Conn) Resume() {
	c.flags &^= isPaused | isHeld
	c.left = 0
	c.touch()
}

// Shutdown ends this side's stream when the queue is written; reading goes on.
func (c *Conn) Shutdown() {
	c.flags |= wantShut
	c.touch()
}

// Close closes the connection when the queue is written. Until then it is read,
// and more can be queued.
func (c *Conn) Close() { c.CloseWith(Reason{}) }

// CloseWith is Close for a reason of the caller's.
func (c *Conn) CloseWith(why Reason) {
	if c.flags&closeAsked == 0 {
		c.why = why
	}
	c.flags |= flushClose | closeAsked
	c.touch()
}

// Keep takes Close back, if the connection is not closed yet.
func (c *Conn) Keep() {
	if c.flags&(isClosing|isClosed) == 0 && c.flags&flushClose != 0 {
		c.flags &^= flushClose | closeAsked
		c.why = Reason{}
	}
}

// Duplex says whether the connection is read although its queue is full. Who sends
// on what it reads to another connection, and pauses it when that one is full,
// wants so: two ends that wait for each other to read would wait for ever.
func (c *Conn) Duplex(on bool) {
	c.flags &^= isDuplex
	if on {
		c.flags |= isDuplex
	}
	c.touch()
}

// Abort closes the connection in this turn, for that reason, and drops the queue.
func (c *Conn) Abort(why Reason) { c.fail(why) }

// Reset is Abort with a reset (RST) to the peer.
func (c *Conn) Reset() { c.ResetWith(Reason{}) }

// ResetWith is Reset for a reason of the caller's.
func (c *Conn) ResetWith(why Reason) {
	c.flags |= byReset
	c.fail(why)
}

// Deadline closes the connection with reason timeout:what at that time from now,
// whatever comes meanwhile. One holds at a time; zero time or less takes it away.
func (c *Conn) Deadline(what string, in time.Duration) {
	c.until, c.untilWhat = 0, ""
	if in > 0 {
		c.until, c.untilWhat = c.loop.time()+int64(in), what
	}
	c.touch()
}

// touch has the loop look at c at the end of the turn.
func (c *Conn) touch() {
	if c.flags&(isTouched|isClosing|isClosed) != 0 {
		return
	}
	c.flags |= isTouched
	c.loop.touched = append(c.loop.touched, c)
	c.loop.stir()
}

// fail closes c at the end of the turn. The first reason holds, but
// that something went wrong is worth more than that the end was wanted.
func (c *Conn) fail(why Reason) {
	if c.flags&(isClosing|isClosed) != 0 {
		return
	}
	if c.flags&closeAsked == 0 || c.why.Why <= EOF && why.Why > EOF {
		c.why = why
	}
	c.flags |= isClosing | closeAsked
	c.loop.closing = append(c.loop.closing, c)
	c.loop.stir()
}
