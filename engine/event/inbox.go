package event

import (
	"sync"
	"sync/atomic"
)

// defaultInbox is how many posts may wait in a shard.
const defaultInbox = 4096

// inbox holds what other shards want done in this one.
type inbox struct {
	waiting atomic.Int32 // len(list), to be asked without the lock
	refused atomic.Uint64
	limit   int

	mu   sync.Mutex // guards list and wake
	list []func()
	wake func()
}

// Post has run called in the shard, entered, before the next thing that happens
// in it, behind what was posted before. It reports false, and counts, if too
// many wait. Any goroutine may post, whatever it has entered.
func (s *Shard) Post(run func()) bool {
	b := &s.inbox
	b.mu.Lock()
	if len(b.list) >= b.limit {
		b.mu.Unlock()
		b.refused.Add(1)
		return false
	}
	b.list = append(b.list, run)
	b.waiting.Store(int32(len(b.list)))
	wake := b.wake
	b.mu.Unlock()
	if wake != nil {
		wake()
	}
	return true
}

// WakeBy has wake called, by any goroutine, after each post: who drives the shard
// and waits for something else then enters it. nil is nobody.
func (s *Shard) WakeBy(wake func()) {
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	s.inbox.wake = wake
}

// PostsRefused counts what [Shard.Post] did not take. Any goroutine may ask.
func (s *Shard) PostsRefused() uint64 { return s.inbox.refused.Load() }

// takePosts runs what was posted so far.
func (s *Shard) takePosts() {
	s.Tell()
	b := &s.inbox
	b.mu.Lock()
	list := b.list
	b.list = nil
	b.waiting.Store(0)
	b.mu.Unlock()
	for _, run := range list {
		s.show.giveUp()
		run()
	}
}
