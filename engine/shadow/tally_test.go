package shadow

import (
	"fmt"
	"sync"
	"testing"
)

// TestTally counts more names than it tells apart, by several goroutines: none is
// lost.
func TestTally(t *testing.T) {
	t.Parallel()
	const names, each = maxTallied + 6, 100
	var tally Tally
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for range each {
				for i := range names {
					tally.Add(fmt.Sprint("effect ", (i+g)%names))
				}
			}
		})
	}
	all.Wait()
	counts, sum := tally.Counts(), uint64(0)
	for name, n := range counts {
		if sum += n; name != Others && n != 4*each {
			t.Errorf("%s: %d, want %d", name, n, 4*each)
		}
	}
	if len(counts) != maxTallied+1 || counts[Others] != 6*4*each || sum != names*4*each {
		t.Errorf("%d names, %d others, %d in all", len(counts), counts[Others], sum)
	}
}
