package store

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"

	"github.com/hookd/hookd/engine/record"
)

// Clock tells event time in nanoseconds. It never goes back and may be asked
// from any goroutine.
type Clock interface {
	Now() int64
}

// Stats counts what happened to a store since it was made.
type Stats struct {
	Entries int    // now
	Bytes   int    // now, as MaxBytes counts
	Added   uint64 // keys that were new
	Removed uint64 // by Remove, Reset and Clear
	Expired uint64
	Evicted uint64
	Refused uint64 // operations that returned an error
}

// Store is one named table. Get one from a Staging or a Registry.
//
// It has one lock for readers and writers. Uncontended that costs what a mutex
// does; sixteen locks chosen by the key's hash were measured to cost 1.7 times
// as much, because the key is hashed twice, and keep no common order.
type Store struct {
	name   string
	kind   Kind
	keys   KeyType
	clock  Clock
	inner  string         // what messages call a value of a map
	limits *record.Limits // of a value of a map

	refused atomic.Uint64
	filled  atomic.Bool  // a file holds the content
	count   atomic.Int64 // len(index), for readers that take no lock

	mu     sync.RWMutex // guards all that follows
	config Config
	index  KeyMap[*entry]
	routes *bart.Table[*entry] // the same entries by prefix; nil unless keys are prefixes
	order  order
	due    deadlines
	seq    uint64
	stats  Stats
}

func newStore(c Config, clock Clock) *Store {
	s := &Store{name: c.Name, kind: c.Kind, keys: c.Key, clock: clock, config: c}
	s.inner = fmt.Sprintf("a value of store %q", c.Name)
	limits := record.StateLimits()
	s.limits = &limits
	s.filled.Store(c.File != "")
	s.empty()
	return s
}

func (s *Store) empty() {
	s.index = KeyMap[*entry]{}
	s.order, s.due = order{}, deadlines{}
	s.stats.Bytes = 0
	s.count.Store(0)
	if s.keys == KeyCIDR {
		s.routes = new(bart.Table[*entry])
	}
}

// Name returns the store's name.
func (s *Store) Name() string { return s.name }

// Kind returns what the store is.
func (s *Store) Kind() Kind { return s.kind }

// KeyType returns the type of the store's keys.
func (s *Store) KeyType() KeyType { return s.keys }

// Config returns the declaration that holds now, with its defaults filled in.
func (s *Store) Config() Config {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.config
}

// Key makes a key of a scalar that a script gave; a string is parsed where the
// key type asks for it. The error is an *Error.
func (s *Store) Key(v record.Value) (Key, error) {
	k, err := s.keys.fromScalar(v)
	if err != nil {
		return Key{}, s.refuse(BadKey, "%w", err)
	}
	return k, nil
}

// Has says whether k is there. In a store of prefixes an address is there if
// any prefix contains it, a prefix only if it was added itself.
func (s *Store) Has(k Key) bool {
	if s.count.Load() == 0 {
		return false
	}
	s.mu.RLock()
	e := s.find(k)
	s.mu.RUnlock()
	return e != nil
}

// find returns what k finds, alive. The lock is held.
func (s *Store) find(k Key) *entry {
	if s.routes != nil && k.form == formAddr {
		return s.route(k)
	}
	e, ok := s.index.Get(k)
	if !ok || s.gone(e) {
		return nil
	}
	return e
}

// gone says whether e has expired. A store without deadlines does not even look
// at the entry, which for a large one is a cache miss.
func (s *Store) gone(e *entry) bool {
	return len(s.due.at) > 0 && e.until != never && e.until <= s.clock.Now()
}

// route finds the longest prefix that is alive.
func (s *Store) route(k Key) *entry {
	a := k.Addr()
	e, ok := s.routes.Lookup(a)
	if !ok {
		return nil
	}
	if !s.gone(e) {
		return e
	}
	for _, e := range s.routes.Supernets(netip.PrefixFrom(a, a.BitLen())) {
		if !s.gone(e) {
			return e
		}
	}
	return nil
}

// exact turns an address into its prefix where prefixes are kept: what is
// written is this very key.
func (s *Store) exact(k Key) Key {
	if s.keys == KeyCIDR && k.form == formAddr {
		return k.host()
	}
	return k
}

// Remove takes k out and says whether it was there.
func (s *Store) Remove(k Key) bool {
	if s.Writable() != nil {
		return false
	}
	k = s.exact(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.index.Get(k)
	if !ok {
		return false
	}
	if s.gone(e) {
		s.expire(e)
		return false
	}
	s.drop(e)
	s.stats.Removed++
	return true
}

// Clear takes everything out and returns how many entries that were.
func (s *Store) Clear() int {
	if s.Writable() != nil {
		return 0
	}
	s.sweepAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.index.Len()
	s.stats.Removed += uint64(n)
	s.empty()
	return n
}

// Size returns the number of entries that are alive.
func (s *Store) Size() int {
	s.sweepAll()
	return int(s.count.Load())
}

// Stats returns the counters.
func (s *Store) Stats() Stats {
	s.sweepAll()
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := s.stats
	st.Entries = s.index.Len()
	st.Refused = s.refused.Load()
	return st
}

// touch returns the entry of k as a write needs it: alive, or nil. The lock is
// held for writing.
func (s *Store) touch(k Key) *entry {
	e, ok := s.index.Get(k)
	if ok && s.gone(e) {
		s.expire(e)
		return nil
	}
	return e
}

// insert adds an entry for a key that is not there. extra is what its value
// takes; the key's bytes are counted here.
func (s *Store) insert(k Key, ttl time.Duration, extra int) (*entry, error) {
	bytes := entryBytes + len(k.text) + extra
	if err := s.room(1, bytes); err != nil {
		return nil, err
	}
	s.seq++
	e := &entry{key: k.Clone(), seq: s.seq, heap: -1, bytes: int32(bytes), until: never}
	s.index.Put(e.key, e)
	if s.routes != nil {
		s.routes.Insert(k.Prefix(), e)
	}
	s.order.add(e)
	s.due.set(e, deadline(s.clock.Now(), s.life(ttl)))
	s.count.Add(1)
	s.stats.Bytes += bytes
	s.stats.Added++
	return e, nil
}

// life is the time to live that a write with ttl means.
func (s *Store) life(ttl time.Duration) time.Duration {
	switch {
	case ttl != 0:
		return ttl
	case s.config.TTL == 0:
		return Forever
	}
	return s.config.TTL
}

// room makes place for entries (0 or 1) and bytes, or says that there is none.
func (s *Store) room(entries, bytes int) error {
	c := &s.config
	crowded := func() bool { return entries > 0 && s.index.Len() >= c.Max }
	if bytes > c.MaxBytes {
		return s.refuse(TooLarge, "one entry of %d bytes is more than the whole store may have: %s",
			bytes, record.Bytes(c.MaxBytes))
	}
	for crowded() || s.stats.Bytes+bytes > c.MaxBytes {
		if s.sweep(1) {
			continue
		}
		switch {
		case c.Evict == Oldest && s.index.Len() > 0:
			s.drop(s.order.first())
			s.stats.Evicted++
		case crowded():
			return s.refuse(Full, "%d entries", c.Max)
		default:
			return s.refuse(Full, "%s", record.Bytes(c.MaxBytes))
		}
	}
	return nil
}

// drop takes an entry out of everything.
func (s *Store) drop(e *entry) {
	s.index.Delete(e.key)
	if s.routes != nil {
		s.routes.Delete(e.key.Prefix())
	}
	s.order.remove(e)
	s.due.drop(e)
	s.count.Add(-1)
	s.stats.Bytes -= int(e.bytes)
}

func (s *Store) expire(e *entry) {
	s.drop(e)
	s.stats.Expired++
}

// sweep does up to most pieces of expiry and says whether more may be due. The
// lock is held for writing.
func (s *Store) sweep(most int) (more bool) {
	now := s.clock.Now()
	for range most {
		e, due := s.due.look(now)
		if !due {
			return false
		}
		if e != nil {
			s.expire(e)
		}
	}
	return true
}

// sweepChunk is how much expiry is done without letting others in.
const sweepChunk = 512

// Expire takes out entries whose time has come, in up to most steps, and says
// whether more may be due. Nobody need call it to see right results: an entry
// added at t with a time to live of d is absent from t+d on. It keeps memory
// and counters close to the truth.
func (s *Store) Expire(most int) (more bool) {
	for most > 0 {
		s.mu.Lock()
		more = s.sweep(min(most, sweepChunk))
		s.mu.Unlock()
		if !more {
			return false
		}
		most -= sweepChunk
	}
	return true
}

// sweepAll expires all that is due now.
func (s *Store) sweepAll() {
	for {
		s.mu.RLock()
		idle := len(s.due.at) == 0 || s.due.at[0].time > s.clock.Now()
		s.mu.RUnlock()
		if idle || !s.Expire(sweepChunk) {
			return
		}
	}
}

// refuse counts and makes an error.
func (s *Store) refuse(why Reason, format string, args ...any) error {
	s.refused.Add(1)
	return &Error{Store: s.name, Reason: why, Detail: fmt.Errorf(format, args...).Error()}
}

// Writable returns the *Error of a write where a file holds the content, else nil.
func (s *Store) Writable() error {
	if !s.filled.Load() {
		return nil
	}
	return s.refuse(ReadOnly, "it holds what is in %s, and nothing else; put what scripts add into a store of its own", s.Config().File)
}

// check refuses a write to what a file holds, of the wrong kind, with a key of the wrong type, or
// with a negative time to live.
func (s *Store) check(kind Kind, verb string, k Key, ttl time.Duration) error {
	if err := s.Writable(); err != nil {
		return err
	}
	switch {
	case s.kind != kind:
		return s.refuse(WrongKind, "a %s cannot %s", s.kind, verb)
	case !s.keys.admits(k):
		return s.refuse(BadKey, "a key is %s, not %s", keyTypes[s.keys].doc, k.describe())
	case len(k.text) > maxKeyText:
		return s.refuse(BadKey, "a key has at most %d bytes, not %d", maxKeyText, len(k.text))
	case ttl < 0:
		return s.refuse(BadTTL, "ttl = %v is negative", ttl)
	}
	return nil
}
