package engine

import (
	"runtime"
	"sort"
)

// SampleEvery is of how many calls of a handler one is measured: reading the
// thread's clock costs more than most handlers.
const SampleEvery = 64

// CPUBounds are the upper bounds of [CPUStats.Buckets] in nanoseconds, but for the
// last, which has none.
var CPUBounds = [...]int64{1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6}

// CPUStats is the processor time of the calls of a handler that were measured:
// the first and each SampleEvery-th after it.
type CPUStats struct {
	Samples uint64
	Nanos   uint64 // of all samples together
	// Buckets counts samples by their time, each up to its bound of CPUBounds and
	// above the one before.
	Buckets [len(CPUBounds) + 1]uint64
}

// add adds what another shard measured.
func (c *CPUStats) add(o *CPUStats) {
	c.Samples += o.Samples
	c.Nanos += o.Nanos
	for i, n := range o.Buckets {
		c.Buckets[i] += n
	}
}

// note counts a sample of so many nanoseconds.
func (c *CPUStats) note(nanos int64) {
	nanos = max(nanos, 0)
	c.Samples++
	c.Nanos += uint64(nanos)
	c.Buckets[sort.Search(len(CPUBounds), func(i int) bool { return nanos <= CPUBounds[i] })]++
}

// sampled reports whether the call of a rule's function that is about to be made is
// one of those that are measured, and counts it.
func (s *shard) sampled(st *ruleState) bool {
	st.Calls++
	return st.Calls%SampleEvery == 1 && s.engine.cfg.ThreadCPU != nil
}

// timed calls a rule's function and measures it.
func (s *shard) timed(r *rule, call *Call) (*Decision, error) {
	var d *Decision
	var err error
	r.state.CPU.note(s.measure(func() { d, err = r.script.instance.Run(r.run, call) }))
	return d, err
}

// measure returns how many nanoseconds of its thread a call takes.
func (s *shard) measure(call func()) int64 {
	runtime.LockOSThread() // both times have to be the same thread's
	defer runtime.UnlockOSThread()
	begun := s.engine.cfg.ThreadCPU()
	call()
	return s.engine.cfg.ThreadCPU() - begun
}
