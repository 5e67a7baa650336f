package event

import "sync"

// Shard is one partition of the state that stacks and scripts keep: one lock,
// one clock, one timer queue, one inbox. Everything that runs handlers runs
// inside a shard, so a handler never races another. A goroutine holds at most
// one shard.
type Shard struct {
	mu         *sync.Mutex // own, or the one of shards that are driven together
	index      int
	now        int64
	goal       int64
	timers     Timers
	wanted     [MaxPoints / 64]uint64
	dispatcher Dispatcher

	// behind is the shard whose objects this one's handlers see too.
	behind *Shard

	set   *Shards
	told  *told // guarded by the shard's lock, but for those who look at the clock
	own   sync.Mutex
	inbox inbox
	show  show
}

// NewShard returns shard number index, alone, with its clock at zero and nothing
// bound.
func NewShard(index int) *Shard {
	s := NewShards(1, Together, 0).list[0]
	s.index = index
	return s
}

// Index returns the shard's number, from 0.
func (s *Shard) Index() int { return s.index }

// Set returns the shards that s is one of.
func (s *Shard) Set() *Shards { return s.set }

// Enter takes the shard for this goroutine; Leave gives it back. An entry lasts
// for a bounded amount of work: nothing under it may block.
func (s *Shard) Enter() { s.mu.Lock() }

// TryEnter is Enter where no goroutine has the shard, and reports whether.
func (s *Shard) TryEnter() bool { return s.mu.TryLock() }

// Leave gives the shard back.
func (s *Shard) Leave() {
	s.Tell()
	s.show.giveUp()
	s.mu.Unlock()
}

// Now returns event time: nanoseconds since the Unix epoch of the greatest
// timestamp that the shard saw, or the deadline of the timer that is running.
// Zero before the first event. The caller has entered s; others ask
// [Shards.Clock].
func (s *Shard) Now() int64 { return s.now }

// Advance moves event time to ts, first running every timer that is due at or
// before ts, each at its own deadline and in the order of deadlines, of all
// shards that are driven together. What was posted runs before. A ts in the past
// moves nothing. The caller has entered s, and has not begun a change of it.
func (s *Shard) Advance(ts int64) {
	if s.inbox.waiting.Load() != 0 {
		s.takePosts()
	}
	if s.set.several {
		s.set.advance(ts)
		return
	}
	s.goal = max(s.now, ts)
	for {
		t := s.timers.next(ts)
		if t == nil {
			break
		}
		s.now = max(s.now, t.when)
		s.Tell()
		s.show.giveUp()
		t.fire(s.now)
	}
	s.now = max(s.now, ts)
}

// Tell moves the clock of all shards to the shard's time. It is done before
// handlers run and when the shard is left, not for each packet, since it costs as
// much as a lock.
func (s *Shard) Tell() {
	if s.told.now.Load() < s.now {
		s.told.now.Store(s.now)
	}
}

// Goal returns the time that the running [Shard.Advance] leads to: how far a
// timer that repeats has to catch up.
func (s *Shard) Goal() int64 { return s.goal }

// Timers returns the shard's timer queue. The caller has entered s.
func (s *Shard) Timers() *Timers { return &s.timers }

// Behind makes s one whose handlers see the objects of live, whoever enters it
// having entered that before: what they change of those is a change of live's.
func (s *Shard) Behind(live *Shard) { s.behind = live }

// Want changes whether anything is bound to a hook point. The engine calls it
// between two publishes, having entered s.
func (s *Shard) Want(id PointID, wanted bool) {
	if wanted {
		s.wanted[id/64] |= 1 << (id % 64)
	} else {
		s.wanted[id/64] &^= 1 << (id % 64)
	}
}

// Bind installs what runs at hook points and which of them anything is bound
// to. The engine calls it at each publish, having entered s.
func (s *Shard) Bind(d Dispatcher, wanted func(PointID) bool) {
	s.dispatcher = d
	s.wanted = [MaxPoints / 64]uint64{}
	for id := range PointID(MaxPoints) {
		s.Want(id, wanted(id))
	}
}
