package reload

import (
	"context"
	"time"

	"github.com/hookd/hookd/engine"
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
		out := r.Apply(c)
		if out.Err != nil {
			w.Again()
		}
		r.mu.Lock()
		r.last = out
		r.mu.Unlock()
	})
	cancel()
	<-done
	return err
}

// Reload has Run make live now what the files hold, and returns what became of
// it. The error is that of ctx, which ended before.
func (r *Reloader) Reload(ctx context.Context, w *watch.Watcher) (Outcome, error) {
	if err := w.Look(ctx); err != nil {
		return Outcome{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last, nil
}

// Restore makes a set live that was live in an earlier run, in the place of files
// that were refused: what was said of those stays true.
func (r *Reloader) Restore(sources []engine.Source) Outcome {
	r.turn.Lock()
	before := r.Status()
	out, gen := r.apply(watch.Change{Sources: sources})
	if out.Published {
		r.note(func(st *Status) { st.LastError, st.Stale = before.LastError, true })
	}
	r.turn.Unlock()
	r.published(gen)
	return out
}
