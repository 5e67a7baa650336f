package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// TestEaseCollector looks how patient the collector is before the first pass, behind one that found little, and
// behind one that found much; and that all is as it was in the end. No test runs beside it.
func TestEaseCollector(t *testing.T) {
	t.Setenv("GOGC", "")
	was := debug.SetGCPercent(100)
	defer debug.SetGCPercent(was)
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	restore := easeCollector()
	if p := percent(); p != 1200 {
		t.Errorf("%d %% before the first pass, want 1200", p)
	}
	keep := make([]byte, 2*idleGarbage)
	for _, tt := range []struct {
		what        string
		least, most int
	}{
		{"with much that is live", 100, 100},
		{"with less", 101, 1200},
	} {
		for range 50 { // the finalizer runs some time behind the pass
			runtime.GC()
			runtime.Gosched()
			if p := percent(); p >= tt.least && p <= tt.most {
				break
			}
		}
		if p := percent(); p < tt.least || p > tt.most {
			t.Errorf("%d %% %s, want %d to %d", p, tt.what, tt.least, tt.most)
		}
		runtime.KeepAlive(keep)
		keep = nil
	}
	restore()
	if p := percent(); p != 100 {
		t.Errorf("%d %% in the end, want 100", p)
	}
	t.Setenv("GOGC", "50")
	easeCollector()()
	if p := percent(); p != 100 {
		t.Errorf("%d %% where the environment says how it is to be", p)
	}
}
