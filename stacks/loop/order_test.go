package loop

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// TestOrder compares what is raised with the sequences that were traced of the 2016
// event model, with eof, which that hid, and a reason at close, which it did not have.
// Where a number stands the trace has it; [TestTraces] has the others, and package web
// those of HTTP.
func TestOrder(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(r *rig)
		last string
		want []string
	}{
		{"trace 1, the server: the peer echoes with us", func(r *rig) {
			at := r.listen("echo", kv("url", "tcp://127.0.0.1:0"))
			r.serve(echo)
			c := r.peer(at)
			write(r.t, c, "hello")
			read(r.t, c, 5)
			_ = c.Close()
		}, "S close", []string{"S accept", "S recv 5 of 5", "S send 5", "S eof", "S close eof"}},
		{"trace 4b: half close, and what is queued goes out", func(r *rig) {
			at := r.listen("echo", kv("url", "tcp://127.0.0.1:0"))
			r.serve(echo)
			c := r.peer(at)
			write(r.t, c, "hello")
			_ = c.CloseWrite()
			read(r.t, c, 5)
		}, "S close", []string{"S accept", "S recv 5 of 5", "S send 5", "S eof", "S close eof"}},
		{"trace 4: unconsumed bytes stay", func(r *rig) {
			c := r.peer(r.listen("keep", kv("url", "tcp://127.0.0.1:0")))
			write(r.t, c, "hello")
			r.logged("S recv 5 of 5")
			write(r.t, c, "you")
			r.logged("S recv 3 of 8")
			_ = c.Close()
		}, "S close", []string{"S accept", "S recv 5 of 5", "S recv 3 of 8", "S eof", "S close eof"}},
		{"trace 5: reset", func(r *rig) {
			c := r.peer(r.listen("keep", kv("url", "tcp://127.0.0.1:0")))
			write(r.t, c, "x")
			r.logged("S recv")
			_ = c.SetLinger(0)
			_ = c.Close()
		}, "S close", []string{"S accept", "S recv 1 of 1", "S close reset"}},
		{"trace 2: refused", func(r *rig) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				r.t.Fatal(err)
			}
			_ = ln.Close()
			r.dial("tcp://"+ln.Addr().String(), nil)
		}, "C close", []string{"C connect 111", "C close refused"}},
		{"trace 1, the client: what was sent early goes out", func(r *rig) {
			at := r.listen("echo", kv("url", "tcp://127.0.0.1:0"))
			r.serve(func(name string, c *Conn, e any) event.Verdict {
				if name == "loop.recv" && c.Outbound() {
					c.Skip(5)
					_ = c.Close(nil)
				}
				return echo(name, c, e)
			})
			r.dial("tcp://"+at, func(c *Conn) { _ = c.Write1([]byte("hello")) })
			r.logged("S close")
			r.do(func() { r.log = only(r.log, "C ") })
		}, "C close", []string{"C connect 0", "C send 5", "C recv 5 of 5", "C close local"}},
		{"UDP: a datagram is one recv, and what is left of it is dropped", func(r *rig) {
			at := r.listen("echo", kv("url", "udp://127.0.0.1:0"), kv("limits", []event.KV{kv("idle", "50ms")}))
			r.serve(echo)
			c, err := net.Dial("udp", at)
			if err != nil {
				r.t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			write(r.t, c, "one")
			read(r.t, c, 3)
			r.logged("S send")
			r.do(func() { r.handle = nil })
			write(r.t, c, "three")
			r.logged("S recv 5 of 5")
			write(r.t, c, "two")
		}, "S close", []string{"S accept", "S recv 3 of 3", "S send 3", "S recv 5 of 5", "S recv 3 of 3", "S close timeout:idle"}},
		{"nobody listens at a UDP port", func(r *rig) {
			s, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				r.t.Fatal(err)
			}
			_ = s.Close()
			r.dial("udp://"+s.LocalAddr().String(), func(c *Conn) { _ = c.Write1([]byte("hello")) })
		}, "C close", []string{"C connect 0", "C send 5", "C close refused"}},
		{"trace 3: no such name", func(r *rig) { r.dial("tcp://no.such.name.invalid:1", func(c *Conn) { _ = c.Timer(nil, "200ms") }) }, "C close", []string{"C connect -1", "C close resolve"}},
		{"trace 6b: a limit of unconsumed bytes, and a peer that leaves is noticed", func(r *rig) {
			at := r.listen("keep", kv("url", "tcp://127.0.0.1:0"), kv("limits", []event.KV{kv("recv", float64(3)), kv("linger", "20ms")}))
			c := r.peer(at)
			write(r.t, c, "sixsix")
			r.logged("S full recv")
			_ = c.Close()
		}, "S close", []string{"S accept", "S recv 3 of 3", "S full recv", "S eof", "S close eof"}},
		{"a queue that fills and drains, in several writes", func(r *rig) {
			at := r.listen("big", kv("url", "tcp://127.0.0.1:0"), kv("limits", []event.KV{kv("send_high", "1MiB"), kv("send_max", "64MiB")}))
			r.serve(func(name string, c *Conn, e any) event.Verdict {
				if name == "loop.accept" {
					_ = c.Write1(make([]byte, 16<<20))
				}
				if name == "loop.drain" {
					_ = c.Close(nil)
				}
				return event.Verdict{}
			})
			c := r.peer(at)
			read(r.t, c, 16<<20)
			_ = c.Close()
			r.logged("S close")
			r.do(func() {
				sum := 0
				for _, line := range only(r.log, "S send ") {
					n := 0
					_, _ = fmt.Sscanf(line, "S send %d", &n)
					sum += n
				}
				if sum != 16<<20 {
					r.t.Errorf("send told of %d bytes", sum)
				}
				r.log = slices.DeleteFunc(r.log, func(line string) bool { return strings.HasPrefix(line, "S send") })
			})
		}, "S close", []string{"S accept", "S full send", "S drain", "S close local"}},
		{"TLS: accept and connect come after the handshake", func(r *rig) {
			dir := r.t.TempDir()
			certify(r.t, dir)
			at := r.listenAll(Listen{Name: "echo", Dir: dir, Options: []event.KV{
				kv("url", "tls://127.0.0.1:0"), kv("tls", []event.KV{kv("cert", "cert.pem"), kv("key", "key.pem"), kv("alpn", []any{"x", "y"})}),
			}})["echo"]
			r.serve(func(name string, c *Conn, e any) event.Verdict {
				if name == "loop.accept" {
					if alpn, _ := c.ALPN(); alpn != "y" || !c.TLS() {
						r.t.Errorf("at accept: protocol %q, TLS %v", alpn, c.TLS())
					}
				}
				if name == "loop.recv" && c.Outbound() {
					c.Skip(5)
					_ = c.Close(nil)
				}
				return echo(name, c, e)
			})
			r.do(func() {
				_, err := r.s.Dial(Dialing{URL: "tls://" + at, Dir: dir, Options: []event.KV{kv("tls", []event.KV{kv("ca", "cert.pem"), kv("alpn", []any{"y"})})}})
				if err != nil {
					r.t.Fatal(err)
				}
				for c := r.s.last; c != nil; c = nil {
					_ = c.Write1([]byte("hello"))
				}
			})
			r.logged("C close")
			r.logged("S close")
			r.do(func() { r.log = append(only(r.log, "S "), only(r.log, "C ")...) })
		}, "C close", []string{
			"S accept", "S recv 5 of 5", "S send 5", "S eof", "S close eof",
			"C connect 0", "C send 5", "C recv 5 of 5", "C close local",
		}},
		{"TLS: who speaks something else is no connection", func(r *rig) {
			dir := r.t.TempDir()
			certify(r.t, dir)
			at := r.listenAll(Listen{Name: "x", Dir: dir, Options: []event.KV{
				kv("url", "tls://127.0.0.1:0"), kv("tls", []event.KV{kv("cert", "cert.pem"), kv("key", "key.pem")}),
			}})["x"]
			c := r.peer(at)
			write(r.t, c, "GET / HTTP/1.1\r\n\r\n")
			_, _ = io.ReadAll(c)
			_ = c.Close()
		}, "L error", []string{"L error tls"}},
		{"TLS: a server that nobody vouches for", func(r *rig) {
			dir := r.t.TempDir()
			certify(r.t, dir)
			at := r.listenAll(Listen{Name: "x", Dir: dir, Options: []event.KV{
				kv("url", "tls://127.0.0.1:0"), kv("tls", []event.KV{kv("cert", "cert.pem"), kv("key", "key.pem")}),
			}})["x"]
			r.dial("tls://"+at, nil)
			r.logged("C close")
			r.logged("L error")
			r.do(func() { r.log = only(r.log, "C ") })
		}, "C close", []string{"C connect -1", "C close handshake:certificate"}},
		{"one too many, and one too fast", func(r *rig) {
			at := r.listen("few", kv("url", "tcp://127.0.0.1:0"), kv("limits", []event.KV{kv("conns", float64(1))}))
			first := r.peer(at)
			r.logged("S accept")
			_, _ = io.ReadAll(r.peer(at))
			r.logged("L limit listener")
			_ = first.Close()
			r.logged("S close")
			at = r.listen("fast", kv("url", "tcp://127.0.0.1:0"), kv("limits", []event.KV{kv("rate", 0.01)}))
			second := r.peer(at)
			_, _ = io.ReadAll(r.peer(at))
			r.logged("L limit rate")
			_ = second.SetLinger(0)
			_ = second.Close()
			r.logged("S close reset")
			r.do(func() { r.log = slices.DeleteFunc(r.log, func(line string) bool { return line == "L close local" }) })
		}, "S close reset", []string{
			"S accept", "L limit listener", "S eof", "S close eof", "S accept", "L limit rate", "S close reset",
		}},
		{"a Unix socket", func(r *rig) {
			path := filepath.Join(r.t.TempDir(), "s")
			r.listen("echo", kv("url", "unix://"+path))
			r.serve(echo)
			c, err := net.Dial("unix", path)
			if err != nil {
				r.t.Fatal(err)
			}
			write(r.t, c, "hello")
			read(r.t, c, 5)
			_ = c.Close()
		}, "S close", []string{"S accept", "S recv 5 of 5", "S send 5", "S eof", "S close eof"}},
		{"IPv6", func(r *rig) {
			at := r.listen("echo", kv("url", "tcp://[::1]:0"))
			r.serve(func(name string, c *Conn, e any) event.Verdict {
				if ip := c.client.IP(); name == "loop.accept" && (!ip.Is6() || !ip.IsLoopback()) {
					r.t.Errorf("from %s", ip)
				}
				return echo(name, c, e)
			})
			c := r.peer(at)
			write(r.t, c, "hello")
			read(r.t, c, 5)
			_ = c.Close()
		}, "S close", []string{"S accept", "S recv 5 of 5", "S send 5", "S eof", "S close eof"}},
		{"UDP by IPv6", func(r *rig) {
			at := r.listen("echo", kv("url", "udp://[::1]:0"), kv("limits", []event.KV{kv("idle", "50ms")}))
			r.serve(echo)
			c, err := net.Dial("udp", at)
			if err != nil {
				r.t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			write(r.t, c, "one")
			read(r.t, c, 3)
		}, "S close", []string{"S accept", "S recv 3 of 3", "S send 3", "S close timeout:idle"}},
		{"a timer that is cleared, and set anew, comes once", func(r *rig) {
			at := r.listen("x", kv("url", "tcp://127.0.0.1:0"))
			r.serve(func(name string, c *Conn, _ any) event.Verdict {
				switch name {
				case "loop.accept":
					for _, in := range []any{"1ms", false, "2ms", nil, "1h", 0.003} {
						if err := c.Timer(nil, in); err != nil {
							r.t.Error(err)
						}
					}
				case "loop.timer":
					c.stack.sh.Timers().Arm(new(event.Timer), c.stack.now()+int64(30*time.Millisecond), func(int64) { _ = c.Close(nil) })
				}
				return event.Verdict{}
			})
			_, _ = io.ReadAll(r.peer(at))
		}, "S close", []string{"S accept", "S timer", "S close local"}},
		{"a timer that another handler of the same time clears does not come", func(r *rig) {
			r.do(func() {
				a, b := r.s.add(loopev.KindTimer), r.s.add(loopev.KindTimer)
				for _, c := range []*Conn{a, b} {
					if err := c.Timer(nil, "1ms"); err != nil {
						r.t.Error(err)
					}
				}
				r.handle = func(name string, c *Conn, _ any) event.Verdict {
					if name == "loop.timer" {
						_ = b.Timer(nil, false)
						b.stack.sh.Timers().Arm(new(event.Timer), c.stack.now()+int64(20*time.Millisecond), func(int64) { _ = a.Close(nil) })
					}
					return event.Verdict{}
				}
			})
		}, "T close", []string{"T timer", "T close local"}},
		{"send_and_close that is taken away keeps the connection", func(r *rig) {
			at := r.listen("x", kv("url", "tcp://127.0.0.1:0"))
			r.serve(func(name string, c *Conn, _ any) event.Verdict {
				if name == "loop.recv" {
					again := c.Unread() > 1
					c.Skip(int(c.Unread()))
					_ = c.Write1([]byte("x"))
					if err := c.SetSendAndClose(nil, true); err != nil || !c.SendAndClose() {
						r.t.Error(err)
					}
					if !again {
						if err := c.SetSendAndClose(nil, false); err != nil || c.SendAndClose() {
							r.t.Error(err)
						}
					}
				}
				return event.Verdict{}
			})
			c := r.peer(at)
			write(r.t, c, "a")
			read(r.t, c, 1)
			write(r.t, c, "bb")
			_, _ = io.ReadAll(c)
		}, "S close", []string{"S accept", "S recv 1 of 1", "S send 1", "S recv 2 of 2", "S send 1", "S close local"}},
		{"close_immediately cannot be taken away, and drops what is queued", func(r *rig) {
			at := r.listen("x", kv("url", "tcp://127.0.0.1:0"))
			r.serve(func(name string, c *Conn, _ any) event.Verdict {
				if name == "loop.recv" {
					_ = c.Write1([]byte("never"))
					if err := c.SetCloseImmediately(nil, true); err != nil {
						r.t.Error(err)
					}
					if err := c.SetCloseImmediately(nil, false); err == nil || !c.CloseImmediately() {
						r.t.Error("it was taken away")
					}
				}
				return event.Verdict{}
			})
			c := r.peer(at)
			write(r.t, c, "a")
			if b, _ := io.ReadAll(c); len(b) > 0 {
				r.t.Errorf("got %q", b)
			}
		}, "S close", []string{"S accept", "S recv 1 of 1", "S close local"}},
		{"both ends close at once", func(r *rig) {
			at := r.listen("x", kv("url", "tcp://127.0.0.1:0"))
			r.serve(func(name string, c *Conn, _ any) event.Verdict {
				if name == "loop.recv" && c.Inbound() {
					c.Skip(int(c.Unread()))
					for other := r.s.first; other != nil; other = other.after {
						if other.c != nil {
							_ = other.Close(nil)
						}
					}
				}
				return event.Verdict{}
			})
			r.dial("tcp://"+at, func(c *Conn) { _ = c.Write1([]byte("x")) })
			r.logged("C close")
			r.logged("S close")
			r.do(func() { r.log = append(only(r.log, "S "), only(r.log, "C ")...) })
		}, "C close", []string{"S accept", "S recv 1 of 1", "S close local", "C connect 0", "C send 1", "C close local"}},
		{"trace 10: only timers", func(r *rig) {
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
