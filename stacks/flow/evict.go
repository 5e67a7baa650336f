package flow

import "github.com/hookd/hookd/engine/event/flowev"

// admit sees to it that one more connection or exchange fits.
func (s *Stack) admit() {
	if s.conns.n+s.exch.table.n >= s.cfg.MaxConns {
		s.evict()
	}
}

// evict ends one connection or exchange, in the order that Config.MaxConns tells.
func (s *Stack) evict() {
	_ = s.evictConn(inTimeWait) || s.evictConn(inReset) || s.evictUnproven() || s.evictConn(inCut) || s.evictExchange(isAnswered) ||
		s.evictConn(inClosing) || s.evictConn(inEstablished)
}

// evictUnproven ends one of those that a single forged packet can make. What is flooded with is what
// there is most of, so a flood pushes out its own; false if there is none.
func (s *Stack) evictUnproven() bool {
	handshakes, asked, pings := s.queues[inHandshake].n, s.exch.queues[isUnanswered].n, s.exch.queues[isICMP].n
	switch most := max(handshakes, asked, pings); most {
	case handshakes:
		return s.evictConn(inHandshake)
	case asked:
		return s.evictExchange(isUnanswered)
	default:
		return s.evictExchange(isICMP)
	}
}

// evictConn ends the connection of g that was silent for longest; false if there is none.
func (s *Stack) evictConn(g group) bool {
	c := s.queues[g].first
	if c == nil {
		return false
	}
	if g >= inHandshake && g != inCut {
		s.stats.Evicted++
	}
	s.leave(c, flowev.EndReasonEvicted)
	return true
}
