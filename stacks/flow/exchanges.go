package flow

import (
	"time"

	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// exchangeGroup says which timeout holds for an exchange, and when it is evicted.
type exchangeGroup uint8

const (
	isICMP exchangeGroup = iota
	isUnanswered
	isAnswered
	numExchangeGroups
)

// exchanges are a stack's UDP flows and ICMP queries. They have a table of their own, so that a TCP
// connection is no larger for them.
type exchanges struct {
	table  keyTable[Exchange]
	all    list[Exchange] // in the order they were made
	queues [numExchangeGroups]queue[Exchange]
	free   []*Exchange // ended ones that nobody holds
	ev     exchangeEvents

	at         *Exchange // that the packet at hand belongs to, nil for none
	fromClient bool      // who sent it
}

// exchangeEvents are the structs that events are raised with, as in events.
type exchangeEvents struct {
	start    flowev.UDPStart
	datagram flowev.Datagram
	end      flowev.UDPEnd
	failure  flowev.ICMPError
}

// initExchanges makes table and queues.
func (s *Stack) initExchanges() {
	e := &s.exch
	e.table = newTable((*Exchange).tableKey)
	e.all.of = func(x *Exchange) *links[Exchange] { return &x.age }
	idle := func(x *Exchange) *links[Exchange] { return &x.idle }
	for g, d := range [numExchangeGroups]time.Duration{
		isICMP: s.cfg.ICMPTimeout, isUnanswered: s.cfg.UDPTimeout, isAnswered: s.cfg.UDPTimeout,
	} {
		e.queues[g] = queue[Exchange]{
			list: list[Exchange]{of: idle}, timeout: int64(d),
			run: func(int64) { s.expireExchange(exchangeGroup(g)) },
		}
	}
}

// datagram takes a UDP datagram and returns its flow.
func (s *Stack) datagram(p *packet.Packet) flowev.Conn {
	k, low := exchangeKey(p, query{})
	return s.exchange(p, &k, low, false, p.PayloadLen)
}

// exchange takes a packet of the exchange k, low if its source is the lower endpoint, that carries so
// many bytes of payload: find or make the exchange, count, and raise what handlers see.
func (s *Stack) exchange(p *packet.Packet, k *key, low, answers bool, bytes uint32) *Exchange {
	x, hash, client := s.lookupExchange(k, low)
	opens := x == nil
	if opens {
		x, client = s.openExchange(k, hash, low, p.VLAN), true
		x.reversed = answers
	}
	s.stats.Datagrams++
	s.exch.at, s.exch.fromClient = x, client
	from := x.speaker(client)
	from.pkts++
	from.bytes += uint64(bytes)
	x.last, x.stamp = s.sh.Now(), s.frame
	s.said = max(s.said, x.decided) // what was cut stays cut
	s.touchExchange(x)
	if opens && flowev.OnUDPStart.Wanted(s.sh) {
		s.exch.ev.start = flowev.UDPStart{C: x, Pkt: &s.pkt}
		s.decideExchange(x, flowev.OnUDPStart.Emit(s.sh, &s.exch.ev.start))
	}
	if flowev.OnDatagram.Wanted(s.sh) && !from.stopped {
		s.exch.ev.datagram = flowev.Datagram{C: x, Pkt: &s.pkt, Side: from.side()}
		s.decideExchange(x, flowev.OnDatagram.Emit(s.sh, &s.exch.ev.datagram))
	}
	return x
}

// lookupExchange is lookup for exchanges.
func (s *Stack) lookupExchange(k *key, low bool) (x *Exchange, hash uint64, client bool) {
	if x, hash = s.exch.table.find(k); x != nil {
		return x, hash, low == x.clientLow
	}
	if a := s.alias.find(k); a != nil {
		if x, ok := a.conn.(*Exchange); ok {
			return x, hash, low == a.clientLow
		}
	}
	return nil, hash, false
}

// openExchange makes an exchange of key k, started now.
func (s *Stack) openExchange(k *key, hash uint64, clientLow bool, vlan uint16) *Exchange {
	s.admit()
	e := &s.exch
	if len(e.free) == 0 {
		slab := make([]Exchange, slabSize)
		for i := range slab {
			x := &slab[slabSize-1-i]
			x.stack = s // as a Conn's
			e.free = append(e.free, x)
		}
	}
	x := e.free[len(e.free)-1]
	e.free = e.free[:len(e.free)-1]
	now := s.sh.Now()
	*x = Exchange{key: *k, hash: hash, id: s.common.number(), stack: s, stamp: s.frame, clientLow: clientLow, vlan: vlan, started: now, last: now, tags: x.tags[:0]}
	x.client.of, x.client.client = x, true
	x.server.of = x
	e.table.insert(hash, x)
	e.all.push(x)
	s.stats.Conns++
	x.group = isUnanswered
	if x.ipProto() == protoUDP {
		s.stats.UDPFlows++
	} else {
		s.stats.ICMPFlows++
		x.group = isICMP
	}
	s.enqueueExchange(x)
	return x
}

// endExchange takes an exchange out of the stack and raises udp_end.
func (s *Stack) endExchange(x *Exchange, why flowev.EndReason) {
	e := &s.exch
	s.alias.forget(x)
	e.table.remove(x.hash, x)
	s.common.count(-1)
	e.all.remove(x)
	e.queues[x.group].remove(x)
	s.stats.Ended++
	if flowev.OnUDPEnd.Wanted(s.sh) {
		e.ev.end = flowev.UDPEnd{C: x, Reason: why}
		flowev.OnUDPEnd.Emit(s.sh, &e.ev.end)
	}
	x.ended = true
	x.slots.End()
	if len(e.free) < maxFree && !x.used() {
		e.free = append(e.free, x)
	}
}

// touchExchange moves x, of which a packet just came, to the end of the queue of its group.
func (s *Stack) touchExchange(x *Exchange) {
	g := x.group
	if g == isUnanswered && x.server.pkts != 0 {
		g = isAnswered
	}
	if g == x.group && s.exch.queues[g].last == x {
		return
	}
	s.exch.queues[x.group].remove(x)
	x.group = g
	s.enqueueExchange(x)
}

// enqueueExchange puts x, which is in no queue, at the end of its group's. A negative timeout never
// comes.
func (s *Stack) enqueueExchange(x *Exchange) {
	q := &s.exch.queues[x.group]
	q.push(x)
	if !q.timer.Armed() {
		s.armExchanges(x)
	}
}

// armExchanges sets the timer of x's group, of which x is the first, to x's deadline.
func (s *Stack) armExchanges(x *Exchange) {
	q := &s.exch.queues[x.group]
	if q.timeout >= 0 {
		q.arm(s.sh.Timers(), x.last, place(uint8(numGroups)+uint8(x.group), x.stamp))
	}
}

// expireExchange ends the first exchange of g if it is its turn, and arms the timer for the next.
func (s *Stack) expireExchange(g exchangeGroup) {
	q := &s.exch.queues[g]
	if x := q.first; x != nil && q.covers(x.last, place(uint8(numGroups)+uint8(g), x.stamp)) {
		s.sh.Change()
		s.stats.Idle++
		s.endExchange(x, flowev.EndReasonIdle)
		s.sh.Changed()
	}
	if q.first != nil {
		s.armExchanges(q.first)
	}
}
