package vm

import (
	"errors"
	"slices"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/fiber"
)

// activity is what the machine keeps of the call that runs on it. Several may be
// under way: one runs, the others wait in their tasks.
type activity struct {
	main    *glua.LState   // the call runs on it; replaced when one fails
	trace   []Frame        // of the error that ends the call
	guarded []*glua.LState // threads of running protected calls, the innermost last
	depth   int            // of threads running inside one another
	yielded *glua.LState   // by coroutine.yield, until its resumer has the values
	current *glua.LState   // the thread that waits, while the activity does
	// parked are the calls that a task without a goroutine waits in.
	parked []parkedCall
	// entered is how many calls are parked around the thread that was entered last.
	entered int
	leaving bool // its goroutine, because something waits
	counted bool // the main thread counts its instructions
}

// Task is a call that may wait: it goes on where it was when what it waits for is
// there, while other calls run in between.
//
// A task runs on a goroutine of the machine, and exactly one of them and their caller
// runs at a time: the machine still belongs to one. Where only Lua functions, protected
// calls and coroutines stand between its beginning and what waits, it leaves the
// goroutine to others and is no more than its threads. gopher-lua keeps every other
// call on Go's stack, and can be left and entered again only with that: in the
// iterator of a loop, in a metamethod, in what sort and gsub call a task keeps the
// goroutine while it waits. So waiting is possible wherever a function can be called.
type Task struct {
	vm *VM
	activity
	fiber *fiber.Fiber // where the task runs, or keeps its place while it waits

	values   []glua.LValue // what the wait returns
	err      error         // of the call
	canceled error
	// own is the budget of a task that runs in slices, nil of others.
	own     *budget
	nargs   int32
	started bool
	ended   bool
	// paused: it waits for nothing but its next slice.
	paused bool
}

// maxSpareTasks is how many threads wait for the next task.
const maxSpareTasks = 4

// ErrCoroutines: there are as many coroutines as there may be.
var ErrCoroutines = errors.New("vm: too many coroutines")

// NewTask returns a task whose function and arguments the caller pushes on
// [Task.Thread]. It counts as a coroutine until it ended; the error is
// [ErrCoroutines] when there are too many.
func (v *VM) NewTask() (*Task, error) {
	if !v.co.room(v.cfg.Limits.Coroutines) {
		return nil, ErrCoroutines
	}
	v.co.tasks++
	if n := len(v.spareTasks); n > 0 {
		t := v.spareTasks[n-1]
		v.spareTasks = v.spareTasks[:n-1]
		t.started, t.ended, t.own = false, false, nil
		return t, nil
	}
	t := &Task{vm: v}
	t.main = v.newSmall()
	t.main.Panic, t.counted, t.current = v.fail, true, t.main
	return t, nil
}

// Run implements [fiber.Work]: it runs the task up to where it is parked or ends.
func (t *Task) Run() {
	if t.started {
		values := t.values
		t.values = nil
		t.err = t.vm.proceed(values)
	} else {
		t.started = true
		t.err = t.vm.call(int(t.nargs))
	}
	t.ended = t.err != nil || !t.vm.leaving
}

// Thread returns the thread that the task's function, its arguments and then its
// results are on.
func (t *Task) Thread() *glua.LState { return t.main }

// Start runs the function that was pushed below its nargs arguments, with a
// budget of its own, and reports whether it ended; else it waits.
func (t *Task) Start(budget int, what string, nargs int) (ended bool) {
	t.nargs = int32(nargs)
	return t.step(budget, what)
}

// Resume goes on with a task that waits, whose wait returns the values, with a new
// budget, and reports whether it ended.
func (t *Task) Resume(budget int, what string, values ...glua.LValue) (ended bool) {
	t.values = values
	return t.step(budget, what)
}

// Cancel ends a task that waits. One that has kept its goroutine raises cause where
// it waits, and at every instruction after that, so that nothing the script catches
// goes on; of others nothing runs any more. One that was not started never is.
func (t *Task) Cancel(cause error) {
	switch {
	case t.ended:
	case t.fiber != nil:
		t.canceled = cause
		t.step(0, "")
	default:
		t.ended = true
		t.vm.co.tasks--
		if t.started {
			t.err = &Failure{Message: cause.Error(), Chunk: t.vm.cfg.Chunk, Canceled: true}
		}
	}
}

// step lets the task run until it waits again or ended.
func (t *Task) step(budget int, what string) bool {
	v, g := t.vm, t.vm.root.G
	before, main, current := v.activity, g.MainThread, g.CurrentThread
	v.activity, v.task = t.activity, t
	g.MainThread, g.CurrentThread = t.main, t.current
	if t.own == nil {
		v.budget.reset(budget, what)
	} else {
		v.budget = *t.own
	}
	if t.canceled != nil {
		v.budget.kill(t.canceled)
	}
	if t.fiber == nil {
		t.fiber = v.fibers.Take(t)
	}
	if !t.fiber.Enter() {
		v.fibers.Put(t.fiber)
		t.fiber = nil
	}
	if t.own != nil {
		*t.own = v.budget
		v.budget.pause = nil
	}
	t.activity = v.activity
	t.current = g.CurrentThread
	v.activity, v.task = before, nil
	g.MainThread, g.CurrentThread = main, current
	if t.ended {
		v.co.tasks--
	}
	return t.ended
}

// Result returns result i of a task that ended, from 1, and why it failed; then
// there are no results.
func (t *Task) Result(i int) (glua.LValue, error) {
	if t.err != nil {
		return glua.LNil, t.err
	}
	return t.main.Get(i), nil
}

// End gives the machine back what an ended task used. A failed call's thread is
// thrown away; see [VM.Call].
func (t *Task) End() {
	v := t.vm
	if t.err != nil || v.closed || len(v.spareTasks) >= maxSpareTasks {
		t.activity = activity{}
		return
	}
	t.main.SetTop(0)
	t.current, t.values = t.main, nil
	v.spareTasks = append(v.spareTasks, t)
}

// CanWait reports whether the call that runs is one of a task.
func (v *VM) CanWait() bool { return v.task != nil }

// Task returns the task that runs, nil outside of one.
func (v *VM) Task() *Task { return v.task }

// isGuard reports whether L runs a protected call of the running activity.
func (v *VM) isGuard(L *glua.LState) bool { return slices.Contains(v.guarded, L) }
