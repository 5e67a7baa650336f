package flow_test

import (
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// translator is a source NAT on shards that are driven apart: every client leaves with an address of its own
// outside, and answers come back to it.
type translator struct {
	mu    sync.Mutex
	ends  []string
	bytes int
}

func (n *translator) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	switch e := e.(type) {
	case *flowev.PktIn:
		in := e.C.Client()
		if id == flowev.OnPktInSnd.ID() && e.Pkt.Src() == in.IP() {
			return replace(flowev.ReplaceArgs{Src: outside.Addr(), SrcPort: in.Port() + 1, HasSrcPort: true})
		}
		if id == flowev.OnPktInSnd.ID() {
			return replace(flowev.ReplaceArgs{Dst: in.IP(), DstPort: in.Port(), HasDstPort: true})
		}
	case *flowev.NewData:
		n.mu.Lock()
		n.bytes += int(e.D.Len())
		n.mu.Unlock()
	case *flowev.ConnEnd:
		n.mu.Lock()
		n.ends = append(n.ends, e.Reason.String())
		n.mu.Unlock()
	}
	return event.Verdict{}
}

// TestTranslatedApart has answers to addresses that rules gave find their connection on the shard that has it,
// though who sorts them has entered none; when it is over, nothing is left.
func TestTranslatedApart(t *testing.T) {
	t.Parallel()
	const shards, conns = 4, 50
	set := event.NewShards(shards, event.Apart, 0)
	nat := &translator{}
	for i := range shards {
		set.At(i).Bind(nat, func(event.PointID) bool { return true })
	}
	f := flow.NewFront(set, flow.Config{Verdicts: flow.Apply})
	var p flow.Parcel
	ts, taken := start, map[int]int{}
	give := func(frame []byte) {
		ts += 1e6
		f.Sort(&p, packet.LinkEthernet, frame, len(frame), ts)
		taken[p.Shard()]++
		sh := set.At(p.Shard())
		sh.Enter()
		f.Take(&p)
		sh.Leave()
	}
	server := netip.MustParseAddrPort("10.0.0.2:80")
	for i := range uint16(conns) {
		client := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), 1000+2*i)
		seen := netip.AddrPortFrom(outside.Addr(), 1001+2*i)
		for _, frame := range [][]byte{
			pt.TCP(client, server, 100, 0, packet.SYN, ""), pt.TCP(server, seen, 500, 101, packet.SYN|packet.ACK, ""),
			pt.TCP(client, server, 101, 501, packet.ACK|packet.PSH, "hello"), pt.TCP(server, seen, 501, 106, packet.ACK|packet.PSH, "world"),
			pt.TCP(client, server, 106, 506, packet.ACK|packet.FIN, ""), pt.TCP(server, seen, 506, 107, packet.ACK|packet.FIN, ""),
			pt.TCP(client, server, 107, 507, packet.ACK, ""),
		} {
			give(frame)
		}
	}
	if st := f.Stats(); st.Conns != conns || st.Orphans != 0 || st.TCP != 7*conns || st.Open != 0 || st.AliasesTaken != 0 || st.Replaced != 7*conns {
		t.Errorf("%+v", st)
	}
	if nat.bytes != 10*conns || slices.ContainsFunc(nat.ends, func(s string) bool { return s != "fin" }) || len(nat.ends) != conns || len(taken) != shards {
		t.Errorf("%d bytes, ends %v, packets by shard %v", nat.bytes, nat.ends, taken)
	}
	give(pt.TCP(server, netip.AddrPortFrom(outside.Addr(), 1001), 507, 108, packet.ACK, ""))
	if st := f.Stats(); st.Orphans != 1 {
		t.Errorf("an answer to nobody: %+v", st)
	}
	f.Close()
}

// TestClaimedTwice has a rule give many connections one address and port: the first has the answers, whatever
// shards the others are on.
func TestClaimedTwice(t *testing.T) {
	t.Parallel()
	const shards, conns = 4, 20
	set := event.NewShards(shards, event.Apart, 0)
	for i := range shards {
		set.At(i).Bind(verdictOf(replace(flowev.ReplaceArgs{Src: outside.Addr(), SrcPort: outside.Port(), HasSrcPort: true})), func(id event.PointID) bool { return id == flowev.OnPktInSnd.ID() })
	}
	f := flow.NewFront(set, flow.Config{Verdicts: flow.Apply})
	server := netip.MustParseAddrPort("10.0.0.2:80")
	for i := range uint16(conns) {
		var p flow.Parcel
		frame := pt.TCP(netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), 1000+i), server, 100, 0, packet.SYN, "")
		f.Sort(&p, packet.LinkEthernet, frame, len(frame), start+int64(i))
		set.At(p.Shard()).Enter()
		f.Take(&p)
		set.At(p.Shard()).Leave()
	}
	if st := f.Stats(); st.AliasesTaken != conns-1 || st.Conns != conns {
		t.Errorf("%+v", st)
	}
}

// verdictOf answers everything with one verdict.
type verdictOf event.Verdict

func (v verdictOf) Dispatch(*event.Shard, event.PointID, any) event.Verdict { return event.Verdict(v) }
