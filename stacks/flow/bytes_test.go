package flow_test

import (
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

func TestOverlaps(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.s.WantStreams(false, true)
	n.open()
	n.play([]row{
		{"4 in order", n.c(1, 1, ack|psh, "abcd"), "pkt_in.snd/C pkt_in.rcv/S new_data/S:0+4", ""},
		{"8 old tail and new bytes", n.c(3, 1, ack|psh, "CDef"), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data new_data/S:4+2", ""},
		{"9 behind a hole", n.c(9, 1, ack|psh, "ij"), "pkt_in.snd/C pkt_in.rcv/S", ""},
		{"10 the same place, other bytes", n.c(9, 1, ack|psh, "IJ"), "pkt_in.snd/C rexmit.snd/C:data:differ pkt_in.rcv/S rexmit.rcv/S:data:differ", ""},
		{"9 behind another hole", n.c(13, 1, ack|psh, "m"), "pkt_in.snd/C pkt_in.rcv/S", ""},
		{"11 fills the hole, overlaps what was held", n.c(7, 1, ack|psh, "ghIJkl"), "pkt_in.snd/C rexmit.snd/C:data:differ pkt_in.rcv/S rexmit.rcv/S:data:differ new_data/S:6+7", ""},
		{"again, all of it arrived", n.c(7, 1, ack|psh, "gh"), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data", ""},
	})
	n.want("first copies", n.got(flowev.SideClient), "abcdefghijklm")
	if c := n.conn().Client(); c.Bytes() != 13 || c.Rexmits() != 4 || c.Gaps() != 0 {
		t.Errorf("%d bytes, %d again, %d gaps", c.Bytes(), c.Rexmits(), c.Gaps())
	}
}

func TestHoleFilled(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.c(6, 1, ack|psh, "world"))
	if g := n.conn().Client().Gaps(); g != 1 {
		t.Errorf("%d gaps", g)
	}
	// The sender's numbers have passed these bytes, the receiver has none of them.
	n.want("late segment", n.send(n.c(1, 1, ack|psh, "hello")), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S new_data/S:0+10")
	n.want("bytes", n.got(flowev.SideClient), "helloworld")
	if c := n.conn().Client(); c.Gaps() != 0 || c.Rexmits() != 0 {
		t.Errorf("%d gaps, %d again", c.Gaps(), c.Rexmits())
	}
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.c(1, 1, ack|psh, "abc"), n.srv(1, 4, ack, ""))
	n.play([]row{
		{"12 keep-alive of one byte", n.c(3, 1, ack, "\x00"), "pkt_in.snd/C rexmit.snd/C:keepalive pkt_in.rcv/S rexmit.rcv/S:keepalive", ""},
		{"13 keep-alive without", n.c(3, 1, ack, ""), "pkt_in.snd/C pkt_in.rcv/S", ""},
	})
	if got := n.conn().Client().Rexmits(); got != 0 {
		t.Errorf("%d again", got)
	}
	n.send(n.c(4, 1, ack|psh, "d"))
	n.want("byte that was not acknowledged", n.send(n.c(4, 1, ack|psh, "d")), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data")
}

func TestFINBehindHole(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.play([]row{
		{"FIN behind a hole", n.c(4, 1, fin|ack|psh, "def"), "pkt_in.snd/C state.snd/C:established>fin_wait_1 pkt_in.rcv/S", "fin_wait_1 established"},
		{"its repetition", n.c(7, 1, fin|ack, ""), "pkt_in.snd/C rexmit.snd/C:fin pkt_in.rcv/S", "fin_wait_1 established"},
		{"bytes behind the FIN", n.c(7, 1, ack|psh, "no"), "pkt_in.snd/C pkt_in.rcv/S", "fin_wait_1 established"},
		{"the hole", n.c(1, 1, ack|psh, "abc"), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S state.rcv/S:established>close_wait new_data/S:0+6 side_closed/C:fin", "fin_wait_1 close_wait"},
		{"FIN again", n.c(7, 1, fin|ack, ""), "pkt_in.snd/C rexmit.snd/C:fin pkt_in.rcv/S rexmit.rcv/S:fin", "fin_wait_1 close_wait"},
		{"bytes across the FIN", n.c(5, 1, ack|psh, "efgh"), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data", "fin_wait_1 close_wait"},
	})
	if got := n.conn().Client().Bytes(); got != 6 {
		t.Errorf("%d bytes", got)
	}
}

// TestWindow sends beyond the window that the receiver announced: such bytes would not be taken.
func TestWindow(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.want("33 beyond the window", n.send(n.c(1_000_000, 1, ack|psh, "x")), "pkt_in.snd/C pkt_in.rcv/S error/S:out_of_window:1")
	n.want("33 far in the past", n.send(n.c(1<<32-1_000_000, 1, ack|psh, "x")), "pkt_in.snd/C pkt_in.rcv/S error/S:out_of_window:1")
	n.want("FIN beyond", n.send(n.c(1_000_000, 1, fin|ack, "")), "pkt_in.snd/C pkt_in.rcv/S")
	if c := n.conn().Client(); c.Gaps() != 0 || n.s.Stats().OutWindow != 3 {
		t.Errorf("%d gaps, %d ignored", c.Gaps(), n.s.Stats().OutWindow)
	}
	n.want("in order", n.send(n.c(1, 1, ack|psh, "y")), "pkt_in.snd/C pkt_in.rcv/S new_data/S:0+1")
}

// TestWraparound crosses the end of the sequence space, in order and not.
func TestWraparound(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.cisn, n.sisn = 1<<32-3, 1<<32-1
	n.open()
	n.send(n.c(1, 1, ack|psh, "abc"), n.srv(1, 4, ack|psh, "123"), n.c(7, 4, ack|psh, "ghi"), n.c(4, 4, ack|psh, "def"), n.srv(4, 10, fin|ack, ""), n.c(10, 5, fin|ack, ""))
	n.want("client", n.got(flowev.SideClient), "abcdefghi")
	n.want("server", n.got(flowev.SideServer), "123")
	n.want("states", n.states(), "last_ack time_wait")
}

// TestMissedGigabytes leaves out most of a stream of 10 GB, as a capture filter or a full disk does:
// where both ends go on, the connection does.
func TestMissedGigabytes(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.c(1, 1, ack|psh, "first"))
	const jump = 1 << 30
	for i := uint32(1); i <= 10; i++ {
		n.send(n.srv(1, i*jump, ack, ""), n.c(i*jump, 1, ack|psh, "x"), n.srv(1, i*jump+1, ack, ""))
	}
	end := uint32(10*jump&(1<<32-1)) + 1
	n.send(n.c(end, 1, fin|ack, ""), n.srv(1, end+1, fin|ack, ""))
	if got := n.send(n.c(end+1, 2, ack, "")); !strings.HasSuffix(got, "conn_end:fin") {
		t.Errorf("%s: %s, %+v", got, n.states(), n.s.Stats())
	}
	if c := n.conn().Client(); c.Bytes() != 15 || c.Gaps() != 10 || n.s.Stats().OutWindow != 0 {
		t.Errorf("%d bytes, %d gaps, %+v", c.Bytes(), c.Gaps(), n.s.Stats())
	}
}

// TestOneForgedJump lets one side speak of a place far away, which must not move the connection.
func TestOneForgedJump(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.srv(1, 1<<30, ack, ""), n.srv(1, 1<<30, ack, ""), n.c(1, 1, ack|psh, "a"))
	n.send(n.c(1<<29, 1, ack|psh, "z"), n.c(1<<29, 1, ack|psh, "z"), n.c(2, 1, ack|psh, "b"))
	n.want("bytes", n.got(flowev.SideClient), "ab")
}

// TestSnaplen captures only the start of each packet: what is cut off is a gap, and no byte behind
// it is taken for one in order.
func TestSnaplen(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	cut := func(f []byte, keep int) {
		n.s.Frame(packet.LinkEthernet, f[:len(f)-keep], len(f), start)
	}
	n.open()
	cut(n.c(1, 1, ack|psh, "abcdef"), 4)
	n.want("cut", n.rec.take(), "pkt_in.snd/C pkt_in.rcv/S new_data/S:0+2")
	if c := n.conn().Client(); c.Gaps() != 0 {
		t.Errorf("%d gaps before anything lies behind", c.Gaps())
	}
	cut(n.c(10, 1, ack|psh, "jkl"), 3)
	cut(n.c(7, 1, ack|psh, "ghi"), 2)
	n.want("behind", n.rec.take(), "pkt_in.snd/C pkt_in.rcv/S pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S gap/S:2+4:cut new_data/S:6+1")
	n.want("again, and whole", n.send(n.c(7, 1, ack|psh, "ghi")),
		"pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data new_data/S:7+2")
	n.send(n.c(13, 1, fin|ack, ""))
	n.want("states", n.states(), "fin_wait_1 close_wait")
	if c := n.conn().Client(); c.Bytes() != 5 || c.Gaps() != 2 || n.s.Stats().Held != 0 {
		t.Errorf("%d bytes, %d gaps, %d held", c.Bytes(), c.Gaps(), n.s.Stats().Held)
	}
}

// TestHeldCutSegment holds a segment that the capture cut, behind a hole.
func TestHeldCutSegment(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	f := n.c(4, 1, ack|psh, "defghi")
	n.s.Frame(packet.LinkEthernet, f[:len(f)-4], len(f), start)
	n.send(n.c(10, 1, ack|psh, "jkl"))
	n.want("hole filled", n.send(n.c(1, 1, ack|psh, "abc")), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S new_data/S:0+5 gap/S:5+4:cut new_data/S:9+3")
	n.want("bytes", n.got(flowev.SideClient), "abcdejkl")
	if c := n.conn().Client(); c.Gaps() != 1 {
		t.Errorf("%d gaps", c.Gaps())
	}
}

// TestDataMethods reads what a new_data event brings in every way that handlers can.
func TestDataMethods(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	seen := 0
	n.rec.on = func(e any) event.Verdict {
		nd, ok := e.(*flowev.NewData)
		if !ok {
			return event.Verdict{}
		}
		seen++
		d := nd.D
		if d.From() != flowev.SideClient || nd.Side != flowev.SideServer || d.Len() != 5 || d.Offset() != 0 ||
			string(d.Peek(0, false)) != "\x01\x02\x03\x04\x05" || string(d.Peek(2, true)) != "\x01\x02" || len(d.Peek(99, true)) != 5 {
			t.Errorf("from %v, length %d at %d", d.From(), d.Len(), d.Offset())
		}
		if !d.Starts([]byte("\x01\x02")) || d.Starts([]byte("\x02")) {
			t.Error("starts")
		}
		if at, ok := d.Find([]byte("\x04\x05")); !ok || at != 3 {
			t.Errorf("find: %d, %v", at, ok)
		}
		if _, ok := d.Find([]byte("\x05\x06")); ok {
			t.Error("found what is not there")
		}
		u8, ok8 := d.U8(4)
		u16, ok16 := d.U16(3)
		u32, ok32 := d.U32(1)
		if u8 != 5 || u16 != 0x0405 || u32 != 0x02030405 || !ok8 || !ok16 || !ok32 {
			t.Errorf("%x %x %x", u8, u16, u32)
		}
		_, ok8 = d.U8(5)
		_, ok16 = d.U16(4)
		_, ok32 = d.U32(1<<32 - 1)
		if ok8 || ok16 || ok32 {
			t.Error("numbers beyond the end")
		}
		return event.Verdict{}
	}
	n.open()
	n.send(n.c(1, 1, ack|psh, "\x01\x02\x03\x04\x05"))
	if seen != 1 {
		t.Errorf("seen %d times", seen)
	}
}

// TestPacketFields reads the packet of an event.
func TestPacketFields(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.rec.on = func(e any) event.Verdict {
		o, ok := e.(*flowev.Orphan)
		if !ok {
			return event.Verdict{}
		}
		p := o.Pkt
		if o.C != nil || p.TS() != start+1e6 || p.Len() != 14+4+20+20+2 || p.Caplen() != p.Len() || p.VLAN() != 9 || p.IPVersion() != 4 ||
			p.Src() != n.client.Addr() || p.Dst() != n.server.Addr() || p.Proto() != 6 || p.TTL() != 7 || p.Fragment() ||
			p.SrcPort() != 40000 || p.DstPort() != 80 || p.Seq() != 1005 || p.Ack() != 5006 || p.Flags() != 0x18 ||
			p.Window() != 77 || p.PayloadLen() != 2 || string(p.Payload()) != "hi" || !p.Has(flowev.TCPFlagPsh) || p.Has(flowev.TCPFlagSyn) {
			t.Errorf("%+v", p)
		}
		return event.Verdict{}
	}
	n.want("orphan", n.send(n.c(5, 6, ack|psh, "hi", pt.VLAN(9), pt.TTL(7), pt.Window(77))), "orphan")
}
