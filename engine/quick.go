package engine

import "github.com/hookd/hookd/engine/event"

// way says what an event meets first at an entry.
type way uint8

const (
	byAll   way = iota // anything: [shard.pass] asks
	byMatch            // the rule's match
	byWhen             // the native form of its when
	byGuard            // that of the guard which its function begins with
	byDeed             // what does all that its function does, and never decides
	byNone             // nothing: each event enters its function
)

// wayOf finds it. A scope or a threshold is for [shard.pass].
func wayOf(en *entry) way {
	d := en.rule.decl
	switch {
	case en.scope != nil:
	case en.matches != nil:
		return byMatch
	case d.When != 0 && en.when != nil:
		return byWhen
	case d.When != 0 || d.Threshold != nil || d.Run == 0:
	case en.guard != nil:
		return byGuard
	case en.deed != nil && !en.deed.Decides:
		return byDeed
	case en.deed == nil:
		return byNone
	}
	return byAll
}

// quick reports whether only rules listen at the point, in one order: no taps, no
// user-defined events, none that runs whatever was decided, and nobody who follows
// the steps. That is what most points are like most of the time.
func (s *shard) quick(p *pointPlan) bool {
	return p.nodes == 0 && len(p.root.last) == 0 && len(p.taps) == 0 &&
		s.dynamic[p.where.ID] == 0 && s.followers == nil && !s.engine.cfg.CheckNative
}

// dispatchQuick is [shard.Dispatch] at such a point. As long as rules turn the event
// away natively, as they do with most, each costs its filter and a count; what else
// an event takes is set up for the first that does not.
func (s *shard) dispatchQuick(p *pointPlan, e any) event.Verdict {
	s.events++
	for i, en := range p.root.order {
		switch en.way {
		case byNone:
			return s.dispatchFrom(p, e, i, nil)
		case byDeed:
			if done, met := s.does(en, e); !done {
				return s.dispatchFrom(p, e, i, met)
			}
			continue
		}
		if away, met := s.turnsAway(en, e); !away {
			return s.dispatchFrom(p, e, i, met)
		}
	}
	return event.Verdict{}
}

// dispatchFrom shows an event to the rules of a quick point from place first on;
// met is that one if what it meets first was asked and does not turn the event away.
func (s *shard) dispatchFrom(p *pointPlan, e any, first int, met *entry) event.Verdict {
	s.busy = true
	o := outcome{plan: p, event: e, met: met}
	for _, en := range p.root.order[first:] {
		if o.decided {
			break
		}
		st := en.rule.state
		if en.way == byNone && !st.quiet() && !st.suspended() {
			st.Seen++
			st.Matched++
			st.matched.add(s)
			s.run(&o, en, nil)
			continue
		}
		if en != met {
			away := false
			if away, o.met = s.turnsAway(en, e); away {
				continue
			}
		}
		s.try(&o, en, nil)
	}
	if s.queue.len() > 0 {
		s.drain(&o)
	}
	s.busy = false
	s.rested()
	return o.verdict
}

// turnsAway asks what an event meets first at an entry, if that is native. If it
// says no, the rule has seen the event and is done with it; if it says yes, met is
// the entry.
func (s *shard) turnsAway(en *entry, e any) (away bool, met *entry) {
	st := en.rule.state
	if st.quiet() {
		return false, nil
	}
	switch en.way {
	case byMatch:
		if en.matches(e) {
			return false, en
		}
	case byWhen:
		if st.suspended() {
			return false, nil
		}
		switch en.when(e) {
		case Yes:
			return false, en
		case Ask:
			return false, nil
		}
	case byGuard:
		if st.suspended() {
			return false, nil
		}
		if en.guard(e) != No {
			return false, en
		}
		st.Matched++
		st.matched.add(s)
	case byDeed:
		return s.does(en, e)
	default:
		return false, nil
	}
	st.Seen++
	return true, nil
}

// does has a native form do all that a rule's function does, and reports whether the rule
// is done with the event: not where that is measured, or has to be asked about first, nor
// where the form asks, and then met is the entry.
func (s *shard) does(en *entry, e any) (done bool, met *entry) {
	st := en.rule.state
	if st.quiet() || st.suspended() || st.Matched%SampleEvery == 0 && s.engine.cfg.ThreadCPU != nil {
		return false, nil
	}
	answer, _ := en.deed.Do(e)
	switch answer {
	case Ask:
		return false, en
	case Yes:
		st.Calls++
	}
	st.Seen++
	st.Matched++
	st.matched.add(s)
	return true, nil
}
