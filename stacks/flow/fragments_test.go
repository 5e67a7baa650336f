package flow_test

import (
	"bytes"
	"compress/flate"
	"net/netip"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// TestFragments has segments that come in pieces: the pieces that wait are orphans, the one that makes
// the segment whole is the segment.
func TestFragments(t *testing.T) {
	t.Parallel()
	piece := func(off, size int) pt.Option { return pt.Fragment(9, off, size) }
	body := strings.Repeat("0123456789", 8)
	for name, ends := range map[string][2]string{"ipv4": {"10.0.0.1:40000", "10.0.0.2:80"}, "ipv6": {"[2001:db8::1]:40000", "[2001:db8::2]:80"}} {
		n := newNet(t, flow.Config{})
		n.client, n.server = netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1])
		n.want(name+", half a SYN", n.send(n.c(0, 0, syn, "", piece(0, 8))), "orphan")
		n.want(name+", a SYN", n.send(n.c(0, 0, syn, "", piece(8, 99))),
			"pkt_in.snd/C conn_start.snd/C state.snd/C:closed>syn_sent pkt_in.rcv/S conn_start.rcv/S state.rcv/S:closed>syn_received")
		n.send(n.srv(0, 1, syn|ack, ""), n.c(1, 1, ack, ""))
		n.want(name+", backwards", n.send(n.c(1, 1, psh|ack, body, piece(48, 99)), n.c(1, 1, psh|ack, body, piece(24, 24)), n.c(1, 1, psh|ack, body, piece(0, 24))),
			"orphan orphan pkt_in.snd/C pkt_in.rcv/S new_data/S:0+80")
		n.want(name+", bytes", n.got(flowev.SideClient), body)
		if s := n.s.Stats(); s.Fragments.Whole != 2 || s.Fragments.Open != 0 || s.Orphans != 3 || s.TCP != 4 || s.Frames != 7 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestFragmentLimits(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{Fragments: fragment.Config{Datagrams: 1}})
	n.open()
	n.send(n.c(1, 1, psh|ack, "hello hello", pt.Fragment(1, 0, 24)), n.c(12, 1, psh|ack, "hello hello", pt.Fragment(2, 0, 24)))
	n.want("pushed out", n.send(n.c(1, 1, psh|ack, "hello hello", pt.Fragment(1, 24, 24))), "orphan")
	if s := n.s.Stats().Fragments; s.Evicted != 2 || s.Open != 1 {
		t.Errorf("%+v", s)
	}
}

// TestTunnels has a connection in a tunnel: it is one where the tunnel is entered.
func TestTunnels(t *testing.T) {
	t.Parallel()
	a, b := netip.MustParseAddrPort("192.0.2.1:50000"), netip.MustParseAddrPort("192.0.2.2:4789")
	for decap, want := range map[packet.Tunnels]flow.Stats{
		0:                 {Frames: 4, Orphans: 4, Datagrams: 4, Conns: 1, UDPFlows: 1, Open: 1},
		packet.AllTunnels: {Frames: 4, TCP: 4, Conns: 1, Open: 1},
	} {
		n := newNet(t, flow.Config{Decap: decap})
		for _, f := range [][]byte{n.c(0, 0, syn, ""), n.srv(0, 1, syn|ack, ""), n.c(1, 1, ack, ""), n.c(1, 1, psh|ack, "hello")} {
			n.send(pt.VXLAN(a, b, 5, f))
		}
		if decap != 0 {
			n.want("bytes", n.got(flowev.SideClient), "hello")
		}
		got := n.s.Stats()
		if got.Frames != want.Frames || got.Orphans != want.Orphans || got.TCP != want.TCP || got.UDPFlows != want.UDPFlows || got.Open != want.Open {
			t.Errorf("entering %v: %+v", decap, got)
		}
	}
}

// TestCompressed has a connection whose segments are compressed, alone and in fragments: it is one where IPComp is
// entered.
func TestCompressed(t *testing.T) {
	t.Parallel()
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	pack := func(frame []byte, opts ...pt.Option) []byte {
		var z bytes.Buffer
		z.WriteString("\x04\x00\xee\xd1")
		w, err := flate.NewWriter(&z, 9)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(frame[14:]); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return pt.IP(a, b, 108, z.Bytes(), opts...)
	}
	for decap, want := range map[packet.Tunnels]flow.Stats{
		packet.AllTunnels &^ packet.IPComp: {Frames: 6, Orphans: 6},
		packet.AllTunnels:                  {Frames: 6, TCP: 4, Orphans: 2, Conns: 1, Open: 1},
	} {
		n := newNet(t, flow.Config{Decap: decap})
		body := strings.Repeat("hello ", 100)
		n.send(pack(n.c(0, 0, syn, "")), pack(n.srv(0, 1, syn|ack, "")), pack(n.c(1, 1, ack, "")))
		n.send(pack(n.c(1, 1, psh|ack, body), pt.Fragment(9, 0, 48)), pack(n.c(1, 1, psh|ack, body), pt.Fragment(9, 48, 999)))
		n.send(pt.IP(a, b, 108, "\x04\x00\x00\x03lzs"))
		if decap.String() == packet.AllTunnels.String() {
			n.want("bytes", n.got(flowev.SideClient), body)
			if s := n.s.Stats().Compressed; s.Inflated != 4 || s.Foreign != 1 || s.Refused() != 1 {
				t.Errorf("%+v", s)
			}
		}
		got := n.s.Stats()
		if got.Frames != want.Frames || got.Orphans != want.Orphans || got.TCP != want.TCP || got.Open != want.Open {
			t.Errorf("entering %v: %+v", decap, got)
		}
	}
}

// TestChecksums has a wrong checksum keep a segment away only where they are verified, and one that was
// left to the card nowhere.
func TestChecksums(t *testing.T) {
	t.Parallel()
	for verify, want := range map[bool]string{
		false: "pkt_in.snd/C pkt_in.rcv/S new_data/S:0+5",
		true:  "orphan",
	} {
		n := newNet(t, flow.Config{VerifyChecksums: verify})
		n.open(pt.PartialChecksum())
		n.want("bad", n.send(n.c(1, 1, psh|ack, "hello", pt.BadChecksum())), want)
		if s := n.s.Stats(); (s.BadChecksums == 1) != verify || s.TCP+s.Orphans != 4 {
			t.Errorf("verified %v: %+v", verify, s)
		}
	}
}

// TestDatagramsMove has a datagram whose fragments come to another shard's stack than the datagram does: that
// one has nothing left of its frame before.
func TestDatagramsMove(t *testing.T) {
	t.Parallel()
	set := event.NewShards(8, event.Together, 0)
	var told []flow.Outcome
	f := flow.NewFront(set, flow.Config{Verdicts: flow.Apply, Forward: func(o *flow.Outcome) { told = append(told, *o) }})
	for i := range 8 {
		set.At(i).Bind(refuser{}, func(event.PointID) bool { return true })
	}
	set.At(0).Enter()
	defer set.At(0).Leave()
	a, b := netip.MustParseAddrPort("10.0.0.1:4000"), netip.MustParseAddrPort("10.0.0.2:80")
	for i := range 50 {
		a := netip.AddrPortFrom(a.Addr(), a.Port()+uint16(i))
		for _, frame := range [][]byte{
			pt.UDP(a, b, "a datagram", pt.Fragment(uint32(i), 0, 16)), pt.UDP(a, b, "replace"), pt.UDP(a, b, "a datagram", pt.Fragment(uint32(i), 16, 99)),
		} {
			f.Frame(packet.LinkEthernet, frame, len(frame), start)
		}
		if n := len(told); n != 3*i+3 || told[n-3].Action != flow.Forwarded || told[n-2].Action != flow.Dropped || told[n-1].Action != flow.Forwarded {
			t.Fatalf("from port %d: %+v", a.Port(), told[max(0, n-3):])
		}
	}
}

// refuser replaces in some packets what cannot be replaced.
type refuser struct{}

func (refuser) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	if d, ok := e.(*flowev.Datagram); ok && string(d.Pkt.Payload()) == "replace" {
		return event.Verdict{Kind: flowev.VerdictReplace, Args: &flowev.ReplaceArgs{Src: netip.MustParseAddr("::1")}}
	}
	return event.Verdict{}
}

// TestStatsUnderTraffic asks what was counted while somebody drives shards together and puts fragments together; the
// race detector says whether that is safe.
func TestStatsUnderTraffic(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 4} {
		set := event.NewShards(shards, event.Together, 0)
		f := flow.NewFront(set, flow.Config{})
		const frames = 2000
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range frames {
				ends := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(i))
				b := pt.TCP(ends, netip.MustParseAddrPort("10.0.0.2:80"), 5, 0, syn, "hello, hello", pt.Fragment(uint32(i/2), i%2*24, 24))
				set.At(0).Enter()
				f.Frame(packet.LinkEthernet, b, len(b), start+int64(i))
				set.At(0).Leave()
			}
		}()
		var last uint64
		for last < frames {
			s := f.Stats()
			if s.Frames < last || s.Fragments.Fragments != s.Frames {
				t.Fatalf("%d shards: %d frames, %d fragments, %d frames before", shards, s.Frames, s.Fragments.Fragments, last)
			}
			last = s.Frames
		}
		<-done
	}
}
