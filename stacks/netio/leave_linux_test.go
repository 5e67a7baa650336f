package netio

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// TestLeave has one loop give a connection up, and another go on with it: what was not
// consumed is there, what was not written goes out, and its peer notices nothing.
func TestLeave(t *testing.T) {
	var logA, logB []string
	a, b := newRig(t, false), newRig(t, false)
	var c *Conn
	from := a.listen(&hooks{log: &logA, accept: func(n *Conn) Verdict { c = n; return Accept }}, Options{})
	peer := a.peer(from)
	write(t, peer, "part")
	a.logged(&logA, "recv 4")
	queued := strings.Repeat("0123456789", 600_000)
	a.do(func() {
		if err := c.Send([]byte(queued)); err != nil {
			t.Error(err)
		}
	})
	a.logged(&logA, "send ") // as much as the kernel takes

	f, err := from.Socket().File()
	if err != nil {
		t.Fatal(err)
	}
	var got string
	to := b.listen(&hooks{log: &logB, recv: func(n *Conn, _ int) {
		got = string(n.Bytes())
		n.Discard(n.Len())
	}}, Options{}, func(cfg *SocketConfig) { cfg.File = f })
	var left *Left
	a.do(func() { left, err = c.Leave() })
	if err != nil || string(left.Unread) != "part" || len(left.Queued) == 0 || left.Fresh != 0 {
		t.Fatalf("left %+v, %v", left, err)
	}
	a.logged(&logA, "close stopped")
	a.do(func() { from.Close() })
	b.do(func() { err = to.Adopt(left, to.h, func(n *Conn) { n.Data = "mine" }) })
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, peer, len(queued)); got != queued {
		t.Error("other bytes")
	}
	write(t, peer, "ial\n")
	b.logged(&logB, "recv 4")
	if b.do(func() {}); got != "partial\n" {
		t.Errorf("unread is %q", got)
	}
	// Those who come now are the second's.
	conn, err := net.Dial("tcp", to.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b.logged(&logB, "accept")
	_ = conn.Close()
	if err := peer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(peer); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	b.logged(&logB, "close eof")
	_ = f.Close()
}

// TestFresh wants bytes that no handler saw told, behind those that one did.
func TestFresh(t *testing.T) {
	var log []string
	a := newRig(t, false)
	var c *Conn
	ls := a.listen(&hooks{log: &log, accept: func(n *Conn) Verdict { c = n; return Accept }}, Options{})
	peer := a.peer(ls)
	write(t, peer, "seen")
	a.logged(&log, "recv 4")
	var err error
	a.do(func() {
		var left *Left
		if left, err = c.Leave(); err != nil {
			return
		}
		left.Unread, left.Fresh = append(left.Unread, "fresh"...), 5
		err = ls.Adopt(left, ls.h, func(*Conn) {})
	})
	if err != nil {
		t.Fatal(err)
	}
	a.logged(&log, "recv 5")
}

// TestStays wants connections to stay that cannot be given away, and unchanged.
func TestStays(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		var log []string
		r := newRig(t, portable)
		var c *Conn
		ls := r.listen(&hooks{log: &log, accept: func(n *Conn) Verdict { c = n; return Accept }, recv: echo}, Options{})
		peer := r.peer(ls)
		write(t, peer, "x")
		read(t, peer, 1)
		r.do(func() {
			if !portable {
				c.Shutdown()
			}
			if _, err := c.Leave(); !errors.Is(err, ErrStays) {
				t.Errorf("leave: %v", err)
			}
		})
		write(t, peer, "y")
		if portable {
			read(t, peer, 1)
		}
		_ = peer.Close()
		r.logged(&log, "close")
	})
}
