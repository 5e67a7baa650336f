package netio

import (
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
)

// keptBack is how many descriptors of the process's limit are not for connections.
const keptBack = 32

// Budget is what the loops of a process share: how many connections there may be
// in all, and one descriptor kept in reserve, so that those who come when all are
// used can be shown the way out. Any goroutine may use it.
type Budget struct {
	max   int64
	used  atomic.Int64
	loops atomic.Int32 // that run

	mu     sync.Mutex // guards spare
	spare  *os.File
	unused bool // the reserve was given back
}

// NewBudget allows that many accepted connections in all; 0 is what the limit on
// descriptors leaves (RLIMIT_NOFILE - 32), at most 1,000,000.
func NewBudget(conns int) *Budget {
	limit := descriptors() - keptBack
	if conns <= 0 {
		conns = min(1_000_000, max(1, limit))
	}
	b := &Budget{max: int64(conns)}
	b.spare, _ = os.Open(os.DevNull)
	return b
}

// Check returns an error if the budget allows more connections than the process
// can have descriptors.
func (b *Budget) Check() error {
	if limit := descriptors() - keptBack; b.max > int64(limit) {
		return fmt.Errorf("netio: %d connections do not fit in the limit on open files: at most %d", b.max, limit)
	}
	return nil
}

// Used returns how many accepted connections there are.
func (b *Budget) Used() int { return int(b.used.Load()) }

// Max returns how many there may be.
func (b *Budget) Max() int { return int(b.max) }

// Close gives the reserved descriptor back, when the loops ended.
func (b *Budget) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spare != nil {
		_ = b.spare.Close()
	}
	b.spare, b.unused = nil, true
}

func (b *Budget) take() bool {
	if b.used.Add(1) > b.max {
		b.used.Add(-1)
		return false
	}
	return true
}

func (b *Budget) give() { b.used.Add(-1) }

// spend gives up the reserve while refuse runs. It is one for all loops and under a
// lock: with one each, a loop takes what another just gave up.
func (b *Budget) spend(refuse func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.unused {
		return errExhausted
	}
	if b.spare == nil {
		b.spare, _ = os.Open(os.DevNull)
	}
	if b.spare == nil {
		return errExhausted
	}
	_ = b.spare.Close()
	err := refuse()
	b.spare, _ = os.Open(os.DevNull)
	return err
}

// census counts connections by where they come from.
type census struct {
	mu    sync.Mutex
	count map[netip.Addr]int
}

// home returns what is counted as one for an address: an IPv6 network of 64 bits
// is one customer's (RFC 6177).
func home(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}

func (n *census) enter(a netip.Addr, limit int) bool {
	a = home(a)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.count[a] >= limit {
		return false
	}
	if n.count == nil {
		n.count = map[netip.Addr]int{}
	}
	n.count[a]++
	return true
}

func (n *census) leave(a netip.Addr) {
	a = home(a)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.count[a]--; n.count[a] <= 0 {
		delete(n.count, a)
	}
}

func (n *census) of(a netip.Addr) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count[home(a)]
}
