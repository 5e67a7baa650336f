package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// A replay is over soon and mostly keeps little: as long as that is so the collector
// may wait until there is several times as much garbage. What it saves is a pass or
// two over everything that does not change.
const (
	patience     = 400
	patientBelow = 32 << 20
)

// easeCollector makes the collector patient while less than patientBelow is live, unless the
// environment says how it is to be; restore undoes it.
func easeCollector() (restore func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(patience)
	done := make(chan struct{})
	afterPass(func() bool {
		select {
		case <-done:
			return false
		default:
		}
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		if metrics.Read(live); live[0].Value.Kind() != metrics.KindUint64 || live[0].Value.Uint64() < patientBelow {
			return true
		}
		debug.SetGCPercent(before)
		return false
	})
	return func() {
		close(done)
		debug.SetGCPercent(before)
	}
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
