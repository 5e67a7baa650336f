package reload

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/statedir"
	"github.com/hookd/hookd/engine/watch"
)

// Engine is what generations are published to: an [engine.Engine].
type Engine interface {
	Stage(sources []engine.Source) (*engine.Staged, diag.List)
	// Refuse tells the live generation why another was not taken.
	Refuse(diags diag.List)
	Stats() engine.Stats
}

// Config says how scripts become live.
type Config struct {
	Engine Engine
	// Verify looks at staged sources before they are published, such as by running
	// the specs of the changed scripts, which are given by their paths; errors in
	// its list refuse them. Nil: nothing is verified.
	Verify func(sources []engine.Source, changed []string) diag.List
	// State is where the last set that was live is kept; nil: it is not.
	State *statedir.Dir
	// MaxErrors, if not 0, takes a generation back whose scripts raise more errors
	// than that within Probation of its publication.
	MaxErrors uint64
	// Probation is a minute where it is 0.
	Probation time.Duration
	// Published is called, outside of any lock, after each publication.
	Published func(*engine.Generation)
	// Log receives what a person should know; nil discards it.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// MaxHistory is how many sets are kept for [Reloader.Rollback].
const MaxHistory = 10

// ErrNothingBefore is returned by Rollback where no other set was live before.
var ErrNothingBefore = errors.New("no generation before this one is kept")

// Outcome is what became of a change.
type Outcome struct {
	// Generation is what is live now; Hash that of its sources.
	Generation uint64 `json:"generation"`
	Hash       string `json:"hash"`
	// Published says whether it became live by this change.
	Published bool `json:"published"`
	// Changed are the scripts that were staged anew.
	Changed []string `json:"changed,omitempty"`
	// Duration is how long it took from the change until it was live, or refused.
	Duration time.Duration `json:"duration"`
	// Handover is what the generation took over from the one before; nil where none was
	// published.
	Handover *engine.Handover `json:"handover,omitempty"`
	// Diags are what was found in the scripts.
	Diags diag.List `json:"diagnostics,omitempty"`
	// Err says why it was not published; nil where it was or needed not be.
	Err error `json:"-"`
}

// Status is how reloading fares.
type Status struct {
	Generation uint64
	Hash       string
	Since      time.Time // the live generation was published
	Failures   uint64    // refused changes
	LastError  string    // of the last refused change; empty after one that was taken
	// Stale says that the files hold something else than what is live.
	Stale bool
	// Rollbacks counts generations taken back, by a person or for their errors.
	Rollbacks uint64
	History   int // sets that Rollback can go back
	// Changed are the scripts that the live generation was staged anew for, Duration
	// how long it took until it was live, Handover what it took over.
	Changed  []string
	Duration time.Duration
	Handover engine.Handover
}

// Reloader makes changes live.
type Reloader struct {
	cfg Config

	turn    sync.Mutex // one reload at a time; guards what follows
	history []set      // oldest first
	live    int        // index in history, -1 before the first
	errors  uint64     // of the engine at publication
	until   time.Time  // the end of the probation; zero for none

	mu     sync.Mutex // guards what follows: who asks for it does not wait for a reload
	status Status
	last   Outcome // of the last change that Run applied
}

// set is what one generation was made of.
type set struct {
	sources []engine.Source
	hash    string
}

// New returns a reloader with nothing live.
func New(cfg Config) *Reloader {
	if cfg.Probation == 0 {
		cfg.Probation = time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Reloader{cfg: cfg, live: -1}
}

// Status returns how reloading fares.
func (r *Reloader) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// note changes the status. The caller has the turn.
func (r *Reloader) note(change func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
	r.status.History = max(r.live, 0)
}

// Apply makes a change live. What cannot be read, does not load or is not
// verified is refused: what was live goes on.
func (r *Reloader) Apply(c watch.Change) Outcome {
	r.turn.Lock()
	out, gen := r.apply(c)
	r.turn.Unlock()
	r.published(gen)
	return out
}

func (r *Reloader) apply(c watch.Change) (Outcome, *engine.Generation) {
	begun := r.cfg.Now()
	if c.Err != nil {
		return r.refuse(begun, diag.List{{Msg: c.Err.Error()}}, c.Err), nil
	}
	out, gen := r.publish(begun, c.Sources)
	if out.Published {
		r.history = append(r.history[:r.live+1], set{c.Sources, gen.Hash})
		if len(r.history) > MaxHistory {
			r.history = append(r.history[:0], r.history[1:]...)
		}
		r.live = len(r.history) - 1
		r.note(func(*Status) {})
		r.keep()
	}
	return out, gen
}

// publish stages, verifies and publishes sources.
func (r *Reloader) publish(begun time.Time, sources []engine.Source) (Outcome, *engine.Generation) {
	staged, diags := r.cfg.Engine.Stage(sources)
	if staged == nil {
		return r.refuse(begun, diags, errors.New("scripts do not load")), nil
	}
	if r.cfg.Verify != nil {
		list := r.cfg.Verify(sources, staged.Generation().Changed)
		diags = append(diags, list...)
		if list.HasErrors() {
			staged.Discard()
			return r.refuse(begun, diags, errors.New("scripts fail their specs")), nil
		}
	}
	gen, err := staged.Publish()
	if err != nil {
		return r.refuse(begun, append(diags, &diag.Diagnostic{Msg: err.Error()}), err), nil
	}
	now := r.cfg.Now()
	r.note(func(st *Status) {
		st.Generation, st.Hash, st.Since = gen.Number, gen.Hash, now
		st.LastError, st.Stale = "", false
		st.Changed, st.Duration, st.Handover = gen.Changed, now.Sub(begun), gen.Handover
	})
	r.errors, r.until = r.cfg.Engine.Stats().Errors, time.Time{}
	if r.cfg.MaxErrors > 0 {
		r.until = now.Add(r.cfg.Probation)
	}
	return Outcome{
		Generation: gen.Number, Hash: gen.Hash, Published: true,
		Changed: gen.Changed, Duration: now.Sub(begun), Handover: &gen.Handover, Diags: diags,
	}, gen
}

// refuse notes that a change was not taken, and tells the live generation.
func (r *Reloader) refuse(begun time.Time, diags diag.List, err error) Outcome {
	why := err.Error()
	for _, d := range diags {
		if d.Severity == diag.Error {
			why = d.Error()
			break
		}
	}
	r.note(func(st *Status) {
		st.Failures++
		st.LastError, st.Stale = why, true
	})
	r.cfg.Engine.Refuse(diags)
	if live := r.status.Generation; live == 0 {
		r.cfg.Log.Error("scripts are not taken, and nothing is live", "err", why)
	} else {
		r.cfg.Log.Error("scripts are not taken, the generation that is live goes on", "generation", live, "err", why)
	}
	return Outcome{
		Generation: r.status.Generation, Hash: r.status.Hash,
		Duration: r.cfg.Now().Sub(begun), Diags: diags, Err: err,
	}
}

func (r *Reloader) published(gen *engine.Generation) {
	if gen != nil && r.cfg.Published != nil {
		r.cfg.Published(gen)
	}
}

// Rollback makes the set live that was live before; the files are left alone, and
// so is it until they change. The error is ErrNothingBefore, or what refused it.
func (r *Reloader) Rollback() (Outcome, error) {
	r.turn.Lock()
	out, gen := r.rollback()
	r.turn.Unlock()
	r.published(gen)
	return out, out.Err
}

func (r *Reloader) rollback() (Outcome, *engine.Generation) {
	if r.live < 1 {
		return Outcome{Generation: r.status.Generation, Hash: r.status.Hash, Err: ErrNothingBefore}, nil
	}
	out, gen := r.publish(r.cfg.Now(), r.history[r.live-1].sources)
	if !out.Published {
		return out, nil
	}
	r.live--
	r.note(func(st *Status) {
		st.Rollbacks++
		st.Stale = true
	})
	r.until = time.Time{} // it was live before
	r.keep()
	r.cfg.Log.Warn("rolled back", "generation", out.Generation, "hash", out.Hash)
	return out, gen
}

// Check takes the live generation back if it is on probation and its scripts
// raised too many errors. It is to be called a few times a second.
func (r *Reloader) Check() {
	r.turn.Lock()
	gen := r.check()
	r.turn.Unlock()
	r.published(gen)
}

func (r *Reloader) check() *engine.Generation {
	if r.until.IsZero() {
		return nil
	}
	if r.cfg.Now().After(r.until) {
		r.until = time.Time{}
		return nil
	}
	n := r.cfg.Engine.Stats().Errors - r.errors
	if n <= r.cfg.MaxErrors || r.live < 1 {
		return nil
	}
	bad := r.status.Generation
	out, gen := r.rollback()
	if !out.Published {
		return nil
	}
	why := fmt.Sprintf("generation %d raised %d errors and was taken back", bad, n)
	r.note(func(st *Status) {
		st.Failures++
		st.LastError = why
	})
	r.cfg.Engine.Refuse(diag.List{{Msg: why}})
	return gen
}
