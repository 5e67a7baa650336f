package netio

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
)

// ErrStays says that a connection cannot be given to another process: it has TLS, is a UDP
// peer, is not up yet, or ends.
var ErrStays = errors.New("netio: the connection cannot leave")

// Left is a stream connection that a loop has given up, for another to go on with, in
// this process or in one that gets the file.
type Left struct {
	// File is a copy of its socket. It is the caller's.
	File *os.File
	// Unread are the bytes that were received and not consumed, the last Fresh of which no
	// handler was told of. Queued are those that were to be written.
	Unread, Queued []byte
	Fresh          int
}

// leaver is a wire that can be given away.
type leaver interface {
	// leave returns a copy of the socket, which is watched no more.
	leave() (*os.File, error)
}

// adopter is a backend that makes a wire of a socket that it is given.
type adopter interface {
	// It returns the peer's address too; none for a Unix socket.
	adopt(f *os.File) (wire, netip.AddrPort, error)
}

// Leave takes the connection out of the loop without a word to the peer: its handler is
// told Close, for the reason Stopped. [ErrStays] changes nothing.
func (c *Conn) Leave() (*Left, error) {
	const busy = connecting | isShaking | isPrelude | isHeld | isClosing | isClosed | flushClose | sawEOF | sawBroken | wantShut | didShut
	w, ok := c.w.(leaver)
	if !ok || c.flags&busy != 0 {
		return nil, ErrStays
	}
	f, err := w.leave()
	if err != nil {
		return nil, fmt.Errorf("netio: leave: %w", err)
	}
	left := &Left{File: f, Unread: append([]byte(nil), c.in.bytes()...), Queued: make([]byte, 0, c.out.n), Fresh: len(c.ahead)}
	left.Unread = append(left.Unread, c.ahead...)
	for _, b := range c.out.bufs(make([][]byte, 0, c.out.n/smallChunk+2), c.out.n) {
		left.Queued = append(left.Queued, b...)
	}
	c.ahead = nil
	c.dropQueue()
	c.fail(Reason{Why: Stopped})
	return left, nil
}

// Adopt has the loop go on with a connection that another left, as one of the listener's.
// h is not asked Accept, and is told of the unread bytes that are fresh; the others it
// finds there. begin, called first, may do to the connection what a handler may.
// Where a limit would be exceeded, that is an error, and the connection is closed.
func (ls *Listener) Adopt(left *Left, h Handler, begin func(*Conn)) error {
	l := ls.loop
	a, ok := l.io.(adopter)
	if !ok {
		return errors.Join(fmt.Errorf("netio: adopt: %w", errors.ErrUnsupported), left.File.Close())
	}
	w, from, err := a.adopt(left.File)
	if err = errors.Join(err, left.File.Close()); err != nil {
		return fmt.Errorf("netio: adopt: %w", err)
	}
	limit, count, counted := ls.enter(from.Addr(), false)
	if limit != "" {
		*count++
		w.close(false)
		return fmt.Errorf("netio: adopt: %w", Reason{Why: Limit, What: limit})
	}
	l.stats.Accepted++
	c := l.newConn(h, ls.sock.cfg.opt)
	c.flags |= inbound | wasAccepted
	if counted {
		c.flags |= isCounted
	}
	c.lis, c.w, c.remote, c.path = ls, w, from, ls.sock.door.path()
	w.attach(c.id)
	told := len(left.Unread) - max(0, min(left.Fresh, len(left.Unread)))
	if told > 0 {
		c.in.add(&l.pool, left.Unread[:told])
	}
	c.ahead = left.Unread[told:]
	begin(c)
	if len(left.Queued) > 0 {
		if err := c.Send(left.Queued); err != nil {
			return fmt.Errorf("netio: adopt: queue of %d bytes: %w", len(left.Queued), err)
		}
	}
	c.touch()
	return nil
}
