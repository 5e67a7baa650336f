package flow_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// count is a dispatcher that only counts.
type count int

func (c *count) Dispatch(*event.Shard, event.PointID, any) event.Verdict {
	*c++
	return event.Verdict{}
}

// crowd builds the frames of many connections at once: each call adds one frame of every one.
type crowd struct {
	conns  int
	frames [][]byte
}

var crowdServer = netip.MustParseAddrPort("192.0.2.1:443")

func (w *crowd) each(build func(c netip.AddrPort) []byte) {
	for i := range w.conns {
		w.frames = append(w.frames, build(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 40000)))
	}
}

func (w *crowd) up(seq, to uint32, flags packet.Flags, n int) {
	body := make([]byte, n)
	w.each(func(c netip.AddrPort) []byte {
		return pt.TCP(c, crowdServer, seq, to, flags, body, pt.Timestamps(1, 1))
	})
}

func (w *crowd) down(seq, to uint32, flags packet.Flags, n int) {
	body := make([]byte, n)
	w.each(func(c netip.AddrPort) []byte {
		return pt.TCP(crowdServer, c, seq, to, flags, body, pt.Timestamps(1, 1))
	})
}

func (w *crowd) open() {
	w.up(0, 0, syn, 0)
	w.down(0, 1, syn|ack, 0)
	w.up(1, 1, ack, 0)
}

// traffic is connections that are opened, used in both directions with a late and a repeated
// segment, and closed.
func traffic(conns int) [][]byte {
	w := &crowd{conns: conns}
	w.open()
	w.up(1, 1, ack|psh, 100)
	w.down(1, 101, ack, 0)
	for i := range uint32(4) {
		w.down(1+i*200, 101, ack, 200)
		w.up(101, 201+i*200, ack, 0)
	}
	w.down(1001, 101, ack, 200)
	w.up(101, 801, ack, 0)
	w.down(801, 101, ack, 200)  // late
	w.down(1001, 101, ack, 200) // again
	w.up(101, 1201, fin|ack, 0)
	w.down(1201, 102, fin|ack, 0)
	w.up(102, 1202, ack, 0)
	return w.frames
}

// run gives all frames to the stack, a microsecond apart.
func run(s *flow.Stack, frames [][]byte, now *int64) {
	for _, f := range frames {
		*now += 1000
		s.Frame(packet.LinkEthernet, f, len(f), *now)
	}
}

// modes are what the cost of a packet depends on.
var modes = []struct {
	name            string
	wanted, streams bool // somebody listens, and reads streams
	cfg             flow.Config
}{
	{"unheard", false, false, flow.Config{}},
	{"wanted", true, false, flow.Config{}},
	{"applied", true, false, flow.Config{Verdicts: flow.Apply, Forward: func(*flow.Outcome) {}}},
	{"streams", true, true, flow.Config{}},
}

// TestSteadyStateAllocatesNothing runs connections through their whole life, once everything has been
// there before.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	frames := traffic(500)
	for _, m := range modes {
		var c count
		sh := event.NewShard(0)
		sh.Bind(&c, func(event.PointID) bool { return m.wanted })
		s := flow.New(sh, m.cfg)
		s.WantStreams(m.streams, m.streams)
		now := start
		if n := testing.AllocsPerRun(5, func() { run(s, frames, &now) }); n != 0 {
			t.Errorf("%s: %v allocations for %d frames", m.name, n, len(frames))
		}
		if st := s.Stats(); st.Open != 0 || st.Ended != 6*500 || st.Orphans != 0 || (c == 0) == m.wanted {
			t.Errorf("%s: %d events, %+v", m.name, c, st)
		}
	}
}

// TestMemoryOfConns bounds what one open connection costs.
func TestMemoryOfConns(t *testing.T) {
	const conns = 20_000
	w := &crowd{conns: conns}
	w.open()
	sh := event.NewShard(0)
	s := flow.New(sh, flow.Config{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	now := start
	run(s, w.frames, &now)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(w)
	each := int(after.HeapAlloc-before.HeapAlloc) / conns
	if each > 600 || s.Stats().Open != conns {
		t.Errorf("%d bytes a connection, %d open", each, s.Stats().Open)
	}
	t.Logf("%d bytes a connection", each)
}

func BenchmarkStack(b *testing.B) {
	for _, conns := range []int{100, 20_000} {
		frames := traffic(conns)
		for _, m := range modes {
			b.Run(fmt.Sprintf("conns=%d/%s", conns, m.name), func(b *testing.B) {
				var c count
				sh := event.NewShard(0)
				sh.Bind(&c, func(event.PointID) bool { return m.wanted })
				s := flow.New(sh, m.cfg)
				s.WantStreams(m.streams, m.streams)
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

// BenchmarkBulk sends one connection's full segments, with the acknowledgment of each.
func BenchmarkBulk(b *testing.B) {
	for _, m := range modes {
		b.Run(m.name, func(b *testing.B) {
			w := &crowd{conns: 1}
			w.open()
			var c count
			sh := event.NewShard(0)
			sh.Bind(&c, func(event.PointID) bool { return m.wanted })
			s := flow.New(sh, m.cfg)
			s.WantStreams(m.streams, m.streams)
			now := start
			run(s, w.frames, &now)
			w.frames = nil
			w.up(1, 1, ack|psh, 1448)
			w.down(1, 1449, ack, 0)
			const seq, ackTo = 14 + 20 + 4, 14 + 20 + 8
			data, answer := w.frames[0], w.frames[1]
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				binary.BigEndian.PutUint32(data[seq:], uint32(1+1448*i))
				binary.BigEndian.PutUint32(answer[ackTo:], uint32(1+1448*(i+1)))
				now += 1000
				s.Frame(packet.LinkEthernet, data, len(data), now)
				s.Frame(packet.LinkEthernet, answer, len(answer), now)
			}
			if got := s.Stats(); got.OutWindow > 0 || got.Gaps > 0 {
				b.Errorf("%+v", got)
			}
		})
	}
}
