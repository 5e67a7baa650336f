// Package cputime measures what a function costs the processor, whatever else
// the machine does meanwhile. It is for tests and benchmarks.
//
// Its functions may be called from any goroutine; they keep it on its thread
// meanwhile.
package cputime
