package flow_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

var (
	radioA    = netip.MustParseAddr("192.0.2.1")
	radioB    = netip.MustParseAddr("192.0.2.2")
	agent     = netip.AddrPortFrom(radioA, 50000)
	collector = netip.AddrPortFrom(radioB, 6343)
)

// radio puts the packets of Ethernet frames into one radio frame.
func radio(frames ...[]byte) []byte {
	packets := make([][]byte, len(frames))
	for i, f := range frames {
		packets[i] = f[14:]
	}
	return pt.Radio(radioA, radioB, packets)
}

// sampled puts Ethernet frames into one report.
func sampled(frames ...[]byte) []byte {
	samples := make([]pt.Sample, len(frames))
	for i, f := range frames {
		samples[i] = pt.Sample{Kind: 1, Header: f, Source: 7}
	}
	return pt.SFlow(agent, collector, samples)
}

// TestAggregates has a connection of which one radio frame carries several segments. Each counts, and the frame
// is told of once.
func TestAggregates(t *testing.T) {
	t.Parallel()
	var told []string
	n := newNet(t, flow.Config{Decap: packet.AllTunnels, Forward: func(o *flow.Outcome) {
		told = append(told, fmt.Sprintf("%d of %v, %d bytes", o.Action, o.Conn, len(o.Data)))
	}})
	other := pt.UDP(n.client, netip.MustParseAddrPort("10.0.0.9:53"), "?")
	both := radio(n.c(1, 1, psh|ack, "hello "), other, n.c(7, 1, psh|ack, "world"))
	n.send(radio(n.c(0, 0, syn, "")), radio(n.srv(0, 1, syn|ack, "")))
	n.want("three packets", n.send(radio(n.c(1, 1, ack, "")), both),
		"pkt_in.snd/C pkt_in.rcv/S state.rcv/S:syn_received>established "+
			"pkt_in.snd/C pkt_in.rcv/S new_data/S:0+6 udp_start datagram/C orphan pkt_in.snd/C pkt_in.rcv/S new_data/S:6+5")
	n.want("bytes", n.got(flowev.SideClient), "hello world")
	if s := n.s.Stats(); s.Frames != 4 || s.Inside != 2 || s.TCP != 5 || s.Orphans != 1 || s.Frames+s.Inside != s.TCP+s.Orphans {
		t.Errorf("%+v", s)
	}
	if len(told) != 4 || told[3] != fmt.Sprintf("%d of %v, %d bytes", flow.Forwarded, n.conn(), len(both)) {
		t.Errorf("told %q", told)
	}
}

// TestAggregatesDropped has rules and blocks that keep one packet of a frame from passing: the frame does not
// pass, and the receivers of its other packets have got theirs.
func TestAggregatesDropped(t *testing.T) {
	t.Parallel()
	var told []flow.Outcome
	n := newNet(t, flow.Config{Decap: packet.AllTunnels, Verdicts: flow.Apply, Forward: func(o *flow.Outcome) { told = append(told, *o) }})
	n.open()
	drop := false
	n.rec.rule = func(point string) event.VerdictKind {
		if drop && point == "new_data" {
			drop = false
			return flowev.VerdictDrop
		}
		return event.None
	}
	drop, told = true, nil
	n.send(radio(n.c(1, 1, psh|ack, "lost "), n.c(6, 1, psh|ack, "kept ")))
	if len(told) != 1 || told[0].Action != flow.Dropped || told[0].Verdict != flowev.VerdictDrop || n.s.Stats().Dropped != 1 {
		t.Errorf("told %+v, dropped %d", told, n.s.Stats().Dropped)
	}
	n.want("again", n.send(radio(n.c(1, 1, psh|ack, "lost "), n.c(11, 1, psh|ack, "new "))),
		"pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S new_data/S:0+10 pkt_in.snd/C pkt_in.rcv/S new_data/S:10+4")

	if err := n.s.Block(nil, "10.0.0.9", 0, false, "test"); err != nil {
		t.Fatal(err)
	}
	told = nil
	bad := pt.UDP(n.client, netip.MustParseAddrPort("10.0.0.9:53"), "?")
	n.want("blocked", n.send(radio(bad, n.c(15, 1, psh|ack, "more"))), "block_start:10.0.0.9:0s:test blocked:10.0.0.9 pkt_in.snd/C pkt_in.rcv/S new_data/S:14+4")
	if len(told) != 1 || told[0].Action != flow.Dropped || told[0].Blocked != "10.0.0.9" {
		t.Errorf("told %+v", told)
	}
}

// TestSamples has a report that samples a connection: it is a datagram of its own, and rules about what it
// samples do not keep it from passing.
func TestSamples(t *testing.T) {
	t.Parallel()
	for decap, want := range map[packet.Tunnels]string{
		packet.AllTunnels: "udp_start datagram/C orphan",
		packet.KnownTunnels: "udp_start datagram/C orphan pkt_in.snd/C conn_start.snd/C state.snd/C:closed>syn_sent " +
			"pkt_in.rcv/S conn_start.rcv/S state.rcv/S:closed>syn_received pkt_in.snd/S pkt_in.rcv/C state.rcv/C:syn_sent>established",
	} {
		var told []flow.Outcome
		n := newNet(t, flow.Config{Decap: decap, Verdicts: flow.Apply, Forward: func(o *flow.Outcome) { told = append(told, *o) }})
		n.rec.rule = func(point string) event.VerdictKind {
			if point == "conn_start.snd" {
				return flowev.VerdictCut
			}
			return event.None
		}
		got := n.send(sampled(n.c(0, 0, syn, ""), n.srv(0, 1, syn|ack, "")))
		if len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("%v: got %s\nwant %s", decap, got, want)
		}
		if len(told) != 1 || told[0].Action != flow.Forwarded || told[0].Conn == nil || told[0].Conn.Proto() != flowev.ProtoUDP {
			t.Errorf("%v: told %+v", decap, told)
		}
		if s := n.s.Stats(); s.Frames != 1 || s.Dropped != 0 || s.Cut != 0 || s.Injected != 0 || s.Frames+s.Inside != s.TCP+s.Orphans {
			t.Errorf("%v: %+v", decap, s)
		}
	}
}

// TestInsideShards has packets of one frame that belong to several shards: it is all the same how many there are,
// and whether they are driven together.
func TestInsideShards(t *testing.T) {
	t.Parallel()
	var frames [][]byte
	for i := range 40 {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), 4000)
		b := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 80)
		s, d := pt.TCP(a, b, 1, 0, syn, ""), pt.TCP(a, b, 2, 0, ack, "hello")
		part := pt.TCP(a, b, 7, 0, ack, make([]byte, 64), pt.Fragment(uint32(i), 0, 40))
		rest := pt.TCP(a, b, 7, 0, ack, make([]byte, 64), pt.Fragment(uint32(i), 40, 99))
		frames = append(frames, radio(s, pt.UDP(a, b, "x"), d, part), sampled(s, d, part), radio(rest, d))
	}
	sum := func(shards int, drive event.Drive) flow.Stats {
		set := event.NewShards(shards, drive, 0)
		f := flow.NewFront(set, flow.Config{Decap: packet.KnownTunnels})
		var p flow.Parcel
		for i, b := range frames {
			ts := start + int64(i)
			if drive == event.Together {
				set.At(0).Enter()
				f.Frame(packet.LinkEthernet, b, len(b), ts)
				set.At(0).Leave()
				continue
			}
			f.Sort(&p, packet.LinkEthernet, b, len(b), ts)
			for more := true; more; more = f.Next(&p) {
				away := p // as on the way to another goroutine
				away.Keep(nil)
				sh := set.At(away.Shard())
				sh.Enter()
				f.Take(&away)
				sh.Leave()
			}
		}
		return f.Stats()
	}
	want := sum(1, event.Together)
	if want.Frames != 120 || want.Inside != 40*(3+3+1) || want.UDPFlows != 41 || want.Conns != 81 || want.Fragments.Whole != 40 || want.Fragments.Fragments != 80 {
		t.Fatalf("%+v", want)
	}
	for _, drive := range []event.Drive{event.Together, event.Apart} {
		if got := sum(4, drive); got != want {
			t.Errorf("driven %v: %+v\nwant %+v", drive, got, want)
		}
	}
}

// TestOrphanReasons has packets that no connection gets, with the reason, and what is known of their ends.
func TestOrphanReasons(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg   flow.Config
		frame func(n *net) []byte
		cap   int
		want  []string
	}{
		"udp":           {frame: func(n *net) []byte { return pt.UDP(n.client, n.server, "x") }, want: []string{"none  40000>80"}},
		"no connection": {frame: func(n *net) []byte { return n.c(5, 5, ack, "") }, want: []string{"no_connection  40000>80"}},
		"checksum": {
			cfg: flow.Config{VerifyChecksums: true}, frame: func(n *net) []byte { return n.c(0, 0, syn, "", pt.BadChecksum()) },
			want: []string{"checksum  40000>80"},
		},
		"fragment":  {frame: func(n *net) []byte { return n.c(0, 0, syn, "", pt.Fragment(1, 0, 16)) }, want: []string{"fragment  40000>80"}},
		"truncated": {frame: func(n *net) []byte { return n.c(0, 0, syn, "") }, cap: 40, want: []string{"truncated  40000>80"}},
		"malformed": {
			frame: func(n *net) []byte { return n.c(0, 0, syn, "", pt.Edit(func(b []byte) { b[46] = 0x10 })) },
			want:  []string{"malformed tcp data offset out of range 40000>80"},
		},
		"a first fragment that is cut": {
			frame: func(n *net) []byte { return n.c(0, 0, syn, "hello, hello", pt.Fragment(1, 0, 24)) }, cap: 56, want: []string{"fragment  40000>80"},
		},
		"the same, read": {
			cfg:   flow.Config{Fragments: fragment.Config{ReadCut: true}},
			frame: func(n *net) []byte { return n.c(0, 0, syn, "hello, hello", pt.Fragment(1, 0, 24)) }, cap: 56,
		},
	} {
		n := newNet(t, c.cfg)
		var got []string
		n.rec.on = func(e any) event.Verdict {
			if o, ok := e.(*flowev.Orphan); ok {
				got = append(got, fmt.Sprintf("%v %s %d>%d", o.Reason, o.Fault, o.Pkt.SrcPort(), o.Pkt.DstPort()))
			}
			return event.Verdict{}
		}
		f := c.frame(n)
		wire := len(f)
		if c.cap > 0 {
			f = f[:c.cap]
		}
		n.s.Frame(packet.LinkEthernet, f, wire, start)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if s := n.s.Stats(); c.want == nil && (s.TCP != 1 || s.Fragments.Read != 1 || s.Fragments.Cut != 1) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
