package netio

import (
	"sync"
	"time"
)

// portable is the backend over package net: each socket has goroutines that block
// in reads and writes, and keeps what they found as readiness.
type portable struct {
	live sync.WaitGroup // the sockets' goroutines
	kick chan struct{}
	tick *time.Timer

	mu     sync.Mutex // guards the rest, and all sockets' state
	active []*sensed
	woken  bool
}

func newPortable() *portable {
	p := &portable{kick: make(chan struct{}, 1), tick: time.NewTimer(time.Hour)}
	p.tick.Stop()
	return p
}

// sensed is the readiness of one socket. Fields are guarded by portable.mu.
type sensed struct {
	p      *portable
	id     ID
	state  readiness
	want   interest
	listed bool // in portable.active
}

func (s *sensed) attach(id ID) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.id, s.want = id, 0
}

func (s *sensed) watch(want interest) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.want = want
	s.list()
	return nil
}

// told is what the socket's owner hears now.
func (s *sensed) told() readiness {
	if s.want == 0 {
		return 0
	}
	return s.state & (s.want | hung | broken)
}

// change sets and clears readiness. The caller holds p.mu.
func (s *sensed) change(set, clear readiness) {
	s.state = s.state&^clear | set
	s.list()
}

// sense is change for who does not hold p.mu.
func (s *sensed) sense(set, clear readiness) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.change(set, clear)
}

func (s *sensed) list() {
	if s.listed || s.told() == 0 {
		return
	}
	s.listed = true
	s.p.active = append(s.p.active, s)
	s.p.signal()
}

func (p *portable) signal() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

func (p *portable) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.woken = true
	p.signal()
}

func (p *portable) wait(out []ready, timeout time.Duration) (n int, woken bool, err error) {
	n, woken = p.collect(out)
	if n > 0 || woken || timeout == 0 {
		return n, woken, nil
	}
	var over <-chan time.Time
	if timeout > 0 {
		p.tick.Reset(timeout)
		defer p.tick.Stop()
		over = p.tick.C
	}
	for {
		select {
		case <-p.kick:
		case <-over:
			return 0, false, nil
		}
		// A kick can be from before the last look.
		if n, woken = p.collect(out); n > 0 || woken {
			return n, woken, nil
		}
	}
}

// collect takes what is ready in turn, and keeps those in the list that still are.
func (p *portable) collect(out []ready) (n int, woken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	woken, p.woken = p.woken, false
	looked, kept := 0, p.active[:0:0]
	for _, s := range p.active {
		if n == len(out) {
			break
		}
		looked++
		what := s.told()
		if what == 0 {
			s.listed = false
			continue
		}
		out[n] = ready{id: s.id, what: what}
		n++
		kept = append(kept, s)
	}
	p.active = append(p.active[:copy(p.active, p.active[looked:])], kept...)
	return n, woken
}

func (p *portable) close() error {
	p.live.Wait()
	return nil
}
