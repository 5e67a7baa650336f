package flow_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// chatter is flows of UDP and of ICMP, each asked and answered twice, and an ICMP error for each.
func chatter(flows int) [][]byte {
	w := &crowd{conns: flows}
	server := netip.AddrPortFrom(crowdServer.Addr(), 53)
	for range 2 {
		w.each(func(c netip.AddrPort) []byte { return pt.UDP(c, server, "a question of some length") })
		w.each(func(c netip.AddrPort) []byte { return pt.UDP(server, c, "the answer, which is a little longer") })
		w.each(func(c netip.AddrPort) []byte { return pt.ICMP(c.Addr(), server.Addr(), 8, 0, 7<<16, "ping") })
		w.each(func(c netip.AddrPort) []byte { return pt.ICMP(server.Addr(), c.Addr(), 0, 0, 7<<16, "ping") })
	}
	w.each(func(c netip.AddrPort) []byte {
		return pt.ICMP(server.Addr(), c.Addr(), 3, 3, 0, quoteOf(pt.UDP(c, server, ""), 28))
	})
	return w.frames
}

// TestFlowsAllocateNothing runs flows through their whole life, with and without somebody who listens,
// once everything has been there before.
func TestFlowsAllocateNothing(t *testing.T) {
	frames := chatter(300)
	for _, wanted := range []bool{false, true} {
		for _, max := range []int{0, 100} { // ended by time, and to make room
			var c count
			sh := event.NewShard(0)
			sh.Bind(&c, func(event.PointID) bool { return wanted })
			s := flow.New(sh, flow.Config{MaxConns: max})
			now := start
			if n := testing.AllocsPerRun(5, func() {
				run(s, frames, &now)
				now += 120e9
				s.Advance(now)
			}); n != 0 {
				t.Errorf("wanted %v, at most %d: %v allocations for %d frames", wanted, max, n, len(frames))
			}
			st := s.Stats()
			if st.Open != 0 || st.Datagrams != 6*8*300 || (st.Evicted != 0) != (max != 0) || (c == 0) == wanted {
				t.Errorf("wanted %v, at most %d: %d events, %+v", wanted, max, c, st)
			}
		}
	}
}

// TestMemoryOfFlows bounds what one open UDP flow costs.
func TestMemoryOfFlows(t *testing.T) {
	const flows = 20_000
	w := &crowd{conns: flows}
	w.each(func(c netip.AddrPort) []byte { return pt.UDP(c, crowdServer, "") })
	s := flow.New(event.NewShard(0), flow.Config{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	now := start
	run(s, w.frames, &now)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(w)
	each := int(after.HeapAlloc-before.HeapAlloc) / flows
	if each > 350 || s.Stats().Open != flows {
		t.Errorf("%d bytes a flow, %d open", each, s.Stats().Open)
	}
	t.Logf("%d bytes a flow", each)
}

func BenchmarkFlows(b *testing.B) {
	for _, flows := range []int{100, 20_000} {
		frames := chatter(flows)
		for _, wanted := range []bool{false, true} {
			b.Run(fmt.Sprintf("flows=%d/wanted=%v", flows, wanted), func(b *testing.B) {
				var c count
				sh := event.NewShard(0)
				sh.Bind(&c, func(event.PointID) bool { return wanted })
				s := flow.New(sh, flow.Config{})
				now := start
				run(s, frames, &now)
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					now += 1000
					f := frames[i%len(frames)]
					s.Frame(packet.LinkEthernet, f, len(f), now)
				}
			})
		}
	}
}

// BenchmarkConns lists few of 100,000 flows.
func BenchmarkConns(b *testing.B) {
	s := flow.New(event.NewShard(0), flow.Config{})
	w := &crowd{conns: 100_000}
	w.each(func(c netip.AddrPort) []byte { return pt.UDP(c, crowdServer, "") })
	now := start
	run(s, w.frames, &now)
	for name, filter := range map[string]any{"scope": "udp port 1", "fields": kv("server.port", 1.0)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if list, _, _ := s.Conns(nil, filter); len(list.([]any)) != 0 {
					b.Fatal("a flow of port 1")
				}
			}
		})
	}
}
