//go:build !linux

package cputime

import "time"

// Of returns the time that passes in f: that of its thread is known on Linux
// only.
func Of(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}
