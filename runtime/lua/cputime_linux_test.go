package lua

import (
	"runtime"
	"syscall"
	"time"
)

// cpuTime returns what f costs, whatever else the machine does meanwhile.
func cpuTime(f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const thread = 1 // RUSAGE_THREAD of getrusage(2)
	var before, after syscall.Rusage
	if syscall.Getrusage(thread, &before) != nil {
		return 0
	}
	f()
	if syscall.Getrusage(thread, &after) != nil {
		return 0
	}
	spent := func(r syscall.Rusage) int64 { return r.Utime.Nano() + r.Stime.Nano() }
	return time.Duration(spent(after) - spent(before))
}
