package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
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

// happened reports whether the work is to end.
func (i *interrupt) happened() bool { return i.ctx.Err() != nil }
