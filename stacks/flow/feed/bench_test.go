package feed_test

import (
	"encoding/binary"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/feed"
	"github.com/hookd/hookd/stacks/flow/packet"
	"github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// payload is how many bytes a segment has; a connection's next ones are so many segments further each time.
const payload, segments = 100, 4

// again is a source that gives its segments again and again, each time with the next bytes, so many in all.
type again struct {
	list     []capture.Frame
	at, left int
	ts       int64
}

// Next implements [feed.Source].
func (s *again) Next(f *capture.Frame, _ time.Duration) error {
	if s.left == 0 {
		return io.EOF
	}
	s.left--
	*f = s.list[s.at]
	s.ts += 1000
	f.TS = s.ts
	seq := f.Data[len(f.Data)-payload-20+4:]
	binary.BigEndian.PutUint32(seq, binary.BigEndian.Uint32(seq)+payload*segments)
	if s.at++; s.at == len(s.list) {
		s.at = 0
	}
	return nil
}

// Wake implements [feed.Source].
func (s *again) Wake() {}

// spread feeds n segments of 1,000 connections to four shards that are driven apart, each read where the shard is that has
// it, or where another is.
func spread(tb testing.TB, n int, client netip.Addr, elsewhere bool) *feed.Feed {
	tb.Helper()
	const shards, conns = 4, 1000
	set := event.NewShards(shards, event.Apart, 0)
	front := flow.NewFront(set, flow.Config{Verdicts: flow.Record, PickUp: true})
	var sources [shards]again
	var parcel flow.Parcel
	for i := range conns {
		from, to := netip.AddrPortFrom(client, uint16(2000+i)), netip.AddrPortFrom(client.Next(), 80)
		for n := range segments {
			data := packettest.TCP(from, to, uint32(payload*n), 1, packet.ACK, string(make([]byte, payload)))
			front.Sort(&parcel, uint16(capture.LinkTypeEthernet), data, len(data), 0)
			at := parcel.Shard()
			if elsewhere {
				at++
			}
			s := &sources[at%shards]
			s.list = append(s.list, capture.Frame{Data: data, WireLen: len(data), Link: capture.LinkTypeEthernet})
		}
	}
	cfg := feed.Config{Shards: set, Front: front, Begin: func(int64) {}}
	for i := range sources {
		sources[i].left = n / shards
		cfg.Sources = append(cfg.Sources, &sources[i])
	}
	return feed.New(cfg)
}

// spreads are the ways in which segments come to shards that are driven apart.
var spreads = []struct {
	name      string
	client    string
	elsewhere bool
}{{"IPv4", "10.0.0.1", false}, {"IPv4 elsewhere", "10.0.0.1", true}, {"IPv6", "2001:db8::1", false}, {"IPv6 elsewhere", "2001:db8::1", true}}

// TestApartAllocates counts what handing a segment over allocates.
func TestApartAllocates(t *testing.T) {
	for _, tt := range spreads {
		t.Run(tt.name, func(t *testing.T) {
			const few, many = 2_000, 10_000
			run := func(n int) float64 {
				return testing.AllocsPerRun(1, func() {
					f := spread(t, n, netip.MustParseAddr(tt.client), tt.elsewhere)
					if err := f.Run(t.Context()); err != nil {
						t.Fatal(err)
					}
					if st := f.Stats(); st.Frames != uint64(n) || st.TCP != uint64(n) {
						t.Errorf("%d frames, %d segments", st.Frames, st.TCP)
					}
				})
			}
			if more := run(many) - run(few); more > (many-few)/100 {
				t.Errorf("%v allocations for %d segments", more, many-few)
			}
		})
	}
}

// BenchmarkApart hands segments over; one operation is one segment.
func BenchmarkApart(b *testing.B) {
	for _, tt := range spreads {
		b.Run(tt.name, func(b *testing.B) {
			f := spread(b, b.N, netip.MustParseAddr(tt.client), tt.elsewhere)
			b.ReportAllocs()
			b.ResetTimer()
			if err := f.Run(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
