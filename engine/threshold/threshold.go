// Package threshold owns the counting behind a rule's `threshold`: how many
// events of one key lie within a sliding window of event time.
//
// Goroutines: a Threshold may be used from any goroutine, since a rule counts
// over all shards. Its lock is held for one event at a time.
package threshold

import (
	"slices"
	"sync"

	"github.com/hookd/hookd/engine/store"
)

// Stats counts what a threshold did since it was made.
type Stats struct {
	Keys    int    // now
	Times   int    // events for which there is memory now
	Events  uint64 // seen
	Fired   uint64
	Evicted uint64 // keys that were forgotten, with events in their window, for others
}

// Threshold counts events per key. Of each key it keeps the times of the last
// Count events that lie within the window; an event at time t lies within it
// until, not at, t+Within.
type Threshold struct {
	config Config

	mu    sync.Mutex // guards all that follows
	keys  store.KeyMap[*window]
	fresh *window // most recently touched
	stale *window // least recently touched
	stats Stats
}

// window is one key's events, and its place among the keys in the order of
// their last events.
type window struct {
	key          store.Key
	ring         ring
	last         int64 // time of the last event
	fired        bool  // and not armed since
	newer, older *window
}

// New makes a threshold.
func New(c Config) (*Threshold, error) {
	c, err := c.normal()
	if err != nil {
		return nil, err
	}
	return &Threshold{config: c}, nil
}

// Config returns the config with its defaults filled in.
func (t *Threshold) Config() Config { return t.config }

// Event counts an event of key k at now, in nanoseconds of event time, and says
// whether it fires. held is the number of events in k's window with this one,
// at most Count. A time before k's last event counts as the time of that event:
// shards may be a little apart.
//
// With Fire = Each the event fires if held is Count. With Once it fires if held
// is Count and the threshold is armed; firing disarms it, and it is armed again
// as soon as the window holds fewer than Count events, be it between two
// events: the one that fills the window again fires again. Keys know nothing of
// each other, except that beyond MaxKeys, or MaxTimes events in all, the key
// that was touched least recently is forgotten.
//
// For a key that is known Event allocates nothing, apart from the ring that
// grows with the events that a window holds, up to Count.
func (t *Threshold) Event(k store.Key, now int64) (fire bool, held int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Events++
	w := t.touch(k, now)
	now = max(now, w.last)
	w.last = now
	w.ring.expire(now, int64(t.config.Within))
	if w.ring.n < t.config.Count {
		w.fired = false
	}
	t.grow(w)
	held = w.ring.push(now, t.config.Count)
	if held < t.config.Count || t.config.Fire == Once && w.fired {
		return false, held
	}
	w.fired = true
	t.stats.Fired++
	return true, held
}

// touch returns k's window as the freshest, making it if need be.
func (t *Threshold) touch(k store.Key, now int64) *window {
	w, known := t.keys.Get(k)
	if known {
		if t.fresh != w {
			t.unlink(w)
			t.link(w)
		}
		return w
	}
	// Two out for each one in: keys that fell silent go before they are missed.
	t.sweep(now, 2)
	if t.keys.Len() >= t.config.MaxKeys {
		w = t.evict(now)
		*w = window{ring: ring{times: w.ring.times}}
	} else {
		w = new(window)
	}
	w.key, w.last = k.Clone(), now
	t.keys.Put(w.key, w)
	t.link(w)
	t.stats.Times += len(w.ring.times)
	return w
}

// grow makes room for one more event in w's ring.
func (t *Threshold) grow(w *window) {
	size := len(w.ring.times)
	if w.ring.n < size || size == t.config.Count {
		return
	}
	size = min(max(4, 2*size), t.config.Count)
	more := size - len(w.ring.times)
	for t.stats.Times+more > t.config.MaxTimes && t.stale != w {
		t.evict(w.last)
	}
	t.stats.Times += more
	w.ring.resize(size)
}

// evict forgets the key that was touched least recently and returns its window.
func (t *Threshold) evict(now int64) *window {
	w := t.stale
	if now-w.last < int64(t.config.Within) {
		t.stats.Evicted++
	}
	t.forget(w)
	return w
}

func (t *Threshold) forget(w *window) {
	t.unlink(w)
	t.keys.Delete(w.key)
	t.stats.Times -= len(w.ring.times)
}

// sweep forgets up to most keys whose window is empty and says whether there
// may be more.
func (t *Threshold) sweep(now int64, most int) (more bool) {
	for range most {
		if t.stale == nil || now-t.stale.last < int64(t.config.Within) {
			return false
		}
		t.forget(t.stale)
	}
	return true
}

// Expire forgets up to most keys that have no event in their window at now, and
// says whether there may be more. It frees memory and changes nothing else.
func (t *Threshold) Expire(now int64, most int) (more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sweep(now, most)
}

// Reset forgets all keys.
func (t *Threshold) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keys = store.KeyMap[*window]{}
	t.fresh, t.stale, t.stats.Times = nil, nil, 0
}

// Stats returns the counters.
func (t *Threshold) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	st := t.stats
	st.Keys = t.keys.Len()
	return st
}

func (t *Threshold) link(w *window) {
	w.older, w.newer = t.fresh, nil
	if t.fresh != nil {
		t.fresh.newer = w
	}
	t.fresh = w
	if t.stale == nil {
		t.stale = w
	}
}

func (t *Threshold) unlink(w *window) {
	if w.newer != nil {
		w.newer.older = w.older
	} else {
		t.fresh = w.older
	}
	if w.older != nil {
		w.older.newer = w.newer
	} else {
		t.stale = w.newer
	}
}

// Clone returns a threshold of its own that has counted the same.
func (t *Threshold) Clone() *Threshold {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &Threshold{config: t.config, stats: t.stats}
	c.stats.Keys, c.stats.Times = 0, 0
	for w := t.stale; w != nil; w = w.newer {
		own := &window{key: w.key.Clone(), last: w.last, fired: w.fired}
		own.ring = ring{times: slices.Clone(w.ring.times), head: w.ring.head, n: w.ring.n}
		c.keys.Put(own.key, own)
		c.link(own)
		c.stats.Times += len(own.ring.times)
	}
	return c
}
