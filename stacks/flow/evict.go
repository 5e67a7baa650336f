package flow

import "github.com/hookd/hookd/engine/event/flowev"

// admit sees to it that one more connection or exchange fits: the limit is one for all stacks. Those
// that are driven apart may be above it by as many as are admitted at the same time.
func (s *Stack) admit() {
	c := s.common
	if c.full(s) && !c.evict(s) && c.apart {
		c.askToEvict(s)
	}
	c.count(1)
}

// full reports whether there are as many connections and exchanges as there may be.
func (c *common) full(s *Stack) bool {
	if c.apart {
		return c.open.Load() >= int64(s.cfg.MaxConns)
	}
	n := 0
	for _, s := range c.stacks {
		n += s.conns.n + s.exch.table.n
	}
	return n >= s.cfg.MaxConns
}

// evict ends one connection or exchange, in the order that Config.MaxConns tells, of all stacks that
// the caller has entered; false if there is none.
func (c *common) evict(s *Stack) bool {
	from := c.stacks
	if c.apart {
		from = []*Stack{s}
	}
	return evictConn(from, inTimeWait) || evictConn(from, inReset) || evictUnproven(from) || evictConn(from, inCut) ||
		evictExchange(from, isAnswered) || evictConn(from, inClosing) || evictConn(from, inEstablished)
}

// askToEvict has another stack end something.
func (c *common) askToEvict(s *Stack) {
	for _, other := range c.stacks {
		if other == s {
			continue
		}
		other.sh.Post(func() {
			other.sh.Change()
			if c.full(other) {
				c.evict(other)
			}
			other.sh.Changed()
		})
		return
	}
}

// evictUnproven ends one of those that a single forged packet can make. What is flooded with is what
// there is most of, so a flood pushes out its own; false if there is none.
func evictUnproven(from []*Stack) bool {
	handshakes, asked, pings := 0, 0, 0
	for _, s := range from {
		handshakes += s.queues[inHandshake].n
		asked += s.exch.queues[isUnanswered].n
		pings += s.exch.queues[isICMP].n
	}
	switch most := max(handshakes, asked, pings); most {
	case handshakes:
		return evictConn(from, inHandshake)
	case asked:
		return evictExchange(from, isUnanswered)
	default:
		return evictExchange(from, isICMP)
	}
}

// evictConn ends the connection of g that was silent for longest; false if there is none.
func evictConn(from []*Stack, g group) bool {
	var of *Stack
	var c *Conn
	for _, s := range from {
		if first := s.queues[g].first; first != nil && (c == nil || first.stamp < c.stamp) {
			of, c = s, first
		}
	}
	if c == nil {
		return false
	}
	if g >= inHandshake && g != inCut {
		of.stats.Evicted++
	}
	of.leave(c, flowev.EndReasonEvicted)
	return true
}

// evictExchange ends the exchange of g that was silent for longest; false if there is none.
func evictExchange(from []*Stack, g exchangeGroup) bool {
	var of *Stack
	var x *Exchange
	for _, s := range from {
		if first := s.exch.queues[g].first; first != nil && (x == nil || first.stamp < x.stamp) {
			of, x = s, first
		}
	}
	if x == nil {
		return false
	}
	of.stats.Evicted++
	of.endExchange(x, flowev.EndReasonEvicted)
	return true
}
