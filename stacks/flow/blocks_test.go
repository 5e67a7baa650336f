package flow_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// TestBlockedPackets blocks one end of a connection with verdicts applied: nothing passes in either
// direction, no stack sees it, until the time is up.
func TestBlockedPackets(t *testing.T) {
	t.Parallel()
	for _, what := range []any{"10.0.0.1", "10.0.0.0/30", "10.0.0.2", "::ffff:10.0.0.1", nil} {
		g := newGate(t, flow.Config{})
		g.open()
		g.fate()
		text := strings.TrimPrefix(fmt.Sprint(what), "::ffff:")
		if what == nil {
			what, text = g.conn().Client(), "10.0.0.1"
		}
		if err := g.s.Block(nil, what, time.Second, true, "test"); err != nil {
			t.Fatal(err)
		}
		words := g.send(g.c(1, 1, ack, "hello"), g.srv(1, 6, ack, ""), g.c(0, 0, syn, ""))
		g.want("events", words, fmt.Sprintf("block_start:%s:1s:test blocked:%s blocked:%s blocked:%s", text, text, text, text))
		g.want("fate", g.fate(), "- - -")
		if b := g.conn().Client().Bytes(); b != 0 {
			t.Errorf("the stack saw %d bytes", b)
		}
		g.now += 2 * time.Second
		words = g.send(g.c(1, 1, ack, "hello"))
		g.want("afterwards", words, fmt.Sprintf("block_end:%s:expired:3 pkt_in.snd/C pkt_in.rcv/S new_data/S:0+5", text))
		g.want("fate", g.fate(), "+")
		if st := g.s.Stats(); st.Blocked != 3 || st.Frames != 7 || st.TCP != 4 {
			t.Errorf("%+v", st)
		}
	}
}

// TestBlockedRecorded follows the capture and counts.
func TestBlockedRecorded(t *testing.T) {
	t.Parallel()
	var verdicts []string
	n := newNet(t, flow.Config{Forward: func(o *flow.Outcome) {
		verdicts = append(verdicts, fmt.Sprintf("%v/%v/%s", o.Action, o.Verdict, o.Blocked))
	}})
	if err := n.s.Block(&event.Caller{Script: "a.lua", Rule: "r"}, "10.0.0.1", 0, false, ""); err != nil {
		t.Fatal(err)
	}
	words := n.send(n.c(0, 0, syn, ""))
	n.want("events", words, "block_start:10.0.0.1:0s: blocked:10.0.0.1 pkt_in.snd/C conn_start.snd/C state.snd/C:closed>syn_sent pkt_in.rcv/S conn_start.rcv/S state.rcv/S:closed>syn_received")
	if diff := cmp.Diff([]string{"0/2/10.0.0.1"}, verdicts); diff != "" {
		t.Error(diff)
	}
}

// TestBlockCalls goes through what calls answer.
func TestBlockCalls(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{Blocks: flow.NewBlocks(2, netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::5/128"))})
	for _, tt := range []struct {
		what any
		ttl  time.Duration
		want string
	}{
		{"10.0.0.1", time.Second, ""},
		{"127.0.0.1", time.Second, "flow.block: 127.0.0.1 is never blocked: it meets 127.0.0.0/8"},
		{"0.0.0.0/0", time.Second, "flow.block: 0.0.0.0/0 is never blocked: it meets 127.0.0.0/8"},
		{"192.0.2.77", time.Second, "flow.block: 192.0.2.77 is never blocked: it meets 192.0.2.0/24"},
		{"2001:db8::/32", time.Second, "flow.block: 2001:db8::/32 is never blocked: it meets 2001:db8::5"},
		{"10.0.0.300", time.Second, `flow.block: address or prefix such as "10.0.0.0/8" expected, got "10.0.0.300"`},
		{7.0, time.Second, `flow.block: address or prefix such as "10.0.0.0/8" expected, got 7`},
		{"10.0.0.2", -1, "flow.block: a time is more than 0"},
		{"10.0.0.1", time.Minute, ""}, // again
		{"10.1.2.3/16", time.Second, ""},
		{"10.0.0.9", time.Second, "flow.block: the table of blocks is full: it holds 2"},
	} {
		got := ""
		if err := n.s.Block(nil, tt.what, tt.ttl, true, "x"); err != nil {
			got = err.Error()
		}
		n.want(fmt.Sprint(tt.what), got, tt.want)
	}
	list, total := n.s.Blocks(nil)
	var text []string
	for _, b := range list.([]any) {
		text = append(text, fmt.Sprint(b.([]event.KV)[0].Value))
	}
	if diff := cmp.Diff([]string{"10.0.0.1", "10.1.0.0/16"}, text); diff != "" || total != 2 {
		t.Errorf("%d: %s", total, diff)
	}
	if err := n.s.Unblock(nil, "10.0.0.1"); err != nil {
		t.Error(err)
	}
	if err := n.s.Unblock(nil, "10.0.0.1"); !errors.Is(err, flow.ErrNotBlocked) {
		t.Error(err)
	}
	n.s.Close()
	n.want("told at the end", n.rec.take(), "block_start:10.0.0.1:1s:x block_start:10.1.0.0/16:1s:x block_end:10.0.0.1:unblocked:0")
}

// TestBlocksModel compares the table with a list that is searched.
func TestBlocksModel(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	shared := flow.NewBlocks(0)
	n := newNet(t, flow.Config{Blocks: shared, Verdicts: flow.Apply})
	until := map[netip.Prefix]int64{}
	now := int64(0)
	address := func() netip.Addr {
		return netip.AddrFrom4([4]byte{10, byte(rng.IntN(3)), byte(rng.IntN(3)), byte(1 + rng.IntN(4))})
	}
	for i := range 20_000 {
		switch a := address(); rng.IntN(4) {
		case 0:
			p := netip.PrefixFrom(a, 14+rng.IntN(19)).Masked()
			ttl := time.Duration(1+rng.IntN(40)) * time.Millisecond
			if err := n.s.Block(nil, p.String(), ttl, true, ""); err != nil {
				t.Fatal(err)
			}
			until[p] = now + int64(ttl)
		case 1:
			p := netip.PrefixFrom(a, 32)
			if _, was := until[p]; (n.s.Unblock(nil, p.String()) == nil) != was {
				t.Fatalf("step %d: unblock %s", i, p)
			}
			delete(until, p)
		default:
			now += int64(time.Millisecond)
			b := address()
			for p, u := range until {
				if u <= now {
					delete(until, p)
				}
			}
			want := false
			for p := range until {
				want = want || p.Contains(a) || p.Contains(b)
			}
			before := n.s.Stats().Blocked
			f := pt.UDP(netip.AddrPortFrom(a, 5), netip.AddrPortFrom(b, 6), "")
			n.s.Frame(packet.LinkEthernet, f, len(f), now)
			if got := n.s.Stats().Blocked > before; got != want {
				t.Fatalf("step %d: %s to %s: blocked %v, want %v; %v", i, a, b, got, want, until)
			}
		}
		n.rec.words = nil
	}
	if st := shared.Stats(); st.Now != len(until) || st.Blocked != st.Ended+uint64(st.Now) || st.Blocked < 500 {
		t.Errorf("%+v, %d", st, len(until))
	}
}

// TestBlocksShared uses one table from several goroutines.
func TestBlocksShared(t *testing.T) {
	t.Parallel()
	shared := flow.NewBlocks(0)
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			sh := event.NewShard(k)
			s := flow.New(sh, flow.Config{Blocks: shared, Verdicts: flow.Apply})
			for i := range 500 {
				sh.Enter()
				p := netip.AddrFrom4([4]byte{10, 0, byte(k), byte(i)})
				if err := s.Block(nil, p.String(), time.Duration(i%5+1)*time.Millisecond, true, ""); err != nil {
					t.Error(err)
				}
				f := pt.UDP(netip.AddrPortFrom(p, 5), endpoint(6), "")
				s.Frame(packet.LinkEthernet, f, len(f), int64(i)*1e6)
				shared.List(10)
				sh.Leave()
			}
			sh.Enter()
			s.Advance(1e18)
			s.Close()
			sh.Leave()
		})
	}
	wg.Wait()
	if st := shared.Stats(); st.Now != 0 || st.Ended != st.Blocked {
		t.Errorf("%+v", st)
	}
}

// TestBlockingCostsNothing asserts that looking for blocks allocates nothing.
func TestBlockingCostsNothing(t *testing.T) {
	sh := event.NewShard(0)
	s := flow.New(sh, flow.Config{Verdicts: flow.Apply})
	for _, p := range []string{"10.9.0.0/16", "10.0.0.9", "2001:db8::/32"} {
		if err := s.Block(nil, p, 0, false, ""); err != nil {
			t.Fatal(err)
		}
	}
	pass := pt.UDP(endpoint(5), endpoint(6), "")
	stop := pt.UDP(endpoint(5), endpoint(9), "")
	s.Frame(packet.LinkEthernet, pass, len(pass), 1)
	if n := testing.AllocsPerRun(100, func() {
		s.Frame(packet.LinkEthernet, pass, len(pass), 1)
		s.Frame(packet.LinkEthernet, stop, len(stop), 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if s.Stats().Blocked == 0 {
		t.Error("nothing was blocked")
	}
}

// TestObservedBlocks lets packets pass that rules block which only observe, whatever else they do.
func TestObservedBlocks(t *testing.T) {
	t.Parallel()
	g := newGate(t, flow.Config{})
	block := func(what string, observe bool) {
		if err := g.s.Block(&event.Caller{Observe: observe}, what, time.Second, true, ""); err != nil {
			t.Fatal(err)
		}
	}
	block("10.0.0.1", true)
	g.send(g.c(0, 0, syn, ""))
	g.want("observed", g.fate(), "+")
	block("10.0.0.0/24", false)
	g.send(g.c(0, 0, syn, ""))
	g.want("a wider one does", g.fate(), "-")
	block("10.0.0.1", false)
	block("10.0.0.0/24", true)
	g.send(g.c(0, 0, syn, ""))
	g.want("a longer one does", g.fate(), "-")
	block("10.0.0.1", true)
	g.send(g.c(0, 0, syn, ""))
	g.want("both observe", g.fate(), "+")
}
