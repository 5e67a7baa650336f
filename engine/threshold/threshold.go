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
	Dropped uint64 // events that a late one may have counted, and of whose key too many were kept
}

// Clock tells how far all are who count: no event is to come whose time is before
// Least, which never goes back. Any goroutine may ask.
type Clock interface {
	Least() int64
}

// Threshold counts events per key. Of each key it keeps the times of the latest
// Count events, and of [MaxLate] more where events may come that are before those, as
// long as one may come in whose window they lie; an event at time t lies in windows
// until, not at, t+Within.
type Threshold struct {
	config Config
	clock  Clock // nil: each event is the latest

	mu    sync.Mutex // guards all that follows
	keys  store.KeyMap[*window]
	fresh *window // most recently touched
	stale *window // least recently touched
	stats Stats
}

// window is one key's events, at least one, and its place among the keys in the
// order in which they were touched.
type window struct {
	key          store.Key
	ring         ring
	fired        bool // and not armed since
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

// Follow has memory given up by c, where shards count that are not at the same
// time. Without it an event ends the windows of all that lie Within before it. It is
// called before the first event.
func (t *Threshold) Follow(c Clock) { t.clock = c }

// Event counts an event of key k at now, in nanoseconds of event time, and says
// whether it fires. held is the number of events in (now-Within, now] with this one,
// at most Count.
//
// With Fire = Each the event fires if held is Count. With Once it fires if held
// is Count and the threshold is armed; firing disarms it, and it is armed again
// as soon as the window holds fewer than Count events, be it between two
// events: the one that fills the window again fires again. Keys know nothing of
// each other, except that beyond MaxKeys, or MaxTimes events in all, the key
// that was touched least recently is forgotten.
//
// Shards that are driven apart are not at the same time, so an event may be late:
// others of its key lie after it. It counts at its own time all the same, with what
// had come by then, and is kept for those that come. Only where more than Count +
// [MaxLate] events of its key are at or after the time of the shard that is furthest
// behind, held may be less than it was, never more: such an event may fail to fire, and
// none fires without Count events in its window. One that is older than all that are
// kept finds none of them, and is not kept. A late event does not arm the threshold,
// since the events after it had their say.
//
// For a key that is known Event allocates nothing, apart from the ring that
// grows with the events that it keeps.
func (t *Threshold) Event(k store.Key, now int64) (fire bool, held int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Events++
	w := t.touch(k, now)
	before, ended := w.ring.until(now), w.ring.until(now-int64(t.config.Within))
	held = min(before-ended, t.config.Count)
	if held < t.config.Count {
		held++
		w.fired = w.fired && before < w.ring.n // armed, but by one that is late
	}
	t.keep(w, now, before, ended)
	if held < t.config.Count || t.config.Fire == Once && w.fired {
		return false, held
	}
	w.fired = true
	t.stats.Fired++
	return true, held
}

// keep adds an event to w behind the oldest before, of which ended are not in its
// window.
func (t *Threshold) keep(w *window, now int64, before, ended int) {
	old := 0
	if w.ring.n == len(w.ring.times) {
		least := t.least(now)
		if least == now {
			old = max(before+1-t.config.Count, ended)
		} else {
			old = max(w.ring.until(least)-t.config.Count, w.ring.until(least-int64(t.config.Within)))
		}
		switch {
		case old > 0: // that end before any window to come, or have Count later ones in each
		case w.ring.n < t.most():
			t.grow(w, least)
		default:
			t.stats.Dropped++
			if before == 0 {
				return
			}
			old = 1
		}
	}
	w.ring.drop(old)
	w.ring.insert(now, before-old)
}

// most returns how many events of a key are kept at most.
func (t *Threshold) most() int {
	if t.clock == nil {
		return t.config.Count
	}
	return min(t.config.Count+MaxLate, t.config.MaxTimes)
}

// least returns a time before which no event is to come, where one came at now.
func (t *Threshold) least(now int64) int64 {
	if t.clock == nil {
		return now
	}
	return min(now, t.clock.Least())
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
	least := t.least(now)
	t.sweep(least, 2)
	if t.keys.Len() >= t.config.MaxKeys {
		w = t.evict(least)
		*w = window{ring: ring{times: w.ring.times}}
	} else {
		w = new(window)
	}
	w.key = k.Clone()
	t.keys.Put(w.key, w)
	t.link(w)
	t.stats.Times += len(w.ring.times)
	return w
}

// grow makes room for one more event in w's ring, which is full.
func (t *Threshold) grow(w *window, least int64) {
	most := t.config.Count
	if w.ring.n >= most {
		most = t.most()
	}
	size := min(max(4, 2*w.ring.n), most)
	more := size - w.ring.n
	for t.stats.Times+more > t.config.MaxTimes && t.stale != w {
		t.evict(least)
	}
	t.stats.Times += more
	w.ring.resize(size)
}

// evict forgets the key that was touched least recently and returns its window.
func (t *Threshold) evict(least int64) *window {
	w := t.stale
	if !t.over(w, least) {
		t.stats.Evicted++
	}
	t.forget(w)
	return w
}

// over reports whether no event is to come that has one of w's in its window.
func (t *Threshold) over(w *window, least int64) bool {
	return least-w.ring.newest() >= int64(t.config.Within)
}

func (t *Threshold) forget(w *window) {
	t.unlink(w)
	t.keys.Delete(w.key)
	t.stats.Times -= len(w.ring.times)
}

// sweep forgets up to most keys whose events are over, and says whether there may
// be more.
func (t *Threshold) sweep(least int64, most int) (more bool) {
	for range most {
		if t.stale == nil || !t.over(t.stale, least) {
			return false
		}
		t.forget(t.stale)
	}
	return true
}

// Expire forgets up to most keys that have no event in a window at now or later, nor
// of one who is behind, and says whether there may be more. It frees memory and
// changes nothing else.
func (t *Threshold) Expire(now int64, most int) (more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sweep(t.least(now), most)
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

// Clone returns a threshold of its own that has counted the same, for those whose
// clock c is; see [Threshold.Follow].
func (t *Threshold) Clone(c Clock) *Threshold {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := &Threshold{config: t.config, clock: c, stats: t.stats}
	o.stats.Keys, o.stats.Times = 0, 0
	for w := t.stale; w != nil; w = w.newer {
		own := &window{key: w.key.Clone(), fired: w.fired}
		own.ring = ring{times: slices.Clone(w.ring.times), head: w.ring.head, n: w.ring.n}
		o.keys.Put(own.key, own)
		o.link(own)
		o.stats.Times += len(own.ring.times)
	}
	return o
}
