package trace_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/trace"
)

// gate is a file that takes nothing until it is opened.
type gate struct {
	mu      sync.Mutex
	entered chan struct{}
	open    chan struct{}
	got     bytes.Buffer
	err     error
	closed  bool
}

func (g *gate) Write(p []byte) (int, error) {
	select {
	case g.entered <- struct{}{}:
	default:
	}
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return 0, g.err
	}
	return g.got.Write(p)
}

func (g *gate) Close() error { g.closed = true; return nil }

func newGate() *gate { return &gate{entered: make(chan struct{}, 1), open: make(chan struct{})} }

func outlet(t *testing.T, limit int, files ...*gate) *trace.Outlet {
	t.Helper()
	o, err := trace.NewOutlet(func() (io.WriteCloser, error) {
		if len(files) == 0 {
			return nil, errors.New("no file left")
		}
		f := files[0]
		files = files[1:]
		return f, nil
	}, limit)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func write(t *testing.T, o *trace.Outlet, text string) {
	t.Helper()
	if n, err := io.WriteString(o, text); n != len(text) || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
}

// TestOutletDropsWholeLines checks that a reader who is too slow sees whole lines,
// wherever the writes were cut, and that each missing one is counted.
func TestOutletDropsWholeLines(t *testing.T) {
	t.Parallel()
	for size := 1; size < 40; size++ {
		g := newGate()
		o := outlet(t, 200, g)
		var all strings.Builder
		const lines = 100
		for i := range lines {
			fmt.Fprintf(&all, "line number %d\n", i)
		}
		for rest := all.String(); rest != ""; {
			n := min(size, len(rest))
			write(t, o, rest[:n])
			rest = rest[n:]
		}
		close(g.open)
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		got := strings.SplitAfter(g.got.String(), "\n")
		got = got[:len(got)-1]
		for _, l := range got {
			if !strings.HasPrefix(l, "line number ") || !strings.Contains(all.String(), l) {
				t.Errorf("writes of %d: %q", size, l)
			}
		}
		if n := o.Dropped(); n == 0 || int(n)+len(got) != lines || !g.closed {
			t.Errorf("writes of %d: %d lines, %d dropped", size, len(got), n)
		}
	}
}

// TestOutletReopen checks that a rotated file has whole lines and nothing is lost.
func TestOutletReopen(t *testing.T) {
	t.Parallel()
	a, b := newGate(), newGate()
	close(a.open)
	close(b.open)
	o := outlet(t, 0, a, b)
	write(t, o, "one\ntw")
	if err := o.Reopen(); err != nil {
		t.Fatal(err)
	}
	write(t, o, "o\nthree\n")
	if err := o.Reopen(); err == nil || !strings.Contains(err.Error(), "no file left") {
		t.Errorf("%v", err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if first, all := a.got.String(), a.got.String()+b.got.String(); all != "one\ntwo\nthree\n" || first != "" && !strings.HasSuffix(first, "\n") || !a.closed || !b.closed {
		t.Errorf("%q, %q", &a.got, &b.got)
	}
	if _, err := io.WriteString(o, "late\n"); !errors.Is(err, trace.ErrClosedOutlet) {
		t.Errorf("%v", err)
	}
}

// TestOutletFailure checks that a pipe which nobody reads on is told to who writes.
func TestOutletFailure(t *testing.T) {
	t.Parallel()
	g := newGate()
	g.err = io.ErrClosedPipe
	o := outlet(t, 0, g)
	write(t, o, "one\n")
	close(g.open)
	if err := o.Close(); !errors.Is(err, io.ErrClosedPipe) || !errors.Is(o.Err(), io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
}

// TestOutletRoom checks that who may wait does, until there is room.
func TestOutletRoom(t *testing.T) {
	t.Parallel()
	g := newGate()
	o := outlet(t, 64, g)
	write(t, o, "is being written\n")
	<-g.entered
	for range 3 {
		write(t, o, "waits for room\n")
	}
	roomy := make(chan struct{})
	go func() { o.Room(); close(roomy) }()
	select {
	case <-roomy:
		t.Error("there is no room")
	case <-time.After(10 * time.Millisecond):
	}
	close(g.open)
	<-roomy
	if err := o.Close(); err != nil || o.Dropped() != 0 {
		t.Errorf("%v, %d dropped", err, o.Dropped())
	}
}
