package sock

import (
	"net/netip"
	"time"

	"github.com/hookd/hookd/stacks/sock/image"
)

// Step is a moment in the move of a connection, in the order in which they come.
type Step uint8

// The steps of a checkpoint, then those of a restore.
const (
	StepNone         Step = iota
	StepBefore            // nothing is done yet
	StepLocked            // packets are blocked
	StepPaused            // the socket is in repair mode
	StepDumped            // numbers and queues are read
	StepImageWritten      // the image is where it is to go
	StepClosing           // the last moment to go back
	StepClosed            // the socket is gone, silently
	StepResumed           // the socket goes on where it was
	StepRestoreBefore
	StepUnbound // numbers are set
	StepBound   // bound and connected
	StepNoQ     // options are set
	StepQueues  // both queues are filled
	StepRestored
	StepUnlocked
	StepUp // the connection goes on
	StepFailed
)

// String returns the step's word.
func (s Step) String() string {
	return [...]string{
		"none", "before", "locked", "paused", "dumped", "image_written", "closing", "closed", "resumed", "restore_before",
		"unbound", "bound", "noq", "queues", "restored", "unlocked", "up", "failed",
	}[min(s, StepFailed)]
}

// Progress is what an observer is told at a step. It is lent for the call.
type Progress struct {
	Step          Step
	ID            image.ID
	Generation    uint64
	Local, Remote netip.AddrPort
	FD            int
	Image         *image.Image  // from StepDumped on, and in restores
	Data          *Data         // likewise
	Blackout      time.Duration // since packets are blocked
	Held          int           // packets held so far
	Err           error         // of StepFailed
	At            Step          // the step that failed
}

// InBlackout reports whether the peer waits at that step.
func (s Step) InBlackout() bool {
	switch s {
	case StepNone, StepBefore, StepRestoreBefore, StepResumed, StepUp, StepFailed:
		return false
	}
	return true
}
