//go:build linux

package loop

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// life is what a connection was told so far.
type life struct {
	first, last string
	events      int
}

// TestChaos has handlers do anything at any event, and wait or not, beneath peers that
// come, speak, leave and reset: each connection is told accept or connect first, close
// last and once, and nothing is left at the end.
func TestChaos(t *testing.T) {
	length := 1500 * time.Millisecond
	if testing.Short() {
		length = 400 * time.Millisecond
	}
	r := newRig(t)
	r.quiet = true
	at := r.listenAll(
		Listen{Name: "a", Options: []event.KV{kv("url", "tcp://127.0.0.1:0"), kv("limits", []event.KV{kv("recv", "4KiB"), kv("send_high", "16KiB"), kv("send_max", "256KiB"), kv("linger", "50ms")})}},
		Listen{Name: "u", Options: []event.KV{kv("url", "udp://127.0.0.1:0"), kv("limits", []event.KV{kv("conns", float64(20)), kv("idle", "100ms")})}},
	)
	random := rand.New(rand.NewPCG(1, 2))
	lives := map[*Conn]*life{}
	closed := 0
	r.do(func() {
		r.handle = func(name string, c *Conn, e any) event.Verdict {
			l := lives[c]
			if l == nil {
				l = &life{first: name}
				lives[c] = l
			}
			if l.events++; l.last == "loop.close" {
				t.Errorf("%s: %s behind close", c.Label(), name)
			}
			if name == "loop.close" {
				closed++
			}
			l.last = name
			return act(random, r, c, name, at)
		}
		r.await = func(name string, c *Conn) bool {
			waits := name == "loop.accept" || name == "loop.recv" || name == "loop.connect" || name == "loop.eof" || name == "loop.timer"
			return waits && random.IntN(6) == 0
		}
	})
	var peers sync.WaitGroup
	end := time.Now().Add(length)
	for i := range 12 {
		peers.Go(func() { misbehave(rand.New(rand.NewPCG(uint64(i), 3)), at, end) })
	}
	for time.Now().Before(end) { // those that wait go on, one now and then
		time.Sleep(time.Millisecond)
		r.do(func() {
			for k, then := range r.pending {
				if delete(r.pending, k); random.IntN(4) > 0 {
					then()
					break
				}
				r.pending[k] = then
			}
		})
	}
	peers.Wait()
	r.do(func() {
		r.await, r.handle = nil, func(name string, c *Conn, _ any) event.Verdict {
			if name == "loop.close" {
				closed++
			}
			c.Skip(len(c.Bytes())) // what fills the kernel's buffers hides that the peer left
			return event.Verdict{}
		}
		for len(r.pending) > 0 {
			for k, then := range r.pending {
				delete(r.pending, k)
				then()
			}
		}
		for c := r.s.first; c != nil; c = c.after {
			if c.Kind() != loopev.KindListener {
				_ = c.Abort(nil)
			}
		}
	})
	within(t, "all ended", func() (none bool) {
		r.do(func() { none = len(r.s.conns) == 2 })
		return none
	})
	r.do(func() {
		if len(lives) < 50 || closed < 50 {
			t.Errorf("%d connections, %d closed: the test did little", len(lives), closed)
		}
		for c, l := range lives {
			if c.Kind() == loopev.KindTCP && l.first != "loop.accept" && l.first != "loop.connect" {
				t.Errorf("%s was told %s first", c.Label(), l.first)
			}
			if !c.over && c.Kind() != loopev.KindListener {
				t.Errorf("%s is not over: %s", c.Label(), l.last)
			}
		}
	})
	t.Logf("%d connections", len(lives))
}

// act does something to c, or to another connection, and decides something.
func act(random *rand.Rand, r *rig, c *Conn, name string, at map[string]string) event.Verdict {
	if random.IntN(3) == 0 { // another one
		for _, other := range r.s.conns {
			if other.Kind() != loopev.KindListener {
				c = other
			}
			break
		}
	}
	if c.Kind() == loopev.KindListener {
		return event.Verdict{}
	}
	// What a call refuses is as good as what it does: nothing may break.
	switch random.IntN(24) {
	case 0, 1, 2, 3:
		b := append([]byte(nil), c.Bytes()...)
		c.Skip(len(b))
		_, _ = c.Send(nil, b)
	case 4:
		_, _ = c.Discard(nil, uint32(random.IntN(10)), true)
	case 5:
		_ = c.Close(nil)
	case 6:
		_ = c.Abort(nil)
	case 7:
		_ = c.Reset(nil)
	case 8:
		_ = c.Shutdown(nil)
	case 9:
		_ = c.Pause(nil)
	case 10, 11, 12:
		_ = c.Resume(nil)
	case 13:
		_ = c.Timer(nil, "1ms")
	case 14:
		if len(r.s.conns) < 200 {
			if up, err := r.s.Dial(Dialing{URL: "tcp://" + at["a"]}); err == nil && random.IntN(2) == 0 {
				_ = c.Pipe(nil, up)
			}
		}
	case 15:
		_, _ = c.Send(nil, make([]byte, random.IntN(100_000)))
	case 16:
		_ = c.SetSendAndClose(nil, random.IntN(2) == 0)
	case 17:
		_ = r.g.Post(&event.Caller{Shard: r.sh}, "hi", nil)
	case 18:
		_ = c.Use(nil, "")
	case 19:
		_ = c.Deadline(nil, time.Duration(1+random.IntN(20))*time.Millisecond, true)
	}
	if name == "loop.accept" {
		switch random.IntN(10) {
		case 0:
			return event.Verdict{Kind: loopev.VerdictReject, Args: &loopev.RejectArgs{With: []byte("no")}}
		case 1:
			return event.Verdict{Kind: loopev.VerdictReset}
		case 2:
			return event.Verdict{Kind: loopev.VerdictHold, Args: &loopev.HoldArgs{Time: 5 * time.Millisecond, HasTime: true}}
		case 3:
			return event.Verdict{Kind: loopev.VerdictProxy, Args: &loopev.ProxyArgs{URL: "tcp://" + at["a"]}}
		case 4:
			return event.Verdict{Kind: loopev.VerdictLimit, Args: &loopev.LimitArgs{Rate: 50, Excess: loopev.Excess(random.IntN(3))}}
		}
	}
	if name == "loop.eof" && random.IntN(3) == 0 {
		return event.Verdict{Kind: loopev.VerdictHalf}
	}
	return event.Verdict{}
}

// misbehave is a peer.
func misbehave(random *rand.Rand, at map[string]string, end time.Time) {
	for time.Now().Before(end) {
		network, to := "tcp", at["a"]
		if random.IntN(6) == 0 {
			network, to = "udp", at["u"]
		}
		c, err := net.Dial(network, to)
		if err != nil {
			continue
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Millisecond))
		for range random.IntN(4) {
			_, _ = c.Write(make([]byte, random.IntN(9000)))
			if random.IntN(2) == 0 {
				_, _ = c.Read(make([]byte, 4096))
			}
		}
		if stream, ok := c.(*net.TCPConn); ok {
			switch random.IntN(3) {
			case 0:
				_ = stream.SetLinger(0)
			case 1:
				_ = stream.CloseWrite()
				_, _ = io.ReadAll(stream)
			}
		}
		_ = c.Close()
	}
}
