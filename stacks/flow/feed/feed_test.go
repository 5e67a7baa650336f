package feed_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/feed"
	"github.com/hookd/hookd/stacks/flow/packet"
	"github.com/hookd/hookd/stacks/flow/packet/packettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reader reads n packets of UDP flows, a millisecond apart, from time zero on.
type reader struct {
	n, next int
	err     error
}

func (r *reader) Next(f *capture.Frame) error {
	if r.next == r.n {
		if r.err != nil {
			return r.err
		}
		return io.EOF
	}
	from := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(1024+r.next%10))
	data := packettest.UDP(from, netip.MustParseAddrPort("10.0.0.2:53"), "hello")
	*f = capture.Frame{TS: int64(r.next) * 1e6, Data: data, WireLen: len(data), Link: capture.LinkTypeEthernet}
	r.next++
	return nil
}

func (r *reader) Close() error { return nil }

func loop(passes, n int, paced bool, end error) *feed.Loop {
	return feed.NewLoop(feed.LoopConfig{
		Passes: passes, Paced: paced,
		Open: func() (feed.Reader, error) { return &reader{n: n, err: end}, nil },
	})
}

// TestLoopTime checks that time goes on over the passes.
func TestLoopTime(t *testing.T) {
	t.Parallel()
	l := loop(3, 2, false, nil)
	var got []int64
	for {
		var f capture.Frame
		err := l.Next(&f, 0)
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, feed.ErrPass) {
			got = append(got, -1)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, f.TS)
	}
	const ms, s = 1e6, 1e9
	want := []int64{0, ms, -1, ms + s, 2*ms + s, -1, 2*ms + 2*s, 3*ms + 2*s}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPasses checks that each pass comes to the same, and that connections end
// with it.
func TestPasses(t *testing.T) {
	t.Parallel()
	shards := event.NewShards(3, event.Together, 0)
	var f *feed.Feed
	var conns []uint64
	begun := int64(-1)
	f = feed.New(feed.Config{
		Shards: shards, Front: flow.NewFront(shards, flow.Config{}), Sources: []feed.Source{loop(4, 1000, false, nil)},
		Begin: func(ts int64) { begun = ts },
		Passed: func() {
			st := f.Stats()
			if st.Open != 0 {
				t.Errorf("%d open at the end of a pass", st.Open)
			}
			conns = append(conns, st.Conns)
		},
	})
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint64{10, 20, 30, 40}, conns); diff != "" || begun != 0 {
		t.Error(begun, diff)
	}
}

// TestPaced checks that a capture takes as long as it says, stamped as of now, and
// that timers fire where no packet comes.
func TestPaced(t *testing.T) {
	t.Parallel()
	shards := event.NewShards(1, event.Together, 0)
	shard := shards.At(0)
	var fired atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	f := feed.New(feed.Config{
		Shards: shards, Front: flow.NewFront(shards, flow.Config{}), Sources: []feed.Source{loop(1, 50, true, nil)},
		Clocked: true, Stay: true,
		Begin: func(ts int64) {
			shard.Enter()
			defer shard.Leave()
			shard.Advance(ts)
			shard.Timers().Arm(new(event.Timer), ts+int64(200*time.Millisecond), func(now int64) { fired.Store(now); cancel() })
		},
	})
	begun := time.Now()
	if err := f.Run(ctx); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	if st := f.Stats(); st.Frames != 50 || took < 190*time.Millisecond || took > time.Minute {
		t.Errorf("%d frames in %s", st.Frames, took)
	}
	if off := time.Duration(fired.Load() - begun.UnixNano()); off < 200*time.Millisecond || off > took+50*time.Millisecond || off > 5*time.Second {
		t.Errorf("the timer fired at %s", off)
	}
}

// sifting is a reader that goes through frames which nobody wants.
type sifting struct{ calls atomic.Int64 }

func (r *sifting) Next(*capture.Frame) error { r.calls.Add(1); return feed.ErrIdle }

func (r *sifting) Close() error { return nil }

// TestSifting checks that time goes on while a reader finds nothing for long, that the shard is free for others, and
// that the reader is asked again at once.
func TestSifting(t *testing.T) {
	t.Parallel()
	shards := event.NewShards(1, event.Together, 0)
	shard := shards.At(0)
	r := &sifting{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	between := 0
	err := feed.New(feed.Config{
		Shards: shards, Front: flow.NewFront(shards, flow.Config{}), Clocked: true,
		Sources: []feed.Source{feed.NewLoop(feed.LoopConfig{Open: func() (feed.Reader, error) { return r, nil }, Paced: true})},
		Begin: func(ts int64) {
			shard.Enter()
			defer shard.Leave()
			shard.Advance(ts)
			shard.Timers().Arm(new(event.Timer), ts+int64(20*time.Millisecond), func(int64) { cancel() })
		},
		Between: func() {
			between++
			if !shard.TryEnter() {
				t.Error("the shard is entered")
				return
			}
			shard.Leave()
		},
	}).Run(ctx)
	if err != nil || ctx.Err() != context.Canceled {
		t.Errorf("the timer did not run: %v, %v", err, ctx.Err())
	}
	if calls := r.calls.Load(); calls != int64(between) || calls < 10 {
		t.Errorf("asked %d times, %d pauses", calls, between)
	}
}

// frames is a source of frames that are there.
type frames struct{ list []capture.Frame }

func (s *frames) Next(f *capture.Frame, _ time.Duration) error {
	if len(s.list) == 0 {
		return io.EOF
	}
	*f, s.list = s.list[0], s.list[1:]
	f.Data = bytes.Clone(f.Data) // lent until the next
	return nil
}

func (s *frames) Wake() {}

// TestApart checks that shards which are driven apart get what is theirs, whoever
// reads it: connections whose packets come to any of the sources, and datagrams
// whose fragments come to several; that event time goes on in a shard which no
// source is for; and that counters are those of all.
func TestApart(t *testing.T) {
	t.Parallel()
	const shards, readers, conns = 3, 2, 200
	set := event.NewShards(shards, event.Apart, 0)
	front := flow.NewFront(set, flow.Config{Verdicts: flow.Record})
	sources := []*frames{{}, {}}
	now := time.Now().UnixNano()
	put := func(to int, data []byte) {
		now += 1000
		s := sources[to%readers]
		s.list = append(s.list, capture.Frame{TS: now, Data: data, WireLen: len(data), Link: capture.LinkTypeEthernet})
	}
	server := netip.MustParseAddrPort("10.0.0.2:80")
	for i := range conns {
		client := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(2000+i))
		put(i, packettest.TCP(client, server, 1, 0, packet.SYN, ""))
		put(i, packettest.TCP(server, client, 5, 2, packet.SYN|packet.ACK, ""))
		put(i, packettest.TCP(client, server, 2, 6, packet.ACK, "hello"))
		put(i, packettest.TCP(client, server, 7, 6, packet.RST, ""))
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), 999)
		for n := range 3 {
			put(i+n, packettest.UDP(from, server, strings.Repeat("x", 40), packettest.Fragment(uint32(i), 16*n, 16)))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var fired atomic.Int32
	f := feed.New(feed.Config{
		Shards: set, Front: front, Sources: []feed.Source{sources[0], sources[1]}, Clocked: true, Stay: true,
		Begin: func(ts int64) {
			for i := range shards {
				s := set.At(i)
				s.Enter()
				s.Advance(ts)
				s.Timers().Arm(new(event.Timer), ts+int64(20*time.Millisecond), func(int64) { fired.Add(1) })
				s.Leave()
			}
		},
	})
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	for ctx.Err() == nil && (fired.Load() < shards || f.Stats().Frames < conns*7) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	st := f.Stats()
	if st.Frames != conns*7 || st.TCP != conns*4 || st.Conns != 2*conns || st.UDPFlows != conns || st.Fragments.Whole != conns || st.Orphans != conns*3 {
		t.Errorf("%+v", st)
	}
	if n := fired.Load(); n != shards {
		t.Errorf("timers ran on %d shards", n)
	}
}

// TestStop checks that a feed which has nothing to do ends when it is to, and what
// a source's failure comes to.
func TestStop(t *testing.T) {
	t.Parallel()
	run := func(ctx context.Context, l *feed.Loop, stay bool) error {
		shards := event.NewShards(1, event.Together, 0)
		return feed.New(feed.Config{
			Shards: shards, Front: flow.NewFront(shards, flow.Config{}), Sources: []feed.Source{l},
			Begin: func(int64) {}, Stay: stay,
		}).Run(ctx)
	}
	for _, l := range []*feed.Loop{loop(0, 10, false, nil), loop(0, 100_000, true, nil), loop(1, 10, false, nil)} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := run(ctx, l, true); err != nil {
			t.Error(err)
		}
		cancel()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := run(t.Context(), loop(0, 0, false, nil), false); !errors.Is(err, feed.ErrEmpty) {
		t.Errorf("%v", err)
	}
	damaged := errors.New("damaged")
	if err := run(t.Context(), loop(0, 5, false, damaged), true); !errors.Is(err, damaged) {
		t.Errorf("%v", err)
	}
}

// TestEntryTime checks that an entry ends after its time, where a clock is followed
// and frames take long, and not before its frames where they do not.
func TestEntryTime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		each    time.Duration // that the clock goes on each time it is asked
		entries int
	}{{0, 1}, {100 * time.Microsecond, 4}, {time.Millisecond, 8}} {
		shards := event.NewShards(1, event.Together, 0)
		now, entries := int64(0), 0
		f := feed.New(feed.Config{
			Shards: shards, Front: flow.NewFront(shards, flow.Config{}), Sources: []feed.Source{loop(1, 64, false, nil)},
			Begin: func(int64) {}, Between: func() { entries++ },
			Now: func() int64 { now += int64(tt.each); return now },
		})
		if err := f.Run(t.Context()); err != nil || entries != tt.entries {
			t.Errorf("%v: %d entries, want %d; %v", tt.each, entries, tt.entries, err)
		}
	}
}
