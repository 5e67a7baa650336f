package event

import (
	"math"
	"sync/atomic"
)

// Clock is event time as all shards have it: the greatest that any of them told.
// In a handler that is no less than the time of its shard.
type Clock struct{ told []told }

// told is what time a shard, or those that are driven together, last said it is.
// Shards that run at the same time tell it again and again, so each has a cache
// line of its own.
type told struct {
	now atomic.Int64
	_   [120]byte // two lines: processors fetch them in pairs
}

// Now returns event time in nanoseconds since the Unix epoch. It never goes
// back, and any goroutine may ask.
func (c *Clock) Now() int64 {
	now := int64(math.MinInt64)
	for i := range c.told {
		now = max(now, c.told[i].now.Load())
	}
	return now
}

// Least returns the time that all shards have reached: the least that any of them
// told, in nanoseconds since the Unix epoch, 0 as long as one told nothing. Nothing is
// to happen in any shard before it. It never goes back, and any goroutine may ask.
func (c *Clock) Least() int64 {
	least := int64(math.MaxInt64)
	for i := range c.told {
		least = min(least, c.told[i].now.Load())
	}
	return least
}
