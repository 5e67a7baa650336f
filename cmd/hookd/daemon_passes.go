package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/stacks/flow"
)

// keptPasses is how many of the latest passes status tells of.
const keptPasses = 10

// pass is what came of one pass over the captures. All connections ended with it,
// so that passes with the same rules come to the same.
type pass struct {
	Number      int           `json:"pass"`
	Generation  uint64        `json:"generation"` // at its end
	Packets     uint64        `json:"packets"`
	Connections uint64        `json:"connections"`
	Events      uint64        `json:"events"`
	Alerts      uint64        `json:"alerts"`
	Decisions   uint64        `json:"decisions"`
	Errors      uint64        `json:"errors"`
	Took        time.Duration `json:"took_ns"`
}

// like reports whether both came to the same.
func (p *pass) like(other *pass) bool {
	a, b := *p, *other
	a.Number, a.Generation, a.Took = b.Number, b.Generation, b.Took
	return a == b
}

// passCounts counts by passes.
type passCounts struct {
	mu     sync.Mutex
	n      int
	unlike int    // passes that came to something else than the one before
	last   []pass // the latest, oldest first
	since  time.Time
	told   time.Time // that one was logged
	// What was counted when the pass at hand began.
	flow      flow.Stats
	engine    engine.Stats
	decisions uint64
}

// passed notes what came of the pass that ended, and logs it: the first ones, then
// one a second.
func (d *daemon) passed() {
	fs, es := d.feed.Stats(), d.engine.Stats()
	decisions := d.out.Counts().Decisions
	now := time.Now()
	p := &d.passes
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		p.since = d.begun
	}
	p.n++
	done := pass{
		Number: p.n, Generation: es.Generation,
		Packets: fs.Frames - p.flow.Frames, Connections: fs.Conns - p.flow.Conns,
		Events: es.Events - p.engine.Events, Alerts: es.Alerts - p.engine.Alerts,
		Decisions: decisions - p.decisions, Errors: es.Errors - p.engine.Errors,
		Took: now.Sub(p.since),
	}
	p.since, p.flow, p.engine, p.decisions = now, fs, es, decisions
	if n := len(p.last); n > 0 && !done.like(&p.last[n-1]) {
		p.unlike++
	}
	p.last = append(p.last, done)
	if len(p.last) > keptPasses {
		p.last = append(p.last[:0], p.last[1:]...)
	}
	level := slog.LevelDebug
	if p.n <= keptPasses || now.Sub(p.told) >= time.Second {
		level, p.told = slog.LevelInfo, now
	}
	d.log.Log(context.Background(), level, "pass ended", "pass", done.Number, "generation", done.Generation, "packets", done.Packets,
		"connections", done.Connections, "events", done.Events, "alerts", done.Alerts,
		"decisions", done.Decisions, "errors", done.Errors, "took", done.Took.Round(time.Millisecond))
}

// latest returns how many passes ended, how many of them were unlike the one
// before, and the last of them.
func (p *passCounts) latest() (n, unlike int, last []pass) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n, p.unlike, slices.Clone(p.last)
}
