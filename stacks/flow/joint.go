package flow

import "sync/atomic"

// common is what the stacks of a process share: the connections' numbers and the limits that hold for
// all of them together.
type common struct {
	stacks []*Stack
	apart  bool    // they are driven at the same time
	alias  aliases // of all stacks, unless they are driven apart
	claims claims  // where they are
	first  func(port uint16) bool

	// What stacks that run at the same time write lies apart from what they read, and from what others of them write.
	_      [cacheLines]byte
	lastID atomic.Uint64
	open   atomic.Int64 // connections and exchanges, counted where stacks are driven apart
	_      [cacheLines]byte
	used   usage
	_      [cacheLines]byte
}

// cacheLines is two of them: processors fetch them in pairs.
const cacheLines = 128

// number returns the next connection's number.
func (c *common) number() uint64 {
	if !c.apart {
		// One goroutine at a time.
		id := c.lastID.Load() + 1
		c.lastID.Store(id)
		return id
	}
	return c.lastID.Add(1)
}

// count counts connections and exchanges that are there or gone.
func (c *common) count(n int64) {
	if c.apart {
		c.open.Add(n)
	}
}

// of returns the stack that has the connection or exchange of k. A connection, what is exchanged
// between the same ends, and errors that quote it, go to one stack; which one is the same in every
// run.
func (c *common) of(k *key) *Stack {
	if len(c.stacks) == 1 || c.first != nil && (c.first(k.port(true)) || c.first(k.port(false))) {
		return c.stacks[0]
	}
	return c.stacks[k.spread()%uint32(len(c.stacks))]
}

// holder returns the stack that has to take a packet of key k: where rules gave packets other addresses
// and ports, that of the connection which they belong to.
func (c *common) holder(k *key) *Stack {
	s := c.of(k)
	if c.apart {
		if claims := c.claims.holder(k); claims != nil {
			return claims
		}
		return s
	}
	if len(c.alias.of) == 0 {
		return s
	}
	if conn, _ := s.conns.find(k); conn != nil {
		return s
	}
	if x, _ := s.exch.table.find(k); x != nil {
		return s
	}
	if a := c.alias.find(k); a != nil {
		switch c := a.conn.(type) {
		case *Conn:
			return c.stack
		case *Exchange:
			return c.stack
		}
	}
	return s
}

// usage counts stored bytes.
type usage struct {
	raced bool // by several goroutines
	used  [purposes]int64
	peak  int64 // of what waits
}

// add counts n bytes more, or fewer.
func (u *usage) add(what purpose, n int) {
	if !u.raced {
		u.used[what] += int64(n)
		u.peak = max(u.peak, u.used[waiting])
		return
	}
	now := atomic.AddInt64(&u.used[what], int64(n))
	if what != waiting {
		return
	}
	for peak := atomic.LoadInt64(&u.peak); now > peak; peak = atomic.LoadInt64(&u.peak) {
		if atomic.CompareAndSwapInt64(&u.peak, peak, now) {
			return
		}
	}
}

// of returns how many bytes are stored for a purpose.
func (u *usage) of(what purpose) int {
	if !u.raced {
		return int(u.used[what])
	}
	return int(atomic.LoadInt64(&u.used[what]))
}

// most returns the most bytes that ever waited.
func (u *usage) most() int { return int(atomic.LoadInt64(&u.peak)) }
