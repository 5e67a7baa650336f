package flow_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// udp and answer build a datagram of the client and of the server.
func (n *net) udp(payload string, opts ...pt.Option) []byte {
	return pt.UDP(n.client, n.server, payload, opts...)
}

func (n *net) answer(payload string, opts ...pt.Option) []byte {
	return pt.UDP(n.server, n.client, payload, opts...)
}

func TestUDPFlow(t *testing.T) {
	t.Parallel()
	for _, ends := range [][2]string{{"10.0.0.1:40000", "10.0.0.2:53"}, {"10.0.0.9:53", "10.0.0.2:40000"}, {"[2001:db8::1]:40000", "[2001:db8::2]:53"}} {
		n := newNet(t, flow.Config{})
		n.client, n.server = n6(ends[0]), n6(ends[1])
		n.play([]row{
			{"first", n.udp("query", pt.VLAN(7)), "udp_start datagram/C orphan", ""},
			{"answer", n.answer("an answer"), "datagram/S orphan", ""},
			{"empty", n.udp(""), "datagram/C orphan", ""},
		})
		c := n.conn()
		got := []any{
			c.ID(), c.Proto(), c.VLAN(), c.Client().Endpoint(), c.Server().Endpoint(), c.Duration(), c.Started(), c.Label(), c.ICMPID(),
			c.Client().Bytes(), c.Client().Pkts(), c.Server().Bytes(), c.Server().Pkts(), c.Server().Label(), c.Server().ID(),
			c.Client().State(), c.Client().Rexmits() + c.Client().Gaps(), c.Client().ISN() + c.Client().Window() + uint32(c.Client().MSS()),
		}
		want := []any{
			uint64(1), flowev.ProtoUDP, uint16(7), n.client, n.server, 2 * time.Millisecond, start + 1e6, "connection 1", uint16(0),
			uint64(5), uint64(2), uint64(9), uint64(1), "server of connection 1", uint64(2),
			flowev.TCPStateClosed, uint64(0), uint32(0),
		}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
			t.Error(d)
		}
		f := n.answer("an answer")
		n.s.Frame(1, f[:len(f)-4], len(f), start)
		if c.Server().Bytes() != 18 {
			t.Errorf("the server sent %d bytes, of which not all were captured", c.Server().Bytes())
		}
		n.s.Close()
		n.want("closed", strings.TrimPrefix(n.rec.take(), "datagram/S orphan "), "udp_end:shutdown")
		if !c.Ended() || !c.Client().Ended() || c.Tag(nil, "late") == nil || c.Untag(nil, "late") == nil {
			t.Error("the flow goes on after its end")
		}
		if st := n.s.Stats(); st.Datagrams != 4 || st.Orphans != 4 || st.UDPFlows != 1 || st.Conns != 1 || st.Ended != 1 || st.Open != 0 {
			t.Errorf("%+v", st)
		}
	}
}

// TestFlowsOfTheirOwn shows what makes another flow: other ends or another protocol, and answers to
// many that come from one.
func TestFlowsOfTheirOwn(t *testing.T) {
	t.Parallel()
	a, b := n6("10.0.0.1:5353"), n6("10.0.0.2:5353")
	group, all := n6("224.0.0.251:5353"), n6("255.255.255.255:67")
	dhcp, lease := n6("0.0.0.0:68"), n6("10.0.0.1:68")
	for name, frames := range map[string][][]byte{
		"another port":           {pt.UDP(a, b, ""), pt.UDP(n6("10.0.0.1:5354"), b, "")},
		"multicast, both ask":    {pt.UDP(a, group, ""), pt.UDP(b, group, "")},
		"answer to multicast":    {pt.UDP(a, group, ""), pt.UDP(b, a, "")},
		"answer to broadcast":    {pt.UDP(dhcp, all, ""), pt.UDP(n6("10.0.0.9:67"), lease, "")},
		"TCP, of the same ports": {pt.TCP(a, b, 1, 0, syn, ""), pt.UDP(a, b, "")},
		"IPv6, the same bytes":   {pt.UDP(n6("[a00::]:1"), n6("[b00::]:1"), ""), pt.UDP(n6("10.0.0.0:1"), n6("11.0.0.0:1"), "")},
	} {
		n := newNet(t, flow.Config{})
		n.send(frames...)
		if st := n.s.Stats(); st.Open != 2 || n.conn().ID() != 2 {
			t.Errorf("%s: %d connections, the last is %d", name, st.Open, n.conn().ID())
		}
	}
	n := newNet(t, flow.Config{})
	n.want("another VLAN is no other flow", n.send(pt.UDP(a, b, "", pt.VLAN(1)), pt.UDP(b, a, "", pt.VLAN(2))), "udp_start datagram/C orphan datagram/S orphan")
	n.want("from an end to itself", n.send(pt.UDP(a, a, ""), pt.UDP(a, a, "")), "udp_start datagram/C orphan datagram/C orphan")
	n.want("no flows of", n.send(
		pt.IP(a.Addr(), b.Addr(), 136, strings.Repeat("u", 8)), // UDP-Lite
		pt.UDP(a, b, "part", pt.Fragment(1, 0, 8)),
		pt.UDP(a, b, "", pt.Edit(func(f []byte) { f[39] = 200 })), // its length is beyond the packet
	), "orphan orphan orphan")
}

func TestFlowsIdle(t *testing.T) {
	t.Parallel()
	echo := func(n *net) []byte { return pt.Echo(n.client.Addr(), n.server.Addr(), "") }
	n := newNet(t, flow.Config{})
	n.at(0).from(1).send(n.udp(""))                            // due at 60 s
	n.at(time.Second).from(2).send(n.udp(""), n.answer(""))    // due at 61 s
	n.at(2 * time.Second).from(3).send(n.udp(""))              // due at 62 s, but goes on
	n.at(3 * time.Second).from(0).send(echo(n))                // due at 33 s
	n.at(30*time.Second).from(3).send(n.udp(""), n.answer("")) // due at 90 s
	for _, step := range []struct {
		at   time.Duration
		want string
	}{{33 * time.Second, ""}, {34 * time.Second, "0:idle"}, {60 * time.Second, ""}, {89 * time.Second, "1:idle 2:idle"}, {91 * time.Second, "3:idle"}} {
		n.s.Advance(start + int64(step.at))
		n.want(fmt.Sprint("at ", step.at), n.ends(), step.want)
	}
	if st := n.s.Stats(); st.Idle != 4 || st.Open != 0 || n.sh.Timers().Len() != 0 {
		t.Errorf("%+v, %d timers", st, n.sh.Timers().Len())
	}

	n = newNet(t, flow.Config{UDPTimeout: 5 * time.Second, ICMPTimeout: -1})
	n.send(n.udp(""), echo(n))
	n.s.Advance(start + int64(1000*time.Hour))
	n.want("ICMP never", n.ends(), "40000:idle")
	n.send(n.udp(""))
	n.want("a flow of the same ends", n.conn().Label(), "connection 3")
}

// TestFlowsEvict fills a stack: who makes room for whom.
func TestFlowsEvict(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{MaxConns: 6})
	n.from(1).open()
	n.from(2).send(n.udp(""), n.answer(""))
	n.from(3).send(n.c(0, 0, syn, ""))
	n.from(4).send(n.udp(""))
	n.from(5).send(n.udp(""))
	n.send(pt.Echo(n.client.Addr(), n.server.Addr(), ""))
	n.want("before", n.ends(), "")
	for _, step := range []struct {
		what  string
		frame []byte
		want  string
	}{
		{"of the unproven, most are UDP without answer", n.from(6).c(0, 0, syn, ""), "4:evicted"},
		{"now handshakes", n.from(7).udp(""), "3:evicted"},
		{"and UDP", n.from(8).udp(""), "5:evicted"},
		{"the others one by one", n.from(9).udp(""), "7:evicted"},
		{"", n.from(9).answer(""), ""},
		{"as many handshakes as others: handshakes", n.from(10).udp(""), "6:evicted"},
		{"", n.from(10).answer(""), ""},
		{"", n.from(8).answer(""), ""},
		{"ICMP is left of them", n.from(11).udp(""), "0:evicted"},
		{"", n.from(11).answer(""), ""},
		{"UDP with answers, the one silent for longest", n.from(12).udp(""), "2:evicted"},
		{"", n.from(12).answer(""), ""},
		{"", n.from(13).udp(""), "9:evicted"},
	} {
		n.send(step.frame)
		n.want(step.what, n.ends(), step.want)
	}
	st := n.s.Stats()
	if st.Evicted != 8 || st.Open != 6 {
		t.Errorf("%+v", st)
	}
	n.s.Close()
	n.want("closed in the order of numbers", n.ends(), "1:shutdown 8:shutdown 10:shutdown 11:shutdown 12:shutdown 13:shutdown")
	if n.sh.Timers().Len() != 0 {
		t.Errorf("%d timers left", n.sh.Timers().Len())
	}
}

// TestFloods sends 90,000 packets from 30,000 ends at a small stack with established connections
// in it, and a UDP flow with answers: these stay.
func TestFloods(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{MaxConns: 1000, UDPTimeout: time.Hour})
	for port := range uint16(100) {
		n.from(port + 1).open()
	}
	n.from(200).send(n.udp(""), n.answer(""))
	n.sh.Bind(dispatch(func(any) {}), func(event.PointID) bool { return false })
	for i := range 30_000 {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)}), uint16(i))
		n.send(pt.UDP(a, n.server, "flood"), pt.ICMP(a.Addr(), n.server.Addr(), 8, 0, uint32(i)<<16, ""), pt.TCP(a, n.server, 1, 0, syn, ""))
	}
	st := n.s.Stats()
	if st.Open != 1000 || st.Conns != 90_101 || st.Evicted != 89_101 {
		t.Errorf("%+v", st)
	}
	list, _, _ := n.s.Conns(nil, []event.KV{{Key: "server.pkts", Value: 1.0}})
	if got := len(list.([]any)); got != 101 {
		t.Errorf("%d of 101 connections with answers are left", got)
	}
}

// TestFlowObjectsAreReused makes a new flow of an ended one, unless somebody hung data on it.
func TestFlowObjectsAreReused(t *testing.T) {
	t.Parallel()
	for _, hold := range []string{"nothing", "flow", "client", "server"} {
		n := newNet(t, flow.Config{})
		var seen []flowev.Conn
		n.sh.Bind(dispatch(func(e any) {
			end, ok := e.(*flowev.UDPEnd)
			if !ok {
				return
			}
			seen = append(seen, end.C)
			switch hold {
			case "flow":
				end.C.Slots().Set("k", 1)
			case "client":
				end.C.Client().Slots().Set("k", 1)
			case "server":
				end.C.Server().Slots().Set("k", 1)
			}
		}), func(event.PointID) bool { return true })
		for range 2 {
			n.send(n.udp(""))
			n.s.Close()
		}
		if (seen[0] == seen[1]) != (hold == "nothing") {
			t.Errorf("data on %s: object used again: %v", hold, seen[0] == seen[1])
		}
	}
}

func TestFlowTags(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.send(n.udp(""))
	c := n.conn()
	for _, word := range []string{"b", "a", "b"} {
		if err := c.Tag(nil, word); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Untag(nil, "b"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a"}, c.Tags()); d != "" || !c.Tagged("a") || c.Tagged("b") {
		t.Error(d)
	}
}

// TestFlowVerdicts shows that a cut is remembered, and a drop is the packet's alone.
func TestFlowVerdicts(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	var answer event.VerdictKind
	n.rec.on = func(e any) event.Verdict { return event.Verdict{Kind: answer} }
	for _, step := range []struct{ say, then event.VerdictKind }{
		{flowev.VerdictDrop, 0}, {flowev.VerdictCut, flowev.VerdictCut}, {0, flowev.VerdictCut},
	} {
		answer = step.say
		n.send(n.udp("x"))
		if got := n.conn().(*flow.Exchange).Verdict(); got != step.then {
			t.Errorf("after %d: %d", step.say, got)
		}
	}
	if got := n.conn().Client().Pkts(); got != 3 {
		t.Errorf("%d packets", got)
	}
}

// TestFlowScope asks scopes about a flow.
func TestFlowScope(t *testing.T) {
	n := newNet(t, flow.Config{})
	n.send(n.answer("", pt.VLAN(7))) // from port 80 to 40000
	udp := n.conn()
	n.send(pt.Echo(host6, other6, ""))
	for expr, want := range map[string][2]bool{ // of the UDP flow and of the ICMPv6 query
		"udp": {true, false}, "icmp6": {false, true}, "tcp": {}, "ip6": {false, true}, "vlan 7": {true, false},
		"dst port 40000": {true, false}, "src port 40000": {}, "dst host 2001:db8::1": {false, true},
	} {
		scope, err := flow.CompileScope(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{scope(udp), scope(n.conn())}; got != want {
			t.Errorf("%s: %v", expr, got)
		}
		if n := testing.AllocsPerRun(100, func() { scope(udp) }); n != 0 {
			t.Errorf("%s: %v allocations", expr, n)
		}
	}
}
