package flow_test

import (
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// TestPickUp is row 29 with connections picked up: the numbers count from the first bytes that come.
func TestPickUp(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{PickUp: true})
	n.play([]row{
		{"29 mid-stream data", n.c(500, 300, ack|psh, "abc"), "pkt_in.snd/C conn_adopted/C pkt_in.rcv/S new_data/S:0+3", "established established"},
		{"in flight before: no gap", n.srv(800, 503, ack|psh, "123"), "pkt_in.snd/S pkt_in.rcv/C new_data/C:0+3", ""},
		{"29 older than the beginning", n.c(490, 300, ack|psh, "old"), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data", ""},
		{"behind a hole", n.c(506, 803, ack|psh, "ghi"), "pkt_in.snd/C pkt_in.rcv/S", ""},
		{"the hole", n.c(503, 803, ack|psh, "def"), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S new_data/S:3+6", ""},
		{"FIN", n.srv(803, 509, fin|ack, ""), "pkt_in.snd/S state.snd/S:established>fin_wait_1 pkt_in.rcv/C state.rcv/C:established>close_wait side_closed/S:fin", ""},
		{"FIN", n.c(509, 804, fin|ack, ""), "pkt_in.snd/C state.snd/C:close_wait>last_ack pkt_in.rcv/S state.rcv/S:fin_wait_1>fin_wait_2 state.rcv/S:fin_wait_2>time_wait side_closed/C:fin", ""},
		{"last ACK", n.srv(804, 510, ack, ""), "pkt_in.snd/S pkt_in.rcv/C state.rcv/C:last_ack>closed", "closed time_wait"},
		{"late", n.c(509, 804, fin|ack, ""), "pkt_in.snd/C rexmit.snd/C:fin pkt_in.rcv/S rexmit.rcv/S:fin", ""},
	})
	n.later(time.Minute)
	n.s.Advance(start + int64(n.now))
	n.want("with its TIME_WAIT", n.rec.take(), "state.rcv/S:time_wait>closed conn_end:fin")
	if st := n.s.Stats(); st.Conns != 1 || st.Adopted != 1 || st.Orphans != 0 || st.Gaps != 0 {
		t.Errorf("%+v", st)
	}
}

// TestPickUpRoles tells the client from the first packet.
func TestPickUpRoles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		frame  func(n *net) []byte
		client uint16
		states string
		end    string
	}{
		{"ACK of the client", func(n *net) []byte { return n.c(9, 9, ack, "") }, 40000, "established established", "40000:shutdown"},
		{"ACK of the server", func(n *net) []byte { return n.srv(9, 9, ack, "") }, 80, "established established", "80:shutdown"},
		{"29 SYN/ACK", func(n *net) []byte { return n.srv(0, 1, syn|ack, "") }, 40000, "established syn_received", "40000:shutdown"},
		{"FIN", func(n *net) []byte { return n.c(9, 9, fin|ack, "") }, 40000, "fin_wait_1 close_wait", "40000:shutdown"},
		{"RST", func(n *net) []byte { return n.c(9, 9, rst, "") }, 40000, "closed closed", "40000:rst"},
		{"bytes without ACK", func(n *net) []byte { return n.c(9, 9, psh, "x") }, 40000, "established established", "40000:shutdown"},
	} {
		n := newNet(t, flow.Config{PickUp: true})
		n.send(c.frame(n))
		if got := n.conn().Client().Port(); got != c.client {
			t.Errorf("%s: the client has port %d", c.name, got)
		}
		n.want(c.name, n.states(), c.states)
		n.s.Close()
		n.want(c.name, n.ends(), c.end)
	}
}

// TestPickUpHandshake joins in at the SYN/ACK, whose numbers are known.
func TestPickUpHandshake(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{PickUp: true})
	n.send(n.srv(0, 1, syn|ack, "", pt.MSS(1000)), n.c(1, 1, ack, ""), n.c(4, 1, ack|psh, "def"), n.c(1, 1, ack|psh, "abc"))
	n.want("bytes", n.got(flowev.SideClient), "abcdef")
	if c := n.conn(); c.Server().MSS() != 1000 || c.Client().ISN() != n.cisn || n.states() != "established established" {
		t.Errorf("MSS %d, ISN %d, %s", c.Server().MSS(), c.Client().ISN(), n.states())
	}
	n.want("a new SYN opens as ever", n.from(5).send(n.c(0, 0, syn, "")),
		"pkt_in.snd/C conn_start.snd/C state.snd/C:closed>syn_sent pkt_in.rcv/S conn_start.rcv/S state.rcv/S:closed>syn_received")
}

// TestPickUpKeepAlive joins in at a keep-alive, which is from before the first byte to come.
func TestPickUpKeepAlive(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{PickUp: true})
	n.send(n.c(499, 300, ack, ""), n.srv(300, 500, ack, ""), n.c(500, 300, ack|psh, "abc"))
	n.want("bytes", n.got(flowev.SideClient), "abc")
	if c := n.conn().Client(); c.Gaps() != 0 || c.Rexmits() != 0 {
		t.Errorf("%d gaps, %d again", c.Gaps(), c.Rexmits())
	}
}

// TestRSTModes sends three RSTs to a receiver that waits for number 4.
func TestRSTModes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode                  flow.RSTMode
		exact, window, beyond bool
	}{
		{flow.RSTWindow, true, true, false},
		{flow.RSTExact, true, false, false},
		{flow.RSTAny, true, true, true},
	} {
		for seq, want := range map[uint32]bool{4: c.exact, 1000: c.window, 1 << 29: c.beyond, 3: c.mode == flow.RSTAny} {
			n := newNet(t, flow.Config{RST: c.mode})
			n.open()
			n.send(n.c(1, 1, ack|psh, "abc"), n.c(seq, 1, rst, ""))
			if got := n.ends() == "40000:rst"; got != want {
				t.Errorf("mode %d: a RST of number %d counts: %v", c.mode, seq, got)
			}
		}
	}
}

// TestResetLinger goes on reading behind a RST, until nobody sends any more; the connection ends once.
func TestResetLinger(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{ResetLinger: time.Second})
	n.open()
	n.play([]row{
		{"25 RST", n.c(1, 1, rst|ack, ""), "pkt_in.snd/C state.snd/C:established>closed pkt_in.rcv/S state.rcv/S:established>closed", "closed closed"},
		{"under way", n.srv(1, 1, ack|psh, "late"), "pkt_in.snd/S pkt_in.rcv/C new_data/C:0+4", "closed closed"},
		{"RST again", n.c(1, 5, rst|ack, ""), "pkt_in.snd/C pkt_in.rcv/S", "closed closed"},
		{"FIN", n.srv(5, 1, fin|ack, ""), "pkt_in.snd/S pkt_in.rcv/C side_closed/S:fin", "closed closed"},
	})
	n.s.Advance(start + int64(n.now+time.Second-1))
	n.want("not yet", n.rec.take(), "")
	n.s.Advance(start + int64(n.now+time.Second))
	n.want("ends", n.rec.take(), "side_closed/C:rst conn_end:rst")

	// A RST that the client does not heed: the server answers its SYN all the same.
	n = newNet(t, flow.Config{ResetLinger: time.Second})
	n.send(n.c(0, 0, syn, ""), pt.TCP(n.server, n.client, 0, n.cisn+1, rst|ack, ""), pt.TCP(n.server, n.client, 0, n.cisn+1, fin|ack, ""))
	n.send(n.srv(0, 1, syn|ack, ""), n.c(1, 1, ack, ""), n.c(1, 1, ack|psh, "GET"), n.srv(1, 4, ack|psh, "200"))
	n.want("bytes", n.got(flowev.SideClient)+n.got(flowev.SideServer), "GET200")
	n.want("a new SYN ends it", n.send(n.c(0, 0, syn, "")), "side_closed/C:rst side_closed/S:rst conn_end:rst "+
		"pkt_in.snd/C conn_start.snd/C state.snd/C:closed>syn_sent pkt_in.rcv/S conn_start.rcv/S state.rcv/S:closed>syn_received")

	n.send(n.c(1, 1, ack, ""), n.c(1, 0, rst, ""))
	n.s.Close()
	n.want("closed", n.ends(), "40000:rst 40000:rst")
}

// TestForgedBeforeSYNACK sends a segment in the server's name before its SYN/ACK: the numbers of that
// hold.
func TestForgedBeforeSYNACK(t *testing.T) {
	t.Parallel()
	for _, flags := range []packet.Flags{ack, fin | ack} {
		n := newNet(t, flow.Config{})
		n.send(n.c(0, 0, syn, ""), n.srv(77777, 1, flags, ""), n.srv(0, 1, syn|ack, ""), n.c(1, 1, ack, ""), n.srv(1, 1, ack|psh, "true"))
		n.want("bytes", n.got(flowev.SideServer), "true")
		n.want("states", n.states(), "established established")
	}
}

// TestSYNWithFIN opens a connection, as its first SYN, whose receiver does as RFC 9293 says and takes both,
// and one whose receiver takes no notice, as Linux does: there bytes behind the FIN count.
func TestSYNWithFIN(t *testing.T) {
	t.Parallel()
	begins := "pkt_in.snd/C conn_start.snd/C state.snd/C:closed>syn_sent pkt_in.rcv/S conn_start.rcv/S state.rcv/S:closed>syn_received new_data/S:0+3"
	n := newNet(t, flow.Config{})
	n.play([]row{
		{"SYN, bytes and FIN", n.c(0, 0, syn|fin, "all"), begins, "syn_sent syn_received"},
		{
			"SYN/ACK of all", n.srv(0, 5, syn|ack, ""), "pkt_in.snd/S pkt_in.rcv/C state.rcv/C:syn_sent>established state.rcv/C:established>fin_wait_1 " +
				"state.rcv/C:fin_wait_1>fin_wait_2 state.rcv/S:syn_received>close_wait side_closed/C:fin", "fin_wait_2 close_wait",
		},
		{"FIN", n.srv(1, 5, fin|ack, ""), "pkt_in.snd/S state.snd/S:close_wait>last_ack pkt_in.rcv/C state.rcv/C:fin_wait_2>time_wait side_closed/S:fin", ""},
		{"last ACK", n.c(5, 2, ack, ""), "pkt_in.snd/C pkt_in.rcv/S state.rcv/S:last_ack>closed state.rcv/C:time_wait>closed conn_end:fin", "closed closed"},
	})

	n = newNet(t, flow.Config{})
	n.send(n.c(0, 0, syn|fin, "all"), n.c(0, 0, syn, ""), n.srv(0, 1, syn|ack, ""), n.c(1, 1, ack, ""), n.c(1, 1, psh|ack, "all that comes"), n.srv(1, 15, ack, ""))
	n.want("bytes behind the FIN", n.got(flowev.SideClient), "all that comes")
	n.want("states", n.states(), "established established")
}
