package threshold

import (
	"fmt"
	"math/rand"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/store"
)

func mustNew(t testing.TB, c Config) *Threshold {
	t.Helper()
	th, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return th
}

// feed sends events of one key at the given seconds and returns when it fired.
func feed(th *Threshold, key string, seconds ...int) (fired []int) {
	for _, s := range seconds {
		if fire, _ := th.Event(store.StringKey(key), int64(s)*int64(time.Second)); fire {
			fired = append(fired, s)
		}
	}
	return fired
}

func TestFire(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		count  int
		fire   Fire
		events []int
		want   []int
	}{
		{"each: the third and every later one", 3, Each, []int{0, 1, 2, 3, 4}, []int{2, 3, 4}},
		{"each: too slow", 3, Each, []int{0, 5, 10, 15}, nil},
		{"each: just inside", 3, Each, []int{1, 5, 10}, []int{10}},
		{"each: an event leaves after exactly the window", 3, Each, []int{0, 5, 10}, nil},
		{"each: after a pause", 2, Each, []int{0, 1, 30, 31}, []int{1, 31}},
		{"each: one is enough", 1, Each, []int{0, 100, 101}, []int{0, 100, 101}},
		{"each: at one instant", 3, Each, []int{7, 7, 7, 7}, []int{7, 7}},
		{"once: while the window stays full", 3, Once, []int{0, 3, 6, 9, 12, 15}, []int{6}},
		{"once: filled anew by each event", 3, Once, []int{0, 4, 8, 12, 16}, []int{8, 12, 16}},
		{"once: after a pause", 2, Once, []int{0, 1, 2, 30, 31, 32}, []int{1, 31}},
		{"once: one, prolonged by each", 1, Once, []int{0, 5, 14, 23, 33}, []int{0, 33}},
		{"late: at its own time, far from the others", 3, Each, []int{100, 50, 101, 51, 102}, []int{102}},
		{"late: it fills its window", 3, Each, []int{20, 21, 40, 22}, []int{22}},
		{"late: and those after it", 3, Each, []int{20, 12, 13, 21, 22}, []int{21, 22}},
		{"late: behind more than Count", 3, Each, []int{1, 2, 30, 31, 32, 33, 3}, []int{32, 33, 3}},
		{"late: one alone", 1, Each, []int{100, 50, 99}, []int{100, 50, 99}},
		{"late: the crowd has been told of", 2, Once, []int{10, 12, 11}, []int{12}},
		{"late: it arms nothing", 2, Once, []int{100, 101, 50, 102}, []int{101}},
		{"late: it tells of the crowd", 3, Once, []int{10, 11, 30, 12, 31, 32}, []int{12, 32}},
	}
	for _, row := range rows {
		th := mustNew(t, Config{Count: row.count, Within: 10 * time.Second, Fire: row.fire})
		if strings.HasPrefix(row.name, "late:") {
			th.Follow(new(shards))
		}
		got := feed(th, "a", row.events...)
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
		st := th.Stats()
		if int(st.Fired) != len(row.want) || int(st.Events) != len(row.events) || st.Keys != 1 {
			t.Errorf("%s: %+v", row.name, st)
		}
	}
}

// naive keeps all events and looks at all of them.
type naive struct {
	c      Config
	events map[store.Key][]int64
	fired  map[store.Key]bool
}

func (m *naive) event(k store.Key, now int64) (bool, int) {
	within := 0
	for _, at := range m.events[k] {
		if now-at < int64(m.c.Within) {
			within++
		}
	}
	if within < m.c.Count {
		m.fired[k] = false
	}
	m.events[k] = append(m.events[k], now)
	if within+1 < m.c.Count {
		return false, within + 1
	}
	fire := m.c.Fire == Each || !m.fired[k]
	m.fired[k] = true
	return fire, m.c.Count
}

func TestAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range int64(200) {
		rng := rand.New(rand.NewSource(seed))
		c := Config{Count: 1 + rng.Intn(12), Within: time.Duration(1 + rng.Intn(40)), Fire: Fire(rng.Intn(2))}
		th := mustNew(t, c)
		m := &naive{c: c, events: map[store.Key][]int64{}, fired: map[store.Key]bool{}}
		now := int64(0)
		for i := range 600 {
			now += int64(rng.Intn(6)) * int64(rng.Intn(4))
			k := store.NumberKey(float64(rng.Intn(6)))
			if rng.Intn(20) == 0 {
				th.Expire(now, 3)
			}
			fire, held := th.Event(k, now)
			wantFire, wantHeld := m.event(k, now)
			if fire != wantFire || held != wantHeld {
				t.Fatalf("seed %d, event %d of %v at %d: %v %d, want %v %d", seed, i, k, now, fire, held, wantFire, wantHeld)
			}
			checkLists(t, th)
		}
	}
}

// shards are the times of shards that are driven apart.
type shards []int64

// Least implements Clock.
func (s *shards) Least() int64 {
	if len(*s) == 0 {
		return 0
	}
	return slices.Min(*s)
}

// runLate counts the same events by a threshold and by looking at all of them: where
// the shards are is up to next, which moves one of them and returns the key. Nothing may
// fire without Count events in its window, nor twice in a crowd, nor fail to. It returns
// how many events fired, and were late.
func runLate(t *testing.T, c Config, at *shards, events int, next func() (shard int, key float64)) (fired, late int) {
	t.Helper()
	th := mustNew(t, c)
	th.Follow(at)
	all, armed := map[float64][]int64{}, map[float64]bool{}
	for i := range events {
		shard, key := next()
		now := (*at)[shard]
		before, isLate := 0, false
		for _, ts := range all[key] {
			if ts <= now && now-ts < int64(c.Within) {
				before++
			}
			isLate = isLate || ts > now
		}
		armed[key] = armed[key] || len(all[key]) == 0 || !isLate && before < c.Count
		all[key] = append(all[key], now)
		fire, held := th.Event(store.NumberKey(key), now)
		want := min(before+1, c.Count)
		switch {
		case held != want:
			t.Fatalf("%v, event %d, key %v at %d, late %t: held %d, want %d", c, i, key, now, isLate, held, want)
		case fire && (held < c.Count || c.Fire == Once && !armed[key]):
			t.Fatalf("%v, event %d, key %v at %d: fired with %d, armed %t", c, i, key, now, held, armed[key])
		case !fire && held == c.Count && (c.Fire == Each || armed[key]):
			t.Fatalf("%v, event %d, key %v at %d: did not fire with %d", c, i, key, now, held)
		}
		if fire {
			armed[key] = false
			fired++
		}
		if isLate {
			late++
		}
		if i%16 == 0 {
			th.Expire(now, 3)
			checkLists(t, th)
		}
	}
	return fired, late
}

func TestShardsApart(t *testing.T) {
	t.Parallel()
	allFired, allLate := 0, 0
	for seed := range int64(200) {
		rng := rand.New(rand.NewSource(seed))
		c := Config{Count: 1 + rng.Intn(12), Within: time.Duration(1 + rng.Intn(40)), Fire: Fire(rng.Intn(2))}
		at := make(shards, 1+rng.Intn(4))
		fired, late := runLate(t, c, &at, 600, func() (int, float64) {
			s := rng.Intn(len(at))
			if at[s] < at.Least()+100 {
				at[s] += int64(rng.Intn(6) * rng.Intn(4))
			}
			return s, float64(rng.Intn(6))
		})
		if len(at) == 1 && late != 0 {
			t.Errorf("seed %d: one shard, and %d late", seed, late)
		}
		allFired, allLate = allFired+fired, allLate+late
	}
	if allFired < 1000 || allLate < 1000 {
		t.Errorf("%d fired, %d late: too little happened", allFired, allLate)
	}
}

// FuzzShardsApart has two bytes an event: which shard moves, how far, and the key.
func FuzzShardsApart(f *testing.F) {
	f.Add(uint8(3), uint8(10), false, []byte{0x01, 0, 0x11, 0, 0x01, 0, 0x11, 0, 0xf1, 0, 0x02, 0, 0x02, 0})
	f.Add(uint8(1), uint8(1), true, []byte{0, 0, 0x10, 1, 0x20, 2})
	f.Add(uint8(5), uint8(200), true, []byte("0123456789abcdefghijklmnopqrstuvwxyz"))
	f.Fuzz(func(t *testing.T, count, within uint8, once bool, data []byte) {
		c := Config{Count: 1 + int(count), Within: 1 + time.Duration(within), Fire: Each}
		if once {
			c.Fire = Once
		}
		data = data[:min(len(data), 2000)]
		at := make(shards, 3)
		runLate(t, c, &at, len(data)/2, func() (int, float64) {
			b, key := data[0], data[1]
			data = data[2:]
			at[b%3] += int64(b >> 2)
			return int(b % 3), float64(key % 4)
		})
	})
}

// Of those that lie after a shard that is behind, only so many are kept: beyond them it
// misses some, and is told of none that was not there.
func TestTooManyForTheLastShard(t *testing.T) {
	t.Parallel()
	const count = 5
	th := mustNew(t, Config{Count: count, Within: time.Second, Fire: Each})
	th.Follow(new(shards))
	k := store.NumberKey(1)
	for i := range int64(count + MaxLate) {
		th.Event(k, 1000+i)
	}
	for _, tt := range []struct {
		now     int64
		held    int
		dropped uint64
	}{
		{1003, 5, 1},           // the oldest has to go for it
		{1002, 3, 2},           // 1001 and 1002 are left
		{999, 1, 3},            // older than all, and not kept
		{999, 1, 4},            // so again
		{2000 + MaxLate, 5, 5}, // and the latest is as it was
	} {
		fire, held := th.Event(k, tt.now)
		if st := th.Stats(); held != tt.held || fire != (held == count) || st.Dropped != tt.dropped || st.Times != count+MaxLate {
			t.Errorf("at %d: fire %v, held %d, %+v", tt.now, fire, held, st)
		}
	}
	checkLists(t, th)
}

// A key is forgotten when the last shard has passed its window, and a ring takes no
// more room than what shards may still ask for.
func TestMemoryFollowsTheLastShard(t *testing.T) {
	t.Parallel()
	at := shards{0, 0}
	th := mustNew(t, Config{Count: 1000, Within: 10 * time.Second})
	th.Follow(&at)
	feed(th, "a", 1, 2)
	at[0] = int64(time.Minute)
	feed(th, "b", 60)
	if th.Expire(int64(time.Hour), 10); th.Stats().Keys != 2 {
		t.Error("a key was forgotten that the shard behind may count")
	}
	at[1] = int64(11 * time.Second)
	if th.Expire(int64(time.Hour), 10); th.Stats().Keys != 2 {
		t.Error("a key was forgotten a second too early")
	}
	at[1] = int64(12 * time.Second)
	if th.Expire(int64(time.Hour), 10); th.Stats().Keys != 1 {
		t.Error("a key stays that is over for all")
	}
	for i := 61; i < 1000; i++ {
		at[0], at[1] = int64(i)*1e9, int64(i-10)*1e9
		feed(th, "b", i)
	}
	if st := th.Stats(); st.Times > 32 {
		t.Errorf("%+v for some 20 events that may count", st)
	}
}

// checkLists recomputes what the threshold keeps count of.
func checkLists(t *testing.T, th *Threshold) {
	t.Helper()
	n, times := 0, 0
	var newer *window
	for w := th.fresh; w != nil; newer, w = w, w.older {
		n++
		times += len(w.ring.times)
		inIndex, _ := th.keys.Get(w.key)
		if inIndex != w || w.newer != newer {
			t.Fatalf("the list and the index differ at %v", w.key)
		}
	}
	if th.stale != newer || n != th.keys.Len() || times != th.stats.Times {
		t.Fatalf("%d in the list, %d in the index, times %d, counted %d", n, th.keys.Len(), times, th.stats.Times)
	}
}

func TestKeysAreBounded(t *testing.T) {
	t.Parallel()
	th := mustNew(t, Config{Count: 2, Within: time.Hour, MaxKeys: 100})
	for i := range 1000 {
		feed(th, fmt.Sprint("k", i), i)
	}
	checkLists(t, th)
	if st := th.Stats(); st.Keys != 100 || st.Evicted != 900 {
		t.Errorf("%+v, want 100 keys and 900 evicted", st)
	}
	if fired := feed(th, "k999", 1000); len(fired) != 1 {
		t.Error("the freshest key was forgotten")
	}
	if fired := feed(th, "k0", 1000); fired != nil {
		t.Error("a forgotten key still counts")
	}
	if th.Reset(); th.Stats().Keys != 0 || len(feed(th, "k999", 1000)) != 0 {
		t.Error("Reset left keys")
	}
}

func TestTimesAreBounded(t *testing.T) {
	t.Parallel()
	th := mustNew(t, Config{Count: 1000, Within: time.Hour, MaxTimes: 5000})
	for i := range 100 {
		k := store.NumberKey(float64(i))
		for j := range 1000 {
			fire, _ := th.Event(k, int64(1000*i+j))
			if fire != (j == 999) {
				t.Fatalf("key %d, event %d: fire %v", i, j, fire)
			}
		}
		if st := th.Stats(); st.Times > 5000 {
			t.Fatalf("%d times", st.Times)
		}
		checkLists(t, th)
	}
	if st := th.Stats(); st.Evicted < 90 {
		t.Errorf("%+v", st)
	}
}

func TestSilentKeysAreNotEvicted(t *testing.T) {
	t.Parallel()
	th := mustNew(t, Config{Count: 5, Within: 10 * time.Second, MaxKeys: 50})
	for i := range 500 {
		feed(th, fmt.Sprint("k", i), i)
	}
	if st := th.Stats(); st.Evicted != 0 || st.Keys > 11 {
		t.Errorf("%+v: keys whose window is empty should go by themselves", st)
	}
	for th.Expire(int64(time.Hour), 4) {
	}
	if st := th.Stats(); st.Keys != 0 || st.Times != 0 {
		t.Errorf("%+v after all have expired", st)
	}
}

// A key that makes room for another's ring is missed only if its window was not
// empty anyway.
func TestEvictedCountsWhatWasLost(t *testing.T) {
	t.Parallel()
	for lastOfB, want := range map[int]uint64{9: 1, 12: 0} {
		th := mustNew(t, Config{Count: 8, Within: 10 * time.Second, MaxTimes: 8})
		feed(th, "a", 0)
		feed(th, "b", 5, 6, 7, 8, lastOfB)
		if st := th.Stats(); st.Evicted != want || st.Keys != 1 || st.Times != 8 {
			t.Errorf("b grows at %d s: %+v, want %d evicted", lastOfB, st, want)
		}
		checkLists(t, th)
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	rows := []struct {
		c    Config
		want string
	}{
		{Config{Count: 0, Within: 1}, "threshold: count = 0 is not in 1 to 10000"},
		{Config{Count: 10_001, Within: 1}, "threshold: count = 10001 is not in 1 to 10000"},
		{Config{Count: 1}, "threshold: within = 0s is not positive"},
		{Config{Count: 1, Within: 1, Fire: 7}, "threshold: unknown way to fire 7"},
		{Config{Count: 1, Within: 1, MaxKeys: -1}, "threshold: max keys = -1 is not positive"},
		{Config{Count: 9, Within: 1, MaxTimes: 8}, "threshold: max times = 8 is below count = 9"},
	}
	for _, row := range rows {
		if _, err := New(row.c); err == nil || err.Error() != row.want {
			t.Errorf("%v, want %s", err, row.want)
		}
	}
	for _, f := range []Fire{Once, Each} {
		if got, err := ParseFire(f.String()); err != nil || got != f {
			t.Errorf("ParseFire(%v) = %v, %v", f, got, err)
		}
	}
	if _, err := ParseFire("twice"); err == nil {
		t.Error("ParseFire takes anything")
	}
}

func TestManyGoroutines(t *testing.T) {
	t.Parallel()
	const shards, events = 4, 3000
	th := mustNew(t, Config{Count: 10, Within: time.Hour, Fire: Each, MaxKeys: 64})
	var wg sync.WaitGroup
	for s := range shards {
		wg.Go(func() {
			for i := range events {
				th.Event(store.NumberKey(float64(i%50)), 1) // at one instant: none is late
				if i%100 == s {
					th.Expire(1, 10)
					th.Stats()
				}
			}
		})
	}
	wg.Wait()
	checkLists(t, th)
	if st := th.Stats(); st.Events != shards*events || st.Fired != shards*events-50*9 {
		t.Errorf("%+v, want %d events, %d fired", st, shards*events, shards*events-50*9)
	}
}

func TestNoAllocations(t *testing.T) {
	th := mustNew(t, Config{Count: 100, Within: time.Second, MaxKeys: 10})
	k, now := store.StringKey("10.0.0.1"), int64(0)
	for range 200 {
		th.Event(k, now)
	}
	if n := testing.AllocsPerRun(1000, func() { now += 1e6; th.Event(k, now) }); n != 0 {
		t.Errorf("an event of a known key allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() { now += 1e6; th.Event(k, now-20e6) }); n != 0 {
		t.Errorf("a late event allocates %v times", n)
	}
	i := 0.0 // a flood of new keys reuses what it evicts
	flood := func() { i++; th.Event(store.NumberKey(i), now) }
	for range 100 {
		flood()
	}
	if n := testing.AllocsPerRun(1000, flood); n != 0 {
		t.Errorf("an event that evicts a key allocates %v times", n)
	}
}

func TestMemoryOfManyKeys(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	th := mustNew(t, Config{Count: 20, Within: time.Hour})
	for i := range 200_000 {
		th.Event(store.NumberKey(float64(i)), int64(i))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d keys take %d bytes each", th.Stats().Keys, used/DefaultMaxKeys)
	if used > 64<<20 {
		t.Errorf("%d MiB for %d keys", used>>20, th.Stats().Keys)
	}
	runtime.KeepAlive(th)
}

// BenchmarkLate has every second event come from a shard that is behind by ten others
// of the key, or by more than are kept.
func BenchmarkLate(b *testing.B) {
	for _, behind := range []int64{10, 100} {
		b.Run(fmt.Sprint(behind), func(b *testing.B) {
			th := mustNew(b, Config{Count: 20, Within: time.Second})
			th.Follow(new(shards))
			b.ReportAllocs()
			for i := int64(0); b.Loop(); i++ {
				th.Event(store.NumberKey(1), 1e9+(i-i%2*2*behind)*1e4)
			}
		})
	}
}

func BenchmarkEvent(b *testing.B) {
	for _, keys := range []int{1, 50_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			th := mustNew(b, Config{Count: 20, Within: time.Second})
			addrs := make([]netip.Addr, keys)
			for i := range addrs {
				addrs[i] = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				th.Event(store.AddrKey(addrs[i%keys]), int64(i)*1e4)
				i++
			}
		})
	}
}
