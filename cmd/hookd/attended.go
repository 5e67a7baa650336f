package main

import (
	"errors"
	"io"

	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/feed"
)

// attended are captures that somebody waits for: a signal ends them in order, a terminal shows how far they
// are, and what came of them is written out before they have to wait for a program that is writing.
type attended struct {
	*merged
	stop    *interrupt
	bar     *progress
	push    func() error
	packets uint64
}

// attend opens captures; logs and records are where the command writes to, push writes out what it has for records.
func attend(paths []string, filter string, stop *interrupt, stdin io.Reader, logs, records io.Writer, push func() error) (*attended, error) {
	keep, err := newPacketFilter(filter)
	if err != nil {
		return nil, err
	}
	src, err := openMerged(stop.ctx, paths, stdin)
	if err != nil {
		return nil, fail(exitIO, err)
	}
	src.filter = keep
	return &attended{merged: src, stop: stop, bar: newProgress(logs, records, false), push: push}, nil
}

// Next gives the next packet that the filter selects, and errInterrupted after a signal.
func (a *attended) Next(f *capture.Frame) error {
	if a.packets%feed.EntryFrames == 0 {
		a.bar.tell(a.merged, a.packets)
	}
	err := feed.ErrIdle
	for errors.Is(err, feed.ErrIdle) {
		if a.waits() {
			if err := a.push(); err != nil {
				return err
			}
		}
		switch err = a.merged.Next(f); {
		case a.stop.happened():
			err = errInterrupted
		case errors.Is(err, feed.ErrIdle): // some that are not selected
			a.bar.tell(a.merged, a.packets)
		}
	}
	if err != nil {
		a.bar.clear()
		return err
	}
	a.packets++
	return nil
}

// failed is what the command ends with where reading ended with err.
func (a *attended) failed(err error) error {
	if errors.Is(err, errInterrupted) {
		return interruptedAfter(a.packets)
	}
	return fail(exitIO, err)
}
