package flow_test

import (
	"bytes"
	"net/netip"
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

var outside = netip.MustParseAddrPort("203.0.113.7:61000")

func replace(args flowev.ReplaceArgs) event.Verdict {
	return event.Verdict{Kind: flowev.VerdictReplace, Args: &args}
}

// gateway is a net behind a source NAT that a rule makes: what comes from inside leaves as from
// outside, and back.
type gateway struct {
	*net
	passed [][]byte // what was forwarded, or made
	fates  []flow.Action
}

func newGateway(t *testing.T, mode flow.VerdictMode) *gateway {
	g := &gateway{}
	g.net = newNet(t, flow.Config{Verdicts: mode, TimeWait: time.Second, Forward: func(o *flow.Outcome) {
		g.fates = append(g.fates, o.Action)
		if o.Action != flow.Dropped {
			g.passed = append(g.passed, slices.Clone(o.Data))
		}
	}})
	g.rec.on = func(e any) event.Verdict {
		switch e := e.(type) {
		case *flowev.PktIn:
			return g.translate(e.Pkt, e.C)
		case *flowev.Datagram:
			return g.translate(e.Pkt, e.C)
		case *flowev.ICMPError:
			return g.translate(e.Pkt, e.C)
		}
		return event.Verdict{}
	}
	return g
}

func (g *gateway) translate(pkt flowev.Packet, c flowev.Conn) event.Verdict {
	switch in := c.Client(); {
	case pkt.Src() == in.IP():
		return replace(flowev.ReplaceArgs{Src: outside.Addr(), SrcPort: outside.Port(), HasSrcPort: true})
	case pkt.Dst() == outside.Addr():
		return replace(flowev.ReplaceArgs{Dst: in.IP(), DstPort: in.Port(), HasDstPort: true})
	}
	return event.Verdict{}
}

// wantPassed compares what was forwarded since the last call.
func (g *gateway) wantPassed(what string, frames ...[]byte) {
	g.t.Helper()
	if !slices.EqualFunc(g.passed, frames, bytes.Equal) {
		g.t.Errorf("%s: passed\n%x\nwant\n%x", what, g.passed, frames)
	}
	g.passed, g.fates = nil, nil
}

// answer is a segment of the server to where it believes the client to be.
func (g *gateway) answer(seq, ackTo uint32, flags packet.Flags, payload string) []byte {
	return pt.TCP(g.server, outside, g.sisn+seq, ackNumber(flags, g.cisn+ackTo), flags, payload)
}

// shown is a segment of the client as the server gets it.
func (g *gateway) shown(seq, ackTo uint32, flags packet.Flags, payload string) []byte {
	return pt.TCP(outside, g.server, g.cisn+seq, ackNumber(flags, g.sisn+ackTo), flags, payload)
}

// TestTranslatedConnection runs a connection through the NAT from SYN to FIN: it is one connection,
// with the addresses that its client has.
func TestTranslatedConnection(t *testing.T) {
	t.Parallel()
	g := newGateway(t, flow.Apply)
	g.send(g.c(0, 0, syn, ""), g.answer(0, 1, syn|ack, ""), g.c(1, 1, ack, ""), g.c(1, 1, ack|psh, "hello"), g.answer(1, 6, ack|psh, "world"))
	g.wantPassed("data", g.shown(0, 0, syn, ""), g.srv(0, 1, syn|ack, ""), g.shown(1, 1, ack, ""), g.shown(1, 1, ack|psh, "hello"), g.srv(1, 6, ack|psh, "world"))
	g.want("states", g.states(), "established established")
	g.want("streams", g.got(flowev.SideClient)+" "+g.got(flowev.SideServer), "hello world")
	g.want("ends", g.conn().Client().Endpoint().String()+" "+g.conn().Server().Endpoint().String(), "10.0.0.1:40000 10.0.0.2:80")
	g.want("again", g.send(g.answer(1, 6, ack|psh, "world")), "pkt_in.snd/S rexmit.snd/S:data pkt_in.rcv/C rexmit.rcv/C:data")
	g.send(g.c(6, 6, fin|ack, ""), g.answer(6, 7, fin|ack, ""), g.c(7, 7, ack, ""))
	g.want("closed", g.states(), "time_wait closed")
	g.later(2 * time.Second)
	g.want("the alias is gone with the connection", g.send(g.answer(6, 7, ack, "")), "state.rcv/C:time_wait>closed conn_end:fin orphan")
	if st := g.s.Stats(); st.Conns != 1 || st.Orphans != 1 || st.Open != 0 || st.Conflicts != 0 || st.NotReplaced != 0 || st.Replaced != 9 {
		t.Errorf("%+v", st)
	}
	g.client = netip.MustParseAddrPort("10.0.0.3:5")
	g.send(g.c(0, 0, syn, ""), g.answer(0, 1, syn|ack, ""))
	g.want("and another connection has it", g.states(), "established syn_received")
}

// TestTranslatedReset resets a translated connection: both ends get a RST from whom they know.
func TestTranslatedReset(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"client", "server"} {
		g := newGateway(t, flow.Apply)
		g.send(g.c(0, 0, syn, ""), g.answer(0, 1, syn|ack, ""), g.c(1, 1, ack, ""))
		nat := g.rec.on
		g.rec.on = func(e any) event.Verdict {
			if _, ok := e.(*flowev.NewData); ok {
				return event.Verdict{Kind: flowev.VerdictReset}
			}
			return nat(e)
		}
		g.passed = nil
		if from == "client" {
			g.send(g.c(1, 1, ack|psh, "x"))
		} else {
			g.send(g.answer(1, 1, ack|psh, "x"))
		}
		var ends []string
		for _, f := range g.passed {
			var p packet.Packet
			p.Decode(packet.LinkEthernet, f, len(f), 0)
			if !p.TCPFlags.Has(rst) || !p.ChecksumOK() {
				t.Errorf("%s: %v", from, p.TCPFlags)
			}
			ends = append(ends, p.SrcAddrPort().String()+">"+p.DstAddrPort().String())
		}
		slices.Sort(ends)
		g.want(from, strings.Join(ends, " "), "10.0.0.2:80>10.0.0.1:40000 203.0.113.7:61000>10.0.0.2:80")
	}
}

// TestTranslatedDatagrams does the same with UDP, and an ICMP error about it.
func TestTranslatedDatagrams(t *testing.T) {
	t.Parallel()
	g := newGateway(t, flow.Apply)
	router := netip.MustParseAddr("10.9.9.9")
	question, asked := pt.UDP(g.client, g.server, "question"), pt.UDP(outside, g.server, "question")
	g.want("question", g.send(question), "udp_start datagram/C orphan")
	g.want("answer", g.send(pt.UDP(g.server, outside, "answer")), "datagram/S orphan")
	g.want("error", g.send(pt.ICMP(router, outside.Addr(), 11, 0, 0, asked[14:])), "icmp_error/C:11/0 orphan")
	g.wantPassed("translated", asked, pt.UDP(g.server, g.client, "answer"), pt.ICMP(router, g.client.Addr(), 11, 0, 0, question[14:]))
	if st := g.s.Stats(); st.UDPFlows != 1 || st.Conns != 1 {
		t.Errorf("%+v", st)
	}
	g.want("ping", g.send(pt.Echo(g.client.Addr(), g.server.Addr(), "x")), "udp_start datagram/C orphan")
	if st := g.s.Stats(); st.NotReplaced != 1 || g.fates[len(g.fates)-1] != flow.Dropped {
		t.Errorf("a port was given to what has none: %v, %d", g.fates, st.NotReplaced)
	}
}

// TestReplaceIsRecorded changes nothing where verdicts are only recorded.
func TestReplaceIsRecorded(t *testing.T) {
	t.Parallel()
	g := newGateway(t, flow.Record)
	frames := [][]byte{g.c(0, 0, syn, ""), g.srv(0, 1, syn|ack, ""), g.c(1, 1, ack, "")}
	g.send(frames...)
	g.want("states", g.states(), "established established")
	g.wantPassed("as it came", frames...)
}

// TestAliasTaken gives two connections the same outside: the first keeps it.
func TestAliasTaken(t *testing.T) {
	t.Parallel()
	g := newGateway(t, flow.Apply)
	g.send(g.c(0, 0, syn, ""))
	first := g.conn()
	g.client = netip.MustParseAddrPort("10.0.0.3:5")
	g.send(g.c(0, 0, syn, ""))
	g.send(g.answer(0, 1, syn|ack, ""))
	if st := g.s.Stats(); st.AliasesTaken != 1 || first.Client().State() != flowev.TCPStateEstablished {
		t.Errorf("taken %d, first is %v", st.AliasesTaken, first.Client().State())
	}
}

// TestReplacedPayload replaces a payload before and behind the receiver's stack.
func TestReplacedPayload(t *testing.T) {
	t.Parallel()
	for point, stream := range map[string]string{"pkt_in.snd": "HELLO", "pkt_in.rcv": "hello", "new_data": "hello"} {
		g := newGateway(t, flow.Apply)
		g.rec.on = nil
		g.open()
		g.passed = nil
		armed, seen := false, ""
		g.rec.on = func(e any) event.Verdict {
			switch e := e.(type) {
			case *flowev.PktIn:
				at := "pkt_in.snd"
				if e.Side != flowev.SideClient {
					at = "pkt_in.rcv"
					seen = string(e.Pkt.Payload())
				}
				armed = at == point
			case *flowev.NewData:
				armed = point == "new_data"
			default:
				armed = false
			}
			if armed {
				return replace(flowev.ReplaceArgs{Payload: []byte("HELLO")})
			}
			return event.Verdict{}
		}
		g.send(g.c(1, 1, ack|psh, "hello"))
		g.want(point+": stream", g.got(flowev.SideClient), stream)
		g.want(point+": packet at the receiver", seen, stream)
		g.wantPassed(point, g.c(1, 1, ack|psh, "HELLO"))
	}
}

// TestConflictingReplaces has the first to name a field decide it, at one hook point and over several.
func TestConflictingReplaces(t *testing.T) {
	t.Parallel()
	first := replace(flowev.ReplaceArgs{TTL: 7, HasTTL: true})
	second := replace(flowev.ReplaceArgs{TTL: 8, HasTTL: true, Payload: []byte("HELLO")})
	third := replace(flowev.ReplaceArgs{TTL: 7, HasTTL: true, Payload: []byte("howdy")})
	g := newGateway(t, flow.Apply)
	g.rec.on = nil
	g.open()
	g.passed = nil
	g.rec.on = func(e any) event.Verdict {
		if e, ok := e.(*flowev.PktIn); ok {
			if e.Side == flowev.SideClient {
				return flow.Join(flow.Join(first, second), third)
			}
			return second
		}
		return event.Verdict{}
	}
	g.send(g.c(1, 1, ack|psh, "hello"))
	g.wantPassed("the first of each", g.c(1, 1, ack|psh, "HELLO", pt.TTL(7)))
	if n := g.s.Stats().Conflicts; n != 3 { // TTL of the second, payload of the third, TTL at the receiver's
		t.Errorf("%d conflicts", n)
	}
}

// TestImpossibleReplace keeps a packet that cannot be changed as a rule said from its receiver.
func TestImpossibleReplace(t *testing.T) {
	t.Parallel()
	for _, point := range []flowev.Side{flowev.SideClient, flowev.SideServer} {
		g := newGateway(t, flow.Apply)
		g.rec.on = nil
		g.open()
		g.passed, g.fates = nil, nil
		times := 1
		g.rec.on = func(e any) event.Verdict {
			if e, ok := e.(*flowev.PktIn); ok && e.Side == point && times > 0 {
				times--
				return replace(flowev.ReplaceArgs{Payload: []byte("longer than it was")})
			}
			return event.Verdict{}
		}
		g.send(g.c(1, 1, ack|psh, "hello"))
		g.want("again", g.send(g.c(1, 1, ack|psh, "hello"))[:len("pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S new_data/S:0+5")], "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S new_data/S:0+5")
		if !slices.Equal(g.fates, []flow.Action{flow.Dropped, flow.Forwarded}) || g.s.Stats().NotReplaced != 1 {
			t.Errorf("%v: %v", point, g.fates)
		}
		if c := g.conn().Client(); c.Bytes() != 5 || c.Gaps() != 0 {
			t.Errorf("%v: %d bytes", point, c.Bytes())
		}
	}
}
