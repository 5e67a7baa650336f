package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/hookd/hookd/engine/event/hookdev"
)

// exitInterrupted is the exit code where a signal ended the work: what a shell says of SIGINT.
const exitInterrupted = 130

var errInterrupted = errors.New("interrupted")

// interrupt ends work on SIGINT or SIGTERM in its order: what was read is handled to the end. A second
// signal ends the process at once.
type interrupt struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// newInterrupt returns an interrupt that hears nothing before listen.
func newInterrupt(parent context.Context) *interrupt {
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithCancelCause(parent)
	return &interrupt{ctx, cancel}
}

// listen catches signals until stop, which must be called.
func (i *interrupt) listen() (stop func()) {
	heard := make(chan os.Signal, 1)
	over, done := make(chan struct{}), make(chan struct{})
	signal.Notify(heard, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer close(done)
		select {
		case <-heard:
			i.cancel(errInterrupted)
		case <-over:
		}
		signal.Stop(heard)
	}()
	return func() {
		close(over)
		<-done
	}
}

// endedBy says why work ended whose reading ended with err, and what of that is an error.
func endedBy(err error) (hookdev.StopReason, error) {
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return hookdev.StopReasonDone, nil
	case errors.Is(err, errInterrupted):
		return hookdev.StopReasonSignal, err
	}
	return hookdev.StopReasonError, err
}

// interruptedAfter is what a command ends with that a signal ended.
func interruptedAfter(packets uint64) error {
	return fail(exitInterrupted, fmt.Errorf("interrupted after %d packets; what came of them is written", packets))
}

// happened reports whether the work is to end.
func (i *interrupt) happened() bool { return i.ctx.Err() != nil }
