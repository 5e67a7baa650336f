package vm

import (
	"strings"
	"testing"
	"time"

	glua "github.com/yuin/gopher-lua"
)

// TestUncounted checks that a call is counted exactly where that is asked for,
// also behind a call that failed.
func TestUncounted(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	v := machine(&out)
	long := load(t, v, "local a = 0 "+strings.Repeat("a = a + 1 ", 100)+"return a")
	fails := load(t, v, "error('x')")
	for i, step := range []struct {
		counted, fails, overrun bool
	}{
		{counted: false},
		{counted: true, overrun: true},
		{counted: false},
		{counted: false, fails: true},
		{counted: false},
		{counted: true, overrun: true},
		{counted: true, fails: true},
		{counted: false},
	} {
		L := v.BeginIf(step.counted, 50, "handler")
		if step.fails {
			L.Push(fails)
		} else {
			L.Push(long)
		}
		err := v.Call(0, 1)
		v.End()
		f, _ := err.(*Failure)
		if overrun := f != nil && f.Overrun; overrun != step.overrun || (f != nil) != (step.fails || step.overrun) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

// TestUncountedCosts compares a call that is not counted with gopher-lua's own
// protected call of the same function without a context, in turns; the best
// round of each counts.
func TestUncountedCosts(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector distorts the ratios")
	}
	text := "local a = 0 " + strings.Repeat("if a == 1 then a = 2 end ", 40) + "return a"
	v := machine(&strings.Builder{})
	fn := load(t, v, text)
	L := glua.NewState(glua.Options{MinimizeStackMemory: true})
	t.Cleanup(L.Close)
	plain, err := L.LoadString(text)
	if err != nil {
		t.Fatal(err)
	}
	call := func(counted bool) func() {
		return func() {
			v.BeginIf(counted, 1000, "handler").Push(fn)
			if err := v.Call(0, 1); err != nil {
				t.Fatal(err)
			}
			v.End()
		}
	}
	runs := []func(){func() {
		L.Push(plain)
		if err := L.PCall(0, 1, nil); err != nil {
			t.Fatal(err)
		}
		L.SetTop(0)
	}, call(false), call(true)}
	best := make([]time.Duration, len(runs))
	for range 2000 {
		for i, run := range runs {
			begin := time.Now()
			for range 50 {
				run()
			}
			if took := time.Since(begin); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	ratio := func(i int) float64 { return float64(best[i]) / float64(best[0]) }
	t.Logf("not counted %.3f, counted %.3f of a call without context (%v)", ratio(1), ratio(2), best[0]/50)
	// It is the very same loop of gopher-lua; what differs is what this measures.
	if ratio(1) > 1.05 {
		t.Errorf("not counted: %.3f of a call without context, want at most 1.05", ratio(1))
	}
}
