package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/stacks/sip/edge"
)

// sipListeners keeps up what scripts declare by sip.listen.
type sipListeners struct{ group *edge.Group }

// Prepare implements [engine.Fixtures].
func (l sipListeners) Prepare(list []engine.Fixture) (engine.FixtureChange, []error) {
	wanted := make([]edge.Listen, len(list))
	for i := range list {
		wanted[i] = edge.Listen{Name: list[i].Name, Options: list[i].Options, Dir: filepath.Dir(list[i].Script)}
	}
	change, errs := l.group.Prepare(wanted)
	if change == nil {
		return nil, errs
	}
	return change, errs
}

// runSIP serves SIP until the daemon's work is done, and returns what waits for the
// end of that.
func (d *daemon) runSIP(ctx context.Context, failed func()) (drain func() error) {
	done := make(chan error, 1)
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		err := d.sips.Run(inner)
		if err != nil {
			failed()
		}
		done <- err
	}()
	return func() error {
		defer cancel()
		d.sips.Drain(d.options.drain)
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
}
