package control

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Limits of a stream: lines that wait for a client who reads too slowly. What
// finds no room is dropped and counted; the client is told how many.
const (
	MaxLines     = 4096
	MaxLineBytes = 4 << 20
)

// Stream carries lines to one client. Send never waits, so that it may be called
// with a shard entered.
type Stream struct {
	mu      sync.Mutex
	lines   [][]byte
	free    [][]byte
	bytes   int
	dropped uint64
	total   uint64 // dropped in all
	wake    chan struct{}
}

func newStream() *Stream { return &Stream{wake: make(chan struct{}, 1)} }

// Send queues a copy of a line; its end is added. It reports whether there was
// room.
func (s *Stream) Send(line []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) >= MaxLines || s.bytes+len(line) > MaxLineBytes {
		s.dropped++
		s.total++
		return false
	}
	var b []byte
	if n := len(s.free) - 1; n >= 0 {
		b, s.free = s.free[n], s.free[:n]
	}
	s.lines = append(s.lines, append(append(b[:0], line...), '\n'))
	s.bytes += len(line)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

// Dropped returns how many lines found no room.
func (s *Stream) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// take exchanges the waiting lines for those that were written.
func (s *Stream) take(written [][]byte) (lines [][]byte, dropped uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range written {
		if len(s.free) < 256 && cap(b) <= 4096 {
			s.free = append(s.free, b)
		}
	}
	lines, s.lines = s.lines, written[:0]
	dropped, s.dropped = s.dropped, 0
	s.bytes = 0
	return lines, dropped
}

// HandleStream answers requests of a method and path with lines for as long as
// the client stays. begin has them sent, from any goroutine, until the function
// it returns is called; an error of it is the answer.
func (s *Server) HandleStream(pattern string, begin func(*http.Request, *Stream) (end func(), err error)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		st := newStream()
		end, err := begin(r, st)
		if err != nil {
			s.refuse(w, err)
			return
		}
		defer end()
		w.Header().Set("Content-Type", "application/jsonl")
		w.WriteHeader(http.StatusOK)
		if err := st.copy(r.Context(), w); err != nil {
			s.log.Debug("a stream ended", "path", r.URL.Path, "err", err)
		}
	})
}

const (
	// stalled is how long a client may read nothing of a stream.
	stalled = 30 * time.Second
	// pause is between two writes: to be woken for each line would cost who sends it,
	// in a shard, more than all else.
	pause = 10 * time.Millisecond
)

// copy writes lines until the client or the server leaves: one that comes after
// silence at once, those behind it together.
func (s *Stream) copy(ctx context.Context, w http.ResponseWriter) error {
	rc := http.NewResponseController(w)
	out := bufio.NewWriterSize(w, 64<<10)
	if err := rc.Flush(); err != nil {
		return err
	}
	rest := time.NewTimer(0)
	defer rest.Stop()
	var lines [][]byte
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-rest.C:
			rest.Reset(pause)
		}
		var dropped uint64
		if lines, dropped = s.take(lines); len(lines) == 0 && dropped == 0 {
			continue
		}
		if err := rc.SetWriteDeadline(time.Now().Add(stalled)); err != nil {
			return err
		}
		for _, l := range lines {
			if _, err := out.Write(l); err != nil {
				return err
			}
		}
		if dropped > 0 {
			if _, err := fmt.Fprintf(out, "{\"dropped\":%d}\n", dropped); err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if err := rc.Flush(); err != nil {
			return err
		}
	}
}
