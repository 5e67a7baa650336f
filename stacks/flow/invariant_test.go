package flow_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// way is a way to run a stack.
type way struct {
	cfg     flow.Config
	streams bool // streams are kept, and read back
	rules   bool // rules decide, at random, and it is applied
}

// settings are those that any input is tried with.
var settings = []way{
	{},
	{cfg: flow.Config{MaxConns: 3, ReorderSide: 4096, ReorderTotal: 8192, TimeWait: time.Second, IdleTimeout: time.Second, GapWait: -1, WindowSlack: 1}, streams: true},
	{cfg: flow.Config{PickUp: true, MaxConns: 50, BufferSide: 4096, BufferTotal: 65536, ClientOverlap: flow.OverlapLast, RST: flow.RSTExact, Decap: packet.KnownTunnels}, streams: true},
	{
		cfg: flow.Config{
			PickUp: true, Verdicts: flow.Apply, CutLinger: time.Second, RST: flow.RSTAny, ServerOverlap: flow.OverlapLast,
			Decap: packet.KnownTunnels, Fragments: fragment.Config{ReadCut: true},
		}, streams: true, rules: true,
	},
}

// checker holds what is true of the events of any input, and fails the test where it is not.
type checker struct {
	t     testing.TB
	conns map[uint64]*checked
	last  uint64
	ended int
	now   int64
	log   []byte // everything, for comparing runs
	ends  []byte // of that, how TCP connections ended
	sh    *event.Shard
	how   way
	// What became of frames.
	forwarded, dropped, injected uint64
}

type checked struct {
	started, received, adopted bool
	stated                     [2]bool // state says something
	state                      [2]flowev.TCPState
	at, read                   [2]uint64 // place in the stream, bytes read
	gaps                       [2]uint64
	closed                     [2]bool
	datagrams                  [2]uint64 // of a UDP or ICMP flow
	ended                      bool
}

func newChecker(t testing.TB, how way) (*checker, *flow.Stack) {
	k := &checker{t: t, conns: map[uint64]*checked{}, sh: event.NewShard(0), how: how}
	k.sh.Bind(k, func(event.PointID) bool { return true })
	how.cfg.Forward = k.outcome
	s := flow.New(k.sh, how.cfg)
	s.WantStreams(how.streams, how.streams)
	return k, s
}

// applied is the same, but that what rules decide would be done: where they decide nothing, all has to happen that
// happens without, though each segment goes the long way.
func (w way) applied() way {
	w.cfg.Verdicts = flow.Apply
	return w
}

// unseen is the same stack with nobody who looks but at the ends of connections, which are written down as a
// checker does.
type unseen []byte

func newUnseen(how way) (*unseen, *flow.Stack) {
	u, sh := new(unseen), event.NewShard(0)
	sh.Bind(u, func(id event.PointID) bool { return id == flowev.OnConnEnd.ID() })
	return u, flow.New(sh, how.cfg)
}

func (u *unseen) Dispatch(_ *event.Shard, _ event.PointID, e any) event.Verdict {
	*u = append(appendEnd(*u, e.(*flowev.ConnEnd)), '\n')
	return event.Verdict{}
}

func (k *checker) outcome(o *flow.Outcome) {
	switch o.Action {
	case flow.Forwarded:
		k.forwarded++
	case flow.Dropped:
		k.dropped++
	case flow.Injected:
		k.injected++
	}
	k.log = fmt.Appendf(k.log, "%d %d %x\n", o.Action, o.Verdict, o.Data)
}

// rule decides by what happened so far, which is the same in every run. What was dropped is undone,
// so that the events alone no longer tell where a connection is.
func (k *checker) rule() event.Verdict {
	if !k.how.rules {
		return event.Verdict{}
	}
	switch h := crc32.ChecksumIEEE(k.log[max(0, len(k.log)-200):]) % 64; {
	case h < 6:
		return event.Verdict{Kind: flowev.VerdictDrop}
	case h < 8:
		return event.Verdict{Kind: flowev.VerdictCut + event.VerdictKind(h-6)}
	}
	return event.Verdict{}
}

func (k *checker) Dispatch(sh *event.Shard, id event.PointID, e any) event.Verdict {
	if sh.Now() < k.now {
		k.t.Errorf("time goes back from %d to %d", k.now, sh.Now())
	}
	k.now = sh.Now()
	k.log = fmt.Appendf(k.log, "%d %s ", k.now, pointNames[id])
	switch e := e.(type) {
	case *flowev.PktIn:
		k.conn(e.C)
		k.log = fmt.Appendf(k.log, "%d %v %d", e.C.ID(), e.Side, e.Pkt.Seq())
		k.log = appendPeers(k.log, e.C)
	case *flowev.ConnStart:
		k.start(id, e)
	case *flowev.TCPStateChange:
		c := k.conn(e.C)
		i := e.Side - 1
		if !k.how.rules && c.state[i] != e.Old && (c.stated[i] || !c.adopted) || e.Old == e.New {
			k.t.Errorf("connection %d: %v changes from %v to %v, was %v", e.C.ID(), e.Side, e.Old, e.New, c.state[i])
		}
		c.state[i], c.stated[i] = e.New, true
		k.log = fmt.Appendf(k.log, "%d %v %v", e.C.ID(), e.Side, e.New)
	case *flowev.Rexmit:
		k.conn(e.C)
		k.log = fmt.Appendf(k.log, "%d %v %v", e.C.ID(), e.Side, e.Kind)
	case *flowev.NewData:
		c := k.conn(e.C)
		from := e.D.From() - 1
		if k.how.rules {
			c.at[from], c.closed[from] = e.D.Offset(), false
		}
		if e.D.Len() == 0 || e.D.Offset() != c.at[from] || e.D.From() == e.Side || c.closed[from] {
			k.t.Errorf("connection %d: %d bytes at %d from %v to %v, after %d", e.C.ID(), e.D.Len(), e.D.Offset(), e.D.From(), e.Side, c.at[from])
		}
		c.read[from] += uint64(e.D.Len())
		c.at[from] += uint64(e.D.Len())
		k.readBack(e)
		k.log = fmt.Appendf(k.log, "%d %x", e.C.ID(), e.D.Peek(0, false))
	case *flowev.Gap:
		c := k.conn(e.C)
		from := 2 - e.Side
		if k.how.rules {
			c.at[from], c.closed[from] = e.Offset, false
		}
		if e.Len == 0 || e.Offset != c.at[from] || e.Why == flowev.GapReasonNone || c.closed[from] {
			k.t.Errorf("connection %d: %+v after %d", e.C.ID(), e, c.at[from])
		}
		c.at[from] += e.Len
		c.gaps[from]++
		k.log = fmt.Appendf(k.log, "%d %d+%d %v", e.C.ID(), e.Offset, e.Len, e.Why)
	case *flowev.Error:
		k.conn(e.C)
		if e.Lost == 0 || e.Reason == flowev.ErrorReasonNone {
			k.t.Errorf("connection %d: %+v", e.C.ID(), e)
		}
		k.log = fmt.Appendf(k.log, "%d %v %d", e.C.ID(), e.Reason, e.Lost)
	case *flowev.SideClosed:
		c := k.conn(e.C)
		if c.closed[e.Side-1] && !k.how.rules {
			k.t.Errorf("connection %d: %v closes twice", e.C.ID(), e.Side)
		}
		c.closed[e.Side-1] = true
		k.log = fmt.Appendf(k.log, "%d %v %v", e.C.ID(), e.Side, e.Reason)
	case *flowev.ConnAdopted:
		c := k.conn(e.C)
		if c.started || c.adopted {
			k.t.Errorf("connection %d is adopted after it began", e.C.ID())
		}
		c.adopted = true
		k.log = fmt.Appendf(k.log, "%d %v", e.C.ID(), e.Side)
	case *flowev.ConnEnd:
		k.end(e)
	case *flowev.UDPStart:
		c := k.conn(e.C)
		if c.started || e.C.Client().Pkts() != 1 || e.C.Server().Pkts() != 0 {
			k.t.Errorf("flow %d: starts out of turn", e.C.ID())
		}
		c.started = true
		k.log = fmt.Appendf(k.log, "%d", e.C.ID())
	case *flowev.Datagram:
		k.datagram(e)
	case *flowev.UDPEnd:
		k.udpEnd(e)
	case *flowev.ICMPError:
		k.conn(e.C)
		k.log = fmt.Appendf(k.log, "%d %v %d %d %d", e.C.ID(), e.Side, e.Type, e.Code, e.MTU)
	case *flowev.Orphan:
		k.log = fmt.Appendf(k.log, "%v", e.Pkt.Src())
	}
	k.log = append(k.log, '\n')
	return k.rule()
}

// conn returns what is known of c, which must not be over.
func (k *checker) conn(c flowev.Conn) *checked {
	m := k.conns[c.ID()]
	if m == nil {
		if c.ID() != k.last+1 {
			k.t.Errorf("connection %d comes after %d", c.ID(), k.last)
		}
		k.last = c.ID()
		m = &checked{}
		k.conns[c.ID()] = m
	}
	if m.ended || c.Ended() {
		k.t.Errorf("connection %d: an event after its end", c.ID())
	}
	return m
}

func (k *checker) start(id event.PointID, e *flowev.ConnStart) {
	c := k.conn(e.C)
	switch {
	case id == flowev.OnConnStartSnd.ID() && !c.started && !c.received:
		c.started = true
	case id == flowev.OnConnStartRcv.ID() && c.started && !c.received:
		c.received = true
	case k.how.rules && c.started && id == flowev.OnConnStartRcv.ID():
	default:
		k.t.Errorf("connection %d: %s comes when started %v, received %v", e.C.ID(), pointNames[id], c.started, c.received)
	}
}

func (k *checker) end(e *flowev.ConnEnd) {
	c := k.conns[e.C.ID()]
	if c == nil || c.ended || !c.adopted && (!c.started || !c.received && !k.how.rules) || e.C.Ended() {
		k.t.Fatalf("connection %d: ends out of turn: %+v", e.C.ID(), c)
	}
	c.ended = true
	k.ended++
	for i, p := range [2]flowev.Peer{e.C.Client(), e.C.Server()} {
		if !k.how.rules && (p.Bytes() != c.read[i] || p.State() != c.state[i] && (c.stated[i] || !c.adopted) || p.Gaps() < c.gaps[i] || p.Sent().Len() != c.at[i]) {
			k.t.Errorf("connection %d: %v has %d bytes to place %d with %d gaps in state %v, events said %d, %d, %d, %v",
				e.C.ID(), p.Endpoint(), p.Bytes(), p.Sent().Len(), p.Gaps(), p.State(), c.read[i], c.at[i], c.gaps[i], c.state[i])
		}
	}
	k.log = appendEnd(k.log, e)
	k.ends = append(appendEnd(k.ends, e), '\n')
}

// appendEnd appends all that is known of a connection at its end.
func appendEnd(b []byte, e *flowev.ConnEnd) []byte {
	b = appendPeers(b, e.C)
	return fmt.Appendf(b, " %d %v %v %v", e.C.ID(), e.Reason, e.C.CID(), e.C.Duration())
}

// appendPeers appends what is known of a connection's ends.
func appendPeers(b []byte, c flowev.Conn) []byte {
	for _, p := range [2]flowev.Peer{c.Client(), c.Server()} {
		b = fmt.Appendf(b, " %v %v %d %d %d %d %d %d", p.Endpoint(), p.State(), p.Bytes(), p.Pkts(), p.Rexmits(), p.Gaps(), p.Window(), p.Sent().Len())
	}
	return b
}

// readBack reads from the stream what new_data brings.
func (k *checker) readBack(e *flowev.NewData) {
	s := e.C.Client().Sent()
	if e.D.From() == flowev.SideServer {
		s = e.C.Server().Sent()
	}
	want := e.D.Peek(0, false)
	if got, ok := s.Peek(e.D.Offset(), true, uint32(len(want)), true); k.how.streams && (!ok || !bytes.Equal(got, want)) {
		k.t.Errorf("connection %d: the stream has %q at %d, new_data brings %q", e.C.ID(), got, e.D.Offset(), want)
	}
	if b, _, err := s.Take(nil, 100, true); k.how.streams && err != nil || len(b) > 100 {
		k.t.Errorf("connection %d: takes %d bytes: %v", e.C.ID(), len(b), err)
	}
}

func (k *checker) datagram(e *flowev.Datagram) {
	c := k.conn(e.C)
	c.datagrams[e.Side-1]++
	peers := [2]flowev.Peer{e.C.Client(), e.C.Server()}
	if !c.started || peers[e.Side-1].IP() != e.Pkt.Src() || peers[2-e.Side].IP() != e.Pkt.Dst() {
		k.t.Errorf("flow %d: a packet from %v to %v is %v's", e.C.ID(), e.Pkt.Src(), e.Pkt.Dst(), e.Side)
	}
	k.log = fmt.Appendf(k.log, "%d %v %d", e.C.ID(), e.Side, e.Pkt.PayloadLen())
}

func (k *checker) udpEnd(e *flowev.UDPEnd) {
	c := k.conns[e.C.ID()]
	if c == nil || c.ended || !c.started || e.C.Ended() {
		k.t.Fatalf("flow %d: ends out of turn: %+v", e.C.ID(), c)
	}
	c.ended = true
	k.ended++
	if got := [2]uint64{e.C.Client().Pkts(), e.C.Server().Pkts()}; got != c.datagrams {
		k.t.Errorf("flow %d: %v packets, events said %v", e.C.ID(), got, c.datagrams)
	}
	k.log = fmt.Appendf(k.log, "%v %v %d %d %d %v %v %v", e.C.Client().Endpoint(), e.C.Server().Endpoint(),
		e.C.Client().Bytes(), e.C.Server().Bytes(), e.C.ID(), e.Reason, e.C.CID(), e.C.Duration())
}

// done closes the stack and checks that all connections ended and the counters add up.
func (k *checker) done(s *flow.Stack) {
	s.Close()
	st := s.Stats()
	if k.ended != len(k.conns) || st.Conns != st.Ended || st.Conns != uint64(k.ended) || st.Open != 0 || st.Remembered != 0 ||
		st.Held != 0 || st.Kept != 0 || st.Datagrams+st.ICMPErrors > st.Orphans || st.UDPFlows+st.ICMPFlows > st.Conns ||
		k.forwarded+k.dropped != st.Frames || k.dropped != st.Stopped || k.injected != st.Injected ||
		st.Stopped > st.Dropped+st.Swallowed || st.Inside == 0 && st.Stopped != st.Dropped+st.Swallowed ||
		st.Frames+st.Inside != st.NotIP+st.Malformed+st.Truncated+st.Orphans+st.TCP+st.Swallowed {
		k.t.Errorf("%d of %d connections ended: %+v", k.ended, len(k.conns), st)
	}
	k.log = fmt.Appendf(k.log, "%+v\n", st)
}
