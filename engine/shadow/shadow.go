// Package shadow tries scripts beside those that are live: both see the same events,
// and what they decide and alert differently is told. The trial changes nothing.
//
// A trial is run by the goroutine that calls Run; what the rules say is compared in
// the shards.
package shadow

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/compare"
	"github.com/hookd/hookd/engine/event"
)

// MaxLines bounds the differences that a report names; all are counted.
const MaxLines = 1000

// MaxTime is the longest trial.
const MaxTime = time.Hour

// lookEvery is how often Run looks whether the scripts that are live still are those
// that it compares with.
const lookEvery = 50 * time.Millisecond

// Report is what a trial showed.
type Report struct {
	// Hash is that of the scripts that were tried, Generation the one they were
	// compared with.
	Hash       string `json:"hash"`
	Generation uint64 `json:"generation"`
	// Changed are the scripts that differ from the live ones.
	Changed []string `json:"changed,omitempty"`
	// Duration is how long they ran beside each other; Ended says why no longer:
	// "time", "reload" where other scripts became live meanwhile, or "canceled".
	Duration time.Duration `json:"duration"`
	Ended    string        `json:"ended"`
	Total    compare.Total `json:"total"`
	// Differences are in words, in the order of each shard; More counts those beyond
	// [MaxLines].
	Differences []string `json:"differences"`
	More        uint64   `json:"more,omitempty"`
	// Errors counts failures of the scripts that were tried; Unseen the events that they
	// were not shown for want of room.
	Errors uint64 `json:"errors,omitempty"`
	Unseen uint64 `json:"unseen,omitempty"`
	// Undone counts what they would have done to what is live, by name; see [Tally].
	Undone map[string]uint64 `json:"undone,omitempty"`
}

// Different reports whether the scripts said anything different.
func (r *Report) Different() bool { return r.Total.Different() || r.Errors > 0 }

// Config says what is compared with what.
type Config struct {
	// Live is the engine that runs, Trial one that inherits it, with its scripts
	// published; see [engine.Engine.Shadow].
	Live, Trial *engine.Engine
	// For is how long, at most [MaxTime].
	For time.Duration
	// Describe puts a connection into words; nil uses its label.
	Describe func(event.Kept) string
}

// side is one shard's comparison.
type side struct {
	both  *compare.Comparison
	shard *event.Shard
	out   strings.Builder
	text  *compare.Text
	lines int
	more  uint64
}

// step compares what was said since the step before.
func (s *side) step() {
	s.both.Step(func(d compare.Difference) {
		if s.lines >= MaxLines {
			s.more++
			return
		}
		s.lines++
		s.text.Write(compare.Place{TS: s.shard.Now(), Live: true}, d)
	})
}

// Run runs the trial and returns what it showed. When ctx ends, so does the trial.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.For <= 0 || cfg.For > MaxTime {
		return nil, fmt.Errorf("shadow: a trial takes more than no time and at most %s, not %s", MaxTime, cfg.For)
	}
	sides := make([]*side, cfg.Live.Shards().Len())
	begun, generation := time.Now(), cfg.Live.Generation()
	end, err := cfg.Live.Shadow(cfg.Trial, func(i int) engine.Beside {
		s := &side{both: compare.New(cfg.Live.Catalogue(), cfg.Describe), shard: cfg.Live.Shard(i)}
		s.text = &compare.Text{W: &s.out}
		sides[i] = s
		return engine.Beside{Live: s.both.Old, Trial: s.both.New, Step: s.step}
	})
	if err != nil {
		return nil, fmt.Errorf("shadow: %w", err)
	}
	why := wait(ctx, cfg, generation)
	r := &Report{Generation: generation, Ended: why, Unseen: end(), Duration: time.Since(begun), Differences: []string{}}
	for _, s := range sides {
		r.add(s)
	}
	return r, nil
}

// wait returns why the trial is over, when it is.
func wait(ctx context.Context, cfg Config, generation uint64) string {
	over := time.NewTimer(cfg.For)
	defer over.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return "canceled"
		case <-over.C:
			return "time"
		case <-look.C:
			if cfg.Live.Generation() != generation {
				return "reload"
			}
		}
	}
}

func (r *Report) add(s *side) {
	r.Total.Add(&s.both.Total)
	r.More += s.more
	r.Errors += s.both.New.Errors
	if s.out.Len() > 0 {
		r.Differences = append(r.Differences, strings.Split(strings.TrimSuffix(s.out.String(), "\n"), "\n")...)
	}
}
