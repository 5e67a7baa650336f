package flow_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

func n6(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// from makes the net send from another client port.
func (n *net) from(port uint16) *net {
	n.client = netip.AddrPortFrom(n.client.Addr(), port)
	return n
}

// ends returns the client ports and reasons of the conn_end events since the last call.
func (n *net) ends() string {
	s := strings.Join(n.rec.ends, " ")
	n.rec.ends = nil
	return s
}

func (n *net) at(d time.Duration) *net { n.now = d; return n }

func TestIdle(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{HandshakeTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second, CloseTimeout: 20 * time.Second})
	n.at(0).from(1).open()                                         // established, goes on
	n.at(time.Second).from(2).open()                               // established, silent: due at 31 s
	n.at(2 * time.Second).from(3).send(n.c(0, 0, syn, ""))         // unanswered: due at 12 s
	n.at(3 * time.Second).from(4).open()                           // closed but for an ACK: due at 23 s
	n.send(n.c(1, 1, fin|ack, ""), n.srv(1, 2, fin|ack, ""))       //
	n.at(9 * time.Second).from(5).send(n.c(0, 0, syn, ""))         // repeated: due at 21 s
	n.at(11 * time.Second).from(5).send(n.c(0, 0, syn, ""))        //
	n.at(20 * time.Second).from(1).send(n.c(1, 1, ack|psh, "new")) // due at 50 s
	n.want("by then", n.ends(), "3:idle")
	n.at(40 * time.Second).send(pt.IP(n.client.Addr(), n.server.Addr(), 132, ""))
	n.want("in the order of deadlines", n.ends(), "5:idle 4:idle 2:idle")
	n.s.Advance(start + int64(50*time.Second))
	n.want("not yet", n.ends(), "")
	n.s.Advance(start + int64(51*time.Second))
	n.want("31: though older", n.ends(), "1:idle")
	if st := n.s.Stats(); st.Idle != 5 || st.Open != 0 || st.Ended != 5 {
		t.Errorf("stats %+v", st)
	}
}

// TestIdleTime shows that a timeout has its own time, not that of the packet that made time pass.
func TestIdleTime(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	var ended int64
	n.rec.on = func(e any) event.Verdict {
		if _, ok := e.(*flowev.ConnEnd); ok {
			ended = n.sh.Now()
		}
		return event.Verdict{}
	}
	n.open()
	n.at(time.Hour).send(n.c(1, 1, ack, ""))
	if want := start + int64(300*time.Second+3*time.Millisecond); ended != want {
		t.Errorf("ended at %v, want %v", time.Duration(ended-start), time.Duration(want-start))
	}
	if c := n.rec.conns[0]; c.Duration() != 2*time.Millisecond {
		t.Errorf("duration %v", c.Duration())
	}
}

func TestTimeGoesBack(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.at(time.Minute).open()
	n.at(0).send(n.c(1, 1, ack|psh, "early"))
	if c := n.conn(); c.Duration() != 2*time.Millisecond || c.Client().Bytes() != 5 {
		t.Errorf("duration %v, %d bytes", c.Duration(), c.Client().Bytes())
	}
}

func TestEvict(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{MaxConns: 4, TimeWait: time.Minute})
	n.from(1).open()
	n.from(2).open()
	n.send(n.c(1, 1, fin|ack, ""), n.srv(1, 2, fin|ack, ""))
	n.from(3).send(n.c(0, 0, syn, ""))
	n.from(4).open()
	n.send(n.c(1, 1, fin|ack, ""), n.srv(1, 2, fin|ack, ""), n.c(2, 2, ack, ""))
	n.want("before", n.ends(), "")
	for _, step := range []struct {
		port uint16
		want string
	}{{5, "4:fin"}, {6, "3:evicted"}, {7, "5:evicted"}} {
		n.from(step.port).send(n.c(0, 0, syn, ""))
		n.want(fmt.Sprintf("SYN from %d", step.port), n.ends(), step.want)
	}
	for _, port := range []uint16{6, 7} {
		n.from(port).send(n.srv(0, 1, syn|ack, ""), n.c(1, 1, ack, ""))
	}
	for _, step := range []struct {
		port uint16
		want string
	}{{8, "2:evicted"}, {9, "8:evicted"}} {
		n.from(step.port).send(n.c(0, 0, syn, ""))
		n.want(fmt.Sprintf("SYN from %d", step.port), n.ends(), step.want)
	}
	n.from(9).send(n.srv(0, 1, syn|ack, ""), n.c(1, 1, ack, ""))
	n.from(10).send(n.c(0, 0, syn, ""))
	n.want("established is the last resort", n.ends(), "1:evicted")
	if st := n.s.Stats(); st.Evicted != 5 || st.Open != 4 {
		t.Errorf("stats %+v", st)
	}
	n.s.Close()
	n.want("closed", n.ends(), "6:shutdown 7:shutdown 9:shutdown 10:shutdown")
}

// TestClose ends connections in the order they were made, whatever their state.
func TestClose(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	for port := uint16(9); port > 5; port-- {
		n.from(port).open()
	}
	n.from(8).send(n.c(1, 1, fin|ack, ""))
	n.from(3).send(n.c(0, 0, syn, ""))
	n.s.Close()
	n.want("ends", n.ends(), "9:shutdown 8:shutdown 7:shutdown 6:shutdown 3:shutdown")
	if n.sh.Timers().Len() != 0 {
		t.Errorf("%d timers left", n.sh.Timers().Len())
	}
	n.open()
	if n.s.Stats().Open != 1 {
		t.Error("a closed stack takes no connection")
	}
}

// TestReorderLimits fills the room behind a hole: when more comes the hole is given up, what waited
// behind it is read, and all room is given back.
func TestReorderLimits(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", 1000)
	for _, c := range []struct {
		name string
		cfg  flow.Config
	}{{"a side", flow.Config{ReorderSide: 4096}}, {"all", flow.Config{ReorderTotal: 4096}}} {
		n := newNet(t, c.cfg)
		n.open()
		for i := range uint32(4) {
			n.want(c.name+": waits", n.send(n.c(1001+1000*i, 1, ack|psh, body)), "pkt_in.snd/C pkt_in.rcv/S")
		}
		if st := n.s.Stats(); st.NotHeld != 0 || st.Held != 4096 || n.conn().Client().Gaps() != 1 {
			t.Errorf("%s: %d not held, %d held, %d gaps", c.name, st.NotHeld, st.Held, n.conn().Client().Gaps())
		}
		n.want(c.name+": no room", n.send(n.c(5001, 1, ack|psh, body)),
			"pkt_in.snd/C gap/S:0+1000:limit new_data/S:1000+4000 pkt_in.rcv/S new_data/S:5000+1000")
		n.want(c.name+": too late", n.send(n.c(1, 1, ack|psh, body)), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S")
		cl := n.conn().Client()
		if st := n.s.Stats(); st.NotHeld != 1 || st.Gaps != 1 || st.GapBytes != 1000 || st.Held != 0 || st.Peak != 4096 || cl.Gaps() != 1 || cl.Bytes() != 5000 {
			t.Errorf("%s: %d gaps, %d bytes, %+v", c.name, cl.Gaps(), cl.Bytes(), st)
		}
	}
}

// TestHeldBytesAreFreed ends a connection that holds bytes.
func TestHeldBytesAreFreed(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.c(100, 1, ack|psh, "x"), n.srv(1, 1, rst|ack, ""))
	if st := n.s.Stats(); st.Held != 0 || st.Peak == 0 || n.conn().Client().Gaps() != 1 {
		t.Errorf("held %d, peak %d, gaps %d", st.Held, st.Peak, n.conn().Client().Gaps())
	}
}
