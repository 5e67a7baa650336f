//go:build linux

package loop

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// TestEchoLosesNothing sends 64 MiB, ends its stream while the answer is queued, and
// wants it all back: directly, and by way of a pair of connections.
func TestEchoLosesNothing(t *testing.T) {
	size := 64 << 20
	if testing.Short() {
		size = 8 << 20
	}
	for _, piped := range []bool{false, true} {
		r := newRig(t)
		r.quiet = true
		r.want(func(name string) bool { return name == "loop.recv" || name == "loop.accept" })
		at := r.listenAll(
			Listen{Name: "echo", Options: []event.KV{kv("url", "tcp://127.0.0.1:0")}},
			Listen{Name: "front", Options: []event.KV{kv("url", "tcp://127.0.0.1:0")}},
		)
		r.do(func() {
			r.handle = func(name string, c *Conn, e any) event.Verdict {
				from, _ := c.Listener()
				switch {
				case name == "loop.accept" && from == "front":
					return event.Verdict{Kind: loopev.VerdictProxy, Args: &loopev.ProxyArgs{URL: "tcp://" + at["echo"]}}
				case from == "echo":
					return echo(name, c, e)
				}
				return event.Verdict{}
			}
		})
		to := at["echo"]
		if piped {
			to = at["front"]
		}
		c := r.peer(to)
		sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		go func() {
			_, _ = c.Write(sent)
			_ = c.CloseWrite()
		}()
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("piped %v: %d of %d bytes came back, %v", piped, len(got), len(sent), err)
		}
	}
}

// TestUnreadPeer has a client send without end and read nothing: what is taken of it is
// bounded, also through a pair.
func TestUnreadPeer(t *testing.T) {
	r := newRig(t)
	r.quiet = true
	at := r.listenAll(
		Listen{Name: "echo", Options: []event.KV{kv("url", "tcp://127.0.0.1:0")}},
		Listen{Name: "front", Options: []event.KV{kv("url", "tcp://127.0.0.1:0")}},
	)
	full := 0
	r.do(func() {
		r.handle = func(name string, c *Conn, e any) event.Verdict {
			from, _ := c.Listener()
			switch {
			case name == "loop.full":
				full++
			case name == "loop.accept" && from == "front":
				return event.Verdict{Kind: loopev.VerdictProxy, Args: &loopev.ProxyArgs{URL: "tcp://" + at["echo"]}}
			case from == "echo":
				return echo(name, c, e)
			}
			return event.Verdict{}
		}
	})
	for _, to := range []string{"echo", "front"} {
		c := r.peer(at[to])
		_ = c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		taken := 0
		for buf := make([]byte, 64<<10); ; {
			n, err := c.Write(buf)
			if taken += n; err != nil {
				break
			}
		}
		t.Logf("%s: %d KiB were taken", to, taken>>10)
		most := 16 << 20
		if to == "front" {
			most *= 2 // the kernel's buffers of two connections
		}
		if taken > most {
			t.Errorf("%s: %d MiB were taken", to, taken>>20)
		}
		r.do(func() {
			for c := r.s.first; c != nil; c = c.after {
				if q := c.Queued(); q > 2<<20 {
					t.Errorf("%s: %d bytes are queued", to, q)
				}
			}
		})
		_ = c.SetLinger(0)
		_ = c.Close()
	}
	r.do(func() {
		if full == 0 {
			t.Error("full was never raised")
		}
	})
}

// TestSlowLoris holds off a thousand that send a byte now and then, while others are
// served.
func TestSlowLoris(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 200
	}
	r := newRig(t)
	r.quiet = true
	at := r.listen("echo", kv("url", "tcp://127.0.0.1:0"))
	r.serve(func(name string, c *Conn, e any) event.Verdict {
		switch {
		case name == "loop.accept":
			if err := c.Deadline(nil, 4*time.Second, true); err != nil {
				t.Error(err)
			}
		case name == "loop.recv" && c.Starts([]byte("hello")):
			_ = c.Deadline(nil, 0, false)
			return echo(name, c, e)
		}
		return event.Verdict{}
	})
	var slow []net.Conn
	for range n {
		c := r.peer(at)
		write(t, c, "h")
		slow = append(slow, c)
	}
	worst := time.Duration(0)
	for range 50 {
		began := time.Now()
		c := r.peer(at)
		write(t, c, "hello")
		read(t, c, 5)
		worst = max(worst, time.Since(began))
		_ = c.Close()
	}
	if worst > 3*time.Second { // less than the slow ones may take
		t.Errorf("one was served after %v", worst)
	}
	for _, c := range slow {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Fatal("a slow one was answered")
		}
	}
	within(t, "all of them are gone", func() (gone bool) {
		r.do(func() { gone = len(r.s.conns) == 1 })
		return gone
	})
}

// TestIdleMemory bounds what an idle connection takes here, its kernel's side left out.
func TestIdleMemory(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	n = min(n, openFilesLimit()/2-200)
	r := newRig(t)
	r.want(func(string) bool { return false })
	at := r.listen("idle", kv("url", "tcp://127.0.0.1:0"))
	memory := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	warm := r.peer(at)
	write(t, warm, "x")
	before := memory()
	conns := make([]int, 0, n)
	for range n {
		conns = append(conns, rawDial(t, at))
	}
	within(t, "all are accepted", func() (all bool) {
		r.do(func() { all = len(r.s.conns) >= n+2 })
		return all
	})
	each := int64(memory()-before) / int64(n)
	t.Logf("%d bytes a connection", each)
	if each > 2560 {
		t.Errorf("an idle connection takes %d bytes, more than 2560", each)
	}
	for _, fd := range conns {
		rawClose(fd)
	}
}

// TestWaits has a handler wait: what comes meanwhile is told afterwards, in order, and
// bytes at once.
func TestWaits(t *testing.T) {
	r := newRig(t)
	at := r.listen("wait", kv("url", "tcp://127.0.0.1:0"))
	waited := false
	r.do(func() {
		r.await = func(name string, c *Conn) bool {
			first := name == "loop.recv" && !waited
			waited = waited || first
			return first
		}
	})
	c := r.peer(at)
	write(t, c, "one")
	r.logged("S recv 3 of 3")
	write(t, c, "two")
	time.Sleep(10 * time.Millisecond)
	write(t, c, "three")
	_ = c.CloseWrite()
	within(t, "the end is seen", func() (seen bool) {
		r.do(func() {
			for k := range r.pending {
				seen = k.(*Conn).atEOF
			}
		})
		return seen
	})
	r.do(func() {
		if diff := cmp.Diff([]string{"S accept", "S recv 3 of 3"}, r.log); diff != "" {
			t.Errorf("while it waits (-want +got):\n%s", diff)
		}
		for k, then := range r.pending {
			delete(r.pending, k)
			then()
		}
	})
	want := []string{"S accept", "S recv 3 of 3", "S recv 8 of 11", "S eof", "S close eof"}
	if diff := cmp.Diff(want, r.logged("S close")); diff != "" {
		t.Errorf("raised (-want +got):\n%s", diff)
	}
}

// TestCloseWhileAHandlerWaits ends the waiting, and close is still the last event.
func TestCloseWhileAHandlerWaits(t *testing.T) {
	r := newRig(t)
	at := r.listen("wait", kv("url", "tcp://127.0.0.1:0"))
	r.do(func() { r.await = func(name string, c *Conn) bool { return name == "loop.recv" } })
	c := r.peer(at)
	write(t, c, "one")
	r.logged("S recv")
	_ = c.SetLinger(0)
	_ = c.Close()
	want := []string{"S accept", "S recv 3 of 3", "S close reset"}
	if diff := cmp.Diff(want, r.logged("S close")); diff != "" {
		t.Errorf("raised (-want +got):\n%s", diff)
	}
	r.do(func() {
		if len(r.pending) > 0 {
			t.Error("a handler waits still")
		}
	})
}

// TestPoll: every connection, listeners too, once a turn, and at least each interval.
func TestPoll(t *testing.T) {
	r := newRig(t, func(c *Config) { c.PollInterval = 5 * time.Millisecond })
	r.want(func(name string) bool { return name == "loop.poll" })
	at := r.listen("poll", kv("url", "tcp://127.0.0.1:0"))
	r.peer(at)
	got := r.logged("S poll")
	if i := len(got) - 1; i < 1 || got[i-1] != "L poll" && got[0] != "L poll" {
		t.Errorf("polled: %q", got)
	}
	within(t, "it goes on without traffic", func() (many bool) {
		r.do(func() { many = strings.Count(strings.Join(r.log, ","), "S poll") > 5 })
		return many
	})
	r.want(func(string) bool { return false })
	var turns uint64
	r.do(func() { turns = r.s.io.Stats().Turns })
	time.Sleep(50 * time.Millisecond)
	r.do(func() {
		if now := r.s.io.Stats().Turns; now > turns+3 {
			t.Errorf("%d turns although nothing is bound", now-turns)
		}
	})
}

// TestRecvAllocations: bytes that come, are told and sent back cost no memory.
func TestRecvAllocations(t *testing.T) {
	r := newRig(t)
	r.quiet = true
	at := r.listen("echo", kv("url", "tcp://127.0.0.1:0"))
	r.want(func(name string) bool { return name == "loop.recv" })
	d := quietEcho{recv: loopev.OnRecv.ID()}
	r.do(func() { r.sh.Bind(d, func(id event.PointID) bool { return id == d.recv }) })
	c := r.peer(at)
	buf := make([]byte, 64)
	turn := func() {
		if _, err := c.Write(buf); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			t.Fatal(err)
		}
	}
	turn()
	if n := testing.AllocsPerRun(2000, turn); n > 0 {
		t.Errorf("%v allocations a request", n)
	}
}

// quietEcho is a dispatcher that does nothing but echo.
type quietEcho struct{ recv event.PointID }

func (d quietEcho) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	if id == d.recv {
		c := e.(*loopev.Recv).C.(*Conn)
		if c.Write1(c.Bytes()) == nil {
			c.Skip(len(c.Bytes()))
		}
	}
	return event.Verdict{}
}

// TestFullInbox has a timer end, and a connection be told something, while the shard's
// inbox takes nothing more: both are only late.
func TestFullInbox(t *testing.T) {
	r := newRig(t)
	at := r.listen("full", kv("url", "tcp://127.0.0.1:0"))
	r.peer(at)
	r.logged("S accept")
	r.do(func() {
		timer := r.s.add(loopev.KindTimer)
		for r.s.io.Post(func() {}) {
		}
		for range 2 {
			if err := timer.Close(nil); err != nil {
				t.Error(err)
			}
		}
		for c := r.s.first; c != nil; c = c.after {
			if c.inbound {
				c.owed |= owesTimer
				c.soon()
			}
		}
		if len(r.s.refused) != 2 {
			t.Errorf("%d calls wait for the end of the turn", len(r.s.refused))
		}
	})
	r.logged("T close local")
	r.logged("S timer")
	r.do(func() {
		for c := r.s.first; c != nil; c = c.after {
			if c.posted {
				t.Error("something is still to be told")
			}
		}
	})
}

// TestHeldByLimit has a script's timer run while the verdict limit holds the connection,
// which is read afterwards all the same.
func TestHeldByLimit(t *testing.T) {
	r := newRig(t)
	at := r.listen("fast", kv("url", "tcp://127.0.0.1:0"))
	r.serve(func(name string, c *Conn, _ any) event.Verdict {
		if name != "loop.accept" {
			return event.Verdict{}
		}
		if err := c.Timer(nil, "20ms"); err != nil {
			t.Error(err)
		}
		return event.Verdict{Kind: loopev.VerdictLimit, Args: &loopev.LimitArgs{Rate: 5, Burst: 1, HasBurst: true, Excess: loopev.ExcessHold}}
	})
	r.peer(at)
	r.logged("S timer")
	r.do(func() { r.log = nil })
	write(t, r.peer(at), "hello")
	want := []string{"S accept", "L limit rate", "S timer", "S recv 5 of 5"}
	if diff := cmp.Diff(want, r.logged("S recv")); diff != "" {
		t.Errorf("raised (-want +got):\n%s", diff)
	}
}

// TestBucketsAreSweptOnceASecond bounds how often all keys are looked at.
func TestBucketsAreSweptOnceASecond(t *testing.T) {
	var b buckets
	now := time.Hour.Nanoseconds()
	for i := range maxBuckets {
		b.take(strconv.Itoa(i), 1000, 1, now, false)
	}
	// A moment later all are full again and could go.
	for _, c := range []struct {
		after time.Duration
		room  bool
	}{{0, false}, {10 * time.Millisecond, false}, {999 * time.Millisecond, false}, {time.Second, true}} {
		if wait := b.take("another", 1000, 1, now+int64(c.after), false); (wait == 0) != c.room {
			t.Errorf("after %v: %v", c.after, wait)
		}
	}
}
