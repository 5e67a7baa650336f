package sock

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// moves a connection from one mover to another over a pipe.
func handOff(t *testing.T, from, to *Mover, fd int, opt RestoreOptions, accept func(*Offer, *RestoreOptions) error) (*Restored, error, error) {
	t.Helper()
	a, b := socketPair(t)
	type result struct {
		r   *Restored
		err error
	}
	got := make(chan result, 1)
	go func() {
		r, err := to.Receive(b, opt, accept)
		got <- result{r, err}
	}()
	_, err := from.HandOff(a, fd, CheckpointOptions{})
	res := <-got
	return res.r, res.err, err
}

func socketPair(t *testing.T) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	must(t, err)
	defer l.Close()
	a, err := net.Dial("unix", l.Addr().String())
	must(t, err)
	b, err := l.Accept()
	must(t, err)
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a, b
}

// TestHandOff moves a connection back and forth between two movers in one namespace.
func TestHandOff(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) {
			movers := [2]*Mover{mover(t), mover(t)}
			e := connect(t, ns, f)
			before := resets(t, ns)
			fd := e.a
			for i := range 4 {
				msg := noise(50_000)
				recv := put(t, e.b, msg)
				r, err, err2 := handOff(t, movers[i%2], movers[1-i%2], fd, RestoreOptions{Namespace: nsPath(t, ns)}, nil)
				if err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
				fd = r.FD
				must(t, unix.SetNonblock(fd, false))
				patience(t, fd)
				want(t, fd, recv)
				say(t, fd, []byte("answer"))
				want(t, e.b, []byte("answer"))
			}
			if n := resets(t, ns) - before; n != 0 {
				t.Errorf("%d resets", n)
			}
			must(t, unix.Close(fd))
		})
	}
}

// TestHandOffRefused wants the connection to live on at the source when the target
// will not have it: before it was touched, and after all of it was sent.
func TestHandOffRefused(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	from, to := mover(t), mover(t)
	e := connect(t, ns, families()[0])
	no := errors.New("no room")
	_, err, err2 := handOff(t, from, to, e.a, RestoreOptions{Namespace: nsPath(t, ns)}, func(*Offer, *RestoreOptions) error { return no })
	if !errors.Is(err, no) || !errors.Is(err2, ErrRefused) {
		t.Fatal(err, err2)
	}
	say(t, e.b, []byte("one"))
	want(t, e.a, []byte("one"))
	opt := RestoreOptions{Namespace: nsPath(t, ns), Observe: func(p *Progress) error {
		if p.Step == StepQueues {
			return no
		}
		return nil
	}}
	_, err, err2 = handOff(t, from, to, e.a, opt, nil)
	if !errors.Is(err, no) || !errors.Is(err2, ErrRefused) {
		t.Fatal(err, err2)
	}
	say(t, e.b, []byte("two"))
	want(t, e.a, []byte("two"))
	say(t, e.a, []byte("three"))
	want(t, e.b, []byte("three"))
	must(t, unix.Close(e.a))
}

// TestHandOffBroken breaks the stream after each of the target's messages.
func TestHandOffBroken(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	e := connect(t, ns, families()[0])
	a, b := socketPair(t)
	go func(b net.Conn) {
		var offer Offer
		_ = hearMessage(b, msgOffer, &offer)
		_ = b.Close()
	}(b)
	if _, err := m.HandOff(a, e.a, CheckpointOptions{}); err == nil {
		t.Fatal("no error")
	}
	say(t, e.b, []byte("one"))
	want(t, e.a, []byte("one"))
	a, b = socketPair(t)
	go func(b net.Conn) {
		var offer Offer
		_ = hearMessage(b, msgOffer, &offer)
		_ = sayMessage(b, msgReady, struct{}{})
		_, _ = io.ReadFull(b, make([]byte, 100))
		_ = b.Close()
	}(b)
	start := time.Now()
	_, err := m.HandOff(a, e.a, CheckpointOptions{})
	if err == nil || time.Since(start) > 30*time.Second {
		t.Fatal(err)
	}
	if !errors.Is(err, ErrUncertain) { // it broke before all was sent
		say(t, e.b, []byte("two"))
		want(t, e.a, []byte("two"))
	}
}
