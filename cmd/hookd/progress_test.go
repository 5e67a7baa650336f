package main

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/flow/capture"
)

// halfRead is a source of which so much was read.
type halfRead struct{ read, size int64 }

func (halfRead) Next(*capture.Frame) error      { return io.EOF }
func (halfRead) waits() bool                    { return false }
func (halfRead) swap(func([]byte, int) []byte)  {}
func (h halfRead) progress() (read, size int64) { return h.read, h.size }

// TestProgress checks what a terminal shows, and when.
func TestProgress(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	var out bytes.Buffer
	p := startProgress(&out, func() time.Time { return now })
	step := func(d time.Duration, src frameSource) string {
		out.Reset()
		now = now.Add(d)
		p.tell(src, 3000)
		return out.String()
	}
	got := []string{
		step(400*time.Millisecond, halfRead{1, 4}),
		step(600*time.Millisecond, halfRead{1, 4}),
		step(100*time.Millisecond, halfRead{2, 4}),
		step(900*time.Millisecond, halfRead{4, 4}),
		step(8*time.Second, halfRead{}),
	}
	want := []string{
		"",
		"\r 25%  3000 packets, 3000 a second, 3s left\x1b[K",
		"",
		"\r100%  3000 packets, 1500 a second, 0s left\x1b[K",
		"\r3000 packets, 300 a second\x1b[K",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	p.clear()
	if out.String() != "\r\x1b[K" {
		t.Errorf("cleared with %q", &out)
	}
	if newProgress(&out, &out, false) != nil {
		t.Error("a pipe shows progress")
	}
	var none *progress
	none.tell(halfRead{}, 0)
	none.clear()
}
