package main

import (
	"syscall"
	"time"
	"unsafe"
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

// clockThreadCPU is CLOCK_THREAD_CPUTIME_ID of linux/time.h.
const clockThreadCPU = 3

// threadCPU returns the processor time of the calling thread in nanoseconds.
func threadCPU() int64 {
	var ts syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPU, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0
	}
	return ts.Nano()
}
