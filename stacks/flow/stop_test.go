package flow_test

import (
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
)

// TestStop stops one side, then both: no event of it comes, what it gets is not
// kept, and states, counters and the end go on.
func TestStop(t *testing.T) {
	t.Parallel()
	n := keeping(t, flow.Config{})
	c := n.conn()
	n.send(n.c(1, 1, ack|psh, "hello"))
	if err := c.Stop(nil, flowev.SideServer, true); err != nil {
		t.Fatal(err)
	}
	n.want("client to server", n.send(n.c(6, 1, ack|psh, " world")), "pkt_in.snd/C")
	n.want("server to client", n.send(n.srv(1, 12, ack|psh, "hi")), "pkt_in.rcv/C new_data/C:0+2")
	n.want("streams", peek(c.Client().Sent(), -1, -1)+peek(c.Server().Sent(), -1, -1), "nilhi")
	n.want("take", take(t, c.Client().Sent(), "a.lua", -1), "flow: streams are not kept")
	if got := c.Client().Bytes(); got != 11 {
		t.Errorf("the client sent %d bytes, want 11", got)
	}
	if err := c.Stop(nil, flowev.SideNone, false); err != nil {
		t.Fatal(err)
	}
	n.want("both", n.send(n.c(12, 3, ack|fin, ""), n.srv(3, 13, ack|fin, "")), "")
	n.want("states", n.states(), "time_wait last_ack")
	n.rec.take()
	n.s.Close()
	n.want("end", n.rec.take(), "conn_end:shutdown")
	if err := c.Stop(nil, flowev.SideNone, false); err == nil {
		t.Error("a connection that ended was stopped")
	}
	if err := c.Stop(nil, flowev.SideNone, true); err == nil {
		t.Error("there is no side none")
	}
}

// TestStopBeforeTheOtherSide stops the server's side while its stack knows
// nothing yet, which is where mOS failed.
func TestStopBeforeTheOtherSide(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.rec.on = func(e any) event.Verdict {
		if s, ok := e.(*flowev.ConnStart); ok {
			if err := s.C.Stop(nil, flowev.SideServer, true); err != nil {
				t.Error(err)
			}
		}
		return event.Verdict{}
	}
	n.want("SYN", n.send(n.c(0, 0, syn, "")), "pkt_in.snd/C conn_start.snd/C state.snd/C:closed>syn_sent")
	n.want("SYN/ACK", n.send(n.srv(0, 1, syn|ack, "")), "pkt_in.rcv/C state.rcv/C:syn_sent>established")
	n.want("states", n.states(), "established syn_received")
}

// TestStopFlow stops the datagrams of one side of a UDP flow.
func TestStopFlow(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.rec.on = func(e any) event.Verdict {
		if s, ok := e.(*flowev.UDPStart); ok {
			if err := s.C.Stop(nil, flowev.SideClient, true); err != nil {
				t.Error(err)
			}
		}
		return event.Verdict{}
	}
	n.want("question and answer", n.send(n.udp("q"), n.answer("a")), "udp_start orphan datagram/S orphan")
}
