package netio

import (
	"crypto/tls"
	"net"
	"slices"
	"sync"
)

// Bounds of a handshake. What a peer sends in it is bounded by crypto/tls; a peer that
// is done may go on with data, which waits.
const (
	handshakeIn = 64 << 10
	// helloHeader is the size of a record's header (RFC 8446 section 5.1), and
	// handshakeType the type of the records that a handshake begins with.
	helloHeader   = 5
	handshakeType = 22
)

// handshake is what a TLS connection needs until its keys are agreed on. crypto/tls
// waits in a handshake, so a goroutine runs it, which is given what came and whose
// output the loop takes. A server's begins when a whole record is there: who only
// connects costs no goroutine.
type handshake struct {
	c       *Conn
	began   int64 // event time
	started bool
	client  bool
	failed  error         // why it failed; the alert that says so is being written
	refused bool          // by who was asked about the hello
	gone    chan struct{} // closed when nothing more comes
	// undecided is told where the handshake ends before it is decided about its hello.
	undecided func()

	mu     sync.Mutex // guards the rest
	asks   HelloFunc  // until it was asked,
	seen   []byte     // and what the client said so far
	came   sync.Cond  // in or over changed
	in     []byte     // came and was not taken
	over   error      // nothing more comes
	full   bool       // the loop stopped reading
	out    []byte     // is to go
	posted bool       // the loop will look
}

// startTLS begins the handshake of a connection whose socket is connected.
func (c *Conn) startTLS(cfg *tls.Config, client bool) {
	l := c.loop
	t := &tlsWire{wire: c.w, loop: l, more: true}
	t.ends = [2]net.Addr{peerName(c.local, c.path), peerName(c.remote, c.path)}
	t.hs = &handshake{c: c, began: l.time(), client: client, in: c.ahead, gone: make(chan struct{})}
	c.ahead = nil
	if !client {
		t.hs.asks = c.lis.Hello
	}
	t.hs.came.L = &t.hs.mu
	if client {
		t.conn = tls.Client(under{t}, cfg)
	} else {
		t.conn = tls.Server(under{t}, cfg)
	}
	if l.cipher == nil {
		l.cipher, l.tlsVec = make([]byte, tlsFeed), make([][]byte, 0, cap(l.vec))
	}
	c.w, c.tls = t, t
	c.flags |= isShaking
	if client || t.hs.ready() {
		c.runHandshake()
	}
}

// runHandshake starts the goroutine. If there are too many, the oldest handshake is
// given up: those that are meant are over soon, so it is the peer's fault.
func (c *Conn) runHandshake() {
	l, t := c.loop, c.tls
	t.hs.started = true
	if len(l.shaking) > 64+2*l.shakers {
		l.shaking = slices.DeleteFunc(l.shaking, func(id ID) bool { return !l.isShaking(id) })
	}
	l.shaking = append(l.shaking, c.id)
	if l.shakers++; l.shakers > l.cfg.Handshakes {
		l.evictHandshake()
	}
	id, conn, hs := c.id, t.conn, t.hs
	l.live.Go(func() {
		err := conn.Handshake()
		l.repay(func() {
			l.shakers--
			if c := l.Conn(id); c != nil && c.flags&(isClosing|isClosed|isShaking) == isShaking && c.tls.hs == hs {
				c.shaken(err)
			}
		})
	})
}

// isShaking reports whether a connection is in its handshake.
func (l *Loop) isShaking(id ID) bool {
	c := l.Conn(id)
	return c != nil && c.flags&(isShaking|isClosing) == isShaking
}

func (l *Loop) evictHandshake() {
	i := slices.IndexFunc(l.shaking, l.isShaking)
	if i < 0 {
		return
	}
	c := l.Conn(l.shaking[i])
	l.shaking = slices.Delete(l.shaking, 0, i+1)
	c.failHandshake(Reason{Why: Limit, What: "handshakes"})
}

// read gives crypto/tls what came, and waits for it.
func (h *handshake) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.in) == 0 && h.over == nil {
		h.came.Wait()
	}
	if len(h.in) == 0 {
		return 0, h.over
	}
	n := copy(p, h.in)
	if h.asks != nil {
		h.seen = append(h.seen, p[:n]...)
	}
	if h.in = h.in[n:]; len(h.in) == 0 && h.full {
		h.full = false
		h.tell()
	}
	return n, nil
}

// write takes what is to go. A handshake's output is finite: nobody waits for the
// socket to take it.
func (h *handshake) write(p []byte) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.out = append(h.out, p...)
	h.tell()
	return len(p)
}

// tell has the loop look. The caller holds h.mu.
func (h *handshake) tell() {
	if h.posted {
		return
	}
	h.posted = true
	c := h.c
	id := c.id
	c.loop.repay(func() {
		if c := c.loop.Conn(id); c != nil && c.flags&isClosing == 0 && c.tls != nil && c.tls.hs == h {
			c.touch()
		}
	})
}

// end has the goroutine end. It is called in the loop's shard.
func (h *handshake) end(why error) {
	if tell := h.undecided; tell != nil {
		h.undecided = nil
		tell()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over == nil {
		h.over = why
	}
	select {
	case <-h.gone:
	default:
		close(h.gone)
	}
	h.came.Signal()
}

// feed reads what came for a handshake.
func (c *Conn) feed() {
	h := c.tls.hs
	h.mu.Lock()
	room := handshakeIn - len(h.in)
	h.mu.Unlock()
	if room > 0 {
		n, err := c.tls.wire.read(c.loop.cipher[:min(room, len(c.loop.cipher))])
		h.mu.Lock()
		if n > 0 {
			c.active = c.loop.time()
			h.in = append(h.in, c.loop.cipher[:n]...)
		}
		if err != nil && err != errAgain && h.over == nil {
			h.over = err
		}
		h.full = len(h.in) >= handshakeIn
		h.came.Signal()
		h.mu.Unlock()
	}
	switch {
	case h.started:
	case h.over != nil:
		c.failHandshake(Reason{Why: Handshake, What: "left", Err: h.over})
	case h.ready():
		c.runHandshake()
	}
}

// ready reports whether there is a whole record, or what cannot become one.
func (h *handshake) ready() bool {
	if len(h.in) < helloHeader {
		return len(h.in) > 0 && h.in[0] != handshakeType
	}
	size := int(h.in[3])<<8 | int(h.in[4])
	return h.in[0] != handshakeType || size > 16<<10 || len(h.in) >= helloHeader+size
}

// settleHandshake writes what the handshake wants to say, and says what of the
// socket matters while it lasts.
func (c *Conn) settleHandshake() {
	t := c.tls
	h := t.hs
	if c.flags&tellQuit != 0 && !h.client {
		c.fail(Reason{Why: Stopped})
		return
	}
	h.mu.Lock()
	t.queue(h.out)
	h.out, h.posted = nil, false
	full, over := h.full, h.over != nil
	h.mu.Unlock()
	err := t.push()
	switch {
	case h.failed != nil && err != errAgain:
		c.failHandshake(handshakeReason(h.failed))
		return
	case err != nil && err != errAgain:
		c.failHandshake(handshakeReason(err))
		return
	}
	var want interest
	if !full && !over {
		want = readable | gone
	}
	if t.pend.n > 0 {
		want |= writable
	}
	c.watchFor(want)
	c.schedule()
}

// failHandshake closes a connection that had none.
func (c *Conn) failHandshake(why Reason) {
	c.loop.stats.Handshakes.count(why)
	if c.flags&connecting != 0 {
		c.connectFailed(why)
		return
	}
	c.fail(why)
}

// shaken is the end of the handshake's goroutine. From here on the loop reads and
// writes.
func (c *Conn) shaken(err error) {
	l, t := c.loop, c.tls
	h := t.hs
	h.mu.Lock()
	out := h.out
	t.raw = h.in
	h.mu.Unlock()
	t.queue(out)
	if err != nil {
		if h.refused {
			err = Reason{Why: Handshake, What: "refused"}
		}
		h.failed = err
		h.end(ErrClosed)
		c.settle()
		return
	}
	t.hs = nil
	l.stats.Handshakes.Done++
	if t.conn.ConnectionState().DidResume {
		l.stats.Handshakes.Resumed++
	}
	c.flags &^= isShaking
	c.active = l.time()
	c.moved = c.active
	touched := c.flags & isTouched
	c.flags |= isTouched
	if c.flags&connecting != 0 {
		c.flags &^= connecting
		c.h.Connect(c, nil)
	} else {
		c.lis.offer(c)
	}
	c.flags = c.flags&^isTouched | touched
	c.settle()
}
