package flow

import (
	"sync"
	"sync/atomic"
)

// claims says, where stacks are driven apart, which of them has the connection that rules gave addresses
// and ports to: its table of aliases is only for who has entered its shard, and who sorts frames has entered
// none. A claim is there before the packet is forwarded that makes the other end answer.
//
// A connection that has such addresses of its own, on another shard, cannot be seen from here: what comes for
// either goes to the one that claims them.
type claims struct {
	n  atomic.Int64 // so that nothing is locked while there are none
	mu sync.RWMutex
	of map[key]*Stack
}

// claim notes that answers to k are for s; false if they are for another.
func (c *claims) claim(k *key, s *Stack) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.of[*k]; other != nil {
		return other == s
	}
	if c.of == nil {
		c.of = map[key]*Stack{}
	}
	c.of[*k] = s
	c.n.Add(1)
	return true
}

// drop takes a claim back.
func (c *claims) drop(k *key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.of[*k]; there {
		delete(c.of, *k)
		c.n.Add(-1)
	}
}

// holder returns the stack that claims k, nil for none.
func (c *claims) holder(k *key) *Stack {
	if c.n.Load() == 0 {
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.of[*k]
}
