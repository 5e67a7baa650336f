package store

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/record"
)

func addrs(n int) []netip.Addr {
	list := make([]netip.Addr, n)
	for i := range list {
		list[i] = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	return list
}

func filledSet(tb testing.TB, n int, ttl time.Duration) (*Store, []netip.Addr) {
	s, _ := mustStore(tb, Config{Name: "x", Key: KeyIP, TTL: ttl, Max: MostMax})
	list := addrs(n)
	for _, a := range list {
		if _, err := s.Add(AddrKey(a), 0); err != nil {
			tb.Fatal(err)
		}
	}
	return s, list
}

func TestNoAllocations(t *testing.T) {
	set, list := filledSet(t, 1000, time.Minute)
	routes, _ := mustStore(t, Config{Name: "r", Key: KeyCIDR})
	for _, p := range []string{"10.0.0.0/8", "10.0.1.0/24", "2001:db8::/32"} {
		if _, err := routes.Add(cidr(p), 0); err != nil {
			t.Fatal(err)
		}
	}
	counter, _ := mustStore(t, Config{Name: "c", Kind: Counter, Key: KeyString})
	m, _ := mustStore(t, Config{Name: "m", Kind: Map, Key: KeyEndpoint})
	text := strings.Repeat("k", 40)
	end := netip.MustParseAddrPort("10.0.0.1:5060")
	if _, err := counter.Incr(StringKey(text), 1, 0); err != nil {
		t.Fatal(err)
	}
	if err := m.Put(EndpointKey(end), record.Number(1), 0); err != nil {
		t.Fatal(err)
	}
	v6 := netip.MustParseAddr("2001:db8::1")
	rows := map[string]func() bool{
		"has address":     func() bool { return set.Has(AddrKey(list[77])) },
		"has not address": func() bool { return !set.Has(AddrKey(v6)) },
		"has by prefix":   func() bool { return routes.Has(AddrKey(list[77])) && routes.Has(AddrKey(v6)) },
		"get endpoint":    func() bool { return !m.Get(EndpointKey(end)).IsNil() },
		"refresh":         func() bool { _, err := set.Add(AddrKey(list[78]), 0); return err == nil },
		"incr":            func() bool { _, err := counter.Incr(StringKey(text), 1, 0); return err == nil },
		"count":           func() bool { return counter.Count(StringKey(text)) > 0 },
		"put number":      func() bool { return m.Put(EndpointKey(end), record.Number(2), 0) == nil },
		"walk": func() bool {
			c := set.Walk()
			_, ok := c.Next()
			return ok
		},
	}
	for name, f := range rows {
		ok := true
		if n := testing.AllocsPerRun(100, func() { ok = f() && ok }); n != 0 || !ok {
			t.Errorf("%s: %v allocations, right: %v", name, n, ok)
		}
	}
}

// What MaxBytes counts is close to what the heap has.
func TestBytesAreHonest(t *testing.T) {
	const n = 50_000
	for _, typ := range []KeyType{KeyIP, KeyCIDR, KeyString, KeyEndpoint} {
		before := heap()
		s, _ := mustStore(t, Config{Name: "x", Kind: Map, Key: typ, TTL: time.Hour})
		for i, a := range addrs(n) {
			k := AddrKey(a)
			switch typ {
			case KeyString:
				k = StringKey(fmt.Sprint("call-id-", i, "@example.net"))
			case KeyEndpoint:
				k = EndpointKey(netip.AddrPortFrom(a, 5060))
			}
			if err := s.Put(k, record.Number(1), 0); err != nil {
				t.Fatal(err)
			}
		}
		counted := s.Stats().Bytes
		ratio := float64(heap()-before) / float64(counted)
		t.Logf("%v: %d bytes an entry, %.2f of what is counted", typ, int64(ratio*float64(counted))/n, ratio)
		if ratio > 1.5 || ratio < 0.5 {
			t.Errorf("%v: the heap has %.2f bytes for each counted one", typ, ratio)
		}
		runtime.KeepAlive(s)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkHas(b *testing.B) {
	for _, n := range []int{0, 100, 100_000} {
		for _, ttl := range []time.Duration{0, time.Hour} {
			s, list := filledSet(b, n, ttl)
			if n == 0 {
				list = addrs(100)
			}
			b.Run(fmt.Sprintf("%d/ttl=%v", n, ttl), func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if i++; i == len(list) {
						i = 0
					}
					s.Has(AddrKey(list[i]))
				}
			})
		}
	}
}

func BenchmarkHasParallel(b *testing.B) {
	s, list := filledSet(b, 100, time.Hour)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			s.Has(AddrKey(list[i%100]))
		}
	})
}

func BenchmarkHasByPrefix(b *testing.B) {
	s, _ := mustStore(b, Config{Name: "x", Key: KeyCIDR})
	list := addrs(50_000)
	for i, a := range list {
		if _, err := s.Add(PrefixKey(netip.PrefixFrom(a, 12+i%20)), 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; i == len(list) {
			i = 0
		}
		s.Has(AddrKey(list[i]))
	}
}

func BenchmarkRefresh(b *testing.B) {
	s, list := filledSet(b, 1000, time.Hour)
	i := 0
	for b.Loop() {
		i++
		_, _ = s.Add(AddrKey(list[i%1000]), 0)
	}
}

func BenchmarkIncr(b *testing.B) {
	s, _ := mustStore(b, Config{Name: "x", Kind: Counter, Key: KeyString})
	for b.Loop() {
		_, _ = s.Incr(StringKey("invites"), 1, 0)
	}
}

// Keys that come and expire, in a full store.
func BenchmarkAddAndExpire(b *testing.B) {
	s, clock := mustStore(b, Config{Name: "x", Key: KeyIP, TTL: 50_000})
	list := addrs(200_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		clock.add(1)
		_, _ = s.Add(AddrKey(list[i%len(list)]), 0)
		if i%64 == 0 {
			s.Expire(128)
		}
	}
}

func BenchmarkWalk(b *testing.B) {
	s, _ := filledSet(b, 10_000, 0)
	for b.Loop() {
		for range s.All() {
		}
	}
}
