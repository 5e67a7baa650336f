package flow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// gate is a net whose verdicts are applied, with what became of its frames.
type gate struct {
	*net
	out  []string // since the last call of fate
	made []packet.Packet
}

func newGate(t testing.TB, cfg flow.Config) *gate {
	g := &gate{}
	cfg.Forward = func(o *flow.Outcome) {
		g.out = append(g.out, map[flow.Action]string{flow.Forwarded: "+", flow.Dropped: "-", flow.Injected: "RST"}[o.Action])
		if o.Action == flow.Injected {
			var p packet.Packet
			p.Decode(o.Link, slices.Clone(o.Data), o.WireLen, o.TS)
			g.made = append(g.made, p)
		}
	}
	cfg.Verdicts = flow.Apply
	g.net = newNet(t, cfg)
	return g
}

// fate returns what became of the frames since the last call: + passed, - did not, RST was made.
func (g *gate) fate() string {
	s := strings.Join(g.out, " ")
	g.out = nil
	return s
}

// decide makes a rule that decides v at a hook point, the next n times.
func (g *gate) decide(v event.VerdictKind, point string, n int) {
	g.rec.rule = func(at string) event.VerdictKind {
		if at != point || n == 0 {
			return event.None
		}
		n--
		return v
	}
}

// TestCutSYN cuts a connection by its first packet, before and behind the server's stack.
func TestCutSYN(t *testing.T) {
	t.Parallel()
	for point, first := range map[string]string{
		"conn_start.snd": "pkt_in.snd/C conn_start.snd/C state.snd/C:closed>syn_sent conn_end:cut",
		"conn_start.rcv": "pkt_in.snd/C conn_start.snd/C state.snd/C:closed>syn_sent pkt_in.rcv/S conn_start.rcv/S state.rcv/S:closed>syn_received conn_end:cut",
	} {
		g := newGate(t, flow.Config{})
		g.decide(flowev.VerdictCut, point, 1)
		g.want(point, g.send(g.c(0, 0, syn, "")), first)
		g.want("states", g.states(), "syn_sent closed")
		for range 2 {
			g.later(time.Second)
			g.want("copy", g.send(g.c(0, 0, syn, "")), "")
		}
		g.want("three copies, none forwarded", g.fate(), "- - -")
		if st := g.s.Stats(); st.Swallowed != 2 || st.Dropped != 1 || st.Cut != 1 || st.Ended != 1 || st.Open != 0 || st.Remembered != 1 {
			t.Errorf("%+v", st)
		}
		g.later(time.Minute)
		g.want("another connection", g.send(g.c(7777, 0, syn, "")),
			"pkt_in.snd/C conn_start.snd/C state.snd/C:closed>syn_sent pkt_in.rcv/S conn_start.rcv/S state.rcv/S:closed>syn_received")
		g.want("passes", g.fate(), "+")
	}
}

// TestDropAtNewData is the packet whose bytes a rule does not let through: it comes again, as new to
// the receiver as the first time.
func TestDropAtNewData(t *testing.T) {
	t.Parallel()
	g := newGate(t, flow.Config{})
	g.open()
	g.fate()
	g.decide(flowev.VerdictDrop, "new_data", 1)
	g.want("first", g.send(g.c(1, 1, ack|psh, "hello")), "pkt_in.snd/C pkt_in.rcv/S new_data/S:0+5")
	if c := g.conn().Client(); c.Bytes() != 0 || c.Sent().Len() != 0 {
		t.Errorf("%d bytes are with the receiver, to place %d", c.Bytes(), c.Sent().Len())
	}
	g.want("again", g.send(g.c(1, 1, ack|psh, "hello")), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S new_data/S:0+5")
	g.want("fate", g.fate(), "- +")
	g.want("and again", g.send(g.c(1, 1, ack|psh, "hello")), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data")
	if c := g.conn().Client(); c.Bytes() != 5 || c.Rexmits() != 1 || c.Gaps() != 0 {
		t.Errorf("%d bytes, %d again, %d gaps", c.Bytes(), c.Rexmits(), c.Gaps())
	}
}

// TestDropAtSender is row 38: what a rule drops behind the sender's stack never comes to the receiver's.
func TestDropAtSender(t *testing.T) {
	t.Parallel()
	g := newGate(t, flow.Config{})
	g.open()
	g.fate()
	g.decide(flowev.VerdictDrop, "pkt_in.snd", 1)
	g.play([]row{
		{"38 dropped", g.c(1, 1, fin|ack|psh, "bye"), "pkt_in.snd/C state.snd/C:established>fin_wait_1", "fin_wait_1 established"},
		{
			"its repetition", g.c(1, 1, fin|ack|psh, "bye"),
			"pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S state.rcv/S:established>close_wait new_data/S:0+3 side_closed/C:fin", "fin_wait_1 close_wait",
		},
	})
	g.want("fate", g.fate(), "- +")
}

// TestDropAnywhere drops one packet of a life at each hook point that it raises, and sends it again:
// the receiver is where it was before, and then where it would have been.
func TestDropAnywhere(t *testing.T) {
	t.Parallel()
	life := func(n *net) [][]byte {
		return [][]byte{
			n.c(0, 0, syn, ""), n.srv(0, 1, syn|ack, ""), n.c(1, 1, ack, ""), n.c(1, 1, ack|psh, "hello"),
			n.c(9, 1, ack|psh, "ahead"), n.c(3, 1, ack|psh, "lloall"), n.srv(1, 14, ack|psh, "answer"),
			n.c(14, 7, fin|ack, ""), n.srv(7, 15, fin|ack, ""), n.c(15, 8, ack, ""),
		}
	}
	g := newGate(t, flow.Config{TimeWait: time.Second})
	plain := make([]string, 0, 16)
	for _, f := range life(g.net) {
		plain = append(plain, g.send(f))
	}
	end := g.states()
	for i, events := range plain {
		for _, word := range strings.Fields(events) {
			point, _, _ := strings.Cut(strings.Replace(word, "state.", "tcp_state_change.", 1), "/")
			if strings.HasPrefix(point, "conn_start") {
				continue
			}
			name := fmt.Sprintf("packet %d at %s", i, point)
			g := newGate(t, flow.Config{TimeWait: time.Second})
			frames := life(g.net)
			g.send(frames[:i]...)
			before := [2]string{}
			if i > 0 {
				before = receiver(g, i)
			}
			g.fate()
			g.decide(flowev.VerdictDrop, point, 1)
			g.send(frames[i])
			if i > 0 && receiver(g, i) != before {
				t.Errorf("%s: the receiver has %v, had %v", name, receiver(g, i), before)
			}
			again := g.send(frames[i])
			g.want(name+": fate", g.fate(), "- +")
			if strings.Contains(again, "rexmit.rcv/S:syn") || strings.Contains(again, "rexmit.rcv/C") != strings.Contains(events, "rexmit.rcv/C") ||
				strings.Contains(again, "rexmit.rcv/S") != strings.Contains(events, "rexmit.rcv/S") {
				t.Errorf("%s: again raises %s", name, again)
			}
			for _, received := range []string{"new_data", "state.rcv", "conn_start.rcv", "side_closed"} {
				if strings.Contains(events, received) != strings.Contains(again, received) {
					t.Errorf("%s: again raises %s, want %s", name, again, events)
				}
			}
			g.send(frames[i+1:]...)
			c := g.conn()
			if g.states() != end || c.Client().Bytes() != 13 || c.Server().Bytes() != 6 || c.Client().Gaps()+c.Server().Gaps() != 0 {
				t.Errorf("%s: ends %s with %d and %d bytes", name, g.states(), c.Client().Bytes(), c.Server().Bytes())
			}
		}
	}
}

// receiver is what the receiver of packet i has: its state, and what it got.
func receiver(g *gate, i int) [2]string {
	c := g.conn()
	x, y := c.Client(), c.Server()
	if i == 1 || i == 6 || i == 8 {
		x, y = y, x
	}
	return [2]string{y.State().String(), fmt.Sprint(x.Bytes(), x.Sent().Len(), x.Sent().Ranges(), x.Rexmits(), x.Gaps())}
}

// TestDropRST keeps a RST from its receiver: the connection goes on, for that end.
func TestDropRST(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"pkt_in.snd", "tcp_state_change.rcv"} {
		g := newGate(t, flow.Config{})
		g.open()
		g.decide(flowev.VerdictDrop, point, 1)
		g.send(g.srv(1, 1, rst|ack, ""))
		g.want(point, g.states(), "established closed")
		g.want("goes on", g.send(g.c(1, 1, ack|psh, "x")), "pkt_in.snd/C pkt_in.rcv/S new_data/S:0+1")
	}
}

// TestDroppedAndAcknowledged replays a capture made without the rule: the receiver has what was
// dropped.
func TestDroppedAndAcknowledged(t *testing.T) {
	t.Parallel()
	g := newGate(t, flow.Config{GapWait: -1})
	g.open()
	g.decide(flowev.VerdictDrop, "pkt_in.snd", 1)
	g.send(g.c(1, 1, ack|psh, "bad"))
	g.want("acknowledged", g.send(g.srv(1, 4, ack, "")), "pkt_in.snd/S pkt_in.rcv/C")
	g.want("goes on", g.send(g.c(4, 1, ack|psh, "good")), "pkt_in.snd/C gap/S:0+3:dropped pkt_in.rcv/S new_data/S:3+4")
	g.want("bytes", g.got(flowev.SideClient), "good")
}

// TestResetVerdict tells both ends, once, and whoever goes on.
func TestResetVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		link uint16
		ipv6 bool
		opts []pt.Option
	}{
		{packet.LinkEthernet, false, nil},
		{packet.LinkEthernet, true, []pt.Option{pt.VLAN(5, 6)}},
		{packet.LinkRaw, false, nil},
		{packet.LinkRaw, true, nil},
		{packet.LinkSLL, false, nil},
		{packet.LinkSLL2, true, nil},
		{packet.LinkNull, false, nil},
	} {
		g := newGate(t, flow.Config{})
		if c.ipv6 {
			g.client, g.server = n6("[2001:db8::1]:40000"), n6("[2001:db8::2]:443")
		}
		opts := append(c.opts, pt.Link(c.link))
		send := func(f []byte) string {
			g.now += time.Millisecond
			g.s.Frame(c.link, f, len(f), start+int64(g.now))
			return g.rec.take()
		}
		send(g.c(0, 0, syn, "", opts...))
		send(g.srv(0, 1, syn|ack, "", opts...))
		send(g.c(1, 1, ack, "", opts...))
		send(g.c(1, 1, ack|psh, "abc", opts...))
		g.fate()
		g.decide(flowev.VerdictReset, "new_data", 1)
		g.want("reset", send(g.srv(1, 4, ack|psh, "secret", opts...)), "pkt_in.snd/S pkt_in.rcv/C new_data/C:0+6 "+
			"state.rcv/S:established>closed state.rcv/C:established>closed side_closed/C:rst side_closed/S:rst conn_end:reset")
		g.want("fate", g.fate(), "RST RST -")
		g.want("both", describe(g), fmt.Sprintf("%v>%v R %d 0 | %v>%v R. %d %d", g.client, g.server, g.cisn+4, g.server, g.client, g.sisn+1, g.cisn+4))
		g.want("swallowed", send(g.c(4, 1, ack|psh, "more", opts...)), "")
		g.want("answered", g.fate()+" "+describe(g), fmt.Sprintf("RST - %v>%v R %d 0", g.server, g.client, g.sisn+1))
		for range 20 {
			send(g.c(4, 1, ack, "", opts...))
		}
		send(g.c(4, 1, rst, "", opts...))
		if st := g.s.Stats(); st.Injected != 2+8 || st.NotInjected != 0 || st.Swallowed != 22 {
			t.Errorf("%+v", st)
		}
	}
}

// describe lists the segments that were made, each with endpoints, flags, sequence and
// acknowledgment number, and checks that they are whole.
func describe(g *gate) string {
	var list []string
	for _, p := range g.made {
		if p.Class != packet.TCP || p.Err != 0 || p.PayloadLen != 0 || !checksumsHold(p.Data[p.IPOff:]) {
			g.t.Errorf("made %+v", p)
		}
		list = append(list, fmt.Sprintf("%v>%v %v %d %d", p.SrcAddrPort(), p.DstAddrPort(), p.TCPFlags, p.Seq, p.Ack))
	}
	g.made = nil
	return strings.Join(list, " | ")
}

// TestResetSYN refuses a connection: the server never heard of it.
func TestResetSYN(t *testing.T) {
	t.Parallel()
	g := newGate(t, flow.Config{})
	g.decide(flowev.VerdictReset, "conn_start.rcv", 1)
	g.send(g.c(0, 0, syn, ""))
	g.want("fate", g.fate(), "RST -")
	g.want("refusal", describe(g), fmt.Sprintf("%v>%v R. 0 %d", g.server, g.client, g.cisn+1))
}

// TestNotInjected counts RSTs that cannot be made: PPPoE has a length in its header.
func TestNotInjected(t *testing.T) {
	t.Parallel()
	g := newGate(t, flow.Config{})
	g.decide(flowev.VerdictReset, "conn_start.snd", 1)
	pppoe := pt.Edit(func([]byte) {})
	f := g.c(0, 0, syn, "", pppoe)
	h := append(append([]byte{}, f[:12]...), 0x88, 0x64, 0x11, 0, 0, 1, 0, byte(len(f)-14+2), 0, 0x21)
	g.send(append(h, f[14:]...))
	if st := g.s.Stats(); st.TCP != 1 || st.NotInjected != 1 || st.Injected != 0 {
		t.Errorf("%+v", st)
	}
	g.want("fate", g.fate(), "-")
}

// TestRecordMode follows the capture, and tells what rules decided.
func TestRecordMode(t *testing.T) {
	t.Parallel()
	var got []string
	n := newNet(t, flow.Config{Forward: func(o *flow.Outcome) {
		got = append(got, fmt.Sprint(o.Action, o.Verdict, o.Conn != nil))
	}})
	kinds := []event.VerdictKind{0, flowev.VerdictDrop, 0, flowev.VerdictReset, 0, 0}
	n.rec.rule = func(at string) event.VerdictKind {
		if at != "pkt_in.snd" && at != "orphan" {
			return 0
		}
		v := kinds[0]
		kinds = kinds[1:]
		return v
	}
	n.send(n.c(0, 0, syn, ""), n.srv(0, 1, syn|ack, ""), n.c(1, 1, ack, ""), n.c(1, 1, ack|psh, "data"), n.srv(1, 5, ack, ""), n.from(9).c(5, 5, ack, ""))
	n.want("outcomes", strings.Join(got, " "), "0 0 true 0 2 true 0 0 true 0 4 true 0 0 true 0 0 false")
	n.want("bytes", n.got(flowev.SideClient), "data")
	if v := n.conn().(*flow.Conn).Verdict(); v != flowev.VerdictReset {
		t.Errorf("remembered %v", v)
	}
}

// TestDropOrphan drops what belongs to no connection.
func TestDropOrphan(t *testing.T) {
	t.Parallel()
	g := newGate(t, flow.Config{})
	g.decide(flowev.VerdictDrop, "orphan", 1)
	for range 2 {
		g.send(pt.UDP(g.client, g.server, "x"))
	}
	g.send([]byte("no frame"))
	g.want("fate", g.fate(), "- + +")
}

// TestCutIsNotFound finds no connection that was cut, nor one that an ICMP error speaks of.
func TestCutIsNotFound(t *testing.T) {
	t.Parallel()
	g := newGate(t, flow.Config{})
	g.decide(flowev.VerdictCut, "conn_start.snd", 1)
	f := g.c(0, 0, syn, "")
	g.send(f)
	if c, _, _ := g.s.Find(nil, fmt.Sprintf("%v %v", g.client, g.server)); c != nil {
		t.Errorf("found %s", c.Label())
	}
	g.want("quoted", g.send(pt.ICMP(g.server.Addr(), g.client.Addr(), 3, 1, 0, f[14:])), "orphan")
}

// TestCutIsForgotten forgets a connection that was cut, once it is silent, or for want of room.
func TestCutIsForgotten(t *testing.T) {
	t.Parallel()
	g := newGate(t, flow.Config{CutLinger: time.Minute, MaxConns: 2})
	g.open()
	g.decide(flowev.VerdictCut, "pkt_in.rcv", 1)
	g.send(g.c(1, 1, ack|psh, "x"))
	g.later(59 * time.Second)
	g.want("swallowed", g.send(g.srv(1, 1, ack, "")), "")
	g.later(59 * time.Second)
	g.want("still", g.send(g.srv(1, 1, ack, "")), "")
	g.later(61 * time.Second)
	g.want("forgotten", g.send(g.srv(1, 1, ack, "")), "orphan")

	g.from(1).open()
	g.decide(flowev.VerdictCut, "pkt_in.rcv", 1)
	g.send(g.c(1, 1, ack|psh, "x"))
	g.from(2).open()
	g.from(3).open()
	if st := g.s.Stats(); st.Open != 2 || st.Remembered != 0 || st.Evicted != 0 {
		t.Errorf("%+v", st)
	}
	g.s.Close()
	if st := g.s.Stats(); st.Open != 0 || st.Conns != st.Ended {
		t.Errorf("%+v", st)
	}
}

// checksumsHold verifies the checksums of an IP packet that is a TCP segment (RFC 1071: the sum of
// all words, the checksum with them, is all ones).
func checksumsHold(ip []byte) bool {
	sum := func(words ...[]byte) (n uint32) {
		for _, b := range words {
			for ; len(b) > 1; b = b[2:] {
				n += uint32(b[0])<<8 | uint32(b[1])
			}
		}
		return n % 0xffff
	}
	if ip[0]>>4 == 4 {
		tcp := ip[20:]
		return sum(ip[:20]) == 0 && sum(ip[12:20], []byte{0, 6, 0, byte(len(tcp))}, tcp) == 0
	}
	tcp := ip[40:]
	return sum(ip[8:40], []byte{0, 6, 0, byte(len(tcp))}, tcp) == 0
}

// TestUndoneAck drops the ACK that ends the handshake: one that acknowledges nothing does not take its place.
func TestUndoneAck(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{Verdicts: flow.Apply})
	n.send(n.c(0, 0, syn, ""), n.srv(0, 1, syn|ack, ""))
	n.rec.rule = func(string) event.VerdictKind { return flowev.VerdictDrop }
	n.send(n.c(1, 1, ack, ""))
	n.rec.rule = nil
	n.send(n.c(1, 1<<30, ack, ""))
	n.want("of nothing", n.states(), "established syn_received")
	n.send(n.c(1, 1, ack, ""))
	n.want("of the SYN", n.states(), "established established")
}
