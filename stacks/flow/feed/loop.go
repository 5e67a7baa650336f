package feed

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hookd/hookd/stacks/flow/capture"
)

// passGap is the event time between two passes that do not keep to the clock.
const passGap = time.Second

// ErrEmpty is returned by a Loop whose capture has no frame.
var ErrEmpty = errors.New("no packet in the capture, or none that the filter selects")

// Reader reads the frames of one pass.
type Reader interface {
	// Next lends the next frame; [ErrIdle] where none is found for now, and io.EOF behind the last one.
	Next(f *capture.Frame) error
	Close() error
}

// LoopConfig says what a Loop reads.
type LoopConfig struct {
	// Open begins a pass.
	Open func() (Reader, error)
	// Passes is how often the capture is read; 0 is without end.
	Passes int
	// Paced hands frames over at the pace of their times, as if each pass were
	// captured now. Else they come as fast as they are taken, with the times of the
	// capture in the first pass and times that follow on in later ones.
	Paced bool
	// Now is the wall clock in nanoseconds; nil is that of the system.
	Now func() int64
}

// Loop is a [Source] that reads a capture again and again. Time goes on over the
// passes: all timestamps of a pass are shifted alike.
type Loop struct {
	cfg  LoopConfig
	wake chan struct{}

	reader Reader
	pass   int // passes that ended
	count  int // frames of this one
	shift  int64
	last   int64 // greatest timestamp given out, or at hand
	// held is a frame that is not due yet.
	held  bool
	frame capture.Frame
}

// NewLoop returns a loop at its beginning. Close releases what it reads.
func NewLoop(cfg LoopConfig) *Loop {
	if cfg.Now == nil {
		cfg.Now = func() int64 { return time.Now().UnixNano() }
	}
	return &Loop{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Wake implements [Source].
func (l *Loop) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Close ends the pass at hand. No Next runs meanwhile.
func (l *Loop) Close() error {
	if l.reader == nil {
		return nil
	}
	err := l.reader.Close()
	l.reader = nil
	return err
}

// Next implements [Source].
func (l *Loop) Next(f *capture.Frame, wait time.Duration) error {
	if !l.held {
		if err := l.read(); err != nil {
			return err
		}
	}
	if l.cfg.Paced && !l.due(wait) {
		return ErrIdle
	}
	l.held = false
	*f = l.frame
	return nil
}

// read gets the next frame at hand.
func (l *Loop) read() error {
	if l.reader == nil {
		if l.cfg.Passes > 0 && l.pass == l.cfg.Passes {
			return io.EOF
		}
		r, err := l.cfg.Open()
		if err != nil {
			return fmt.Errorf("feed: open capture: %w", err)
		}
		l.reader, l.count = r, 0
	}
	err := l.reader.Next(&l.frame)
	if errors.Is(err, io.EOF) {
		return l.ended()
	}
	if err != nil {
		return err
	}
	if l.count == 0 {
		l.align()
	}
	l.count++
	l.frame.TS += l.shift
	l.last = max(l.last, l.frame.TS)
	l.held = true
	return nil
}

// ended ends a pass.
func (l *Loop) ended() error {
	if err := l.Close(); err != nil {
		return err
	}
	if l.count == 0 {
		return fmt.Errorf("feed: %w", ErrEmpty)
	}
	l.pass++
	if l.cfg.Passes > 0 && l.pass == l.cfg.Passes {
		return io.EOF
	}
	return ErrPass
}

// align decides by how much the timestamps of the pass that begins are shifted.
func (l *Loop) align() {
	switch {
	case l.cfg.Paced:
		l.shift = max(l.cfg.Now(), l.last) - l.frame.TS
	case l.pass > 0:
		l.shift = l.last + int64(passGap) - l.frame.TS
	}
}

// due waits until it is time for the frame at hand, for no longer than wait, and
// reports whether it is.
func (l *Loop) due(wait time.Duration) bool {
	early := time.Duration(l.frame.TS - l.cfg.Now())
	if early <= 0 {
		return true
	}
	if wait <= 0 {
		return false
	}
	t := time.NewTimer(min(early, wait))
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.wake:
	}
	return l.frame.TS <= l.cfg.Now()
}
