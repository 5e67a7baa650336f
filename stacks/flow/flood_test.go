package flow_test

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// heap returns how many bytes are in use.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// flood sends one frame from n sources, which it writes into it.
func flood(s *flow.Stack, frame []byte, n int, now int64) {
	const srcAddr = 14 + 12
	for i := range n {
		binary.BigEndian.PutUint32(frame[srcAddr:], 0x0a000000+uint32(i))
		s.Frame(packet.LinkEthernet, frame, len(frame), now+int64(i)*1000)
	}
}

// TestSYNFlood opens more connections than there may be, which nobody answers, among 1000 that are
// used: the flood pushes out its own.
func TestSYNFlood(t *testing.T) {
	const victims = 1000
	attackers, cfg := 100_000, flow.Config{MaxConns: 100_000}
	if testbed.Proving() {
		attackers, cfg = 1_000_000, flow.Config{}
	}
	var ends [flowev.EndReasonReset + 1]int
	sh := event.NewShard(0)
	sh.Bind(dispatch(func(e any) { ends[e.(*flowev.ConnEnd).Reason]++ }), func(id event.PointID) bool { return id == flowev.OnConnEnd.ID() })
	s := flow.New(sh, cfg)
	before := heap()
	w := &crowd{conns: victims}
	w.open()
	now := start
	run(s, w.frames, &now)
	frame := pt.TCP(endpoint(1), crowdServer, 7, 0, syn, "", pt.MSS(1460))
	began := time.Now()
	flood(s, frame, victims+attackers, now)
	took := time.Since(began)
	used := heap() - before
	st := s.Stats()
	if st.Open != attackers || int(st.Conns) != victims+attackers+victims || st.Evicted != 2*victims || ends[flowev.EndReasonEvicted] != 2*victims {
		t.Errorf("%d evicted, %+v", ends[flowev.EndReasonEvicted], st)
	}
	t.Logf("%d MiB for %d connections, %v a SYN; %d evicted", used>>20, st.Open, took/time.Duration(victims+attackers), st.Evicted)
	if used > attackers*640 {
		t.Errorf("%d MiB in use", used>>20)
	}
	w.frames = w.frames[:0]
	w.up(1, 1, ack|psh, 10)
	now += int64(time.Second) * 2
	orphans := s.Stats().Orphans
	run(s, w.frames, &now)
	if s.Stats().Orphans != orphans {
		t.Error("the flood pushed out connections that are used")
	}
	s.Close()
	runtime.KeepAlive(s)
}

// TestIdleConns keeps 100,000 open connections that were used, in less than 100 MiB.
func TestIdleConns(t *testing.T) {
	conns := 10_000
	if testbed.Proving() {
		conns = 100_000
	}
	sh := event.NewShard(0)
	s := flow.New(sh, flow.Config{})
	w := &crowd{conns: conns}
	w.open()
	w.up(1, 1, ack|psh, 100)
	w.down(1, 101, ack|psh, 200)
	w.up(101, 201, ack, 0)
	before := heap()
	now := start
	run(s, w.frames, &now)
	used := heap() - before
	runtime.KeepAlive(w)
	if s.Stats().Open != conns || used > conns*(100<<20)/100_000 {
		t.Errorf("%d open, %d MiB", s.Stats().Open, used>>20)
	}
	t.Logf("%d MiB for %d connections", used>>20, conns)
}

// TestManyHoles is a connection of which every other segment is missing, 10,000 times: what waits is
// bounded, and so is the time.
func TestManyHoles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		cut     bool // the capture has no byte of them
		reverse bool // the last comes first
	}{{"forward", false, false}, {"reverse", false, true}, {"cut", true, false}, {"cut in reverse", true, true}} {
		n := newNet(t, flow.Config{})
		n.s.WantStreams(true, true)
		n.open(pt.WScale(10))
		n.send(n.srv(1, 1, ack, "")) // whose window is scaled
		n.rec.words = nil
		body := strings.Repeat("z", 10)
		began := time.Now()
		for i := range uint32(10_000) {
			if c.reverse {
				i = 9_999 - i
			}
			f := n.c(11+20*i, 1, ack|psh, body)
			wire := len(f)
			if c.cut {
				f = f[:len(f)-10]
			}
			n.now += time.Microsecond
			n.s.Frame(packet.LinkEthernet, f, wire, start+int64(n.now))
			n.rec.words = n.rec.words[:0]
		}
		st := n.s.Stats()
		if st.Peak > 256<<10 || st.Held > st.Peak || st.NotHeld == 0 || st.Gaps == 0 {
			t.Errorf("%s: %+v", c.name, st)
		}
		took := time.Since(began)
		t.Logf("10,000 holes, %s: at most %d KiB held, %d pieces not held, %d gaps, %v", c.name, st.Peak>>10, st.NotHeld, st.Gaps, took.Round(time.Millisecond))
		if took > 20*time.Second {
			t.Errorf("%s took %v", c.name, took)
		}
		n.later(time.Second)
		n.send(n.srv(1, 200_001, ack, ""))
		n.later(time.Second)
		n.send(n.srv(1, 200_001, ack, ""), n.srv(1, 200_001, ack, ""))
		n.s.Close()
		client := n.conn().Client()
		if st := n.s.Stats(); st.Held != 0 || st.Kept != 0 || client.Sent().Len() == 0 {
			t.Errorf("%s: %+v", c.name, st)
		}
		if client.Bytes() > 100_000 || !c.cut && !c.reverse && client.Bytes() != 100_000 {
			t.Errorf("%s: %d bytes", c.name, client.Bytes())
		}
	}
}

// TestCutFlood cuts every connection there is: what is remembered of them has the same limit.
func TestCutFlood(t *testing.T) {
	t.Parallel()
	sh := event.NewShard(0)
	s := flow.New(sh, flow.Config{MaxConns: 1000, Verdicts: flow.Apply})
	sh.Bind(always(flowev.VerdictCut), func(event.PointID) bool { return true })
	frame := pt.TCP(endpoint(1), crowdServer, 7, 0, syn, "")
	for range 2 {
		flood(s, frame, 5000, start)
	}
	if st := s.Stats(); st.Open != 0 || st.Remembered != 1000 || st.Cut != 10_000 || st.Evicted != 0 || st.Dropped != 10_000 {
		t.Errorf("%+v", st)
	}
	flood(s, frame, 5000, start+int64(time.Hour))
	s.Close()
	if st := s.Stats(); st.Remembered != 0 || st.Conns != st.Ended {
		t.Errorf("%+v", st)
	}
}

// always is a rule that decides the same at every hook point.
type always event.VerdictKind

func (a always) Dispatch(*event.Shard, event.PointID, any) event.Verdict {
	return event.Verdict{Kind: event.VerdictKind(a)}
}
