//go:build !linux

package lua

import "time"

// cpuTime returns how long f takes.
func cpuTime(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}
