package flow_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// flowAccount is what became of one UDP or ICMP flow.
type flowAccount struct {
	proto          flowev.Proto
	client, server string
	pkts, bytes    [2]int
}

// flowAccounts collects the UDP and ICMP flows of one capture.
type flowAccounts struct {
	list    map[flowAccount]int // how many are like this
	cids    map[string]bool
	badUDP  map[string]int // datagrams whose length contradicts the packet's, by source
	deep    bool           // there are too many extension headers
	options bool           // there are IPv6 destination options
	tunnels bool           // there are IP packets in IP packets
	stats   flow.Stats
}

func (a *flowAccounts) Dispatch(_ *event.Shard, _ event.PointID, e any) event.Verdict {
	end := e.(*flowev.UDPEnd)
	c, s := end.C.Client(), end.C.Server()
	a.list[flowAccount{
		end.C.Proto(), fmt.Sprint(c), fmt.Sprint(s),
		[2]int{int(c.Pkts()), int(s.Pkts())},
		[2]int{int(c.Bytes()), int(s.Bytes())},
	}]++
	a.cids[end.C.CID()] = true
	return event.Verdict{}
}

// replayFlows runs a capture through a stack whose flows live for ever, as TShark's streams do.
func replayFlows(t testing.TB, path string) *flowAccounts {
	a := &flowAccounts{list: map[flowAccount]int{}, cids: map[string]bool{}, badUDP: map[string]int{}}
	sh := event.NewShard(0)
	sh.Bind(a, func(id event.PointID) bool { return id == flowev.OnUDPEnd.ID() })
	s := flow.New(sh, flow.Config{UDPTimeout: -1, ICMPTimeout: -1, Decap: packet.KnownTunnels, Fragments: fragment.Config{ReadCut: true}})
	p := packet.Packet{Decap: packet.KnownTunnels}
	eachFrame(t, path, func(f *capture.Frame) {
		s.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
		p.Decode(uint16(f.Link), f.Data, f.WireLen, f.TS)
		if p.Err == packet.ErrUDPLen {
			a.badUDP[p.SrcAddrPort().Addr().String()]++
		}
		a.deep = a.deep || p.Err == packet.ErrExtDepth
		a.options = a.options || p.IPVersion == 6 && p.Data[p.IPOff+6] == 60
	})
	s.Close()
	a.stats = s.Stats()
	return a
}

// udpRow turns a line of the truth into what it says of a flow.
func udpRow(t testing.TB, r truthRow) flowAccount {
	return flowAccount{
		flowev.ProtoUDP, endpointOf(t, r["a"]), endpointOf(t, r["b"]),
		[2]int{r.n("pkts_ab"), r.n("pkts_ba")},
		[2]int{r.n("payload_ab"), r.n("payload_ba")},
	}
}

// total adds up the flows that is says yes to.
func total[K comparable](flows map[K]int, of func(K) flowAccount, is func(flowAccount) bool) (pkts, bytes int) {
	for k, n := range flows {
		if f := of(k); is(f) {
			pkts += n * (f.pkts[0] + f.pkts[1])
			bytes += n * (f.bytes[0] + f.bytes[1])
		}
	}
	return pkts, bytes
}

func itself(f flowAccount) flowAccount { return f }

// sameEnds reports whether two flows are between the same ends, whoever began.
func sameEnds(f, g flowAccount) bool {
	return f.client == g.client && f.server == g.server || f.client == g.server && f.server == g.client
}

// flowsDiffering are the classes in which TShark's UDP streams may differ from flows, with the reason.
// all are the flows and rows the streams of one capture.
var flowsDiffering = []struct {
	name string
	is   func(r flowAccount, all *flowAccounts, rows map[flowAccount]int) bool
}{
	{"TShark begins another stream between the same ends, at a packet of another kind (SNMP)", func(r flowAccount, all *flowAccounts, rows map[flowAccount]int) bool {
		of := func(f flowAccount) bool { return sameEnds(f, r) }
		p1, b1 := total(all.list, itself, of)
		p2, b2 := total(rows, itself, of)
		return p1 == p2 && b1 == b2
	}},
	{"TShark takes a server's port for one conversation whoever asks (ONC RPC)", func(r flowAccount, all *flowAccounts, rows map[flowAccount]int) bool {
		of := func(f flowAccount) bool { return f.server == r.server }
		p1, b1 := total(all.list, itself, of)
		p2, b2 := total(rows, itself, of)
		return p1 == p2 && b1 == b2
	}},
	{"no datagram: its length contradicts the packet's", func(r flowAccount, all *flowAccounts, _ map[flowAccount]int) bool {
		addr, _, _ := strings.Cut(r.client, ":")
		p, _ := total(all.list, itself, func(f flowAccount) bool { return sameEnds(f, r) })
		return p < r.pkts[0]+r.pkts[1] && p+all.badUDP[addr] >= r.pkts[0]+r.pkts[1]
	}},
	{"length 0 is -8 bytes for TShark", func(r flowAccount, _ *flowAccounts, _ map[flowAccount]int) bool {
		return r.bytes[0] < 0
	}},
	{"TShark does not read past all IPv6 destination options", func(r flowAccount, all *flowAccounts, _ map[flowAccount]int) bool {
		p, _ := total(all.list, itself, func(f flowAccount) bool { return sameEnds(f, r) })
		return all.options && p > r.pkts[0]+r.pkts[1]
	}},
	{"in what is no tunnel here: control planes, packets that do not fit", func(r flowAccount, all *flowAccounts, _ map[flowAccount]int) bool {
		return all.tunnels
	}},
	{"more than 16 extension headers", func(_ flowAccount, all *flowAccounts, _ map[flowAccount]int) bool { return all.deep }},
	{"an encapsulation that is not read", func(r flowAccount, all *flowAccounts, _ map[flowAccount]int) bool {
		p, _ := total(all.list, itself, func(f flowAccount) bool { return sameEnds(f, r) })
		return all.stats.NotIP >= uint64(r.pkts[0]+r.pkts[1]) && p == 0
	}},
}

// TestTruthOfUDP compares the flows of every capture that TShark reads with TShark's streams: ends, packets and
// payload of each direction.
func TestTruthOfUDP(t *testing.T) {
	t.Parallel()
	dir := corporaDir(t)
	streams := map[string]map[flowAccount]int{}
	for _, r := range readTruth(t, filepath.Join(dir, "truth", "udp_flows.tsv")) {
		if streams[r["pcap"]] == nil {
			streams[r["pcap"]] = map[flowAccount]int{}
		}
		streams[r["pcap"]][udpRow(t, r)]++
	}
	var captures, rows, equal, extra int
	classes := map[string]int{}
	for _, sum := range readTruth(t, filepath.Join(dir, "truth", "pcap_summary.tsv")) {
		name := sum["pcap"]
		if sum["class"] != "normal" || streams[name] == nil {
			continue
		}
		all := replayFlows(t, filepath.Join(dir, name))
		if all.stats.Frames == 0 { // a format that is not read
			continue
		}
		captures++
		all.tunnels = sum.n("multi_ip_layer_pkts") > 0
		var explained []flowAccount
		for r, n := range streams[name] {
			rows += n
			if all.list[r] == n {
				equal += n
				continue
			}
			why := all.whyFlow(r, streams[name])
			if why == "" {
				t.Errorf("%s: no flow equals %v", name, r)
			}
			classes[why] += n
			explained = append(explained, r)
		}
		extra += all.extra(t, name, streams[name], explained)
	}
	t.Logf("%d captures: %d of %d streams equal in ends, packets and bytes; %d flows of ours in their place", captures, equal, rows, extra)
	for why, n := range classes {
		t.Logf("%3d differ: %s", n, why)
	}
	if captures < 280 || rows < 2800 || equal*100 < rows*98 {
		t.Error("too few")
	}
}

// whyFlow returns the class of a stream that no flow equals, "" if it is in none.
func (a *flowAccounts) whyFlow(r flowAccount, rows map[flowAccount]int) string {
	for _, d := range flowsDiffering {
		if d.is(r, a, rows) {
			return d.name
		}
	}
	return ""
}

// extra counts the UDP flows that are no stream of TShark's: each has to be at the server of a stream
// that differs for a reason.
func (a *flowAccounts) extra(t *testing.T, name string, rows map[flowAccount]int, explained []flowAccount) (n int) {
	for f, k := range a.list {
		if f.proto != flowev.ProtoUDP || rows[f] == k {
			continue
		}
		n += k
		ok := a.tunnels
		for _, r := range explained {
			ok = ok || sameEnds(f, r) || f.server == r.server
		}
		if !ok {
			t.Errorf("%s: TShark has no stream like %v", name, f)
		}
	}
	return n
}
