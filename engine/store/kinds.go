package store

import (
	"math"
	"time"

	"github.com/hookd/hookd/engine/record"
)

// Add puts k into a set, for ttl: 0 means the store's own, Forever no end. A
// key that is there already gets the new time to live and keeps its place in
// the order. added says whether it was new. The error is an *Error.
func (s *Store) Add(k Key, ttl time.Duration) (added bool, err error) {
	if err := s.check(Set, "add", k, ttl); err != nil {
		return false, err
	}
	k = s.exact(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.touch(k); e != nil {
		s.due.set(e, deadline(s.clock.Now(), s.life(ttl)))
		return false, nil
	}
	_, err = s.insert(k, ttl, 0)
	return err == nil, err
}

// ValueLimits returns the limits of one value of a map, for record.BuildFrozen:
// 8 levels, 64 KiB.
func (s *Store) ValueLimits() *record.Limits { return s.limits }

// Put stores v under k in a map, for ttl as in Add; nil removes k. What is
// stored is frozen: a table is copied, unless it is frozen already (see
// record.BuildFrozen), and reads as read-only. A key that is there keeps its
// place in the order.
func (s *Store) Put(k Key, v record.Value, ttl time.Duration) error {
	if err := s.check(Map, "put", k, ttl); err != nil {
		return err
	}
	if v.IsNil() {
		s.Remove(k)
		return nil
	}
	v, err := record.Frozen(s.inner, s.limits, v)
	if err != nil {
		s.refused.Add(1)
		return err
	}
	k = s.exact(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.place(k, ttl, valueSize(v))
	if err == nil {
		e.val = v
	}
	return err
}

// place returns the entry of k, new or not, charged for a value of size bytes.
func (s *Store) place(k Key, ttl time.Duration, size int) (*entry, error) {
	e := s.touch(k)
	if e == nil {
		return s.insert(k, ttl, size)
	}
	grow := size - valueSize(e.val)
	if grow > 0 {
		if err := s.room(0, grow); err != nil {
			return nil, err
		}
		if now, _ := s.index.Get(k); now != e { // it was itself what had to go
			return s.insert(k, ttl, size)
		}
	}
	e.bytes += int32(grow)
	s.stats.Bytes += grow
	s.due.set(e, deadline(s.clock.Now(), s.life(ttl)))
	return e, nil
}

func valueSize(v record.Value) int {
	if t, ok := v.AsTable(); ok {
		return t.Size()
	}
	s, _ := v.AsString()
	return len(s)
}

// Get returns what a map has under k, nil if nothing. In a store of prefixes an
// address finds what the longest prefix that contains it has. A table is
// read-only.
func (s *Store) Get(k Key) record.Value {
	if s.count.Load() == 0 {
		return record.Value{}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.find(k); e != nil {
		return s.value(e)
	}
	return record.Value{}
}

// value is what an entry holds, as scripts see it.
func (s *Store) value(e *entry) record.Value {
	switch s.kind {
	case Map:
		return e.val
	case Counter:
		return record.Number(e.num)
	}
	return record.Bool(true)
}

// Incr adds n to the counter of k, from 0, and returns the sum. The time to
// live, as in Add, runs from the first increment; later ones do not move it.
func (s *Store) Incr(k Key, n float64, ttl time.Duration) (float64, error) {
	if err := s.check(Counter, "incr", k, ttl); err != nil {
		return 0, err
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, s.refuse(BadNumber, "cannot add %v", n)
	}
	k = s.exact(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.touch(k)
	if e == nil {
		var err error
		if e, err = s.insert(k, ttl, 0); err != nil {
			return 0, err
		}
	}
	e.num += n
	return e.num, nil
}

// Count returns the counter of k, 0 if there is none. In a store of prefixes an
// address reads the longest prefix that contains it.
func (s *Store) Count(k Key) float64 {
	n, _ := s.Get(k).AsNumber()
	return n
}

// Reset takes the counter of k out and returns what it was.
func (s *Store) Reset(k Key) (float64, error) {
	if err := s.check(Counter, "reset", k, 0); err != nil {
		return 0, err
	}
	k = s.exact(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.touch(k)
	if e == nil {
		return 0, nil
	}
	s.drop(e)
	s.stats.Removed++
	return e.num, nil
}
