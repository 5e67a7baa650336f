package flow

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// takeInside runs the packets that one frame carries through the pipelines of the stacks that have them; p is
// the first, and s began with the frame. Each has its own turn: what rules decide about it keeps it from its
// receiver. What becomes of the frame is told once, by the stack that had the last of them: it does not pass
// if one of them must not.
func (c *common) takeInside(s *Stack, u *unpacker, p *packet.Packet) {
	frame, said := s.frame, s.said
	s.outcome.parted = true
	for n := 0; n == 0 || u.inside.Next(p); n++ {
		if u.concerns(p) {
			u.add(p)
		}
		before := s
		s = c.stackOf(p)
		s.outcome = before.outcome
		s.turn(frame)
		s.said, said = said, event.None
		s.pkt.p = *p
		if n > 0 {
			s.stats.Inside++
		}
		if u.inside.Samples() || s.cfg.Blocks.n.Load() == 0 || !s.blocked(&s.pkt.p) {
			s.take(&s.pkt.p)
		}
	}
	s.pkt.p.Data = nil
	s.outcome.parted = false
	s.tell()
}

// applies reports whether what rules decide about the packet at hand is followed. A sample passes nowhere that
// it could be kept from.
func (s *Stack) applies() bool { return s.cfg.Verdicts == Apply && !s.pkt.p.Sampled }
