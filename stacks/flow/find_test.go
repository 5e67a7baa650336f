package flow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// kv builds a table of keys and values in turn.
func kv(list ...any) []event.KV {
	var t []event.KV
	for i := 0; i < len(list); i += 2 {
		t = append(t, event.KV{Key: list[i].(string), Value: list[i+1]})
	}
	return t
}

// crossing is a stack with connections of all kinds: 1 and 4 TCP, 2 and 5 UDP, 3 and 6 ICMP.
func crossing(t testing.TB) *net {
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.udp("one", pt.VLAN(9)), n.answer("two"), pt.ICMP(host4, other4, 8, 0, 77<<16, ""))
	n.client, n.server = n6("[2001:db8::1]:40000"), n6("[2001:db8::2]:5060")
	n.send(n.c(0, 0, syn, ""), n.udp("three"), pt.ICMP(host6, other6, 128, 0, 77<<16, ""))
	return n
}

func TestFind(t *testing.T) {
	t.Parallel()
	n := crossing(t)
	byID := map[uint64]flowev.Conn{}
	list, _, _ := n.s.Conns(nil, nil)
	for _, c := range list.([]any) {
		byID[c.(flowev.Conn).ID()] = c.(flowev.Conn)
	}
	tcp, udp := byID[1], byID[2]
	for _, c := range []struct {
		tuple any
		id    uint64 // 0: none
		why   string // what the message contains
	}{
		{tuple: "10.0.0.1:40000 10.0.0.2:80", id: 1},
		{tuple: "10.0.0.2:80 10.0.0.1:40000", id: 1},
		{tuple: "  tcp 10.0.0.1:40000   10.0.0.2:80 ", id: 1},
		{tuple: "udp 10.0.0.1:40000 10.0.0.2:80", id: 2},
		{tuple: "udp 10.0.0.2:80 10.0.0.1:40000", id: 2},
		{tuple: "udp [::ffff:10.0.0.2]:80 10.0.0.1:40000", id: 2},
		{tuple: "[2001:db8::2]:5060 [2001:db8::1]:40000", id: 4},
		{tuple: "udp [2001:db8::2]:5060 [2001:db8::1%eth0]:40000", id: 5},
		{tuple: "10.0.0.1:40001 10.0.0.2:80"},
		{tuple: kv("client", "10.0.0.1:40000", "server", "10.0.0.2:80"), id: 1},
		{tuple: kv("client", "10.0.0.1:40000", "server", "10.0.0.2:80", "proto", "udp"), id: 2},
		{tuple: kv("proto", "tcp", "client", tcp.Client(), "server", tcp.Server()), id: 1},
		{tuple: kv("proto", "udp", "client", udp.Client(), "server", udp.Server(), "icmp_id", 0.0), id: 2},
		{tuple: kv("client", "10.0.0.2:80", "server", "10.0.0.1:40000")},
		{tuple: kv("client", "10.0.0.2:80", "server", "10.0.0.1:40000", "proto", "udp")},
		{tuple: kv("client", "10.0.0.2", "server", "10.0.0.1", "proto", "icmp", "icmp_id", 77.0), id: 3},
		{tuple: kv("icmp_id", 77.0, "client", "10.0.0.2:0", "server", "10.0.0.1:5", "proto", "icmp"), id: 3},
		{tuple: kv("proto", "icmp", "client", byID[3].Client(), "server", byID[3].Server(), "icmp_id", 77.0), id: 3},
		{tuple: kv("client", "10.0.0.2", "server", "10.0.0.1", "proto", "icmp", "icmp_id", 78.0)},
		{tuple: kv("client", "10.0.0.1", "server", "10.0.0.2", "proto", "icmp", "icmp_id", 77.0)},
		{tuple: kv("client", "2001:db8::2", "server", "2001:db8::1", "proto", "icmp6", "icmp_id", 77.0), id: 6},

		{tuple: nil, why: `"10.0.0.1:1234 10.0.0.2:80" or a table expected, got nil`},
		{tuple: 1.5, why: "got 1.5"},
		{tuple: "", why: `expected, got ""`},
		{tuple: "10.0.0.1:1", why: `expected, got "10.0.0.1:1"`},
		{tuple: "icmp 10.0.0.1:1 10.0.0.2:1", why: `tcp or udp expected, got "icmp"`},
		{tuple: "10.0.0.1 10.0.0.2:80", why: `endpoint such as "192.0.2.1:80" expected, got "10.0.0.1"`},
		{tuple: "10.0.0.1:1 [::1]:1", why: "10.0.0.1 and ::1 are of two IP versions"},
		{tuple: kv(), why: "client and server have to be given"},
		{tuple: kv("client", "10.0.0.1:1"), why: "client and server have to be given"},
		{tuple: kv("client", 1.0, "server", "10.0.0.1:1"), why: "client: endpoint"},
		{tuple: kv("client", "10.0.0.1:1", "server", "10.0.0.1:1", "port", 1.0), why: "port: proto, client, server or icmp_id expected"},
		{tuple: kv("client", "10.0.0.1:1", "server", "10.0.0.1:1", "proto", "quic"), why: "proto: other, tcp"},
		{tuple: kv("client", "10.0.0.1:1", "server", "10.0.0.1:1", "proto", "sctp"), why: "proto: sctp has no connections here"},
		{tuple: kv("client", "10.0.0.1", "server", "10.0.0.1", "proto", "icmp"), why: "icmp_id belongs"},
		{tuple: kv("client", "10.0.0.1:1", "server", "10.0.0.1:1", "icmp_id", 1.0), why: "icmp_id belongs"},
		{tuple: kv("client", "10.0.0.1", "server", "10.0.0.1", "proto", "icmp", "icmp_id", 1e6), why: "icmp_id: 0 to 65535 expected"},
		{tuple: kv("client", "10.0.0.1", "server", "10.0.0.1", "proto", "icmp6", "icmp_id", 1.0), why: "icmp6 does not run over the IP version of 10.0.0.1"},
		{tuple: kv("client", tcp, "server", tcp), why: "got connection 1"},
	} {
		got, why, hasWhy := n.s.Find(nil, c.tuple)
		if hasWhy != (c.why != "") || !strings.Contains(why, c.why) || hasWhy && !strings.HasPrefix(why, "flow.find: ") {
			t.Errorf("%v: %q, want %q", c.tuple, why, c.why)
		}
		if (got == nil) != (c.id == 0) || got != nil && got.ID() != c.id {
			t.Errorf("%v: found %v, want %d", c.tuple, got, c.id)
		}
	}
	n.s.Close()
	if got, why, _ := n.s.Find(nil, "10.0.0.1:40000 10.0.0.2:80"); got != nil || why != "" {
		t.Errorf("found %v after its end, %s", got, why)
	}
}

// ids returns the numbers of a list of flow.conns.
func ids(list any) string {
	if list == nil {
		return "nil"
	}
	var b strings.Builder
	for _, c := range list.([]any) {
		fmt.Fprintf(&b, "%d ", c.(flowev.Conn).ID())
	}
	return strings.TrimSpace(b.String())
}

func TestConns(t *testing.T) {
	t.Parallel()
	n := crossing(t)
	if err := n.conn().Tag(nil, "last"); err != nil {
		t.Fatal(err)
	}
	started := float64(n.conn().Started()) / 1e9
	for _, c := range []struct {
		filter any
		ids    string
		why    string
	}{
		{filter: nil, ids: "1 2 3 4 5 6"},
		{filter: kv(), ids: "1 2 3 4 5 6"},
		{filter: "tcp", ids: "1 4"},
		{filter: "udp or icmp", ids: "2 3 5"},
		{filter: "icmp6", ids: "6"},
		{filter: "vlan 9", ids: "2"},
		{filter: "ip6 and dst port 5060", ids: "4 5"},
		{filter: "src host 10.0.0.2", ids: "3"},
		{filter: kv("proto", "udp"), ids: "2 5"},
		{filter: kv("proto", []any{"udp", "icmp6"}), ids: "2 5 6"},
		{filter: kv("client", kv("ip", "10.0.0.1")), ids: "1 2"},
		{filter: kv("client.ip", "::ffff:10.0.0.1", "server.pkts", 1.0), ids: "1 2"},
		{filter: kv("server", kv("port", 5060.0), "proto", "tcp"), ids: "4"},
		{filter: kv("server.endpoint", "[2001:db8::2]:5060"), ids: "4 5"},
		{filter: kv("client", kv("state", "established")), ids: "1"},
		{filter: kv("client", kv("bytes", 3.0)), ids: "2"},
		{filter: kv("tags", "last"), ids: "6"},
		{filter: kv("tags", []any{"first", "last"}), ids: "6"},
		{filter: kv("icmp_id", 77.0), ids: "3 6"},
		{filter: kv("vlan", 9.0), ids: "2"},
		{filter: kv("id", []any{1.0, 99.0, 5.0}), ids: "1 5"},
		{filter: kv("duration", "1ms"), ids: "2"},
		{filter: kv("duration", 0.002), ids: "1"},
		{filter: kv("started", started), ids: "6"},
		{filter: kv("cid", n.conn().CID()), ids: "6"},
		{filter: kv("vlan", 10.0), ids: ""},

		{filter: 7.0, ids: "nil", why: "a pcap-filter expression or a table of fields expected, got 7"},
		{filter: []any{"tcp"}, ids: "nil", why: "got a table"},
		{filter: "tcp and", ids: "nil", why: "flow.conns: "},
		{filter: "greater 100", ids: "nil", why: "flow.conns: "},
		{filter: kv("colour", "red"), ids: "nil", why: `flow.conn has no field "colour"`},
		{filter: kv("client.colour", "red"), ids: "nil", why: `client: flow.peer has no field "colour"`},
		{filter: kv("client.ip.x", "red"), ids: "nil", why: `client: ip: address such as`},
		{filter: kv("client", "10.0.0.1:1"), ids: "nil", why: "client: a table of its fields expected"},
		{filter: kv("client", kv("ip", "10.0.0")), ids: "nil", why: "client: ip: address such as"},
		{filter: kv("vlan", []any{1.0, "x"}), ids: "nil", why: "vlan: number expected"},
		{filter: kv("proto", "x"), ids: "nil", why: "proto: other, tcp"},
		{filter: kv("tags", 1.0), ids: "nil", why: "tags: string expected"},
		{filter: kv("data", 1.0), ids: "nil", why: "data: this field cannot be compared"},
	} {
		list, why, hasWhy := n.s.Conns(nil, c.filter)
		if got := ids(list); got != c.ids {
			t.Errorf("%v: %s, want %s", c.filter, got, c.ids)
		}
		if hasWhy != (c.why != "") || !strings.Contains(why, c.why) {
			t.Errorf("%v: %q, want %q", c.filter, why, c.why)
		}
	}
}

func TestConnsLimits(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.sh.Bind(dispatch(func(any) {}), func(event.PointID) bool { return false })
	for i := range 1200 {
		if i%2 == 0 {
			n.send(pt.UDP(n6(fmt.Sprintf("10.0.0.1:%d", i+1)), n.server, ""))
		} else {
			n.send(pt.TCP(n6(fmt.Sprintf("10.0.0.1:%d", i+1)), n.server, 1, 0, syn, ""))
		}
	}
	list, why, hasWhy := n.s.Conns(nil, nil)
	got := list.([]any)
	if len(got) != 1000 || !hasWhy || !strings.Contains(why, "1000 connections listed") || got[999].(flowev.Conn).ID() != 1000 {
		t.Errorf("%d listed, %q", len(got), why)
	}
	if list, _, hasWhy = n.s.Conns(nil, "udp"); len(list.([]any)) != 600 || hasWhy {
		t.Errorf("%d listed of 600", len(list.([]any)))
	}
	for i := range uint32(100_000) {
		n.s.Frame(1, pt.ICMP(host4, other4, 8, 0, i<<16, "", pt.VLAN(uint16(i>>16))), 60, start)
		n.s.Frame(1, pt.ICMP(router4, other4, 13, 0, i<<16, ""), 60, start)
	}
	if st := n.s.Stats(); st.Open <= 100_000 {
		t.Fatalf("%d open", st.Open)
	}
	list, why, _ = n.s.Conns(nil, kv("vlan", 4000.0))
	if len(list.([]any)) != 0 || !strings.Contains(why, "100000 connections looked at") || n.s.Stats().CutLists != 2 {
		t.Errorf("%d listed, %q, %d lists cut", len(list.([]any)), why, n.s.Stats().CutLists)
	}
}

// TestFunctions asks the stacks of two shards, and a shard that has none.
func TestFunctions(t *testing.T) {
	t.Parallel()
	fns := flow.NewFunctions()
	shards := []*event.Shard{event.NewShard(0), event.NewShard(1), event.NewShard(2)}
	var stacks []*flow.Stack
	for i, sh := range shards[:2] {
		s := flow.New(sh, flow.Config{})
		stacks = append(stacks, s)
		fns.Install(s)
		f := pt.UDP(n6(fmt.Sprintf("10.0.0.1:%d", i+1)), n6("10.0.0.2:53"), "")
		s.Frame(1, f, len(f), start)
	}
	fns.Remove(flow.New(shards[0], flow.Config{})) // was never installed
	for i, sh := range shards {
		c := &event.Caller{Shard: sh}
		conn, _, _ := fns.Find(c, "udp 10.0.0.1:2 10.0.0.2:53")
		if (conn != nil) != (i == 1) {
			t.Errorf("shard %d: found %v", i, conn)
		}
		list, why, hasWhy := fns.Conns(c, nil)
		if (list != nil) != (i < 2) || hasWhy != (i == 2) || hasWhy && why != "flow.conns: no packets come in here" {
			t.Errorf("shard %d: %v %q", i, list, why)
		}
	}
	fns.Remove(stacks[1])
	if conn, why, _ := fns.Find(&event.Caller{Shard: shards[1]}, "udp 10.0.0.1:2 10.0.0.2:53"); conn != nil || why == "" {
		t.Errorf("found %v in a stack that was removed", conn)
	}
}
