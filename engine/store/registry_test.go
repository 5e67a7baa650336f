package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// generation declares the same for each script and publishes.
type declaration struct {
	script string
	config Config
}

func publish(t *testing.T, r *Registry, forget []string, decls ...declaration) []*Store {
	t.Helper()
	st := r.Stage()
	for _, script := range forget {
		st.Forget(script)
	}
	var stores []*Store
	for _, d := range decls {
		s, err := st.Declare(d.config, d.script)
		if err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
	}
	if err := st.Publish(); err != nil {
		t.Fatal(err)
	}
	return stores
}

func TestSharedByScripts(t *testing.T) {
	t.Parallel()
	r := NewRegistry(new(testClock), 0)
	base := Config{Name: "blocked", Key: KeyIP, TTL: 10 * time.Minute}
	stores := publish(t, r, nil, declaration{"b.lua", base}, declaration{"a.lua", base}, declaration{"a.lua", base})
	if stores[0] != stores[1] || stores[1] != stores[2] {
		t.Error("equal declarations gave different stores")
	}
	if got := r.Scripts("blocked"); !slices.Equal(got, []string{"a.lua", "b.lua"}) {
		t.Errorf("declared by %v", got)
	}
	explicit := base
	explicit.Max, explicit.MaxBytes = DefaultMax, DefaultMaxBytes
	if _, err := r.Declare(explicit, "c.lua"); err != nil {
		t.Errorf("the defaults, spelt out: %v", err)
	}
	rows := []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Kind = Counter }, "kind = counter here, but a.lua declares it with set"},
		{func(c *Config) { c.Key = KeyCIDR }, "key = cidr here, but a.lua declares it with ip"},
		{func(c *Config) { c.TTL = time.Second }, "ttl = 1s here, but a.lua declares it with 10m0s"},
		{func(c *Config) { c.Max = 5 }, "max = 5 here, but a.lua declares it with 100000"},
		{func(c *Config) { c.MaxBytes = 1 << 20 }, "max_bytes = 1 MiB here, but a.lua declares it with 64 MiB"},
		{func(c *Config) { c.Evict = Oldest }, "evict = oldest here, but a.lua declares it with refuse"},
		{func(c *Config) { c.File, c.TTL = "f", 0 }, "file = f here, but a.lua declares it with "},
		{func(c *Config) { c.Persist = true }, "persist = true here, but a.lua declares it with false"},
	}
	for _, row := range rows {
		c := base
		row.change(&c)
		_, err := r.Declare(c, "z.lua")
		var conflict *ConflictError
		if !errors.As(err, &conflict) || err.Error() != `store "blocked" has `+row.want {
			t.Errorf("%v, want %s", err, row.want)
		}
	}
	if got := r.Stores(); len(got) != 1 || got[0] != stores[0] {
		t.Errorf("stores %v", got)
	}
}

func TestContentSurvivesGenerations(t *testing.T) {
	t.Parallel()
	clock := new(testClock)
	r := NewRegistry(clock, 0)
	c := Config{Name: "x", Kind: Counter, Key: KeyNumber, TTL: sec(10)}
	s := publish(t, r, nil, declaration{"a.lua", c})[0]
	incr := func(k float64) {
		t.Helper()
		if _, err := s.Incr(NumberKey(k), 1, 0); err != nil {
			t.Fatal(err)
		}
	}
	for k := range 5 {
		incr(float64(k))
	}
	changed := c
	changed.TTL, changed.Max, changed.Evict = sec(100), 3, Oldest
	st := r.Stage()
	st.Forget("a.lua")
	if again, err := st.Declare(changed, "a.lua"); err != nil || again != s {
		t.Fatalf("declared again: %v", err)
	}
	if s.Config().Max != DefaultMax || s.Size() != 5 {
		t.Error("a staged declaration took effect")
	}
	st.Discard()
	if err := st.Publish(); err == nil {
		t.Error("a discarded staging was published")
	}
	publish(t, r, []string{"a.lua"}, declaration{"a.lua", changed})
	if s.Config().Max != 3 || s.Size() != 3 || s.Stats().Evicted != 2 {
		t.Errorf("published %+v, %d entries", s.Config(), s.Size())
	}
	incr(9)
	clock.add(sec(10))
	if got := keysOf(s); !slices.Equal(got, []string{"9"}) {
		t.Errorf("after the first time to live: %v", got)
	}
	checkStore(t, s)

	publish(t, r, []string{"a.lua"}) // no script declares it
	if _, ok := r.Lookup("x"); ok || len(r.Stores()) != 0 || r.Scripts("x") != nil {
		t.Error("an undeclared store is live")
	}
	if back := publish(t, r, nil, declaration{"a.lua", changed})[0]; back != s || back.Size() != 1 {
		t.Error("rolling back lost the content")
	}
	publish(t, r, []string{"a.lua"})
	publish(t, r, nil, declaration{"b.lua", Config{Name: "y"}})
	if back := publish(t, r, nil, declaration{"a.lua", changed})[0]; back == s || back.Size() != 0 {
		t.Error("a store came back after two generations without it")
	}
}

func TestKindMayChangeOnlyWhileEmpty(t *testing.T) {
	t.Parallel()
	r := NewRegistry(new(testClock), 0)
	s := publish(t, r, nil, declaration{"a.lua", Config{Name: "x", Key: KeyIP}})[0]
	if _, err := s.Add(ip("10.0.0.1"), 0); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]Config{
		`store "x" has 1 entries with kind = set and cannot become map: clear it first, or take another name`: {Name: "x", Key: KeyIP, Kind: Map},
		`store "x" has 1 entries with key = ip and cannot become cidr: clear it first, or take another name`:  {Name: "x", Key: KeyCIDR},
	} {
		st := r.Stage()
		st.Forget("a.lua")
		if _, err := st.Declare(c, "a.lua"); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	s.Clear()
	next := publish(t, r, []string{"a.lua"}, declaration{"a.lua", Config{Name: "x", Key: KeyCIDR}})[0]
	if live, _ := r.Lookup("x"); live != next || next == s || next.KeyType() != KeyCIDR || next.Kind() != Set || next.Name() != "x" {
		t.Error("an empty store did not change its key type")
	}
}

func TestStagingIsWhole(t *testing.T) {
	t.Parallel()
	r := NewRegistry(new(testClock), 2)
	first, second := r.Stage(), r.Stage()
	s, err := first.Declare(Config{Name: "x"}, "a.lua")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Lookup("x"); ok {
		t.Error("a staged store is live")
	}
	if err := first.Publish(); err != nil {
		t.Fatal(err)
	}
	if live, ok := r.Lookup("x"); !ok || live != s {
		t.Error("a published store is not live")
	}
	if err := second.Publish(); !errors.Is(err, ErrOvertaken) {
		t.Errorf("overtaken: %v", err)
	}
	if _, err := r.Declare(Config{Name: "y"}, "a.lua"); err != nil {
		t.Fatal(err)
	}
	_, err = r.Declare(Config{Name: "z"}, "a.lua")
	if want := `store "z": there are 2 stores already, which is the most`; fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
	// One script may change what only it declares, without Forget it conflicts.
	_, err = r.Declare(Config{Name: "y", Max: 3}, "a.lua")
	if want := `store "y" has max = 3 here, but a.lua declares it with 100000`; fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	r := NewRegistry(new(testClock), 0)
	for want, c := range map[string]Config{
		`a store's name has 1 to 128 bytes, not 0`:      {},
		`a store's name has 1 to 128 bytes, not 129`:    {Name: strings.Repeat("x", 129)},
		`store "x": unknown kind 9`:                     {Name: "x", Kind: 9},
		`store "x": unknown key type 9`:                 {Name: "x", Key: 9},
		`store "x": unknown evict 9`:                    {Name: "x", Evict: 9},
		`store "x": ttl = -1s is negative`:              {Name: "x", TTL: -time.Second},
		`store "x": max = -1 is not in 1 to 10000000`:   {Name: "x", Max: -1},
		`store "x": max_bytes = -1 is not positive`:     {Name: "x", MaxBytes: -1},
		`store "x": max = 10000001 is not in 1 to 1000`: {Name: "x", Max: MostMax + 1},
	} {
		if _, err := r.Declare(c, "a.lua"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestRegistryExpire(t *testing.T) {
	t.Parallel()
	clock := new(testClock)
	r := NewRegistry(clock, 0)
	for i := range 3 {
		s, err := r.Declare(Config{Name: fmt.Sprint("s", i), Key: KeyNumber, TTL: sec(i + 1)}, "a.lua")
		if err != nil {
			t.Fatal(err)
		}
		for k := range 2000 {
			if _, err := s.Add(NumberKey(float64(k)), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	clock.add(sec(2))
	steps := 0
	for more := true; more; steps++ {
		more = r.Expire(600)
	}
	var left []int
	for _, s := range r.Stores() {
		checkStore(t, s)
		left = append(left, s.index.Len())
	}
	if !slices.Equal(left, []int{0, 0, 2000}) || steps != 4 {
		t.Errorf("left %v after %d steps", left, steps)
	}
}
