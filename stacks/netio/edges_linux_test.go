package netio

import (
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestUrgent has a byte come out of band, which ends a read before it: what comes behind it
// is read too, although nothing more comes that would tell of it.
func TestUrgent(t *testing.T) {
	r := newRig(t, false)
	var got []byte
	take := func(c *Conn, _ int) {
		got = append(got, c.Bytes()...)
		c.Discard(c.Len())
	}
	ls := r.listen(&hooks{recv: take}, Options{})
	for range 20 {
		c := r.peer(ls)
		r.do(func() {
			got = nil
			write(t, c, "ab")
			outOfBand(t, c, 'c')
			write(t, c, "de")
		})
		within(t, time.Minute, func() (all bool) { r.do(func() { all = len(got) == 4 }); return all }, "four bytes")
		write(t, c, "f")
		within(t, time.Minute, func() (all bool) { r.do(func() { all = string(got) == "abdef" }); return all }, "those and one more")
	}
}

func outOfBand(t *testing.T, c *net.TCPConn, b byte) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		failed := raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte{b}, unix.MSG_OOB, nil) })
		if err == nil {
			err = failed
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestPausedBetween pauses a connection in the turn in which bytes came on it, before it is
// their turn, and resumes it behind that: they are not forgotten.
func TestPausedBetween(t *testing.T) {
	r := newRig(t, false)
	var second *Conn
	var read atomic.Int32
	ls := r.listen(&hooks{recv: func(c *Conn, n int) {
		switch c.Bytes()[0] {
		case '2':
			second = c
			read.Add(int32(n))
		case 'p':
			second.Pause()
		case 'r':
			second.Resume()
		}
		c.Discard(n)
	}}, Options{})
	zero, one, two, three := r.peer(ls), r.peer(ls), r.peer(ls), r.peer(ls)
	for n := range int32(20) {
		write(t, two, "2")
		within(t, time.Minute, func() bool { return read.Load() == 2*n+1 }, "%d read", 2*n+1)
		r.do(func() {
			write(t, zero, "-") // the loop waits for the shard with this
			time.Sleep(2 * time.Millisecond)
			write(t, one, "p")
			write(t, two, "2")
			write(t, three, "r")
		})
		within(t, time.Minute, func() bool { return read.Load() == 2*n+2 }, "%d read", 2*n+2)
	}
}

// TestEndBehindBytes ends streams, or resets them, just behind bytes: those are read, and the end is told.
func TestEndBehindBytes(t *testing.T) {
	r := newRig(t, false)
	var bytes, ends atomic.Int32
	ls := r.listen(&hooks{
		recv:   func(c *Conn, n int) { bytes.Add(int32(n)); c.Discard(n) },
		closed: func(*Conn, Reason) { ends.Add(1) },
	}, Options{})
	for n := range int32(50) {
		c := r.peer(ls)
		end := func() {
			write(t, c, "x")
			if n%2 == 0 {
				_ = c.CloseWrite()
			} else if raw, err := c.SyscallConn(); err == nil {
				_ = raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
			}
		}
		if n%4 < 2 {
			r.do(end) // all of it before the loop looks
		} else {
			end()
		}
		within(t, time.Minute, func() bool { return ends.Load() == n+1 && bytes.Load() == n+1 }, "end %d", n+1)
	}
}
