package loop

import (
	"math"
	"sync"
	"time"
)

// maxBuckets bounds how many keys the verdict limit tells apart.
const maxBuckets = 100_000

// buckets are tokens by key, one set for all shards.
type buckets struct {
	mu    sync.Mutex
	list  map[string]*bucket
	swept int64 // when sweep last looked; 0: never
}

// bucket has tokens that come back with time; fewer than none are promised.
type bucket struct {
	tokens float64
	at     int64
	rate   float64
	burst  float64
}

// take takes a token of a key, where rate come back a second and at most burst are
// there. It returns 0, or for how long there will be none; with promise that one is
// taken now, and the next waits longer.
func (b *buckets) take(key string, rate, burst float64, now int64, promise bool) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.list[key]
	if x == nil {
		if len(b.list) >= maxBuckets && !b.sweep(now) {
			return math.MaxInt64
		}
		if b.list == nil {
			b.list = map[string]*bucket{}
		}
		x = &bucket{tokens: burst, at: now}
		b.list[key] = x
	}
	x.rate, x.burst = rate, burst
	x.refill(now)
	if x.tokens >= 1 {
		x.tokens--
		return 0
	}
	if rate <= 0 {
		return math.MaxInt64
	}
	wait := time.Duration((1 - x.tokens) / rate * float64(time.Second))
	if promise && wait < holdTime {
		x.tokens--
	}
	return max(1, wait)
}

func (x *bucket) refill(now int64) {
	if now > x.at {
		x.tokens = math.Min(x.burst, x.tokens+x.rate*float64(now-x.at)/1e9)
		x.at = now
	}
}

// sweep forgets buckets that are full, which are as good as new ones, and reports
// whether that made room. It looks at all of them while other shards wait, so it does
// that once a second at most: a flood of new keys must not have each look again.
func (b *buckets) sweep(now int64) bool {
	if b.swept != 0 && now-b.swept < int64(time.Second) {
		return false
	}
	b.swept = now
	for key, x := range b.list {
		if x.refill(now); x.tokens >= x.burst {
			delete(b.list, key)
		}
	}
	return len(b.list) < maxBuckets
}
