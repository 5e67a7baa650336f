package reload

import (
	"context"
	"time"

	"github.com/hookd/hookd/engine/watch"
)

// checkEvery is how often Run looks at the errors of a generation on probation.
const checkEvery = 250 * time.Millisecond

// Run applies the watcher's changes until ctx ends, and takes generations back
// whose scripts fail too often. The error is the watcher's.
func (r *Reloader) Run(ctx context.Context, w *watch.Watcher) error {
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(done)
		tick := time.NewTicker(checkEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				r.Check()
			}
		}
	}()
	err := w.Run(ctx, func(c watch.Change) {
		if r.Apply(c).Err != nil {
			w.Again()
		}
	})
	cancel()
	<-done
	return err
}
