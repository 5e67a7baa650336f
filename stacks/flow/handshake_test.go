package flow_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

func TestRepeatedHandshake(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.send(n.c(0, 0, syn, ""))
	n.play([]row{
		{"14 SYN repeated", n.c(0, 0, syn, ""), "pkt_in.snd/C rexmit.snd/C:syn pkt_in.rcv/S rexmit.rcv/S:syn", "syn_sent syn_received"},
		{"15 SYN with another ISN", n.c(77, 0, syn, ""), "pkt_in.snd/C pkt_in.rcv/S", "syn_sent syn_received"},
		{"SYN/ACK for neither", n.srv(0, 33, syn|ack, ""), "pkt_in.snd/S pkt_in.rcv/C", "syn_sent syn_received"},
		{"2 SYN/ACK for the first", n.srv(0, 1, syn|ack, ""), "pkt_in.snd/S pkt_in.rcv/C state.rcv/C:syn_sent>established", "established syn_received"},
		{"17 SYN/ACK repeated", n.srv(0, 1, syn|ack, ""), "pkt_in.snd/S rexmit.snd/S:syn pkt_in.rcv/C rexmit.rcv/C:syn", "established syn_received"},
		{"3 ACK", n.c(1, 1, ack, ""), "pkt_in.snd/C pkt_in.rcv/S state.rcv/S:syn_received>established", "established established"},
		{"16 SYN repeated when established", n.c(0, 0, syn, ""), "pkt_in.snd/C rexmit.snd/C:syn pkt_in.rcv/S rexmit.rcv/S:syn", "established established"},
	})
	if c := n.conn(); c.ID() != 1 || c.Client().Rexmits() != 2 || c.Server().Rexmits() != 1 {
		t.Errorf("connection %d, client %d again, server %d", c.ID(), c.Client().Rexmits(), c.Server().Rexmits())
	}
}

// TestReuse shows a SYN with another ISN on a connection that is not over: what the other end
// answers decides.
func TestReuse(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.c(1, 1, ack|psh, "old"))
	n.send(n.c(900000, 0, syn, "", pt.MSS(1400)), n.c(900000, 0, syn, ""))
	old := n.conn()
	n.want("refused SYN: states", n.states(), "established established")
	n.play([]row{{"challenge ACK", n.srv(1, 4, ack, ""), "pkt_in.snd/S pkt_in.rcv/C", "established established"}})
	if old.Client().Pkts() != 5 {
		t.Errorf("client sent %d packets", old.Client().Pkts())
	}
	n.sisn = 1 << 31
	n.play([]row{{
		"SYN/ACK for the new one", n.srv(0, 900001, syn|ack, ""),
		"conn_end:reuse conn_start.snd/C state.snd/C:closed>syn_sent conn_start.rcv/S state.rcv/S:closed>syn_received " +
			"pkt_in.snd/S pkt_in.rcv/C state.rcv/C:syn_sent>established", "established syn_received",
	}})
	c := n.conn()
	if !old.Ended() || old.Client().Pkts() != 3 || old.Client().Bytes() != 3 || c.ID() != 2 || c.Client().Pkts() != 2 || c.Client().MSS() != 1400 {
		t.Errorf("old: ended %v, client %d packets %d bytes; new: %d, client %d packets, MSS %d",
			old.Ended(), old.Client().Pkts(), old.Client().Bytes(), c.ID(), c.Client().Pkts(), c.Client().MSS())
	}
	if c.Started() != start+int64(5*time.Millisecond) {
		t.Errorf("started %v after start", time.Duration(c.Started()-start))
	}
	n.send(n.c(900001, 1, ack|psh, "new"))
	n.want("bytes", n.got(flowev.SideClient), "new")
}

// TestReuseByServer swaps the roles: the old server opens the next connection with the same ports.
func TestReuseByServer(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.srv(5_000_000, 0, syn, ""), n.c(7_000_000, 5_000_001, syn|ack, ""), n.srv(5_000_001, 7_000_001, ack|psh, "swap"))
	if c := n.conn(); c.ID() != 2 || c.Client().Endpoint() != n.server || c.Server().Endpoint() != n.client {
		t.Fatalf("connection %d from %v to %v", c.ID(), c.Client().Endpoint(), c.Server().Endpoint())
	}
	n.want("states", n.states(), "established established")
	n.want("bytes", n.got(flowev.SideClient), "swap")
}

func TestTimeWait(t *testing.T) {
	t.Parallel()
	closeBoth := func(cfg flow.Config) *net {
		n := newNet(t, cfg)
		n.open()
		n.send(n.c(1, 1, fin|ack, ""), n.srv(1, 2, fin|ack, ""))
		n.play([]row{{"last ACK", n.c(2, 2, ack, ""), "pkt_in.snd/C pkt_in.rcv/S state.rcv/S:last_ack>closed", "time_wait closed"}})
		return n
	}
	cfg := flow.Config{TimeWait: time.Second}

	n := closeBoth(cfg)
	n.play([]row{
		{"late packet", n.srv(1, 2, fin|ack, ""), "pkt_in.snd/S rexmit.snd/S:fin pkt_in.rcv/C rexmit.rcv/C:fin", "time_wait closed"},
		{"28 old SYN", n.c(0, 0, syn, ""), "pkt_in.snd/C rexmit.snd/C:syn pkt_in.rcv/S rexmit.rcv/S:syn", "time_wait closed"},
		{
			"28 new SYN", n.c(5000, 0, syn, ""), "state.rcv/C:time_wait>closed conn_end:fin pkt_in.snd/C conn_start.snd/C " +
				"state.snd/C:closed>syn_sent pkt_in.rcv/S conn_start.rcv/S state.rcv/S:closed>syn_received", "syn_sent syn_received",
		},
	})

	n = closeBoth(cfg)
	n.s.Advance(start + int64(n.now+time.Second-1))
	n.want("before its time", n.rec.take(), "")
	n.s.Advance(start + int64(n.now+time.Second))
	n.want("over", n.rec.take(), "state.rcv/C:time_wait>closed conn_end:fin")

	n = closeBoth(cfg)
	n.s.Close()
	n.want("closed", n.rec.take(), "state.rcv/C:time_wait>closed conn_end:fin")
}

func TestSimultaneousOpenAndClose(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.send(n.c(0, 0, syn, ""))
	n.play([]row{
		{"SYN of the other end", n.srv(0, 0, syn, ""), "pkt_in.snd/S pkt_in.rcv/C state.rcv/C:syn_sent>syn_received", "syn_received syn_received"},
		{"its SYN/ACK", n.srv(0, 1, syn|ack, ""), "pkt_in.snd/S pkt_in.rcv/C state.rcv/C:syn_received>established", "established syn_received"},
		{"the client's", n.c(0, 1, syn|ack, ""), "pkt_in.snd/C pkt_in.rcv/S state.rcv/S:syn_received>established", "established established"},
		{"24 FIN", n.c(1, 1, fin|ack, ""), "pkt_in.snd/C state.snd/C:established>fin_wait_1 pkt_in.rcv/S state.rcv/S:established>close_wait side_closed/C:fin", "fin_wait_1 close_wait"},
		{"24 FIN that crosses it", n.srv(1, 1, fin|ack, ""), "pkt_in.snd/S state.snd/S:close_wait>closing pkt_in.rcv/C state.rcv/C:fin_wait_1>closing side_closed/S:fin", "closing closing"},
		{"24 ACK", n.c(2, 2, ack, ""), "pkt_in.snd/C pkt_in.rcv/S state.rcv/S:closing>time_wait", "closing time_wait"},
		{
			"24 ACK of the other end", n.srv(2, 2, ack, ""),
			"pkt_in.snd/S pkt_in.rcv/C state.rcv/C:closing>time_wait state.rcv/C:time_wait>closed state.rcv/S:time_wait>closed conn_end:fin", "closed closed",
		},
	})
}

// TestMissedPackets leaves out packets of the handshake and the close: the next ones prove that
// they were there.
func TestMissedPackets(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.send(n.c(0, 0, syn, ""))
	n.play([]row{
		{
			"36 ACK of a SYN/ACK that was missed", n.c(1, 1, ack, ""),
			"pkt_in.snd/C state.snd/C:syn_sent>established pkt_in.rcv/S state.rcv/S:syn_received>established", "established established",
		},
		{"server's data", n.srv(1, 1, ack|psh, "data"), "pkt_in.snd/S pkt_in.rcv/C new_data/C:0+4", ""},
		{"data that was missed is acknowledged with its FIN", n.c(1, 8, fin|ack, ""), "pkt_in.snd/C state.snd/C:established>fin_wait_1 pkt_in.rcv/S state.rcv/S:established>close_wait side_closed/C:fin", ""},
	})
	if c := n.conn(); c.Server().ISN() != 5000 || c.Server().Bytes() != 4 {
		t.Errorf("server: ISN %d, %d bytes", c.Server().ISN(), c.Server().Bytes())
	}

	n = newNet(t, flow.Config{})
	n.send(n.c(0, 0, syn, ""))
	n.want("server's data without SYN/ACK", n.send(n.srv(1, 1, ack|psh, "data")), "pkt_in.snd/S pkt_in.rcv/C state.rcv/C:syn_sent>established new_data/C:0+4")

	n = newNet(t, flow.Config{})
	n.open()
	n.send(n.srv(4, 1, fin|ack, ""))
	n.want("FIN behind a hole", n.states(), "established fin_wait_1")
	n.play([]row{{
		"ACK of the FIN: the hole is the capture's", n.c(1, 5, fin|ack, ""),
		"pkt_in.snd/C state.snd/C:established>close_wait state.snd/C:close_wait>last_ack " +
			"pkt_in.rcv/S state.rcv/S:fin_wait_1>fin_wait_2 state.rcv/S:fin_wait_2>time_wait side_closed/C:fin", "last_ack time_wait",
	}})

	n = newNet(t, flow.Config{})
	n.open()
	n.send(n.srv(1, 2, ack, ""))
	n.play([]row{{
		"FIN that the capture has behind its acknowledgment", n.c(1, 1, fin|ack, ""),
		"pkt_in.snd/C state.snd/C:established>fin_wait_1 state.snd/C:fin_wait_1>fin_wait_2 pkt_in.rcv/S state.rcv/S:established>close_wait side_closed/C:fin", "",
	}})
}

// TestTwoSYNACKs is a server behind a balancer that answers one SYN twice, with two ISNs: the
// client's acknowledgment tells which it took.
func TestTwoSYNACKs(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.send(n.c(0, 0, syn, ""), n.srv(0, 1, syn|ack, ""), n.srv(800_000, 1, syn|ack, ""), n.c(1, 800_001, ack, ""), n.srv(800_001, 1, ack|psh, "second"))
	n.want("states", n.states(), "established established")
	n.want("bytes", n.got(flowev.SideServer), "second")
}

func TestFastOpen(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.want("SYN with data", n.send(n.c(0, 0, syn, "early")),
		"pkt_in.snd/C conn_start.snd/C state.snd/C:closed>syn_sent pkt_in.rcv/S conn_start.rcv/S state.rcv/S:closed>syn_received new_data/S:0+5")
	n.send(n.srv(0, 6, syn|ack, ""), n.c(6, 1, ack|psh, " late"))
	n.want("bytes", n.got(flowev.SideClient), "early late")
	n.want("states", n.states(), "established established")

	n = newNet(t, flow.Config{}) // the server takes the SYN but not its bytes
	n.send(n.c(0, 0, syn, "early"), n.srv(0, 1, syn|ack, ""))
	n.want("bytes again", n.send(n.c(1, 1, ack|psh, "early")), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S state.rcv/S:syn_received>established rexmit.rcv/S:data")
}

func TestWindowScale(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		client, server []pt.Option
		window         uint32
	}{
		{[]pt.Option{pt.WScale(7)}, []pt.Option{pt.WScale(3)}, 100 << 3},
		{[]pt.Option{pt.WScale(7)}, nil, 100},
		{nil, []pt.Option{pt.WScale(3)}, 100},
	} {
		n := newNet(t, flow.Config{})
		n.send(n.c(0, 0, syn, "", c.client...), n.srv(0, 1, syn|ack, "", append(c.server, pt.Window(200))...))
		if w := n.conn().Server().Window(); w != 200 {
			t.Errorf("window of a SYN/ACK: %d", w)
		}
		n.send(n.c(1, 1, ack, ""), n.srv(1, 1, ack, "", pt.Window(100)))
		if w := n.conn().Server().Window(); w != c.window {
			t.Errorf("window %d, want %d", w, c.window)
		}
	}
}

func TestVLANAndIPv6(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.client, n.server = n6("[2001:db8::1]:40000"), n6("[2001:db8::2]:443")
	n.send(n.c(0, 0, syn, "", pt.VLAN(12)), n.srv(0, 1, syn|ack, ""), n.c(1, 1, ack|psh, "six", pt.Ext(0, 0, 1, 4, 0, 0, 0, 0)))
	c := n.conn()
	if c.VLAN() != 12 || c.Client().Endpoint() != n.client || fmt.Sprint(c.Server()) != "[2001:db8::2]:443" || c.Server().Port() != 443 {
		t.Errorf("vlan %d, %v > %v", c.VLAN(), c.Client().Endpoint(), c.Server())
	}
	n.want("bytes", n.got(flowev.SideClient), "six")
}

func TestLinkTypes(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	for i, link := range []uint16{packet.LinkRaw, packet.LinkNull, packet.LinkSLL, packet.LinkSLL2, packet.LinkPPP, packet.LinkCHDLC} {
		f := n.c(uint32(i), 0, syn, "", pt.Link(link))
		if i > 0 {
			f = n.c(uint32(i), 1, ack, "x", pt.Link(link))
		}
		n.s.Frame(link, f, len(f), start)
	}
	if got := n.conn().Client().Bytes(); got != 5 || n.s.Stats().Orphans != 0 {
		t.Errorf("%d bytes, %+v", got, n.s.Stats())
	}
}
