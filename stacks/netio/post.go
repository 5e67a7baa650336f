package netio

import (
	"sync"
	"sync/atomic"
)

// Post has run called in the loop's shard, entered, in the order of posting, and
// wakes the loop. It reports false if too many posts wait ([event.Shard.Post]). Any
// goroutine.
func (l *Loop) Post(run func()) bool { return l.sh.Post(run) }

// debts are what goroutines of the loop itself bring back. There are only so many
// of those, so none is refused.
type debts struct {
	waiting atomic.Int32
	mu      sync.Mutex // guards list
	list    []func()
}

func (l *Loop) repay(run func()) {
	d := &l.debts
	d.mu.Lock()
	d.list = append(d.list, run)
	d.waiting.Store(int32(len(d.list)))
	d.mu.Unlock()
	l.io.wake()
}

func (d *debts) any() bool { return d.waiting.Load() != 0 }

// run calls what was brought so far.
func (d *debts) run() {
	if !d.any() {
		return
	}
	d.mu.Lock()
	list := d.list
	d.list = nil
	d.waiting.Store(0)
	d.mu.Unlock()
	for _, f := range list {
		f()
	}
}
