package engine

import (
	"time"

	"github.com/hookd/hookd/engine/match"
)

// threshold counts a rule's matches per key over a sliding window of event
// time. It is the rule's own and outlives reloads while its declaration stays.
type threshold struct {
	decl  ThresholdDecl
	each  bool
	limit int
	keys  map[match.Key]*window
	// oldest and newest end the list of windows by their last match: where the
	// limit is reached, the one not touched for longest gives way.
	oldest, newest *window
	Evicted        uint64
}

// window holds the times of one key's latest matches.
type window struct {
	key        match.Key
	times      []int64 // ring of at most count times
	next       int     // place of the oldest once the ring is full
	fired      bool    // "once": the count was reached and has not fallen since
	prev, succ *window
}

// adopt returns the threshold that a rule with declaration d goes on with: t
// itself where nothing changed, so that its counts stay.
func (t *threshold) adopt(d *ThresholdDecl, limit int, decides bool) *threshold {
	if d == nil {
		return nil
	}
	each := d.Fire == "each" || d.Fire == "" && decides
	if t != nil && t.each == each && t.decl.Count == d.Count && t.decl.Within == d.Within && equalPath(t.decl.By, d.By) {
		return t
	}
	return &threshold{decl: *d, each: each, limit: limit, keys: map[match.Key]*window{}}
}

func equalPath(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// hit counts a match at time now and reports whether the rule goes on. With
// "each" it does for the count-th match within the window and every further one
// while the window holds count; with "once" only when the count is reached, and
// again after the window held fewer.
func (t *threshold) hit(en *entry, e any, now int64) bool {
	var key match.Key
	if en.by != nil {
		k, ok := en.by.Key(e)
		if !ok {
			return false
		}
		key = k
	}
	w := t.touch(key)
	reached := w.add(now, t.decl.Count, t.decl.Within)
	if t.each {
		return reached
	}
	fire := reached && !w.fired
	w.fired = reached
	return fire
}

// add notes a match and reports whether the latest count of them lie within the
// window that ends now.
func (w *window) add(now int64, count int, within time.Duration) bool {
	if len(w.times) < count {
		w.times = append(w.times, now)
	} else {
		w.times[w.next] = now
		w.next = (w.next + 1) % count
	}
	return len(w.times) == count && now-w.times[w.next] < int64(within)
}

// touch returns the key's window as the newest of the list.
func (t *threshold) touch(key match.Key) *window {
	w := t.keys[key]
	switch {
	case w == nil:
		if len(t.keys) >= t.limit {
			t.Evicted++
			delete(t.keys, t.oldest.key)
			t.unlink(t.oldest)
		}
		w = &window{key: key}
		t.keys[key] = w
	case w == t.newest:
		return w
	default:
		t.unlink(w)
	}
	w.prev, w.succ = t.newest, nil
	if t.newest != nil {
		t.newest.succ = w
	} else {
		t.oldest = w
	}
	t.newest = w
	return w
}

func (t *threshold) unlink(w *window) {
	if w.prev != nil {
		w.prev.succ = w.succ
	} else {
		t.oldest = w.succ
	}
	if w.succ != nil {
		w.succ.prev = w.prev
	} else {
		t.newest = w.prev
	}
}
