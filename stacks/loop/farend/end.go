package farend

import (
	"errors"
	"fmt"

	"github.com/hookd/hookd/stacks/netio"
)

// maxKept is how many bytes an end keeps that nobody asked for; then it reads no more.
const maxKept = 16 << 20

// maxMessages is how many messages an end keeps that nobody asked for.
const maxMessages = 10_000

func keep[T any](list []T, v T) ([]T, error) {
	if len(list) >= maxMessages {
		return list, fmt.Errorf("more than %d messages that nobody asked for", maxMessages)
	}
	return append(list, v), nil
}

// Errors of calls that come at the wrong time.
var (
	errClosed = errors.New("the connection is closed here")
	errFull   = fmt.Errorf("the other end does not read: %d bytes wait for it", maxKept)
	errSpeaks = errors.New("the connection speaks another protocol already")
)

// speech is a protocol that an end speaks.
type speech interface {
	// hear takes from the front of what came and returns how many bytes it used up.
	hear(p []byte) (int, error)
	// over is called once when nothing more comes.
	over()
}

// end is one end of a stream.
type end struct {
	line   *netio.Line
	in     []byte
	out    []byte // what there was no room for yet
	shut   bool   // the stream ends behind it
	held   bool
	closed bool
	ended  bool // told to the speech
	speech speech
	err    error // of what the other end says
}

// newEnd makes an end of a line.
func newEnd(line *netio.Line) *end { return &end{line: line} }

// Line returns the line below.
func (e *end) Line() *netio.Line { return e.line }

// Turn sends what there is room for and takes what came, unless the end is held, and
// reports whether there was anything.
func (e *end) Turn() bool {
	sent := e.flush()
	return e.pull() || sent
}

// flush sends what waits, as far as there is room.
func (e *end) flush() bool {
	n := 0
	if len(e.out) > 0 {
		n = e.line.Send(e.out)
		e.out = e.out[n:]
		if _, reset := e.line.State(); reset {
			e.out = nil
		}
	}
	if e.shut && len(e.out) == 0 {
		e.shut = false
		e.line.Shut()
		return true
	}
	return n > 0
}

func (e *end) pull() bool {
	if e.held || e.closed || len(e.in) >= maxKept {
		return false
	}
	before := len(e.in)
	e.in = e.line.Recv(e.in)
	ended, reset := e.line.State()
	worked := len(e.in) > before
	if e.speech == nil || e.err != nil {
		return worked
	}
	for len(e.in) > 0 {
		n, err := e.speech.hear(e.in)
		e.in = e.in[n:]
		if e.err = err; err != nil || n == 0 {
			break
		}
	}
	if (ended || reset) && !worked && !e.ended {
		e.ended = true
		e.speech.over()
	}
	return worked
}

// speak has the end speak a protocol from here on.
func (e *end) speak(s speech) error {
	if e.speech != nil {
		return errSpeaks
	}
	e.speech = s
	return nil
}

// Err returns what is wrong with what the other end says, nil for nothing.
func (e *end) Err() error { return e.err }

// Send sends bytes; what there is no room for waits.
func (e *end) Send(p []byte) error {
	switch {
	case e.closed:
		return errClosed
	case len(e.out)+len(p) > maxKept:
		return errFull
	}
	e.out = append(e.out, p...)
	e.flush()
	return nil
}

// Unsent returns how many bytes wait for the other end to read.
func (e *end) Unsent() int { return len(e.out) }

// Bytes returns what came and was not taken, lent.
func (e *end) Bytes() []byte { return e.in }

// Take returns the first n bytes that came, or all if there are fewer or n is less
// than 0, and forgets them.
func (e *end) Take(n int) []byte {
	if n < 0 || n > len(e.in) {
		n = len(e.in)
	}
	p := append([]byte(nil), e.in[:n]...)
	if e.in = e.in[n:]; len(e.in) == 0 {
		e.in = nil
	}
	return p
}

// Hold has nothing be read until [end.Resume]: the other end finds its queue full.
func (e *end) Hold() { e.held = true }

// Resume reads again.
func (e *end) Resume() { e.held = false }

// Shut ends what is sent from here, behind what waits.
func (e *end) Shut() {
	e.shut = true
	e.flush()
}

// Close closes the end, or resets the connection.
func (e *end) Close(reset bool) {
	e.Turn()
	e.closed = true
	e.line.Close(reset)
}

// State says how the connection is, seen from here: "closed" here, "reset" or "ended" by
// the other end, else "open".
func (e *end) State() string {
	ended, reset := e.line.State()
	switch {
	case e.closed:
		return "closed"
	case reset:
		return "reset"
	case ended:
		return "ended"
	}
	return "open"
}
