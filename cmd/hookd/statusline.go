package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// statusLine is the last line of a terminal, which shows how a daemon fares while
// log lines go by above it.
type statusLine struct {
	w    io.Writer
	mu   sync.Mutex
	text string
}

// newStatusLine returns a line on the terminal w; nil where w is none, or the
// records go to a terminal too.
func newStatusLine(w, records io.Writer) *statusLine {
	if os.Getenv("TERM") == "dumb" || !isTerminal(w) || isTerminal(records) {
		return nil
	}
	return &statusLine{w: w}
}

// Write writes whole lines above the status line.
func (l *statusLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text == "" {
		return l.w.Write(p)
	}
	if _, err := fmt.Fprintf(l.w, "\r\x1b[K%s%s", p, l.text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// show rewrites the line; with an empty text it is taken away.
func (l *statusLine) show(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text == text {
		return
	}
	l.text = text
	// A terminal that fails loses a line that nobody needs.
	_, _ = fmt.Fprintf(l.w, "\r\x1b[K%s", text)
}

// showStatus rewrites the status line once a second.
func (d *daemon) showStatus(ctx context.Context) {
	if d.line == nil {
		return
	}
	defer d.line.show("")
	every := time.NewTicker(time.Second)
	defer every.Stop()
	last, at := d.feed.Stats(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-every.C:
			fs, es := d.feed.Stats(), d.engine.Stats()
			text := fmt.Sprintf("gen %d  %.0f packets/s  %d connections  %d alerts", es.Generation,
				float64(fs.Frames-last.Frames)/now.Sub(at).Seconds(), fs.Open, es.Alerts)
			if es.Errors > 0 {
				text += fmt.Sprintf("  %d errors", es.Errors)
			}
			for _, i := range d.interfaces() {
				if i.Drops > 0 {
					text += fmt.Sprintf("  %d dropped at %s", i.Drops, i.Name)
				}
			}
			if d.reloader.Status().Stale {
				text += "  files not live"
			}
			d.line.show(text)
			last, at = fs, now
		}
	}
}
