package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// A replay is over soon and mostly keeps little: as long as that is so the collector may wait
// until there is some garbage, however little is live. What it saves is a pass or two over
// everything that does not change, and what goroutines do meanwhile to help it.
const (
	// idleGarbage is how much garbage there may be before each pass.
	idleGarbage = 48 << 20
	// leastHeap is the heap that the runtime takes for live before the first pass, at 100 %.
	leastHeap = 4 << 20
)

// easeCollector makes the collector patient while little is live, unless the environment says
// how it is to be; restore undoes it.
func easeCollector() (restore func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(idleGarbage * 100 / leastHeap)
	var mu sync.Mutex // guards over
	over := false
	afterPass(func() bool {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return false
		}
		debug.SetGCPercent(patience(before))
		return true
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		debug.SetGCPercent(before)
	}
}

// patience returns how much garbage there may be by what the last pass found live, in percent of
// that: what comes to idleGarbage, and no less than before.
func patience(before int) int {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	if metrics.Read(live); live[0].Value.Kind() != metrics.KindUint64 {
		return before
	}
	return max(before, int(idleGarbage*100/max(live[0].Value.Uint64(), leastHeap)))
}

// afterPass calls f after each pass of the collector, on the goroutine of finalizers,
// until it returns false.
func afterPass(f func() bool) {
	type pass struct{ _ *int }
	runtime.SetFinalizer(&pass{new(int)}, func(*pass) {
		if f() {
			afterPass(f)
		}
	})
}
