package loop

import (
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// TestOrder compares what is raised with the sequences that were traced of the 2016
// event model, with eof, which that hid, and a reason at close, which it did not have.
func TestOrder(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(r *rig)
		last string
		want []string
	}{
		{"the peer echoes with us", func(r *rig) {
			at := r.listen("echo", kv("url", "tcp://127.0.0.1:0"))
			r.handle = echo
			c := r.peer(at)
			write(r.t, c, "hello")
			read(r.t, c, 5)
			_ = c.Close()
		}, "S close", []string{"S accept", "S recv 5 of 5", "S send 5", "S eof", "S close eof"}},
		{"half close: what is queued goes out", func(r *rig) {
			at := r.listen("echo", kv("url", "tcp://127.0.0.1:0"))
			r.handle = echo
			c := r.peer(at)
			write(r.t, c, "hello")
			_ = c.CloseWrite()
			read(r.t, c, 5)
		}, "S close", []string{"S accept", "S recv 5 of 5", "S send 5", "S eof", "S close eof"}},
		{"unconsumed bytes stay", func(r *rig) {
			c := r.peer(r.listen("keep", kv("url", "tcp://127.0.0.1:0")))
			write(r.t, c, "hello")
			r.logged("S recv 5 of 5")
			write(r.t, c, "you")
			r.logged("S recv 3 of 8")
			_ = c.Close()
		}, "S close", []string{"S accept", "S recv 5 of 5", "S recv 3 of 8", "S eof", "S close eof"}},
		{"reset", func(r *rig) {
			c := r.peer(r.listen("keep", kv("url", "tcp://127.0.0.1:0")))
			write(r.t, c, "x")
			r.logged("S recv")
			_ = c.SetLinger(0)
			_ = c.Close()
		}, "S close", []string{"S accept", "S recv 1 of 1", "S close reset"}},
		{"refused", func(r *rig) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				r.t.Fatal(err)
			}
			_ = ln.Close()
			r.dial("tcp://"+ln.Addr().String(), nil)
		}, "C close", []string{"C connect 111", "C close refused"}},
		{"both ends are ours, what was sent early goes out", func(r *rig) {
			at := r.listen("echo", kv("url", "tcp://127.0.0.1:0"))
			r.handle = func(name string, c *Conn, e any) event.Verdict {
				if name == "loop.recv" && c.Outbound() {
					c.Skip(5)
					_ = c.Close(nil)
				}
				return echo(name, c, e)
			}
			r.dial("tcp://"+at, func(c *Conn) { _ = c.Write1([]byte("hello")) })
			r.logged("S close")
			r.do(func() { r.log = only(r.log, "C ") })
		}, "C close", []string{"C connect 0", "C send 5", "C recv 5 of 5", "C close local"}},
		{"UDP: a datagram is one recv, and what is left of it is dropped", func(r *rig) {
			at := r.listen("echo", kv("url", "udp://127.0.0.1:0"), kv("limits", []event.KV{kv("idle", "50ms")}))
			r.handle = echo
			c, err := net.Dial("udp", at)
			if err != nil {
				r.t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			write(r.t, c, "one")
			read(r.t, c, 3)
			r.logged("S send")
			r.do(func() { r.handle = nil })
			write(r.t, c, "three")
			r.logged("S recv 5 of 5")
			write(r.t, c, "two")
		}, "S close", []string{"S accept", "S recv 3 of 3", "S send 3", "S recv 5 of 5", "S recv 3 of 3", "S close timeout:idle"}},
		{"only timers", func(r *rig) {
			r.do(func() {
				c := r.s.add(loopev.KindTimer)
				if err := c.Timer(nil, "1ms"); err != nil {
					r.t.Error(err)
				}
				r.handle = func(name string, c *Conn, e any) event.Verdict {
					if name == "loop.timer" && len(r.log) < 3 {
						_ = c.Timer(nil, 0.001)
					} else if name == "loop.timer" {
						_ = c.Close(nil)
					}
					return event.Verdict{}
				}
			})
		}, "T close", []string{"T timer", "T timer", "T timer", "T close local"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			c.run(r)
			if diff := cmp.Diff(c.want, r.logged(c.last)); diff != "" {
				t.Errorf("raised (-want +got):\n%s", diff)
			}
		})
	}
}

// dial begins a connection in the shard.
func (r *rig) dial(url string, then func(c *Conn)) {
	r.t.Helper()
	r.do(func() {
		c, err := r.s.Dial(Dialing{URL: url})
		if err != nil {
			r.t.Fatal(err)
		}
		if then != nil {
			then(c)
		}
	})
}

// only returns the lines that begin with prefix.
func only(log []string, prefix string) []string {
	var list []string
	for _, line := range log {
		if len(line) >= len(prefix) && line[:len(prefix)] == prefix {
			list = append(list, line)
		}
	}
	return list
}
