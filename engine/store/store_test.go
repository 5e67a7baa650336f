package store

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/record"
)

// testClock is event time that a test sets.
type testClock struct{ now atomic.Int64 }

func (c *testClock) Now() int64          { return c.now.Load() }
func (c *testClock) add(d time.Duration) { c.now.Add(int64(d)) }
func ip(s string) Key                    { return AddrKey(netip.MustParseAddr(s)) }
func cidr(s string) Key                  { return PrefixKey(netip.MustParsePrefix(s)) }
func sec(n int) time.Duration            { return time.Duration(n) * time.Second }
func keysOf(s *Store) (keys []string)    { return slices.Collect(keySeq(s)) }
func wantErr(t *testing.T, err error, want Reason) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Reason != want {
		t.Fatalf("error %v, want reason %d", err, want)
	}
}

func keySeq(s *Store) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for item := range s.All() {
			if !yield(item.Key.String()) {
				return
			}
		}
	}
}

func mustStore(t testing.TB, c Config) (*Store, *testClock) {
	t.Helper()
	clock := new(testClock)
	s, err := NewRegistry(clock, 0).Declare(c, "test.lua")
	if err != nil {
		t.Fatal(err)
	}
	return s, clock
}

// checkStore compares the parts of a store with each other.
func checkStore(t *testing.T, s *Store) {
	t.Helper()
	bytes, empty, timed := 0, 0, 0
	for i, sl := range s.order.slots {
		if i > 0 && s.order.slots[i-1].seq >= sl.seq {
			t.Fatal("the order is out of order")
		}
		if sl.e == nil {
			empty++
			continue
		}
		e := sl.e
		bytes += int(e.bytes)
		if want := entryBytes + len(e.key.text) + valueSize(e.val); int(e.bytes) != want {
			t.Fatalf("%v is charged %d, want %d", e.key, e.bytes, want)
		}
		if in, _ := s.index.Get(e.key); in != e {
			t.Fatalf("the index has not %v", e.key)
		}
		if s.routes != nil {
			if in, _ := s.routes.Get(e.key.Prefix()); in != e {
				t.Fatalf("the routes have not %v", e.key)
			}
		}
		if e.until == never {
			if e.heap != -1 {
				t.Fatalf("%v never ends but has a deadline", e.key)
			}
			continue
		}
		timed++
		if d := s.due.at[e.heap]; d.e != e || d.time > e.until {
			t.Fatalf("%v ends at %d, its deadline is %d", e.key, e.until, d.time)
		}
	}
	if len(s.order.slots) > 0 && s.order.slots[0].e == nil {
		t.Fatal("the order begins with an empty place")
	}
	live := len(s.order.slots) - empty
	if live != s.index.Len() || live != int(s.count.Load()) || timed != len(s.due.at) || empty != s.order.empty {
		t.Fatalf("%d in the order, %d in the index, %d counted, %d timed, %d deadlines, %d empty, %d counted empty",
			live, s.index.Len(), s.count.Load(), timed, len(s.due.at), empty, s.order.empty)
	}
	if s.routes != nil && s.routes.Size() != live {
		t.Fatalf("%d routes for %d entries", s.routes.Size(), live)
	}
	if bytes != s.stats.Bytes {
		t.Fatalf("%d bytes, counted %d", bytes, s.stats.Bytes)
	}
	for i := range s.due.at {
		if p := (i - 1) / 4; i > 0 && s.due.at[p].time > s.due.at[i].time {
			t.Fatal("the deadlines are no heap")
		}
	}
}

// mentry and model are the store as its comments tell it, without any index.
type mentry struct {
	key   Key
	val   any
	until int64
}

type model struct {
	c       Config
	clock   *testClock
	entries []mentry
	stats   Stats
}

func (m *model) expire() {
	m.entries = slices.DeleteFunc(m.entries, func(e mentry) bool {
		gone := e.until <= m.clock.Now()
		if gone {
			m.stats.Expired++
		}
		return gone
	})
}

func (m *model) at(k Key) int {
	if m.c.Key == KeyCIDR && k.form == formAddr {
		k = k.host()
	}
	return slices.IndexFunc(m.entries, func(e mentry) bool { return e.key == k })
}

func (m *model) find(k Key) int {
	if m.c.Key != KeyCIDR || k.form != formAddr {
		return m.at(k)
	}
	best := -1
	for i, e := range m.entries {
		if p := e.key.Prefix(); p.Contains(k.Addr()) && (best < 0 || p.Bits() > m.entries[best].key.Prefix().Bits()) {
			best = i
		}
	}
	return best
}

func (m *model) until(ttl time.Duration) int64 {
	if ttl == 0 {
		ttl = m.c.TTL
	}
	if ttl == 0 || ttl == Forever {
		return never
	}
	return m.clock.Now() + int64(ttl)
}

// write is Add, Put and Incr: refresh says that a key that is there gets a new
// time to live.
func (m *model) write(k Key, val func(old any) any, ttl time.Duration, refresh bool) (added, ok bool) {
	m.expire()
	if i := m.at(k); i >= 0 {
		m.entries[i].val = val(m.entries[i].val)
		if refresh {
			m.entries[i].until = m.until(ttl)
		}
		return false, true
	}
	if len(m.entries) >= m.c.Max {
		if m.c.Evict == Refuse {
			m.stats.Refused++
			return false, false
		}
		m.entries = m.entries[1:]
		m.stats.Evicted++
	}
	if m.c.Key == KeyCIDR && k.form == formAddr {
		k = k.host()
	}
	m.entries = append(m.entries, mentry{k, val(nil), m.until(ttl)})
	m.stats.Added++
	return true, true
}

func (m *model) remove(k Key) (any, bool) {
	m.expire()
	i := m.at(k)
	if i < 0 {
		return nil, false
	}
	val := m.entries[i].val
	m.entries = slices.Delete(m.entries, i, i+1)
	m.stats.Removed++
	return val, true
}

func modelKeys(typ KeyType) (keys []Key) {
	for i := range 20 {
		a := netip.AddrFrom4([4]byte{10, byte(i % 3), byte(i % 5), byte(i)})
		switch typ {
		case KeyIP:
			keys = append(keys, AddrKey(a))
		case KeyCIDR:
			keys = append(keys, AddrKey(a), PrefixKey(netip.PrefixFrom(a, 4+i)))
		case KeyEndpoint:
			keys = append(keys, EndpointKey(netip.AddrPortFrom(a, uint16(i%4))))
		case KeyString:
			keys = append(keys, StringKey(fmt.Sprint("k", i)))
		case KeyNumber:
			keys = append(keys, NumberKey(float64(i)/2))
		default:
			keys = append(keys, NumberKey(float64(i)), StringKey(fmt.Sprint(i)), BoolKey(i%2 == 0))
		}
	}
	return keys
}

func TestAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range int64(144) {
		rng := rand.New(rand.NewSource(seed))
		c := Config{
			Name: "m", Kind: Kind(seed % 3), Key: KeyType(seed / 3 % 6), Evict: Evict(rng.Intn(2)),
			Max: []int{5, 12, 1000}[rng.Intn(3)], TTL: []time.Duration{0, 10, 100}[rng.Intn(3)],
		}
		s, clock := mustStore(t, c)
		m := &model{c: s.Config(), clock: clock}
		keys := modelKeys(c.Key)
		for i := range 500 {
			clock.add(time.Duration(rng.Intn(3) * rng.Intn(8)))
			what := fmt.Sprintf("seed %d, step %d", seed, i)
			stepModel(t, what, s, m, keys[rng.Intn(len(keys))], rng)
			checkStore(t, s)
			compareModel(t, what, s, m, keys)
		}
	}
}

func stepModel(t *testing.T, what string, s *Store, m *model, k Key, rng *rand.Rand) {
	t.Helper()
	ttl := []time.Duration{0, 0, 5, 50, Forever}[rng.Intn(5)]
	switch op := rng.Intn(20); {
	case op == 0:
		s.Expire(1 + rng.Intn(3))
	case op == 1 && rng.Intn(10) == 0:
		m.expire()
		if n := s.Clear(); n != len(m.entries) {
			t.Fatalf("%s: cleared %d of %d", what, n, len(m.entries))
		}
		m.stats.Removed += uint64(len(m.entries))
		m.entries = nil
	case op < 6:
		_, had := m.remove(k)
		if got := s.Remove(k); got != had {
			t.Fatalf("%s: remove %v: %v, want %v", what, k, got, had)
		}
	case s.kind == Set:
		added, ok := m.write(k, func(any) any { return true }, ttl, true)
		got, err := s.Add(k, ttl)
		if got != added || (err == nil) != ok {
			t.Fatalf("%s: add %v: %v %v, want %v %v", what, k, got, err, added, ok)
		}
	case s.kind == Map:
		text := fmt.Sprint("v", rng.Intn(100))
		_, ok := m.write(k, func(any) any { return text }, ttl, true)
		if err := s.Put(k, record.String(text), ttl); (err == nil) != ok {
			t.Fatalf("%s: put %v: %v, want %v", what, k, err, ok)
		}
	case op == 6:
		old, _ := m.remove(k)
		want, _ := old.(float64)
		if got, err := s.Reset(k); err != nil || got != want {
			t.Fatalf("%s: reset %v: %v %v, want %v", what, k, got, err, want)
		}
	default:
		var want float64
		_, ok := m.write(k, func(old any) any { n, _ := old.(float64); want = n + 2; return want }, ttl, false)
		if got, err := s.Incr(k, 2, ttl); (err == nil) != ok || got != want {
			t.Fatalf("%s: incr %v: %v %v, want %v %v", what, k, got, err, want, ok)
		}
	}
}

func scalarOf(v record.Value) any {
	if s, ok := v.AsString(); ok {
		return s
	}
	if f, ok := v.AsNumber(); ok {
		return f
	}
	b, _ := v.AsBool()
	return b
}

func compareModel(t *testing.T, what string, s *Store, m *model, keys []Key) {
	t.Helper()
	m.expire()
	for _, k := range keys {
		i := m.find(k)
		if s.Has(k) != (i >= 0) {
			t.Fatalf("%s: has %v: %v", what, k, s.Has(k))
		}
		if i >= 0 && scalarOf(s.Get(k)) != m.entries[i].val {
			t.Fatalf("%s: get %v: %v, want %v", what, k, s.Get(k), m.entries[i].val)
		}
	}
	i := 0
	for item := range s.All() {
		want := m.entries[i]
		if want.until == never {
			want.until = 0
		}
		if got := (mentry{item.Key, scalarOf(item.Value), item.Until}); got != want {
			t.Fatalf("%s: walk meets %v, want %v", what, got, want)
		}
		i++
	}
	st := s.Stats()
	m.stats.Entries, m.stats.Bytes = len(m.entries), st.Bytes
	if diff := cmp.Diff(m.stats, st); diff != "" || i != len(m.entries) || s.Size() != i {
		t.Fatalf("%s: walk met %d of %d: %s", what, i, len(m.entries), diff)
	}
}

func TestExpiryEdges(t *testing.T) {
	t.Parallel()
	s, clock := mustStore(t, Config{Name: "x", Key: KeyIP, TTL: sec(10)})
	k := ip("10.0.0.1")
	add := func(ttl time.Duration, wantAdded bool) {
		t.Helper()
		if added, err := s.Add(k, ttl); err != nil || added != wantAdded {
			t.Fatalf("add: %v %v, want %v", added, err, wantAdded)
		}
	}
	add(0, true)
	clock.add(sec(10) - 1)
	if !s.Has(k) {
		t.Error("gone a nanosecond early")
	}
	clock.add(1)
	if s.Has(k) || s.Remove(k) {
		t.Error("there at t+ttl")
	}
	add(0, true)
	clock.add(sec(9))
	add(sec(2), false) // shortens as well as it prolongs
	clock.add(sec(2))
	if s.Has(k) {
		t.Error("a shorter time to live was not taken")
	}
	add(Forever, true)
	clock.add(1000 * time.Hour)
	if !s.Has(k) {
		t.Error("an entry that never expires did")
	}
	clock.now.Store(math.MaxInt64 - 5)
	add(sec(10), false)
	if !s.Has(k) {
		t.Error("a deadline beyond the end of time has come")
	}
	if st := s.Stats(); st.Expired != 2 || st.Added != 3 || st.Entries != 1 {
		t.Errorf("%+v", st)
	}
	c, clock := mustStore(t, Config{Name: "c", Kind: Counter, Key: KeyIP, TTL: sec(10)})
	for range 3 {
		if _, err := c.Incr(k, 1, 0); err != nil {
			t.Fatal(err)
		}
		clock.add(sec(4))
	}
	if n := c.Count(k); n != 0 {
		t.Errorf("a counter of 12 s ago has %v: its time runs from the first increment", n)
	}
}

// What is stored does not change with the buffer it was cut from.
func TestOwnBytes(t *testing.T) {
	t.Parallel()
	buf := []byte("key and value")
	text := unsafe.String(&buf[0], len(buf))
	m, _ := mustStore(t, Config{Name: "x", Kind: Map, Key: KeyString})
	if err := m.Put(StringKey(text[:3]), record.String(text[8:]), 0); err != nil {
		t.Fatal(err)
	}
	copy(buf, "XXXXXXXXXXXXX")
	if got := m.Get(StringKey("key")); !got.Equal(record.String("value")) || !slices.Equal(keysOf(m), []string{"key"}) {
		t.Errorf("%v has %v", keysOf(m), got)
	}
}

func TestLongestPrefix(t *testing.T) {
	t.Parallel()
	s, clock := mustStore(t, Config{Name: "plan", Kind: Map, Key: KeyCIDR})
	put := func(prefix, val string, ttl time.Duration) {
		t.Helper()
		if err := s.Put(cidr(prefix), record.String(val), ttl); err != nil {
			t.Fatal(err)
		}
	}
	put("0.0.0.0/0", "all", 0)
	put("10.0.0.0/8", "ten", sec(30))
	put("10.1.0.0/16", "ten-one", sec(10))
	put("10.1.2.0/24", "ten-one-two", sec(10))
	put("2001:db8::/32", "doc", 0)
	if err := s.Put(ip("10.1.2.3"), record.String("host"), sec(5)); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		at   int
		addr string
		want string
	}{
		{0, "10.1.2.3", "host"},
		{0, "::ffff:10.1.2.4", "ten-one-two"},
		{0, "10.1.9.9", "ten-one"},
		{0, "11.1.9.9", "all"},
		{0, "2001:db8::1", "doc"},
		{0, "2001:db9::1", ""},
		{5, "10.1.2.3", "ten-one-two"},
		{10, "10.1.2.3", "ten"}, // two longer ones have expired and are not swept yet
		{30, "10.1.2.3", "all"},
	}
	for _, st := range steps {
		clock.now.Store(int64(sec(st.at)))
		got, _ := s.Get(ip(st.addr)).AsString()
		if got != st.want || s.Has(ip(st.addr)) != (st.want != "") {
			t.Errorf("%ds, %s: %q, want %q", st.at, st.addr, got, st.want)
		}
	}
	if s.Has(cidr("10.1.2.0/25")) || !s.Has(cidr("0.0.0.0/0")) {
		t.Error("a prefix is found only if it was added itself")
	}
	checkStore(t, s)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	set, _ := mustStore(t, Config{Name: "set", Key: KeyIP, Max: 2})
	m, _ := mustStore(t, Config{Name: "map", Kind: Map, Key: KeyString, MaxBytes: 4096})
	c, _ := mustStore(t, Config{Name: "cnt", Kind: Counter})
	add := func(s *Store, k Key, ttl time.Duration) error { _, err := s.Add(k, ttl); return err }
	incr := func(s *Store, k Key, n float64) error { _, err := s.Incr(k, n, 0); return err }
	text := record.String(strings.Repeat("v", 1000))
	for _, err := range []error{
		add(set, ip("10.0.0.1"), 0), add(set, ip("10.0.0.2"), 0),
		m.Put(StringKey("a"), text, 0), m.Put(StringKey("b"), text, 0), m.Put(StringKey("c"), text, 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	rows := []struct {
		err    error
		reason Reason
		want   string
	}{
		{add(set, ip("10.0.0.3"), 0), Full, `store "set" is full: 2 entries`},
		{add(set, StringKey("10.0.0.3"), 0), BadKey, `store "set": a key is an address like "10.0.0.1" or "2001:db8::1", not the string "10.0.0.3"`},
		{add(set, Key{}, 0), BadKey, `store "set": a key is an address like "10.0.0.1" or "2001:db8::1", not no key`},
		{add(set, ip("10.0.0.1"), -1), BadTTL, `store "set": ttl = -1ns is negative`},
		{incr(set, ip("10.0.0.1"), 1), WrongKind, `store "set": a set cannot incr`},
		{m.Put(StringKey("d"), text, 0), Full, `store "map" is full: 4 KiB`},
		{m.Put(StringKey("a"), record.String(strings.Repeat("v", 2000)), 0), Full, `store "map" is full: 4 KiB`},
		{
			m.Put(StringKey("d"), record.String(strings.Repeat("v", 5000)), 0), TooLarge,
			`store "map": one entry of 5257 bytes is more than the whole store may have: 4 KiB`,
		},
		{m.Put(StringKey(strings.Repeat("k", 5000)), text, 0), BadKey, `store "map": a key has at most 4096 bytes, not 5000`},
		{add(m, StringKey("a"), 0), WrongKind, `store "map": a map cannot add`},
		{incr(c, NumberKey(1), math.NaN()), BadNumber, `store "cnt": cannot add NaN`},
		{incr(c, NumberKey(1), math.Inf(1)), BadNumber, `store "cnt": cannot add +Inf`},
		{incr(c, ip("10.0.0.1"), 1), BadKey, `store "cnt": a key is a string, number or boolean, not the address 10.0.0.1`},
	}
	for _, row := range rows {
		if row.err == nil || row.err.Error() != row.want {
			t.Errorf("%v, want %s", row.err, row.want)
			continue
		}
		wantErr(t, row.err, row.reason)
	}
	if got := set.Stats().Refused + m.Stats().Refused + c.Stats().Refused; int(got) != len(rows) {
		t.Errorf("refused %d, want %d", got, len(rows))
	}
	if err := m.Put(StringKey("a"), record.String(""), 0); err != nil {
		t.Errorf("a shrinking put: %v", err)
	}
	if err := m.Put(StringKey("b"), record.Value{}, 0); err != nil || m.Has(StringKey("b")) {
		t.Errorf("putting nil removes: %v", err)
	}
	checkStore(t, m)
}

func TestEvictOldest(t *testing.T) {
	t.Parallel()
	s, clock := mustStore(t, Config{Name: "x", Kind: Map, Key: KeyNumber, Max: 3, MaxBytes: 4096, Evict: Oldest})
	put := func(k float64, size int, ttl time.Duration) {
		t.Helper()
		if err := s.Put(NumberKey(k), record.String(strings.Repeat("v", size)), ttl); err != nil {
			t.Fatal(err)
		}
		checkStore(t, s)
	}
	for k := range 3 {
		put(float64(k), 10, 0)
	}
	put(0, 20, 0) // keeps its place, so it is the oldest
	put(3, 10, 0)
	put(4, 10, sec(1))
	if got, want := keysOf(s), []string{"2", "3", "4"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	clock.add(sec(1))
	put(5, 10, 0) // takes the place of what has expired
	if got, want := keysOf(s), []string{"2", "3", "5"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	put(2, 3500, 0) // has to go itself to make room, and comes back as the newest
	if got, want := keysOf(s), []string{"5", "2"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if st := s.Stats(); st.Bytes > 4096 || st.Evicted < 3 || st.Expired != 1 {
		t.Errorf("%+v", st)
	}
}

func TestWalkUnderMutation(t *testing.T) {
	t.Parallel()
	s, clock := mustStore(t, Config{Name: "x", Key: KeyNumber})
	add := func(n int, ttl time.Duration) {
		t.Helper()
		if _, err := s.Add(NumberKey(float64(n)), ttl); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 {
		add(i, sec(1+i%2*9))
	}
	var met []int
	for item := range s.All() {
		f, _ := item.Key.Number()
		n := int(f)
		met = append(met, n)
		s.Remove(item.Key)
		s.Remove(NumberKey(f + 3))
		add(1000+n, 0)
		if n == 500 {
			clock.add(sec(1)) // the even ones are gone
		}
	}
	for i, n := range met {
		if n >= 1000 || i > 0 && met[i-1] >= n || n > 500 && n%2 == 0 {
			t.Fatalf("met %d at turn %d", n, i)
		}
	}
	if len(met) < 250 || len(met) > 500 {
		t.Errorf("met %d", len(met))
	}
	for range s.All() {
		break
	}
	checkStore(t, s)
}

func TestTablesInMaps(t *testing.T) {
	t.Parallel()
	s, _ := mustStore(t, Config{Name: "x", Kind: Map, Key: KeyString})
	limits := record.StateLimits()
	root := record.NewRoot("state", &limits)
	v, err := root.Build(nil, func(b *record.Builder) error { return b.Set(record.String("n"), record.Number(1)) })
	if err == nil {
		err = s.Put(StringKey("k"), v, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	src, _ := v.AsTable()
	if err := src.Set(record.String("n"), record.Number(2)); err != nil {
		t.Fatal(err)
	}
	got, ok := s.Get(StringKey("k")).AsTable()
	if n, _ := got.Get(record.String("n")).AsNumber(); !ok || n != 1 {
		t.Errorf("stored n = %v", n)
	}
	err = got.Set(record.String("n"), record.Number(3))
	if want := `a value of store "x" is read-only`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if st := s.Stats(); st.Bytes != entryBytes+1+got.Size() {
		t.Errorf("%d bytes", st.Bytes)
	}
	frozen, err := record.BuildFrozen("x", s.ValueLimits(), nil, func(b *record.Builder) error { return nil })
	if err == nil {
		err = s.Put(StringKey("f"), frozen, 0)
	}
	if err != nil || !s.Get(StringKey("f")).Equal(frozen) {
		t.Errorf("a frozen table is not shared: %v", err)
	}
	if err := s.Put(StringKey("big"), record.String(strings.Repeat("v", 64<<10+1)), 0); err == nil {
		t.Error("a value above 64 KiB passed")
	}
	if s.Stats().Refused != 1 {
		t.Errorf("refused %d", s.Stats().Refused)
	}
	checkStore(t, s)
}
