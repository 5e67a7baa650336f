package vm

import (
	"strings"
	"testing"
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
		{counted: false}, {counted: true, overrun: true}, {counted: false}, {counted: false, fails: true},
		{counted: false}, {counted: true, overrun: true}, {counted: true, fails: true}, {counted: false},
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

// BenchmarkCounting shows what counting instructions takes.
func BenchmarkCounting(b *testing.B) {
	for _, counted := range []bool{false, true} {
		name := map[bool]string{false: "not counted", true: "counted"}[counted]
		b.Run(name, func(b *testing.B) {
			v := machine(&strings.Builder{})
			fn := load(b, v, "local a = 0 "+strings.Repeat("if a == 1 then a = 2 end ", 20)+"return a")
			for b.Loop() {
				v.BeginIf(counted, 1000, "handler").Push(fn)
				if err := v.Call(0, 1); err != nil {
					b.Fatal(err)
				}
				v.End()
			}
		})
	}
}
