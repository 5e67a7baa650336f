package scripted

import "sync/atomic"

// counts is what a stack counts.
type counts struct {
	moved, restored, failed, overruns, unraised atomic.Uint64
}

// Stats is what became of connections that scripts took.
type Stats struct {
	// Moved and Restored are connections that were taken, to a file or to another process,
	// and put back.
	Moved    uint64 `json:"moved"`
	Restored uint64 `json:"restored"`
	// Failed are those for which it did not work: they go on where they were.
	Failed uint64 `json:"failed"`
	// Overruns are blackouts whose handlers spent their budget; Unraised are hook points
	// that were not raised for that.
	Overruns uint64 `json:"overruns"`
	Unraised uint64 `json:"unraised"`
	// HeldRefused are packets that were dropped because too many were held.
	HeldRefused uint64 `json:"held_refused"`
}

// Stats returns the counters so far. Any goroutine may ask.
func (s *Stack) Stats() Stats {
	return Stats{
		Moved: s.moved.Load(), Restored: s.restored.Load(), Failed: s.counts.failed.Load(),
		Overruns: s.overruns.Load(), Unraised: s.unraised.Load(), HeldRefused: s.mover.HeldRefused(),
	}
}
