package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

// meter measures one replay, for --stats.
type meter struct {
	begun   time.Time
	cpu     time.Duration
	mem     runtime.MemStats
	profile *os.File
}

// startMeter begins to measure. A profile of where CPU time goes is written to
// the file at path, unless path is empty.
func startMeter(path string) (*meter, error) {
	m := &meter{}
	if path != "" {
		f, err := os.Create(path)
		if err != nil {
			return nil, fmt.Errorf("create profile: %w", err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, errors.Join(fmt.Errorf("start profile: %w", err), f.Close())
		}
		m.profile = f
	}
	runtime.ReadMemStats(&m.mem)
	m.cpu, _ = processUse()
	m.begun = time.Now()
	return m, nil
}

// stop ends the measurement and the profile.
func (m *meter) stop() error {
	if m.profile == nil {
		return nil
	}
	pprof.StopCPUProfile()
	if err := m.profile.Close(); err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	return nil
}

// report writes what the replay of packets that took bytes of captures cost.
func (m *meter) report(w io.Writer, packets uint64, bytes int64) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	wall := time.Since(m.begun)
	cpu, peak := processUse()
	cpu -= m.cpu
	n := max(packets, 1)
	allocs := mem.Mallocs - m.mem.Mallocs
	fmt.Fprintf(w, "time: %.3f s, %.3f s of CPU, %.0f ns a packet; %s packets and %s bytes a second\n",
		wall.Seconds(), cpu.Seconds(), float64(cpu.Nanoseconds())/float64(n),
		shortFloat(float64(packets)/wall.Seconds()), shortFloat(float64(bytes)/wall.Seconds()))
	fmt.Fprintf(w, "memory: %d MiB at most; %d allocations, %.6f a packet; %d collections\n",
		peak>>20, allocs, float64(allocs)/float64(n), mem.NumGC-m.mem.NumGC)
}
