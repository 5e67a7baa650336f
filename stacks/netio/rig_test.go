package netio

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine/event"
)

// TestMain wants every goroutine ended; each rig looks at descriptors.
func TestMain(m *testing.M) {
	if mode := os.Getenv("NETIO_CHILD"); mode != "" {
		child(mode)
	}
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = ln.Close() // the runtime's own descriptors are there from now on
	}
	goleak.VerifyTestMain(m)
}

// both runs a test on both backends.
func both(t *testing.T, f func(t *testing.T, portable bool)) {
	t.Run("native", func(t *testing.T) { f(t, false) })
	t.Run("portable", func(t *testing.T) { f(t, true) })
}

// rig is a loop that runs.
type rig struct {
	t    testing.TB
	l    *Loop
	sh   *event.Shard
	stop func()
}

func newRig(t testing.TB, portable bool, change ...func(*Config)) *rig {
	t.Helper()
	before := openFiles()
	sh := event.NewShard(0)
	cfg := Config{Shard: sh, Portable: portable}
	for _, f := range change {
		f(&cfg)
	}
	if cfg.Budget == nil {
		cfg.Budget = NewBudget(0)
	}
	sh = cfg.Shard
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	r := &rig{t: t, l: l, sh: sh}
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the loop does not end")
		}
		if cfg.Budget.Used() != 0 {
			t.Errorf("%d connections counted after the end", cfg.Budget.Used())
		}
		cfg.Budget.Close()
		if l.open != 0 || l.slots.used != 0 || l.queued != 0 {
			t.Errorf("left at the end: %d connections, %d slots, %d bytes", l.open, l.slots.used, l.queued)
		}
	})
	t.Cleanup(func() {
		r.stop()
		within(t, time.Minute, func() bool { return openFiles() <= before }, "descriptors go back to %d", before)
	})
	return r
}

// do runs f in the shard.
func (r *rig) do(f func()) {
	r.sh.Enter()
	defer r.sh.Leave()
	f()
}

// openFiles counts the process's descriptors, 0 where that cannot be asked.
func openFiles() int {
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(d)
}

// within waits until f holds.
func within(t testing.TB, d time.Duration, f func() bool, what string, args ...any) {
	t.Helper()
	for end := time.Now().Add(d); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: "+what, append([]any{d}, args...)...)
		}
	}
}

// hooks is a handler made of functions; it notes what it was told.
type hooks struct {
	name string
	log  *[]string

	accept  func(c *Conn) Verdict
	connect func(c *Conn, err error)
	recv    func(c *Conn, n int)
	send    func(c *Conn, n int)
	eof     func(c *Conn) bool
	full    func(c *Conn, s Side)
	drained func(c *Conn)
	quit    func(c *Conn)
	closed  func(c *Conn, why Reason)
}

func (h *hooks) note(format string, args ...any) {
	if h.log != nil {
		*h.log = append(*h.log, h.name+fmt.Sprintf(format, args...))
	}
}

func (h *hooks) Accept(c *Conn) Verdict {
	h.note("accept")
	if h.accept != nil {
		return h.accept(c)
	}
	return Accept
}

func (h *hooks) Connect(c *Conn, err error) {
	if r, ok := err.(Reason); ok {
		h.note("connect %s", r.String())
	} else {
		h.note("connect %v", err)
	}
	if h.connect != nil {
		h.connect(c, err)
	}
}

func (h *hooks) Recv(c *Conn, n int) {
	h.note("recv %d", n)
	if h.recv != nil {
		h.recv(c, n)
	}
}

func (h *hooks) Send(c *Conn, n int) {
	h.note("send %d", n)
	if h.send != nil {
		h.send(c, n)
	}
}

func (h *hooks) EOF(c *Conn) bool {
	h.note("eof")
	return h.eof != nil && h.eof(c)
}

func (h *hooks) Full(c *Conn, s Side) {
	h.note("full %s", s)
	if h.full != nil {
		h.full(c, s)
	}
}

func (h *hooks) Drained(c *Conn) {
	h.note("drained")
	if h.drained != nil {
		h.drained(c)
	}
}

func (h *hooks) Quit(c *Conn) {
	h.note("quit")
	if h.quit != nil {
		h.quit(c)
	} else {
		c.Close()
	}
}

func (h *hooks) Close(c *Conn, why Reason) {
	h.note("close %s", why.String())
	if h.closed != nil {
		h.closed(c, why)
	}
}

// echo is a handler that sends back what it receives.
func echo(c *Conn, _ int) {
	b := c.Bytes()
	if c.Send(b) == nil {
		c.Discard(len(b))
	}
}

// listen serves h on a free port of 127.0.0.1.
func (r *rig) listen(h Handler, opt Options, change ...func(*SocketConfig)) *Listener {
	r.t.Helper()
	cfg := SocketConfig{Network: "tcp", Address: "127.0.0.1:0", Options: opt}
	for _, f := range change {
		f(&cfg)
	}
	var ls *Listener
	var err error
	r.do(func() { ls, err = r.l.Listen(cfg, h) })
	if err != nil {
		r.t.Fatal(err)
	}
	return ls
}

// peer connects to a listener from outside; nil if it was reset at once.
func (r *rig) peer(ls *Listener) *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", ls.Addr().String())
	if err != nil && reasonOf(err).Why == Reset {
		return nil
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*net.TCPConn)
}

// logged returns what handlers noted, when a line that begins with last is among it.
func (r *rig) logged(log *[]string, last string) []string {
	r.t.Helper()
	var got []string
	end := time.Now().Add(time.Minute)
	for {
		r.do(func() { got = append([]string(nil), *log...) })
		for _, line := range got {
			if strings.HasPrefix(line, last) {
				return got
			}
		}
		if time.Now().After(end) {
			r.t.Fatalf("never %q: %q", last, got)
		}
		time.Sleep(time.Millisecond)
	}
}

func write(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}
