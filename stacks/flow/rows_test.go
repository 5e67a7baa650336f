package flow_test

import (
	"testing"

	"github.com/hookd/hookd/stacks/flow"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// Rows are numbered as in the table of what mOS does for each packet; each says what hookd does.
type row struct {
	name   string
	frame  []byte
	events string
	states string // client's and server's afterwards
}

func (n *net) play(rows []row) {
	n.t.Helper()
	for _, r := range rows {
		n.want("row "+r.name+": events", n.send(r.frame), r.events)
		if r.states != "" {
			n.want("row "+r.name+": states", n.states(), r.states)
		}
	}
}

func TestOpenSendClose(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.play([]row{
		{
			"1 SYN", n.c(0, 0, syn, ""),
			"pkt_in.snd/C conn_start.snd/C state.snd/C:closed>syn_sent pkt_in.rcv/S conn_start.rcv/S state.rcv/S:closed>syn_received",
			"syn_sent syn_received",
		},
		{
			"2 SYN/ACK", n.srv(0, 1, syn|ack, ""),
			"pkt_in.snd/S pkt_in.rcv/C state.rcv/C:syn_sent>established",
			"established syn_received",
		},
		{
			"3 ACK of handshake", n.c(1, 1, ack, ""),
			"pkt_in.snd/C pkt_in.rcv/S state.rcv/S:syn_received>established",
			"established established",
		},
		{
			"4 data in order", n.c(1, 1, ack|psh, "hello"),
			"pkt_in.snd/C pkt_in.rcv/S new_data/S:0+5",
			"established established",
		},
		{"5 pure ACK", n.srv(1, 6, ack, ""), "pkt_in.snd/S pkt_in.rcv/C", "established established"},
		{
			"6 full retransmission", n.c(1, 1, ack|psh, "hello"),
			"pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data",
			"established established",
		},
		{
			"18 FIN", n.c(6, 1, fin|ack, ""),
			"pkt_in.snd/C state.snd/C:established>fin_wait_1 pkt_in.rcv/S state.rcv/S:established>close_wait side_closed/C:fin",
			"fin_wait_1 close_wait",
		},
		{
			"20 ACK of the FIN", n.srv(1, 7, ack, ""),
			"pkt_in.snd/S pkt_in.rcv/C state.rcv/C:fin_wait_1>fin_wait_2",
			"fin_wait_2 close_wait",
		},
		{
			"21 data after the other end's FIN", n.srv(1, 7, ack|psh, "bye"),
			"pkt_in.snd/S pkt_in.rcv/C new_data/C:0+3",
			"fin_wait_2 close_wait",
		},
		{
			"22 FIN of the other end", n.srv(4, 7, fin|ack, ""),
			"pkt_in.snd/S state.snd/S:close_wait>last_ack pkt_in.rcv/C state.rcv/C:fin_wait_2>time_wait side_closed/S:fin",
			"time_wait last_ack",
		},
		{
			"23 last ACK", n.c(7, 5, ack, ""),
			"pkt_in.snd/C pkt_in.rcv/S state.rcv/S:last_ack>closed state.rcv/C:time_wait>closed conn_end:fin",
			"closed closed",
		},
		{"27 packet after the end", n.c(7, 5, ack, ""), "orphan", "closed closed"},
	})
	c := n.conn()
	if c.Client().Bytes() != 5 || c.Server().Bytes() != 3 || c.Client().Rexmits() != 1 || c.Server().Rexmits() != 0 ||
		c.Client().Pkts() != 6 || c.Server().Pkts() != 5 || c.Client().Gaps()+c.Server().Gaps() != 0 {
		t.Errorf("counts: client %d bytes %d packets %d again, server %d %d %d",
			c.Client().Bytes(), c.Client().Pkts(), c.Client().Rexmits(), c.Server().Bytes(), c.Server().Pkts(), c.Server().Rexmits())
	}
}

func TestFINWithData(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.play([]row{{
		"19 FIN with data", n.c(1, 1, fin|ack|psh, "last"),
		"pkt_in.snd/C state.snd/C:established>fin_wait_1 pkt_in.rcv/S state.rcv/S:established>close_wait new_data/S:0+4 side_closed/C:fin",
		"fin_wait_1 close_wait",
	}, {
		"20+22 FIN that acknowledges the FIN", n.srv(1, 6, fin|ack, ""),
		"pkt_in.snd/S state.snd/S:close_wait>last_ack pkt_in.rcv/C state.rcv/C:fin_wait_1>fin_wait_2 state.rcv/C:fin_wait_2>time_wait side_closed/S:fin",
		"time_wait last_ack",
	}})
}

func TestReset(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.play([]row{{
		"25 RST of the server", n.srv(1, 1, rst|ack, ""),
		"pkt_in.snd/S state.snd/S:established>closed pkt_in.rcv/C state.rcv/C:established>closed side_closed/C:rst side_closed/S:rst conn_end:rst",
		"closed closed",
	}, {"27 data after it", n.c(1, 1, ack, "x"), "orphan", "closed closed"}})

	n = newNet(t, flow.Config{})
	n.open()
	n.play([]row{{
		"25 RST of the client, in the window", n.c(1000, 0, rst, ""),
		"pkt_in.snd/C state.snd/C:established>closed pkt_in.rcv/S state.rcv/S:established>closed side_closed/C:rst side_closed/S:rst conn_end:rst",
		"closed closed",
	}})

	n = newNet(t, flow.Config{})
	n.send(n.c(0, 0, syn, ""))
	n.play([]row{{
		"26 RST that answers the SYN", pt.TCP(n.server, n.client, 0, n.cisn+1, rst|ack, ""),
		"pkt_in.snd/S state.snd/S:syn_received>closed pkt_in.rcv/C state.rcv/C:syn_sent>closed side_closed/C:rst side_closed/S:rst conn_end:rst",
		"closed closed",
	}})
}

// TestResetRefused shows RSTs that their receiver would ignore: the connection goes on.
func TestResetRefused(t *testing.T) {
	t.Parallel()
	const ignored = "pkt_in.snd/S pkt_in.rcv/C"
	n := newNet(t, flow.Config{})
	n.send(n.c(0, 0, syn, ""))
	n.play([]row{
		{"answer to another SYN", pt.TCP(n.server, n.client, 0, n.cisn, rst|ack, ""), ignored, ""},
		{"no acknowledgment", pt.TCP(n.server, n.client, 0, 0, rst, ""), ignored, "syn_sent syn_received"},
	})
	n.send(n.srv(0, 1, syn|ack, ""), n.c(1, 1, ack, ""), n.srv(1, 1, ack|psh, "data"), n.c(1, 5, ack, ""))
	n.play([]row{
		{"in the past", n.srv(4, 1, rst, ""), ignored, "established established"},
		{"far beyond the window", n.srv(1<<20, 1, rst, ""), ignored, "established established"},
		{"as if it answered the SYN", pt.TCP(n.server, n.client, 0, n.cisn+1, rst|ack, ""), ignored, "established established"},
	})
	// A client that forgot a connection after its FIN repeats the number of the FIN, which the server
	// has already.
	n.send(n.c(1, 5, fin|ack, ""))
	n.play([]row{
		{"of the FIN's number", n.c(1, 0, rst, ""), "pkt_in.snd/C pkt_in.rcv/S", "fin_wait_1 close_wait"},
		{
			"behind the FIN", n.c(2, 0, rst, ""),
			"pkt_in.snd/C state.snd/C:fin_wait_1>closed pkt_in.rcv/S state.rcv/S:close_wait>closed side_closed/S:rst conn_end:rst", "closed closed",
		},
	})
	if got := n.s.Stats().BadResets; got != 6 {
		t.Errorf("%d RSTs counted as ignored", got)
	}
}

// TestOrphans is row 29, and 37 as far as it is no connection: VLANs, IPv6 and fragments that become
// whole are read as all else.
func TestOrphans(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	c, s := n.client, n.server
	for name, frame := range map[string][]byte{
		"29 mid-stream data": n.c(100, 100, ack|psh, "x"),
		"29 stray SYN/ACK":   n.srv(0, 1, syn|ack, ""),
		"stray FIN":          n.c(5, 5, fin|ack, ""),
		"stray RST":          n.c(5, 5, rst, ""),
		"SYN with RST":       n.c(0, 0, syn|rst, ""),
		"sctp":               pt.IP(c.Addr(), s.Addr(), 132, "x"),
		"fragment of a SYN":  n.c(0, 0, syn, "", pt.Fragment(1, 0, 16)),
		"bad tcp header":     n.c(0, 0, syn, "", pt.Edit(func(b []byte) { b[46] = 0x40 })),
	} {
		n.want(name, n.send(frame), "orphan")
	}
	n.want("arp", n.send(pt.UDP(c, s, "", pt.Edit(func(b []byte) { b[12], b[13] = 8, 6 }))), "")
	n.want("no ip header", n.send([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0x45}), "")
	if st := n.s.Stats(); st.Conns != 0 || st.Orphans != 8 || st.NotIP != 1 || st.Malformed != 1 || st.Frames != 10 {
		t.Errorf("stats %+v", st)
	}
}
