package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress shows how far a replay is, on one line of a terminal that it rewrites.
type progress struct {
	w     io.Writer
	now   func() time.Time
	begun time.Time
	due   time.Time // of the next change of the line
	shown bool
}

// A short replay shows nothing; a longer one changes the line a few times a second.
const (
	progressAfter = 500 * time.Millisecond
	progressEvery = 200 * time.Millisecond
)

// newProgress returns what shows progress on the terminal w; nil where w is none,
// where the records go to a terminal too, and where the user wants quiet.
func newProgress(w, records io.Writer, quiet bool) *progress {
	if quiet || os.Getenv("TERM") == "dumb" || !isTerminal(w) || isTerminal(records) {
		return nil
	}
	return startProgress(w, time.Now)
}

func startProgress(w io.Writer, now func() time.Time) *progress {
	begun := now()
	return &progress{w: w, now: now, begun: begun, due: begun.Add(progressAfter)}
}

// tell rewrites the line if it is time to.
func (p *progress) tell(src frameSource, packets uint64) {
	if p == nil {
		return
	}
	now := p.now()
	if now.Before(p.due) {
		return
	}
	p.due = now.Add(progressEvery)
	p.shown = true
	took := now.Sub(p.begun)
	line := fmt.Sprintf("%d packets, %s a second", packets, shortFloat(float64(packets)/took.Seconds()))
	if read, size := src.progress(); size > 0 && read > 0 {
		done := min(float64(read)/float64(size), 1)
		left := time.Duration(float64(took) * (1 - done) / done)
		line = fmt.Sprintf("%3.0f%%  %s, %s left", 100*done, line, left.Round(time.Second))
	}
	// A terminal that fails loses a line that nobody needs.
	_, _ = fmt.Fprintf(p.w, "\r%s\x1b[K", line)
}

// clear takes the line away.
func (p *progress) clear() {
	if p != nil && p.shown {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
	}
}
