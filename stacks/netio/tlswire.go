package netio

import (
	"crypto/tls"
	"io"
	"net"
	"time"
)

const (
	// tlsBatch is how much is encrypted before it is written, and so how much of a queue
	// is in memory twice.
	tlsBatch = 64 << 10
	// tlsFeed is how much a read takes from the socket at most. With a record that was
	// begun before, what comes of it fits in the loop's read buffer.
	tlsFeed = 48 << 10
)

// tlsWire is a stream socket with TLS on it. What is read and written here is what
// the peers mean; under it, crypto/tls is given bytes that came and has those
// taken that are to go, without ever waiting: that it has nothing to read is a temporary
// error to it, after which it goes on (pinned by TestTLSPieces).
//
// Of a queue as much is reported as written as the socket took of it encrypted, so
// that a connection closes, measures and holds back as without TLS.
type tlsWire struct {
	wire
	loop *Loop
	conn *tls.Conn
	ends [2]net.Addr // local and remote
	hs   *handshake  // until it is over

	raw    []byte // what came and conn did not take; in the loop's buffer while reading
	asked  bool   // the socket was asked in this read
	more   bool   // conn may have something without the socket being ready
	failed error  // told when what came before it was

	pend  sendq // encrypted, to be written
	plain int   // bytes of the queue that are in pend or were
	batch int   // how long pend was with them
	owed  int   // how many of them were not reported
	ended bool  // close_notify is in pend, or was
}

// wouldBlock is a temporary error, which crypto/tls does not remember.
type wouldBlock struct{}

var errWouldBlock error = wouldBlock{}

func (wouldBlock) Error() string   { return "netio: would block" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

// under is the socket as crypto/tls sees it.
type under struct{ t *tlsWire }

// Read returns bytes that came.
func (u under) Read(p []byte) (int, error) {
	t := u.t
	if t.hs != nil {
		return t.hs.read(p)
	}
	if len(t.raw) == 0 && !t.asked {
		t.asked = true
		n, err := t.wire.read(t.loop.cipher[:tlsFeed])
		if err == errAgain {
			err = errWouldBlock
		}
		if err != nil {
			return 0, err
		}
		t.raw = t.loop.cipher[:n]
	}
	if len(t.raw) == 0 {
		return 0, errWouldBlock
	}
	n := copy(p, t.raw)
	t.raw = t.raw[n:]
	return n, nil
}

// Write queues bytes that go.
func (u under) Write(p []byte) (int, error) {
	if u.t.hs != nil {
		return u.t.hs.write(p), nil
	}
	u.t.queue(p)
	return len(p), nil
}

// Close does nothing: the socket is the loop's.
func (under) Close() error { return nil }

// LocalAddr returns this side's address.
func (u under) LocalAddr() net.Addr { return u.t.ends[0] }

// RemoteAddr returns the peer's; a client's sessions are remembered under it.
func (u under) RemoteAddr() net.Addr { return u.t.ends[1] }

// SetDeadline does nothing: deadlines are the loop's.
func (under) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (under) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (under) SetWriteDeadline(time.Time) error { return nil }

func (t *tlsWire) queue(p []byte) {
	t.pend.add(&t.loop.pool, p)
	t.loop.queued += len(p)
}

// read decrypts what came, as much as fits in p.
func (t *tlsWire) read(p []byte) (n int, err error) {
	if t.failed != nil {
		return 0, t.failed
	}
	t.asked = false
	for n < len(p) && err == nil {
		var m int
		m, err = t.conn.Read(p[n:])
		n += m
	}
	if t.asked && len(t.raw) > 0 {
		t.raw = append([]byte(nil), t.raw...) // out of the loop's buffer
	}
	switch err {
	case nil:
	case errWouldBlock:
		err = errAgain
	case io.EOF:
		t.failed = err
	default:
		err = dataReason(err)
		t.failed = err
	}
	t.more = err == nil || t.failed != nil && n > 0
	if n > 0 {
		err = nil
	}
	return n, err
}

// write encrypts and writes, and reports what of bufs the socket took.
func (t *tlsWire) write(bufs [][]byte) (n int, err error) {
	skip := t.owed // of bufs, what is encrypted
	for {
		err = t.push()
		n += t.settled()
		if err != nil {
			break
		}
		if err = t.encrypt(bufs, skip); err != nil || t.plain == 0 {
			break
		}
		skip += t.plain
	}
	if n > 0 && err == errAgain {
		err = nil
	}
	return n, err
}

// encrypt encrypts the next of bufs, of which skip bytes were before. Nothing waits.
func (t *tlsWire) encrypt(bufs [][]byte, skip int) error {
	t.plain = 0
	for _, b := range bufs {
		if skip >= len(b) {
			skip -= len(b)
			continue
		}
		b = b[skip:]
		skip = 0
		m, err := t.conn.Write(b[:min(len(b), tlsBatch-t.plain)])
		if t.plain += m; err != nil {
			return dataReason(err)
		}
		if t.plain == tlsBatch {
			break
		}
	}
	t.owed, t.batch = t.plain, t.pend.n
	return nil
}

// settled returns how many bytes of the queue went since it was asked last: of a
// batch that is written in part, that part.
func (t *tlsWire) settled() int {
	if t.owed == 0 {
		return 0
	}
	left := 0
	if t.pend.n > 0 {
		left = max(1, int(int64(t.plain)*int64(t.pend.n)/int64(t.batch)))
	}
	n := max(0, t.owed-left)
	t.owed -= n
	return n
}

// push writes what is encrypted.
func (t *tlsWire) push() error {
	for t.pend.n > 0 {
		bufs := t.pend.bufs(t.loop.tlsVec[:0], turnWrite)
		n, err := t.wire.write(bufs)
		if n > 0 {
			t.pend.discard(&t.loop.pool, n)
			t.loop.queued -= n
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errAgain
		}
	}
	return nil
}

// notified says to the peer that nothing more comes (close_notify), and reports
// whether that is written, or cannot be.
func (t *tlsWire) notified() bool {
	if !t.ended {
		t.ended = true
		// It fails where TLS itself did, and then the peer knows.
		_ = t.conn.CloseWrite()
	}
	return t.push() != errAgain
}

// close gives the socket back.
func (t *tlsWire) close(reset bool) {
	if t.hs != nil {
		t.hs.end(ErrClosed)
	}
	if !reset && t.pend.n > 0 {
		_ = t.push() // an alert says to the peer what was wrong
	}
	t.drop()
	t.wire.close(reset)
}

// drop forgets what is queued.
func (t *tlsWire) drop() {
	t.loop.queued -= t.pend.n
	t.pend.clear(&t.loop.pool)
	t.raw = nil
}
