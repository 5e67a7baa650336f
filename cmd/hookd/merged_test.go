package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/feed"
)

// TestPassedOver reads captures of which nothing is selected, bit by bit and in one go.
func TestPassedOver(t *testing.T) {
	t.Parallel()
	file := datagrams(t, 2*maxPassed+5, 0, 9)
	of := func() *merged { return mergedOf(t, []io.Reader{bytes.NewReader(file)}) }
	var f capture.Frame
	m := of()
	for _, want := range []error{feed.ErrIdle, feed.ErrIdle, io.EOF, io.EOF} {
		if err := m.Next(&f); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if err := (patient{of()}).Next(&f); !errors.Is(err, io.EOF) {
		t.Errorf("in one go: %v", err)
	}
}

// pulling is a source that calls read with how much was read so far, this time included.
type pulling struct {
	src  io.Reader
	sum  int64
	read func(sum int64)
}

// Read implements io.Reader.
func (p *pulling) Read(b []byte) (int, error) {
	n, err := p.src.Read(b)
	p.sum += int64(n)
	p.read(p.sum)
	return n, err
}

// TestStopWhilePassingOver interrupts replays of long captures of which nothing is selected: they end soon, and show
// their progress till then.
func TestStopWhilePassingOver(t *testing.T) {
	t.Parallel()
	const size, at, soon = 256 << 20, 4 << 20, 2 << 20
	for _, tt := range []struct {
		name string
		jobs int
		live bool // what is read is still being written
	}{{"one job", 1, false}, {"one job, a pipe", 1, true}, {"two jobs", 2, false}, {"two jobs, a pipe", 2, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			drive := event.Together
			if tt.jobs > 1 {
				drive = event.Apart
			}
			h := newHouse(engineOptions{shards: tt.jobs, drive: drive}, false, io.Discard, io.Discard)
			defer h.engine.Close()
			var shown bytes.Buffer
			var clock time.Time
			h.jobs, h.progress = tt.jobs, startProgress(&shown, func() time.Time { clock = clock.Add(time.Second); return clock })
			stop := newInterrupt(t.Context())
			src := &pulling{src: &endless{file: datagrams(t, 200, 0, 9), left: size}, read: func(sum int64) {
				if sum >= at {
					stop.cancel(errInterrupted)
				}
			}}
			m := mergedOf(t, []io.Reader{src})
			m.live = tt.live
			stats, err := h.feed(m, stop)
			if !errors.Is(err, errInterrupted) || src.sum > at+soon || stats.Frames != 0 {
				t.Errorf("%v, %d frames, %d MiB were read", err, stats.Frames, src.sum>>20)
			}
			if n := strings.Count(shown.String(), "0 packets"); n < 2 {
				t.Errorf("progress was shown %d times", n)
			}
		})
	}
}

// TestPipeSelected checks that records of what is selected of a pipe are there, although what came with it, and is there
// to be read, is not selected.
func TestPipeSelected(t *testing.T) {
	t.Parallel()
	for _, jobs := range []string{"1", "2"} {
		t.Run(jobs+" jobs", func(t *testing.T) {
			t.Parallel()
			in, feed := io.Pipe()
			records, out := io.Pipe()
			done := make(chan int, 1)
			go func() {
				done <- run([]string{"replay", "-q", "-", "--filter", "tcp", "--print", "flow.conn_end", "--jobs", jobs}, in, out, io.Discard)
				out.Close()
			}()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			context.AfterFunc(ctx, func() { feed.CloseWithError(ctx.Err()); out.CloseWithError(ctx.Err()) })
			e, others := &endless{file: crafted(t, 1)}, datagrams(t, 20, 0, 9)[24:]
			lines := bufio.NewReader(records)
			for n, part := range [][]byte{e.file, e.round(), e.round()} {
				if _, err := feed.Write(slices.Concat(part, others)); err != nil {
					t.Fatal(err)
				}
				if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, `"client_bytes":900,"server_bytes":15000`) {
					t.Fatalf("round %d: %v: %s", n, err, line)
				}
				// Nothing of this is selected.
				if _, err := feed.Write(others); err != nil {
					t.Fatal(err)
				}
			}
			feed.Close()
			if code := <-done; code != exitDone {
				t.Errorf("exit %d", code)
			}
		})
	}
}
