package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/hookd/hookd/stacks/flow/capture"
)

// twice gives the packets of a capture and then, a day later, once more. At the
// beginning of the second pass it counts what was allocated so far.
type twice struct {
	open   func() *capture.Reader
	src    *capture.Reader
	second bool
	before uint64
}

// aDay is longer than any timeout.
const aDay = 86400e9

// Next implements frameSource.
func (s *twice) Next(f *capture.Frame) error {
	err := s.src.Next(f)
	if errors.Is(err, io.EOF) && !s.second {
		s.second = true
		_ = s.src.Close()
		s.src = s.open()
		err = s.src.Next(f)
		s.before = mallocs()
	}
	if s.second {
		f.TS += aDay
	}
	return err
}

func (*twice) waits() bool                  { return false }
func (*twice) progress() (read, size int64) { return 0, 0 }

func (s *twice) swap(f func([]byte, int) []byte) { s.src.Swap(f) }

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// passes replays what open opens twice in one process, conn_end printed, with the
// scripts of that name, and returns what the second pass allocated, how many
// packets one has, and how often the rule "fields" ran in one.
func passes(tb testing.TB, script string, open func() *capture.Reader) (allocs, packets, calls uint64) {
	tb.Helper()
	h := newHouse(engineOptions{}, false, io.Discard, io.Discard)
	defer h.engine.Close()
	if err := h.tap([]string{"flow.conn_end"}); err != nil {
		tb.Fatal(err)
	}
	paths := []string{benchScript("native.lua")}
	if script != "native" {
		paths = append(paths, benchScript(script+".lua"))
	}
	if err := h.load(io.Discard, paths); err != nil {
		tb.Fatal(err)
	}
	src := &twice{open: open, src: open()}
	stats, err := h.feed(src, newInterrupt(tb.Context()))
	allocs = mallocs() - src.before
	if err != nil {
		tb.Fatal(err)
	}
	for _, r := range h.engine.Rules() {
		if r.Name == "fields" {
			calls = r.Matched / 2
		}
	}
	return allocs, stats.Frames / 2, calls
}

func benchScript(name string) string { return filepath.Join("../../spec/bench/flow", name) }

// BenchmarkSecondPass reports what HOOKD_BENCH_CAPTURE costs in allocations once
// everything has its size.
func BenchmarkSecondPass(b *testing.B) {
	path := os.Getenv("HOOKD_BENCH_CAPTURE")
	if path == "" {
		b.Skip("HOOKD_BENCH_CAPTURE names no capture")
	}
	open := func() *capture.Reader {
		r, err := capture.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		return r
	}
	for _, script := range []string{"native", "five", "machine", "wide"} {
		b.Run(script, func(b *testing.B) {
			for b.Loop() {
				allocs, packets, calls := passes(b, script, open)
				b.ReportMetric(float64(allocs)/float64(packets), "allocs/packet")
				b.ReportMetric(float64(allocs)/float64(max(calls, 1)), "allocs/call")
				b.ReportMetric(float64(calls), "calls")
			}
		})
	}
}

// TestSecondPassAllocates holds replays to what they may allocate.
func TestSecondPassAllocates(t *testing.T) {
	file := crafted(t, 400)
	open := func() *capture.Reader {
		r, err := capture.NewReader(bytes.NewReader(file), "crafted")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	mostStray := mostStray
	if raceEnabled {
		mostStray *= 10 // a pool drops things at random then: a record's line is made anew
	}
	for _, tt := range []struct {
		script string
		calls  bool
		most   float64 // a packet; a call with calls
	}{
		{"native", false, mostStray}, {"five", false, mostStray}, {"machine", false, mostStray}, {"wide", true, 3},
	} {
		allocs, packets, calls := passes(t, tt.script, open)
		of := packets
		if tt.calls {
			of = calls
		}
		if got := float64(allocs) / float64(of); got > tt.most || packets < 10_000 {
			t.Errorf("%s: %d allocations in %d packets, %d calls: %.5f, want at most %g", tt.script, allocs, packets, calls, got, tt.most)
		}
	}
}

// mostStray is how many allocations a packet there may be where there are none:
// the house's own at its start and end.
const mostStray = 0.01

var _ frameSource = (*twice)(nil)
