package pattern

import (
	"strconv"
	"strings"
	"testing"
)

func TestCacheKeepsWhatWasUsedLast(t *testing.T) {
	t.Parallel()
	c := NewCache(3)
	a, b := c.Get("a"), c.Get("b")
	c.Get("c")
	if c.Get("a") != a {
		t.Error("a was compiled again")
	}
	c.Get("d") // b is the one used longest ago
	if c.Get("a") != a {
		t.Error("a had to go before b")
	}
	if c.Get("b") == b {
		t.Error("b is still there")
	}
	if c.Len() != 3 || c.Evicted() != 2 {
		t.Errorf("Len %d, Evicted %d; want 3, 2", c.Len(), c.Evicted())
	}
}

func TestCacheTellsIteratedPatternsApart(t *testing.T) {
	t.Parallel()
	c := NewCache(0)
	if !c.Get("^a").Anchored() || c.GetIterated("^a").Anchored() || !c.Get("^a").Anchored() {
		t.Error("^a of find and ^a of gmatch are mixed up")
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := NewCache(0)
	for i := range 10_000 {
		c.Get("x" + strconv.Itoa(i%700))
		c.Get(strings.Repeat("a", MaxCached+1+i%3))
	}
	if c.Len() != DefaultCacheSize {
		t.Errorf("%d patterns kept, want %d", c.Len(), DefaultCacheSize)
	}
	n := 0
	for e := c.head; e != nil; e = e.next {
		n++
	}
	if n != c.Len() {
		t.Errorf("%d entries in the list, %d in the map", n, c.Len())
	}
}

func TestCacheHitAllocatesNothing(t *testing.T) {
	c := NewCache(0)
	pats := []string{"%d+", "%a+", "^GET"}
	allocs := testing.AllocsPerRun(100, func() {
		for _, p := range pats {
			c.Get(p)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
