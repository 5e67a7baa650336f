package flow

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// Stack turns the frames of one shard into connections and events.
type Stack struct {
	sh     *event.Shard
	cfg    Config
	conns  keyTable[Conn]
	all    list[Conn] // in the order they were made
	queues [numGroups]queue[Conn]
	free   []*Conn // ended ones that nobody holds
	exch   exchanges
	frags  *fragment.Table
	mem    memory
	lastID uint64
	stats  Stats

	// What one packet needs, kept here so that it costs no allocation.
	pkt  lentPacket
	data lentData
	step step
	ev   events
}

// slabSize is how many connections are allocated at once; maxFree bounds how many ended ones are
// kept for reuse.
const (
	slabSize = 64
	maxFree  = 65536
)

// New returns a stack that raises its events on sh. Its methods are called by the goroutine that has
// entered sh.
func New(sh *event.Shard, cfg Config) *Stack {
	s := &Stack{sh: sh, cfg: cfg.withDefaults(), conns: newTable((*Conn).tableKey)}
	s.all.of = func(c *Conn) *links[Conn] { return &c.age }
	s.frags = fragment.New(s.cfg.Fragments)
	s.pkt.p.Decap = s.cfg.Decap
	s.mem.sideLimit, s.mem.limit = s.cfg.ReorderSide, s.cfg.ReorderTotal
	s.initQueues()
	s.initExchanges()
	return s
}

// Frame takes one frame, captured at ts nanoseconds since the epoch from a link of type link (a
// LINKTYPE_ number): data is what was captured of its wireLen bytes. First the timers run that are
// due by then, as for every timestamp greater than those before; a smaller one moves no clock. Then
// the frame runs through the whole pipeline; a fragment that makes its datagram whole does as the
// datagram. data is not kept.
func (s *Stack) Frame(link uint16, data []byte, wireLen int, ts int64) {
	s.sh.Advance(ts)
	s.stats.Frames++
	p := &s.pkt.p
	p.Decode(link, data, wireLen, ts)
	s.frags.Add(p)
	switch {
	case s.cfg.VerifyChecksums && !p.ChecksumOK():
		s.stats.BadChecksums++
		s.orphan()
	case p.Class == packet.TCP:
		s.segment(p)
	case p.Class == packet.UDP:
		s.datagram(p)
		s.orphan()
	case p.Class == packet.ICMP:
		s.icmp(p)
		s.orphan()
	case p.IsIP():
		s.orphan()
	case p.Class == packet.Malformed:
		s.stats.Malformed++
	case p.Class == packet.Truncated:
		s.stats.Truncated++
	default:
		s.stats.NotIP++
	}
	p.Data = nil
}

// Advance moves time to ts without a packet, and ends what has been silent for too long by then.
func (s *Stack) Advance(ts int64) { s.sh.Advance(ts) }

// Close ends the connections that are left, in the order they were made, with the reason shutdown
// (fin for those in TIME_WAIT). The stack may be used again.
func (s *Stack) Close() {
	for c, x := s.oldest(); c != nil || x != nil; c, x = s.oldest() {
		switch {
		case c == nil:
			s.endExchange(x, flowev.EndReasonShutdown)
		case c.group == inTimeWait:
			s.finish(c)
		default:
			s.end(c, flowev.EndReasonShutdown)
		}
	}
	for g := range s.queues {
		s.sh.Timers().Stop(&s.queues[g].timer)
	}
	for g := range s.exch.queues {
		s.sh.Timers().Stop(&s.exch.queues[g].timer)
	}
}

// oldest returns what was made first of all that is left: a connection or an exchange.
func (s *Stack) oldest() (*Conn, *Exchange) {
	c, x := s.all.first, s.exch.all.first
	if c != nil && (x == nil || c.id < x.id) {
		return c, nil
	}
	return nil, x
}

// Stats returns what the stack counted.
func (s *Stack) Stats() Stats {
	st := s.stats
	st.Fragments = s.frags.Stats()
	st.NotHeld, st.Held, st.Peak = s.mem.refused, s.mem.used, s.mem.peak
	st.Open = s.conns.n + s.exch.table.n
	return st
}

// open makes a connection of key k, started now.
func (s *Stack) open(k *key, hash uint64, clientLow bool, vlan uint16) *Conn {
	s.makeRoom()
	if len(s.free) == 0 {
		slab := make([]Conn, slabSize)
		for i := range slab {
			s.free = append(s.free, &slab[slabSize-1-i])
		}
	}
	c := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.lastID++
	now := s.sh.Now()
	*c = Conn{key: *k, hash: hash, id: s.lastID, clientLow: clientLow, vlan: vlan, started: now, last: now, tags: c.tags[:0]}
	c.client.conn, c.client.client = c, true
	c.server.conn = c
	c.client.sent.fin, c.server.sent.fin = -1, -1
	s.conns.insert(hash, c)
	s.all.push(c)
	s.enqueue(c, inHandshake)
	s.stats.Conns++
	return c
}

// finish ends a connection whose ends are both done: one that still waits is over first.
func (s *Stack) finish(c *Conn) {
	for _, p := range [2]*Peer{&c.client, &c.server} {
		if p.state == timeWait {
			p.state = closed
			s.raiseState(p, flowev.OnTCPStateChangeRcv, timeWait, closed, false)
		}
	}
	s.end(c, flowev.EndReasonFin)
}

// end takes a connection out of the stack and raises conn_end.
func (s *Stack) end(c *Conn, why flowev.EndReason) {
	s.conns.remove(c.hash, c)
	s.all.remove(c)
	s.queues[c.group].remove(c)
	for _, p := range [2]*Peer{&c.client, &c.server} {
		p.lastGaps = p.sent.gaps()
		p.sent.drop(&s.mem)
	}
	c.resyn = nil
	c.over = true
	s.stats.Ended++
	s.raiseEnd(c, why)
	c.ended = true
	if len(s.free) < maxFree && !c.used() {
		s.free = append(s.free, c)
	}
}
