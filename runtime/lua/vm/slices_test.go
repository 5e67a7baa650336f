package vm

import (
	"errors"
	"strings"
	"testing"

	glua "github.com/yuin/gopher-lua"
)

// TestSlices runs every position a task can wait at in slices of a few
// instructions, with other calls of the machine between them, and wants what the
// task does undivided.
func TestSlices(t *testing.T) {
	t.Parallel()
	for _, tt := range positions {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWaiting(t, Limits{})
			fn := load(t, w.VM, tt.src)
			L := w.Begin(200_000, "handler")
			L.Push(fn)
			var want string
			if err := w.Call(0, 1); err != nil {
				want = outcome(glua.LNil, err)
			} else {
				want = outcome(w.Result(1), nil)
			}
			w.End()
			want = w.main.String() + want
			between := load(t, w.VM, `local n = 0 for i = 1, 5 do n = n + select(2, pcall(function(x) return x end, i)) end
				pcall(error, "x") local s = ("a"):rep(10):gsub("a", "b") .. n return coroutine.wrap(function() return s end)()`)
			for _, size := range []int{1, 7, 100} {
				task, err := w.NewTask()
				if err != nil {
					t.Fatal(err)
				}
				w.said[task] = &strings.Builder{}
				task.Thread().Push(fn)
				pauses := 0
				for ended := task.StartSliced(1_000_000, size, "evaluation", 0); !ended; {
					if task.Paused() {
						pauses++
						L := w.Begin(10_000, "handler")
						L.Push(between)
						if err := w.Call(0, 1); err != nil || w.Result(1) != glua.LString("bbbbbbbbbb15") {
							t.Fatalf("between: %v, %v", w.Result(1), err)
						}
						w.End()
						ended = task.Resume(0, "")
						continue
					}
					ended = task.Resume(0, "", w.held[task]...)
				}
				got := w.said[task].String() + outcome(task.Result(1))
				task.End()
				if got != want {
					t.Errorf("in slices of %d:\n%s\nwant\n%s", size, got, want)
				}
				if size == 1 && pauses == 0 {
					t.Error("it never paused")
				}
			}
		})
	}
}

// TestSlicesEnd checks the budget over all slices, and that what is canceled runs
// nothing any more.
func TestSlicesEnd(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, Limits{})
	fn := load(t, w.VM, `while true do pcall(function() while true do n = (n or 0) + 1 end end) end`)
	task, err := w.NewTask()
	if err != nil {
		t.Fatal(err)
	}
	task.Thread().Push(fn)
	slices := 1
	for ended := task.StartSliced(100_000, 1000, "the evaluation", 0); !ended; slices++ {
		ended = task.Resume(0, "")
	}
	if _, err := task.Result(1); err == nil || err.Error() != "line 1: the evaluation went over its budget of 100000 instructions" {
		t.Errorf("error %v", err)
	}
	if slices < 95 || slices > 101 {
		t.Errorf("%d slices", slices)
	}
	task.End()
	if task, err = w.NewTask(); err != nil {
		t.Fatal(err)
	}
	task.Thread().Push(fn)
	task.StartSliced(100_000, 1000, "the evaluation", 0)
	before := w.Globals().RawGetString("n")
	task.Cancel(errors.New("interrupted"))
	if _, err := task.Result(1); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("error %v", err)
	}
	if now := w.Globals().RawGetString("n"); now != before {
		t.Errorf("it went on from %v to %v", before, now)
	}
	task.End()
	if n := w.Coroutines(); n != 0 {
		t.Errorf("%d coroutines", n)
	}
}
