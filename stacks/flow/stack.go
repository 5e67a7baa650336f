package flow

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
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
	unpack *unpacker // nil behind a Front, which has it
	firsts bool      // first copies are read
	mem    memory
	common *common
	frame  uint64 // number of the frame at hand, among those of all stacks
	stats  Stats
	away   map[uint64]*Distant // connections of other shards that were looked at

	// What one packet needs, kept here so that it costs no allocation.
	pkt      lentPacket
	data     lentData
	old      lentData
	step     step
	recent   recent
	before   before
	ev       events
	repl     replacing
	alias    *aliases          // of all stacks, unless they are driven apart
	said     event.VerdictKind // the strictest that rules decided about it
	outcome  Outcome           // of the frame at hand
	injected Outcome           // of a frame that the stack made
	made     []byte            // a frame of our own
	blocking blockTimers
	fetched  byte // so that what is read ahead is not left out
}

// slabSize is how many connections are allocated at once: as many as fit into 32 KiB, the largest
// size that Go's allocator does not round up to pages. maxFree bounds how many ended ones are kept
// for reuse.
const (
	slabSize = 61
	maxFree  = 65536
)

// New returns a stack that raises its events on sh, and is alone. Its methods are called by the
// goroutine that has entered sh. Where there are several shards, see [NewFront].
func New(sh *event.Shard, cfg Config) *Stack {
	s := newStack(sh, cfg, &common{})
	s.unpack = newUnpacker(&s.cfg)
	return s
}

// newStack returns one of the stacks that share c.
func newStack(sh *event.Shard, cfg Config, c *common) *Stack {
	s := &Stack{sh: sh, cfg: cfg.withDefaults(), conns: newTable((*Conn).tableKey), common: c}
	s.all.of = func(c *Conn) *links[Conn] { return &c.age }
	s.mem.cfg, s.mem.used, s.alias = &s.cfg, &c.used, &c.alias
	c.first = cfg.First
	if c.apart {
		s.alias = &aliases{claims: &c.claims}
	}
	s.pkt.p.Decap = s.cfg.Decap
	s.ev.pktIn.Pkt = &s.pkt
	s.initQueues()
	s.initExchanges()
	c.stacks = append(c.stacks, s)
	return s
}

// Frame takes one frame, captured at ts nanoseconds since the epoch from a link of type link (a
// LINKTYPE_ number): data is what was captured of its wireLen bytes. First the timers run that are
// due by then, as for every timestamp greater than those before; a smaller one moves no clock. Then
// the frame runs through the whole pipeline; a fragment that makes its datagram whole does as the
// datagram, and of several packets in the frame each does. data is not kept.
func (s *Stack) Frame(link uint16, data []byte, wireLen int, ts int64) {
	s.sh.Advance(ts)
	s.outcome.begin(link, data, wireLen, ts)
	s.begin(s.frame + 1)
	p := &s.pkt.p
	p.Decode(link, data, wireLen, ts)
	if s.cfg.Blocks.n.Load() > 0 && s.blocked(p) {
		p.Data = nil
		return
	}
	s.unpack.add(p)
	if s.unpack.inside.Open(p) {
		s.common.takeInside(s, s.unpack, p)
		return
	}
	s.take(p)
}

// begin prepares for the frame of that number.
func (s *Stack) begin(frame uint64) {
	s.stats.Frames++
	s.turn(frame)
}

// turn prepares for a packet of that frame.
func (s *Stack) turn(frame uint64) {
	s.frame, s.said = frame, event.None
	s.repl.begin()
	s.exch.at = nil
}

// take runs the decoded frame through the pipeline.
func (s *Stack) take(p *packet.Packet) {
	s.sh.Change()
	switch {
	case s.cfg.VerifyChecksums && !p.ChecksumOK():
		s.stats.BadChecksums++
		s.flow(nil, flowev.OrphanReasonChecksum)
	case p.Class == packet.TCP:
		s.segment(p)
	case p.Class == packet.UDP:
		x := s.datagram(p)
		s.readDatagram(p)
		s.flow(x, flowev.OrphanReasonNone)
	case p.Class == packet.ICMP:
		s.flow(s.icmp(p), flowev.OrphanReasonNone)
	case p.IsIP():
		s.flow(nil, unreadable[p.Class])
	default:
		s.unread(p)
		s.report(nil, false)
	}
	p.Data = nil
	s.sh.Changed()
}

// unreadable says why a packet could not be read to its end; none where it could.
var unreadable = [...]flowev.OrphanReason{
	packet.Fragment: flowev.OrphanReasonFragment, packet.Truncated: flowev.OrphanReasonTruncated,
	packet.Malformed: flowev.OrphanReasonMalformed, packet.OtherIP: flowev.OrphanReasonNone,
}

// flow ends the pipeline for a packet that no TCP connection gets, for a reason; x is its UDP or ICMP flow, or
// what it is an error for.
func (s *Stack) flow(x flowev.Conn, why flowev.OrphanReason) {
	s.orphan(why)
	var own flowev.Conn
	if s.exch.at != nil {
		own = s.exch.at
	}
	s.rewriteForwarded(own, s.exch.fromClient)
	s.report(x, false)
}

// unread counts a frame that has no IP header which could be read.
func (s *Stack) unread(p *packet.Packet) {
	switch p.Class {
	case packet.Malformed:
		s.stats.Malformed++
	case packet.Truncated:
		s.stats.Truncated++
	default:
		s.stats.NotIP++
		if !packet.Reads(p.Link) {
			s.stats.UnknownLinks++
			if s.stats.UnknownLink == 0 {
				s.stats.UnknownLink = p.Link
			}
		}
	}
}

// Advance moves time to ts without a packet, and ends what has been silent for too long by then.
func (s *Stack) Advance(ts int64) { s.sh.Advance(ts) }

// Close ends the connections that are left, in the order they were made, with the reason shutdown
// (fin for those in TIME_WAIT, rst for those that a RST closed). The stack may be used again.
func (s *Stack) Close() {
	s.sh.Change()
	defer s.sh.Changed()
	for s.endOldest() {
	}
	s.tidy()
}

// endOldest ends the connection or exchange that was made first; false if there is none.
func (s *Stack) endOldest() bool {
	c, x := s.oldest()
	switch {
	case c != nil:
		s.leave(c, flowev.EndReasonShutdown)
	case x != nil:
		s.endExchange(x, flowev.EndReasonShutdown)
	default:
		return false
	}
	return true
}

// tidy forgets what is only remembered, and stops the timers.
func (s *Stack) tidy() {
	for g := range s.queues {
		for c := s.queues[g].first; c != nil; c = s.queues[g].first {
			s.release(c)
		}
		s.sh.Timers().Stop(&s.queues[g].timer)
	}
	for g := range s.exch.queues {
		s.sh.Timers().Stop(&s.exch.queues[g].timer)
	}
	s.closeBlocks()
}

// oldest returns what was made first of all that is left: a connection or an exchange, the other is
// nil.
func (s *Stack) oldest() (*Conn, *Exchange) {
	c, x := s.all.first, s.exch.all.first
	if c != nil && (x == nil || c.id < x.id) {
		return c, nil
	}
	return nil, x
}

// leave ends c because the stack has no more time or room for it; why holds where the ends were not
// done with it.
func (s *Stack) leave(c *Conn, why flowev.EndReason) {
	switch c.group {
	case inTimeWait:
		s.finish(c)
	case inReset:
		s.end(c, flowev.EndReasonRst)
	case inCut:
		s.release(c)
	default:
		s.end(c, why)
	}
}

// Stats returns what the stack counted.
func (s *Stack) Stats() Stats {
	st := s.counted()
	s.unpack.count(&st)
	st.Blocks = s.cfg.Blocks.Stats()
	st.Held, st.Peak, st.Kept = s.mem.used.of(waiting), s.mem.used.most(), s.mem.used.of(readable)
	return st
}

// counted returns what is of this stack alone.
func (s *Stack) counted() Stats {
	st := s.stats
	st.Remembered, st.Unread = s.queues[inCut].n, s.mem.unread
	st.Open = s.conns.n - st.Remembered + s.exch.table.n
	return st
}

// open makes a connection of key k, started now.
func (s *Stack) open(k *key, hash uint64, clientLow bool, vlan uint16) *Conn {
	s.admit()
	if len(s.free) == 0 {
		slab := make([]Conn, slabSize)
		for i := range slab {
			c := &slab[slabSize-1-i]
			c.stack = s // written before it is read: fresh memory costs two page faults otherwise
			s.free = append(s.free, c)
		}
	}
	c := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	now := s.sh.Now()
	*c = Conn{
		key: *k, hash: hash, id: s.common.number(), stamp: s.frame, stack: s, clientLow: clientLow, vlan: vlan, started: now, last: now,
		tags: c.tags[:0],
	}
	c.client.conn, c.client.client = c, true
	c.server.conn = c
	client, server := s.overlaps(c)
	c.client.sent.start(client)
	c.server.sent.start(server)
	s.conns.insert(hash, c)
	s.all.push(c)
	s.enqueue(c, inHandshake)
	s.stats.Conns++
	return c
}

// overlaps returns which copies hold of what c's ends send twice.
func (s *Stack) overlaps(c *Conn) (client, server Overlap) {
	client, server = s.cfg.ClientOverlap, s.cfg.ServerOverlap
	if s.cfg.Overlaps == nil {
		return client, server
	}
	client, server, disputed := s.cfg.Overlaps(s.sh, c, client, server)
	if disputed {
		s.stats.OverlapDisputes++
	}
	return client, server
}

// finish ends a connection whose ends are both done: one that still waits is over first.
func (s *Stack) finish(c *Conn) {
	said := s.said
	for _, p := range [2]*Peer{&c.client, &c.server} {
		if p.state == timeWait {
			p.state = closed
			s.raiseState(p, flowev.OnTCPStateChangeRcv, timeWait, closed, false)
		}
	}
	s.said = said
	s.end(c, flowev.EndReasonFin)
}

// end takes a connection out of the stack and raises conn_end.
func (s *Stack) end(c *Conn, why flowev.EndReason) {
	s.conclude(c, why)
	s.release(c)
}

// conclude raises conn_end, after what can be read only now, and lets go of all bytes. What rules
// decide then is not about the frame at hand, which may be another connection's.
func (s *Stack) conclude(c *Conn, why flowev.EndReason) {
	said := s.said
	s.all.remove(c)
	s.settle(&c.server, nowhere, 0, true)
	s.settle(&c.client, nowhere, 0, true)
	if c.reset || why == flowev.EndReasonReset {
		s.closeByReset(&c.client)
		s.closeByReset(&c.server)
	}
	s.said = said
	c.resyn = nil
	s.stats.Ended++
	s.raiseEnd(c, why)
	c.ended = true
	c.slots.End()
	c.client.sent.drop(&s.mem)
	c.server.sent.drop(&s.mem)
}

// release takes a connection that was concluded out of the table.
func (s *Stack) release(c *Conn) {
	s.alias.forget(c)
	s.conns.remove(c.hash, c)
	s.recent.forget(c)
	s.common.count(-1)
	s.queues[c.group].remove(c)
	if len(s.free) < maxFree && !c.used() {
		s.free = append(s.free, c)
	}
}
