package services

import (
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/dispatcher"
)

// prober asks the destinations of a set, one after the other, so that each is asked once
// in the set's time and all are not asked at once.
type prober struct {
	desk    *Desk
	set     *dispatcher.Set
	gone    bool        // another has taken its place
	next    int         // destination that is asked next
	due     int64       // when that is
	pending int         // questions that nobody answered yet
	timer   event.Timer // of the stack's shard
}

// maxPending bounds how many questions of one set wait at once.
const maxPending = 256

// Attach implements [sip.Watcher].
func (s *Desk) Attach(stack *sip.Stack) {
	s.mu.Lock()
	s.stack = stack
	s.mu.Unlock()
	stack.Shard().Post(s.probe)
}

// probe begins to ask the destinations of all sets. The stack's shard is entered.
func (s *Desk) probe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.sets {
		if p.set.Config().Probe > 0 && !p.timer.Armed() {
			p.arm()
		}
	}
}

// arm sets the timer: to when it was due before a reload, or after the time of one
// destination.
func (p *prober) arm() {
	sh, cfg := p.desk.stack.Shard(), p.set.Config()
	if now := max(sh.Now(), sh.Goal()); p.due <= now { // where the clock jumps, none is made up for
		p.due = now + int64(cfg.Probe/time.Duration(len(cfg.Destinations)))
	}
	sh.Timers().Arm(&p.timer, p.due, p.ask)
}

// ask asks one destination by OPTIONS. While the clock jumps, as it does when a process
// begins, nobody could answer in time.
func (p *prober) ask(now int64) {
	s := p.desk
	s.mu.Lock()
	if p.gone {
		s.mu.Unlock()
		return
	}
	cfg := p.set.Config()
	p.arm()
	if goal := s.stack.Shard().Goal(); goal-now > int64(cfg.Timeout) {
		s.mu.Unlock()
		return
	}
	uri := cfg.Destinations[p.next%len(cfg.Destinations)].URI
	p.next++
	stack, full := s.stack, p.pending >= maxPending
	if full {
		s.stats.ProbesSkipped++
	} else {
		p.pending++
		s.stats.Probes++
	}
	s.mu.Unlock()
	if full {
		return
	}
	_, err := stack.Request(&sip.Request{
		Method: "OPTIONS", URI: uri, From: "<" + cfg.From + ">", To: "<" + uri + ">", Timeout: cfg.Timeout,
		Done: func(_ *sip.Tx, m *sip.Message) { s.probed(cfg.Name, uri, m.Code() != 503 && !m.Faked()) },
	})
	if err != nil {
		s.probed(cfg.Name, uri, false)
	}
}

// probed takes what became of a question.
func (s *Desk) probed(set, uri string, reached bool) {
	s.mu.Lock()
	if p := s.sets[set]; p != nil {
		p.pending = max(0, p.pending-1)
	}
	s.mu.Unlock()
	s.report(set, uri, reached)
}

// report takes whether a destination was reached, and has rules told where that changes
// something, once the stack is at rest.
func (s *Desk) report(set, uri string, reached bool) {
	s.mu.Lock()
	p := s.sets[set]
	changed := p != nil && p.set.Report(uri, reached)
	s.mu.Unlock()
	if !changed {
		return
	}
	sh := s.stack.Shard()
	if !sh.Post(func() { tell(sh, destinationChange{set, uri, reached}) }) {
		s.mu.Lock()
		s.stats.Untold++
		s.mu.Unlock()
	}
}

// Began implements [sip.Watcher].
func (s *Desk) Began(set, next string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.sets[set]; p != nil {
		p.set.Begin(next)
	}
}

// Over implements [sip.Watcher].
func (s *Desk) Over(set, next string, what sip.Outcome) {
	s.mu.Lock()
	probed := false
	if p := s.sets[set]; p != nil {
		p.set.Done(next)
		probed = p.set.Config().Probe > 0
	}
	s.mu.Unlock()
	// What nobody probes would never come back: a call that failed does not take it out.
	if what == sip.Reached || what != sip.GivenUp && probed {
		s.report(set, next, what == sip.Reached)
	}
}

// destinationChange is one that went down, or up.
type destinationChange struct {
	set, uri string
	up       bool
}

// tell raises it. The caller has entered sh.
func tell(sh *event.Shard, ch destinationChange) {
	if sipev.OnDestination.Wanted(sh) {
		sipev.OnDestination.Emit(sh, &sipev.Destination{Set: ch.set, URI: ch.uri, Up: ch.up})
	}
}
