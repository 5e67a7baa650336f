package cputime_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/cputime"
)

// TestOf checks that work counts and waiting does not.
func TestOf(t *testing.T) {
	waiting := cputime.Of(func() { time.Sleep(50 * time.Millisecond) })
	n := 0
	work := cputime.Of(func() {
		for begin := time.Now(); time.Since(begin) < 50*time.Millisecond; {
			n++
		}
	})
	if work <= 0 || n == 0 {
		t.Errorf("work took %v", work)
	}
	if runtime.GOOS == "linux" && waiting > work/2 {
		t.Errorf("waiting counted: %v, work %v", waiting, work)
	}
}
