package store

import (
	"iter"

	"github.com/hookd/hookd/engine/record"
)

// Item is an entry as a walk meets it.
type Item struct {
	Key   Key
	Value record.Value // of a map; a counter's number; true in a set
	Until int64        // event time from which on it is absent; 0: it does not expire
}

// Cursor walks over a store in the order of insertion. It holds no lock, may be
// dropped at any time, and meets every entry that is there from Walk until its
// turn, once; what is added after Walk it does not meet.
type Cursor struct {
	s         *Store
	seq, last uint64
}

// Walk returns a cursor before the first entry.
func (s *Store) Walk() Cursor {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return Cursor{s: s, last: s.seq}
}

// Next returns the next entry that is alive; ok is false at the end.
func (c *Cursor) Next() (item Item, ok bool) {
	s := c.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := s.clock.Now()
	for i := s.order.after(c.seq); i < len(s.order.slots); i++ {
		e := s.order.slots[i].e
		if e == nil || e.until != never && e.until <= now {
			continue
		}
		if e.seq > c.last {
			break
		}
		c.seq = e.seq
		item = Item{Key: e.key, Value: s.value(e)}
		if e.until != never {
			item.Until = e.until
		}
		return item, true
	}
	return Item{}, false
}

// All iterates over the store in the order of insertion. The loop's body may do
// with the store what it likes.
func (s *Store) All() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		c := s.Walk()
		for item, ok := c.Next(); ok; item, ok = c.Next() {
			if !yield(item) {
				return
			}
		}
	}
}
