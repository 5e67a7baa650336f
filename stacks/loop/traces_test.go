package loop

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// TestTraces has the traces of the 2016 event model that need more than a look at what
// was raised, by their numbers. Where this loop does better the case says so.
func TestTraces(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(r *rig)
		last string
		want []string
	}{
		{"trace 6: a limit of one byte, consumed each time", func(r *rig) {
			at := r.listen("x", kv("url", "tcp://127.0.0.1:0"), kv("limits", []event.KV{kv("recv", float64(1))}))
			r.serve(func(name string, c *Conn, _ any) event.Verdict {
				if name == "loop.recv" {
					c.Skip(1)
				}
				return event.Verdict{}
			})
			p := r.peer(at)
			write(r.t, p, "four")
			_ = p.Close()
		}, "S close", []string{"S accept", "S recv 1 of 1", "S recv 1 of 1", "S recv 1 of 1", "S recv 1 of 1", "S eof", "S close eof"}},
		{"trace 7: poll comes in turns with traffic too", func(r *rig) {
			r.want(func(string) bool { return true })
			p := r.peer(r.listen("x", kv("url", "tcp://127.0.0.1:0")))
			for i := range 3 {
				write(r.t, p, "x")
				r.logged(fmt.Sprintf("S recv 1 of %d", i+1))
			}
			_ = p.Close()
			r.logged("S close")
			r.do(func() { r.log = slices.Compact(only(r.log, "S ")) })
		}, "S close", []string{
			"S accept", "S poll", "S recv 1 of 1", "S poll", "S recv 1 of 2", "S poll", "S recv 1 of 3", "S poll", "S eof", "S close eof",
		}},
		{"trace 8: 10,000 bytes are told at once, not a kilobyte a turn", func(r *rig) {
			p := r.peer(r.listen("x", kv("url", "tcp://127.0.0.1:0")))
			write(r.t, p, strings.Repeat("x", 10000))
			r.logged("S recv 10000 of 10000")
			_ = p.Close()
		}, "S close", []string{"S accept", "S recv 10000 of 10000", "S eof", "S close eof"}},
		{"trace 9: two datagrams of one source are of one connection", func(r *rig) {
			r.udp([]string{"one", "two"})
		}, "S close", []string{"S accept", "S recv 3 of 3", "S send 3", "S recv 3 of 3", "S send 3", "S close timeout:idle"}},
		{"trace 9b: a datagram of 2,000 bytes is whole", func(r *rig) {
			r.udp([]string{strings.Repeat("x", 2000)})
		}, "S close", []string{"S accept", "S recv 2000 of 2000", "S send 2000", "S close timeout:idle"}},
		{"trace 11: a broadcast reaches all, listeners too", func(r *rig) {
			at := r.listenAll(Listen{Name: "a", Options: []event.KV{kv("url", "tcp://127.0.0.1:0")}}, Listen{Name: "b", Options: []event.KV{kv("url", "tcp://127.0.0.1:0")}})
			r.peer(at["a"])
			r.peer(at["b"])
			within(r.t, "both are accepted", func() (both bool) {
				r.do(func() { both = len(only(r.log, "S accept")) == 2 })
				return both
			})
			r.do(func() {
				r.log = nil
				r.handle = func(_ string, c *Conn, e any) event.Verdict {
					if m, ok := e.(*loopev.Message); !ok || m.Message != "hey" {
						r.t.Errorf("told %v", e)
					}
					return event.Verdict{}
				}
			})
			told := make(chan error)
			go func() { told <- r.g.Post(nil, "hey", nil) }() // who has entered no shard
			if err := <-told; err != nil {
				r.t.Error(err)
			}
			within(r.t, "all are told", func() (all bool) {
				r.do(func() { all = len(r.log) == 4 })
				return all
			})
			r.do(func() { r.handle = nil })
		}, "S message", []string{"L message", "L message", "S message", "S message"}},
		{"trace 12: what only the loop sets cannot be asked for", func(r *rig) {
			at := r.listen("x", kv("url", "tcp://127.0.0.1:0"))
			r.do(func() {
				for _, name := range []string{"close_immediately", "send_and_close", "connecting", "listening"} {
					if _, err := r.s.Dial(Dialing{URL: "tcp://" + at, Options: []event.KV{kv(name, true)}}); err == nil {
						r.t.Errorf("%s was taken", name)
					}
				}
				if _, err := r.s.Dial(Dialing{URL: "tcp://" + at, Options: []event.KV{kv("broadcast", true)}}); err != nil {
					r.t.Error(err)
				}
			})
			r.logged("C connect")
			r.do(func() { r.log = only(r.log, "C ") })
		}, "C connect", []string{"C connect 0"}},
		{"trace 17: the end of all tells connections and listeners", func(r *rig) {
			r.peer(r.listen("x", kv("url", "tcp://127.0.0.1:0")))
			r.logged("S accept")
			r.g.Drain(time.Second)
			r.logged("S close")
			r.logged("L close")
			r.do(func() { slices.Sort(r.log) })
		}, "L close", []string{"L close stopped", "S accept", "S close stopped"}},
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

// udp has datagrams echoed, one after the other.
func (r *rig) udp(grams []string) {
	at := r.listen("x", kv("url", "udp://127.0.0.1:0"), kv("limits", []event.KV{kv("idle", "50ms")}))
	r.serve(echo)
	p, err := net.Dial("udp", at)
	if err != nil {
		r.t.Fatal(err)
	}
	defer p.Close()
	_ = p.SetDeadline(time.Now().Add(time.Minute))
	for _, g := range grams {
		write(r.t, p, g)
		if got := read(r.t, p, len(g)); got != g {
			r.t.Errorf("%q came back", got)
		}
	}
}
