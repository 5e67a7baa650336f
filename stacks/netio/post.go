package netio

import (
	"sync"
	"sync/atomic"
)

// posts are what other goroutines want done in the loop.
type posts struct {
	limit   int
	refused atomic.Uint64
	waiting atomic.Int32

	mu   sync.Mutex // guards what follows
	list []func()
	over bool
}

// Post has run called in the loop's shard, entered, in the order of posting. It
// reports false, and counts, if too many wait or the loop ended. Any goroutine.
func (l *Loop) Post(run func()) bool {
	return l.post(run, l.posts.limit)
}

// post is Post with its own limit; what a goroutine of the loop itself owes is
// bounded by how many there are of them.
func (l *Loop) post(run func(), limit int) bool {
	p := &l.posts
	p.mu.Lock()
	if p.over || len(p.list) >= limit {
		p.mu.Unlock()
		p.refused.Add(1)
		return false
	}
	p.list = append(p.list, run)
	p.waiting.Store(int32(len(p.list)))
	p.mu.Unlock()
	l.io.wake()
	return true
}

func (p *posts) any() bool { return p.waiting.Load() != 0 }

// run calls what was posted so far.
func (p *posts) run() {
	if !p.any() {
		return
	}
	p.mu.Lock()
	list := p.list
	p.list = nil
	p.waiting.Store(0)
	p.mu.Unlock()
	for _, f := range list {
		f()
	}
}

func (p *posts) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over, p.list = true, nil
}
