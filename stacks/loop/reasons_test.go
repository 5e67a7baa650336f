package loop

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// TestReasons has connections end in every way that the peer has no part in: each is
// told why, once. Those of peers, names and handshakes are in TestOrder.
func TestReasons(t *testing.T) {
	verdict := func(kind event.VerdictKind, args any) func(*Conn) event.Verdict {
		return func(*Conn) event.Verdict { return event.Verdict{Kind: kind, Args: args} }
	}
	do := func(f func(*Conn)) func(*Conn) event.Verdict {
		return func(c *Conn) event.Verdict {
			f(c)
			return event.Verdict{}
		}
	}
	for want, accept := range map[string]func(*Conn) event.Verdict{
		"rejected":     verdict(loopev.VerdictReject, &loopev.RejectArgs{With: []byte("no")}),
		"rejected ":    verdict(loopev.VerdictReset, nil),
		"timeout:hold": verdict(loopev.VerdictHold, &loopev.HoldArgs{Time: 5 * time.Millisecond, HasTime: true}),
		"limit:send": do(func(c *Conn) {
			for range 3 {
				_ = c.Write1(make([]byte, 1<<20))
			}
		}),
		"timeout:send": do(func(c *Conn) { _ = c.Write1(make([]byte, 48<<20)) }),
		"timeout:idle": do(func(*Conn) {}),
		"timeout:script": do(func(c *Conn) {
			if err := c.Deadline(nil, 5*time.Millisecond, true); err != nil {
				t.Error(err)
			}
		}),
		"local":   do(func(c *Conn) { _ = c.Close(nil) }),
		"local ":  do(func(c *Conn) { _ = c.Abort(nil) }),
		"local  ": do(func(c *Conn) { _ = c.Reset(nil) }),
		"stopped": do(func(c *Conn) { go c.stack.group.Drain(time.Second) }),
	} {
		t.Run(want, func(t *testing.T) {
			r := newRig(t)
			limits := []event.KV{kv("idle", "30ms"), kv("send_max", "2MiB"), kv("linger", "1ms")}
			if want == "timeout:send" {
				limits = []event.KV{kv("send", "20ms"), kv("send_max", "64MiB")}
			}
			at := r.listen("x", kv("url", "tcp://127.0.0.1:0"), kv("limits", limits))
			r.serve(func(name string, c *Conn, _ any) event.Verdict {
				if name == "loop.accept" {
					return accept(c)
				}
				return event.Verdict{}
			})
			if p, err := net.Dial("tcp", at); err == nil { // it may be reset already
				defer p.Close()
				if want != "timeout:send" {
					go func() { _, _ = io.Copy(io.Discard, p) }()
				}
			}
			r.logged("S close")
			ends := 0
			r.do(func() {
				for _, line := range only(r.log, "S close ") {
					ends++
					if line != "S close "+strings.TrimSpace(want) {
						t.Error(line)
					}
				}
			})
			if ends != 1 {
				t.Errorf("told %d times", ends)
			}
		})
	}
}
