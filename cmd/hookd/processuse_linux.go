package main

import (
	"syscall"
	"time"
)

// processUse returns what the process used of the processors, and its greatest
// size in memory in bytes.
func processUse() (cpu time.Duration, peak int64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), int64(u.Maxrss) << 10
}
