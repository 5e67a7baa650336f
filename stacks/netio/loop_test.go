package netio

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
)

// TestTimers fires the shard's timers in real time while nothing comes, in the
// order of their deadlines, also those armed from outside or from a timer.
func TestTimers(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		var order []int
		var timers [5]event.Timer
		arm := func(i int, in time.Duration, run func()) {
			r.sh.Timers().Arm(&timers[i], r.l.time()+int64(in), func(int64) {
				order = append(order, i)
				if run != nil {
					run()
				}
			})
		}
		time.Sleep(20 * time.Millisecond) // the loop sleeps for ever
		began := time.Now()
		r.do(func() {
			arm(2, 30*time.Millisecond, func() { arm(3, 10*time.Millisecond, nil) })
			arm(1, 15*time.Millisecond, func() { r.sh.Timers().Stop(&timers[4]) })
			arm(4, 16*time.Millisecond, nil)
			arm(0, 0, nil)
		})
		r.l.Wake()
		within(t, time.Minute, func() (ok bool) { r.do(func() { ok = len(order) == 4 }); return }, "four timers")
		if took := time.Since(began); took < 40*time.Millisecond {
			t.Errorf("after %v", took)
		}
		if want := []int{0, 1, 2, 3}; !slices.Equal(order, want) {
			t.Errorf("order %v", order)
		}
	})
}

// TestTimeAhead goes on where others moved event time, as a capture's clock can.
func TestTimeAhead(t *testing.T) {
	r := newRig(t, false)
	fired := make(chan struct{})
	var timer event.Timer
	r.do(func() {
		r.sh.Advance(time.Now().Add(time.Hour).UnixNano())
		r.sh.Timers().Arm(&timer, r.sh.Now()+int64(20*time.Millisecond), func(int64) { close(fired) })
	})
	r.l.Wake()
	select {
	case <-fired:
	case <-time.After(time.Minute):
		t.Fatal("the timer waits for the clock to come after")
	}
}

// TestTurn calls Turn at least each interval, also if nothing happens.
func TestTurn(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		var turns atomic.Int32
		newRig(t, portable, func(c *Config) {
			c.PollInterval = 10 * time.Millisecond
			c.Turn = func(int64) { turns.Add(1) }
		})
		began := time.Now()
		time.Sleep(150 * time.Millisecond)
		within(t, time.Minute, func() bool { return turns.Load() >= 5 }, "five turns")
		if n, took := turns.Load(), time.Since(began); n > int32(40*took/(150*time.Millisecond)) {
			t.Errorf("%d turns in %v", n, took)
		}
	})
}

// TestPosts runs what goroutines post, all of it, and refuses more than the limit.
func TestPosts(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable, func(c *Config) { c.Shard = event.NewShards(1, event.Together, 100).At(0) })
		count := 0 // guarded by the shard
		var taken atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 500 {
					if r.l.Post(func() { count++ }) {
						taken.Add(1)
					}
				}
			})
		}
		wg.Wait()
		within(t, time.Minute, func() (ok bool) { r.do(func() { ok = count == int(taken.Load()) }); return }, "all posts ran")
		r.do(func() {
			before := r.l.Stats().PostsRefused
			for range 101 {
				r.l.Post(func() {})
			}
			if got := r.l.Stats().PostsRefused - before; got != 1 {
				t.Errorf("%d refused of 101", got)
			}
		})
		r.stop()
		r.l.Wake() // nobody is there
	})
}

// TestDrain ends idle connections at once, waits for busy ones, refuses new ones,
// and cuts what is left at the end of its time.
func TestDrain(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		var log []string
		h := &hooks{
			log: &log,
			recv: func(c *Conn, _ int) {
				if strings.HasSuffix(string(c.Bytes()), "end") {
					c.Close()
				}
			},
			quit: func(c *Conn) {
				if c.Len() == 0 {
					c.Close()
				}
			},
		}
		ls := r.listen(h, Options{})
		idle, busy, stuck := r.peer(ls), r.peer(ls), r.peer(ls)
		write(t, busy, "wo")
		write(t, stuck, "wo")
		within(t, time.Minute, func() (ok bool) { r.do(func() { ok = r.l.stats.BytesIn == 4 && r.l.stats.Accepted == 3 }); return }, "read")
		began := time.Now()
		r.do(func() { r.l.Drain(300 * time.Millisecond) })
		if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
			t.Error(err)
		}
		if c, err := net.Dial("tcp", ls.Addr().String()); err == nil {
			_ = c.Close()
			t.Error("a listener is open")
		}
		write(t, busy, "rk end")
		if _, err := busy.Read(make([]byte, 1)); err != io.EOF {
			t.Error(err)
		}
		if _, err := stuck.Read(make([]byte, 1)); err == nil {
			t.Error("still open")
		}
		if took := time.Since(began); took < 250*time.Millisecond || took > 30*time.Second {
			t.Errorf("cut after %v", took)
		}
		r.stop()
		closes := slices.DeleteFunc(log, func(s string) bool { return !strings.HasPrefix(s, "close") })
		if diff := cmp.Diff([]string{"close local", "close local", "close stopped"}, closes); diff != "" {
			t.Error(diff)
		}
	})
}

// TestLinger closes while the peer still sends: it reads all it was sent, and no
// reset cuts that short.
func TestLinger(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		answer := strings.Repeat("sorry ", 10000)
		h := &hooks{accept: func(c *Conn) Verdict { _ = c.Send([]byte(answer)); return Reject }}
		ls := r.listen(h, Options{Linger: time.Second})
		c := r.peer(ls)
		for range 50 {
			_, _ = c.Write(make([]byte, 16<<10))
		}
		_ = c.CloseWrite()
		got, err := io.ReadAll(c)
		if string(got) != answer || err != nil {
			t.Errorf("%d of %d bytes, %v", len(got), len(answer), err)
		}
	})
}

// TestSharedSocket has two loops at one socket, and hands it to a third as another
// process would get it: nobody is refused meanwhile.
func TestSharedSocket(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		a, b, c := newRig(t, portable), newRig(t, portable), newRig(t, portable)
		sock, err := a.l.Open(SocketConfig{Network: "tcp", Address: "127.0.0.1:0", MaxConns: 500})
		if err != nil {
			t.Fatal(err)
		}
		at := func(r *rig, s *Socket) (ls *Listener) {
			r.do(func() { ls, err = r.l.ListenAt(s, &hooks{recv: echo}) })
			if err != nil {
				t.Fatal(err)
			}
			return ls
		}
		la, lb := at(a, sock), at(b, sock)
		request := func() {
			p := a.peer(la)
			write(t, p, "x")
			read(t, p, 1)
			_ = p.Close()
		}
		for range 40 {
			request()
		}
		f, err := sock.File()
		if err != nil {
			t.Fatal(err)
		}
		copied, err := c.l.Open(SocketConfig{File: f})
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		lc := at(c, copied)
		a.do(la.Close)
		request()
		if err := sock.Close(); err != nil { // before its last listener
			t.Error(err)
		}
		b.do(lb.Close)
		if lc.Addr() != la.Addr() {
			t.Errorf("handed over %s for %s", lc.Addr(), la.Addr())
		}
		for range 5 {
			request()
		}
		c.do(func() {
			if c.l.stats.Accepted < 5 {
				t.Errorf("the third loop accepted %d", c.l.stats.Accepted)
			}
			lc.Close()
		})
		_ = copied.Close()
		within(t, time.Minute, func() bool { return sock.Conns() == 0 && copied.Conns() == 0 }, "counts go back")
	})
}

// TestCloseUnrun frees a loop that nobody ran, with what it has.
func TestCloseUnrun(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		before := openFiles()
		budget := NewBudget(0)
		l, err := New(Config{Shard: event.NewShard(0), Portable: portable, Budget: budget})
		if err != nil {
			t.Fatal(err)
		}
		l.sh.Enter()
		if _, err := l.Listen(SocketConfig{Network: "tcp", Address: "127.0.0.1:0"}, &hooks{}); err != nil {
			t.Error(err)
		}
		if _, err := l.Packets(PacketConfig{Network: "udp", Address: "127.0.0.1:0"}, &raw{}); err != nil {
			t.Error(err)
		}
		var log []string
		if _, err := l.Dial(DialConfig{Network: "tcp", Address: "127.0.0.1:1"}, &hooks{log: &log}); err != nil {
			t.Error(err)
		}
		l.sh.Leave()
		l.Close()
		budget.Close()
		if diff := cmp.Diff([]string{"close stopped"}, log); diff != "" {
			t.Error(diff)
		}
		if err := l.Run(context.Background()); err == nil {
			t.Error("ran after Close")
		}
		within(t, time.Minute, func() bool { return openFiles() <= before }, "descriptors go back")
	})
}

// TestBudgetCheck refuses a cap that the process has no descriptors for.
func TestBudgetCheck(t *testing.T) {
	for _, row := range []struct {
		conns int
		ok    bool
	}{{0, true}, {1, true}, {1 << 30, false}} {
		b := NewBudget(row.conns)
		if err := b.Check(); (err == nil) != row.ok {
			t.Errorf("%d: %v", row.conns, err)
		}
		b.Close()
	}
}

// TestArguments refuses what no socket can be made of, and sends to nowhere, without
// harm.
func TestArguments(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		v6, v4 := netip.MustParseAddrPort("[::1]:9"), netip.MustParseAddrPort("127.0.0.1:9")
		s := r.packets(PacketConfig{Network: "udp4", Address: "127.0.0.1:0"}, &raw{})
		r.do(func() {
			for _, cfg := range []SocketConfig{
				{},
				{Network: "udp", Address: ":0"},
				{Network: "tcp"},
				{Network: "tcp", Address: "localhost:0"},
				{Network: "tcp", Address: "127.0.0.1:65536"},
				{Network: "tcp4", Address: "[::1]:0"},
				{Network: "tcp6", Address: "127.0.0.1:0"},
				{Network: "unix", Address: "/nowhere/at/all"},
			} {
				if _, err := r.l.Listen(cfg, &hooks{}); err == nil {
					t.Errorf("%+v: no error", cfg)
				}
			}
			for _, cfg := range []PacketConfig{{}, {Network: "tcp", Address: ":0"}, {Network: "udp4", Address: "[::1]:0"}, {Network: "udp", Address: "x:1"}} {
				if _, err := r.l.Packets(cfg, &raw{}); err == nil {
					t.Errorf("%+v: no error", cfg)
				}
			}
			for _, to := range []netip.AddrPort{{}, v6} {
				if err := s.SendTo([]byte("x"), to, netip.Addr{}); err != ErrFamily {
					t.Errorf("%v: %v", to, err)
				}
			}
			if err := s.SendTo([]byte("x"), v4, v6.Addr()); err != ErrFamily {
				t.Error(err)
			}
			if _, err := r.l.DialPeer(netip.AddrPort{}, 0, &hooks{}); err == nil {
				t.Error("dialled nowhere")
			}
			if _, err := r.l.Dial(DialConfig{Network: "tcp", Address: "127.0.0.1:9", Bind: v6}, &hooks{}); err == nil {
				t.Error("dialled from another family")
			}
		})
	})
}

// TestSlots gives no two guests the same name.
func TestSlots(t *testing.T) {
	var s slots
	a := s.add(&Listener{})
	s.remove(a)
	b := s.add(&Listener{})
	if a == b || uint32(a) != uint32(b) || s.get(a) != nil || s.get(b) == nil || s.get(0) != nil || s.get(1<<40) != nil {
		t.Errorf("%x %x", a, b)
	}
}

// TestSendq gives back what was put in, whatever the pieces, and keeps few chunks.
func TestSendq(t *testing.T) {
	var q sendq
	var pool chunks
	rnd := rand.New(rand.NewPCG(1, 2))
	var want, got []byte
	vec := make([][]byte, 0, 4)
	for range 5000 {
		p := make([]byte, rnd.IntN(20_000)>>rnd.IntN(12))
		for i := range p {
			p[i] = byte(rnd.Uint32())
		}
		q.add(&pool, p)
		want = append(want, p...)
		limit := 1 + rnd.IntN(10_000)
		n := 0
		for _, b := range q.bufs(vec[:0], limit) {
			got = append(got, b...)
			n += len(b)
		}
		if n > limit {
			t.Fatalf("%d bytes for %d", n, limit)
		}
		if q.discard(&pool, n); q.n != len(want)-len(got) {
			t.Fatalf("%d queued, %d put in, %d taken", q.n, len(want), len(got))
		}
	}
	if string(got) != string(want[:len(got)]) {
		t.Error("other bytes come out")
	}
	if q.clear(&pool); q.n != 0 || q.head != nil || pool.nsmall > freeSmall || pool.nbig > freeBig {
		t.Errorf("%+v %+v", q, pool)
	}
}

// TestInbuf keeps what is not consumed, whatever comes and goes.
func TestInbuf(t *testing.T) {
	var b inbuf
	var pool chunks
	rnd := rand.New(rand.NewPCG(3, 4))
	var want []byte
	shared := make([]byte, 64<<10)
	for i := range 5000 {
		p := shared[:1+rnd.IntN(len(shared)-1)>>rnd.IntN(14)]
		for j := range p {
			p[j] = byte(rnd.Uint32())
		}
		want = append(want, p...)
		b.take(&pool, p)
		n := rnd.IntN(b.len() + 1)
		if i%7 == 0 {
			n = b.len()
		}
		b.discard(&pool, n)
		want = want[n:]
		b.keep(&pool)
		clear(shared)
		if string(b.bytes()) != string(want) {
			t.Fatalf("step %d: %d bytes, want %d", i, b.len(), len(want))
		}
		if len(want) == 0 && (b.own != nil || b.home != nil) {
			t.Fatal("memory is kept for nothing")
		}
	}
}
