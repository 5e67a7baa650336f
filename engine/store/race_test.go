package store

import (
	"sync"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/record"
)

// Shards write, read and walk while the clock runs and generations come.
func TestSharedByShards(t *testing.T) {
	t.Parallel()
	clock := new(testClock)
	r := NewRegistry(clock, 0)
	configs := []Config{
		{Name: "set", Key: KeyIP, Max: 50, Evict: Oldest, TTL: 100},
		{Name: "cidr", Key: KeyCIDR, Max: 60, TTL: 50},
		{Name: "map", Kind: Map, Key: KeyString, TTL: 70},
		{Name: "counter", Kind: Counter, Key: KeyNumber},
	}
	var stores []*Store
	for _, c := range configs {
		s, err := r.Declare(c, "a.lua")
		if err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
	}
	const shards, rounds = 4, 1500
	var wg sync.WaitGroup
	for shard := range shards {
		wg.Go(func() {
			for i := range rounds {
				clock.add(1)
				for _, s := range stores {
					useStore(t, s, modelKeys(s.KeyType()), 7*shard+i)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range rounds / 50 {
			st := r.Stage()
			st.Forget("a.lua")
			for _, c := range configs {
				c.Max = 30 + i%20
				if _, err := st.Declare(c, "a.lua"); err != nil {
					t.Error(err)
				}
			}
			if err := st.Publish(); err != nil {
				t.Error(err)
			}
			r.Expire(10)
		}
	})
	wg.Wait()
	for _, s := range stores {
		checkStore(t, s)
	}
	var sum float64
	for item := range stores[3].All() {
		n, _ := item.Value.AsNumber()
		sum += n
	}
	if sum != shards*rounds {
		t.Errorf("counted %v, want %d", sum, shards*rounds)
	}
}

func useStore(t *testing.T, s *Store, keys []Key, i int) {
	k := keys[i%len(keys)]
	var err error
	switch s.Kind() {
	case Set:
		_, err = s.Add(k, time.Duration(i%3*40))
	case Map:
		err = s.Put(k, record.Number(float64(i)), 0)
	case Counter:
		_, err = s.Incr(k, 1, 0)
	}
	if err != nil && s.Name() != "cidr" {
		t.Error(err)
	}
	_ = s.Has(keys[(i+1)%len(keys)])
	_ = s.Get(keys[(i+2)%len(keys)])
	switch {
	case i%20 == 0:
		for range s.All() {
		}
	case i%31 == 0 && s.Kind() != Counter:
		s.Remove(k)
	case i%97 == 0 && s.Kind() == Set:
		s.Clear()
	case i%40 == 0:
		_ = s.Stats()
	}
}
