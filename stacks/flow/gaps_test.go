package flow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// later lets time pass.
func (n *net) later(d time.Duration) { n.now += d }

// TestLostSegment is row 35: a segment that the capture missed, and its receiver has.
func TestLostSegment(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.c(1, 1, ack|psh, "abc"))
	n.play([]row{
		{"behind the hole", n.c(7, 1, ack|psh, "ghi"), "pkt_in.snd/C pkt_in.rcv/S", ""},
		{"acknowledged", n.srv(1, 10, ack, ""), "pkt_in.snd/S pkt_in.rcv/C", ""},
	})
	n.later(20 * time.Millisecond)
	n.play([]row{
		{"35 given up, with the next packet", n.srv(1, 10, ack, ""), "pkt_in.snd/S gap/S:3+3:lost new_data/S:6+3 pkt_in.rcv/C", ""},
		{"the stream goes on", n.c(10, 1, ack|psh, "jk"), "pkt_in.snd/C pkt_in.rcv/S new_data/S:9+2", ""},
		{"the lost bytes, too late", n.c(4, 1, ack|psh, "def"), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data", ""},
	})
	c := n.conn().Client()
	if c.Bytes() != 8 || c.Gaps() != 1 || c.Sent().Len() != 11 {
		t.Errorf("%d bytes, %d gaps, length %d", c.Bytes(), c.Gaps(), c.Sent().Len())
	}
	if st := n.s.Stats(); st.Gaps != 1 || st.GapBytes != 3 || st.NotHeld != 0 || st.Held != 0 {
		t.Errorf("%+v", st)
	}
}

// TestGapWait shows what does and does not make a hole one that is given up.
func TestGapWait(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		wait time.Duration // default where 0
		late time.Duration // between the acknowledgment and the next packet
		next func(n *net) []byte
		want string
	}{
		{"in time", 0, 10 * time.Millisecond, func(n *net) []byte { return n.c(1, 1, ack|psh, "abc") }, "rexmit.snd/C:data pkt_in.rcv/S new_data/S:0+6"},
		{"not yet", 0, 10 * time.Millisecond, func(n *net) []byte { return n.srv(1, 7, ack, "") }, "pkt_in.rcv/C"},
		{"never waits", -1, 0, func(n *net) []byte { return n.srv(1, 7, ack, "") }, "gap/S:0+3:lost new_data/S:3+3 pkt_in.rcv/C"},
		{"it comes when its time is up", 0, 30 * time.Millisecond, func(n *net) []byte { return n.c(1, 1, ack|psh, "abc") }, "rexmit.snd/C:data pkt_in.rcv/S new_data/S:0+6"},
		{"bytes in the hole", 0, 30 * time.Millisecond, func(n *net) []byte { return n.c(2, 1, ack|psh, "b") }, "rexmit.snd/C:data gap/S:0+1:lost pkt_in.rcv/S new_data/S:1+1"},
		{"longer waits", time.Second, 30 * time.Millisecond, func(n *net) []byte { return n.srv(1, 7, ack, "") }, "pkt_in.rcv/C"},
	} {
		n := newNet(t, flow.Config{GapWait: c.wait})
		n.open()
		n.send(n.c(4, 1, ack|psh, "def"))
		first := n.send(n.srv(1, 7, ack, ""))
		if c.wait >= 0 {
			n.want(c.name+": acknowledged", first, "pkt_in.snd/S pkt_in.rcv/C")
		} else {
			n.want(c.name+": acknowledged", first, "pkt_in.snd/S gap/S:0+3:lost new_data/S:3+3 pkt_in.rcv/C")
			continue
		}
		n.later(c.late - time.Millisecond)
		_, got, _ := strings.Cut(n.send(c.next(n)), " ")
		n.want(c.name, got, c.want)
	}
}

// TestPartlyAcknowledgedHole gives up only what the receiver has.
func TestPartlyAcknowledgedHole(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{GapWait: -1})
	n.open()
	n.send(n.c(7, 1, ack|psh, "ghi"))
	n.play([]row{
		{"acknowledged in part", n.srv(1, 4, ack, ""), "pkt_in.snd/S gap/S:0+3:lost pkt_in.rcv/C", ""},
		{"the rest comes", n.c(4, 1, ack|psh, "def"), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S new_data/S:3+6", ""},
	})
	if c := n.conn().Client(); c.Gaps() != 1 || c.Bytes() != 6 {
		t.Errorf("%d gaps, %d bytes", c.Gaps(), c.Bytes())
	}
}

// TestAcknowledgedBeforeItComes is a capture with the two directions in the wrong order: no gap.
func TestAcknowledgedBeforeItComes(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{GapWait: -1})
	n.open()
	n.send(n.srv(1, 4, ack, ""))
	n.later(time.Second)
	n.want("late", n.send(n.c(1, 1, ack|psh, "abc")), "pkt_in.snd/C pkt_in.rcv/S new_data/S:0+3")
}

// TestFINBehindLostBytes closes a side whose last bytes were not seen.
func TestFINBehindLostBytes(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.c(4, 1, fin|ack, ""), n.srv(1, 4, ack, ""))
	n.later(time.Second)
	n.play([]row{{
		"the bytes are acknowledged, not the FIN", n.srv(1, 4, ack, ""),
		"pkt_in.snd/S gap/S:0+3:lost state.rcv/S:established>close_wait side_closed/C:fin pkt_in.rcv/C", "fin_wait_1 close_wait",
	}})
}

// TestGapsAtTheEnd reads, before conn_end, what was acknowledged behind a hole, and nothing else.
func TestGapsAtTheEnd(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.c(4, 1, ack|psh, "def"), n.c(10, 1, ack|psh, "jkl"), n.srv(1, 7, ack, ""))
	n.want("RST", n.send(n.srv(1, 7, rst|ack, "")),
		"pkt_in.snd/S state.snd/S:established>closed pkt_in.rcv/C state.rcv/C:established>closed "+
			"gap/S:0+3:lost new_data/S:3+3 side_closed/C:rst side_closed/S:rst conn_end:rst")
	if c := n.conn().Client(); c.Gaps() != 2 || c.Bytes() != 3 {
		t.Errorf("%d gaps, %d bytes", c.Gaps(), c.Bytes())
	}

	// A capture of one direction only: nobody acknowledges.
	n = newNet(t, flow.Config{})
	n.send(n.c(0, 0, syn, ""), n.c(4, 1, ack|psh, "def"), n.c(10, 1, ack|psh, "jkl"))
	n.s.Close()
	n.want("one direction", n.rec.take(), "gap/S:0+3:lost new_data/S:3+3 gap/S:6+3:lost new_data/S:9+3 conn_end:shutdown")
}

// TestSACK shows that selective acknowledgments give up nothing: they are for what comes behind.
func TestSACK(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{GapWait: -1})
	n.open(pt.SACKPermitted())
	n.send(n.c(4, 1, ack|psh, "def"))
	at := n.cisn + 4
	n.play([]row{
		{"duplicate ACK", n.srv(1, 1, ack, "", pt.SACK(packet.SACKBlock{Left: at, Right: at + 3})), "pkt_in.snd/S pkt_in.rcv/C", ""},
		{"the hole", n.c(1, 1, ack|psh, "abc"), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S new_data/S:0+6", ""},
		{"sent again in vain", n.c(1, 1, ack|psh, "abc"), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data", ""},
		{"D-SACK", n.srv(1, 7, ack, "", pt.SACK(packet.SACKBlock{Left: n.cisn + 1, Right: at})), "pkt_in.snd/S pkt_in.rcv/C", ""},
	})
}

// TestClosedWindow sends into a window of zero: one byte that is taken for the first copy, and again.
func TestClosedWindow(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.c(1, 1, ack|psh, "abc"))
	n.play([]row{
		{"window closes", n.srv(1, 4, ack, "", pt.Window(0)), "pkt_in.snd/S pkt_in.rcv/C", ""},
		{"probe", n.c(4, 1, ack, "d"), "pkt_in.snd/C pkt_in.rcv/S new_data/S:3+1", ""},
		{"still closed", n.srv(1, 4, ack, "", pt.Window(0)), "pkt_in.snd/S pkt_in.rcv/C", ""},
		{"probe again", n.c(4, 1, ack, "d"), "pkt_in.snd/C rexmit.snd/C:probe pkt_in.rcv/S rexmit.rcv/S:probe", ""},
		{"probe without a byte", n.c(3, 1, ack, ""), "pkt_in.snd/C pkt_in.rcv/S", ""},
		{"window opens", n.srv(1, 4, ack, "", pt.Window(1000)), "pkt_in.snd/S pkt_in.rcv/C", ""},
		{"the byte and more", n.c(4, 1, ack|psh, "def"), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data new_data/S:4+2", ""},
	})
	n.want("bytes", n.got(flowev.SideClient), "abcdef")
	if c := n.conn(); c.Client().Rexmits() != 1 || c.Server().Window() != 1000 {
		t.Errorf("%d again, window %d", c.Client().Rexmits(), c.Server().Window())
	}
}

// TestUrgent sends urgent data: it is read in its place (RFC 6093 section 3).
func TestUrgent(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	urgent := func(f []byte) { f[14+20+19] = 3 }
	n.send(n.c(1, 1, ack|psh, "ab"))
	n.want("urgent", n.send(n.c(3, 1, ack|psh|packet.URG, "cde", pt.Edit(urgent))), "pkt_in.snd/C pkt_in.rcv/S new_data/S:2+3")
	n.want("bytes", n.got(flowev.SideClient), "abcde")
}

// TestOptionsThatContradict is row 39: options that made mOS hang.
func TestOptionsThatContradict(t *testing.T) {
	t.Parallel()
	for i, opts := range [][]byte{{99, 0}, {2, 0, 0, 0}, {2, 1}, {3, 200}, {99, 255}, {8}} {
		n := newNet(t, flow.Config{})
		n.send(n.c(0, 0, syn, "", pt.RawTCPOptions(opts...)), n.srv(0, 1, syn|ack, "", pt.RawTCPOptions(opts...)), n.c(1, 1, ack|psh, "x", pt.RawTCPOptions(opts...)))
		n.want(fmt.Sprintf("39 case %d", i), n.states()+" "+n.got(flowev.SideClient), "established established x")
	}
}
