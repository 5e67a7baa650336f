package vm

import (
	"errors"
	"slices"

	glua "github.com/yuin/gopher-lua"
)

// activity is what the machine keeps of the call that runs on it. Several may be
// under way: one runs, the others wait in their tasks.
type activity struct {
	main    *glua.LState   // the call runs on it; replaced when one fails
	counted bool           // the main thread counts its instructions
	trace   []Frame        // of the error that ends the call
	guarded []*glua.LState // threads of running protected calls, the innermost last
	depth   int            // of threads running inside one another
	yielded *glua.LState   // by coroutine.yield, until its resumer has the values
	current *glua.LState   // the thread that waits, while the activity does
}

// Task is a call that may wait: it goes on where it was when what it waits for is
// there, while other calls run in between.
//
// gopher-lua keeps part of a running call on Go's stack, so a call that waits can
// be left and entered again only with that stack. A task therefore has a
// goroutine of its own, and exactly one of it and its caller runs at a time: the
// machine still belongs to one of them. That makes waiting possible wherever a
// function can be called: in pcall, in the iterator of a loop, in a metamethod,
// in what sort and gsub call.
type Task struct {
	vm *VM
	activity
	enter chan struct{} // closed when there is nothing left to do
	leave chan struct{}

	nargs, nret int
	values      []glua.LValue // what the wait returns
	err         error         // of the call
	canceled    error
	started     bool
	ended       bool
	// own is the budget of a task that runs in slices, nil of others.
	own *budget
	// paused: it waits for nothing but its next slice.
	paused bool
}

// maxSpareTasks is how many goroutines wait for the next task.
const maxSpareTasks = 4

// registryTask is how many values a task has room for at first, and by how many that
// grows: what waits is mostly a handler and little more.
const registryTask = 32

// Why [VM.Wait] returns at once.
var (
	// ErrNoTask: the running call is none of a task.
	ErrNoTask = errors.New("vm: a call that is no task cannot wait")
	// ErrCoroutines: there are as many coroutines as there may be.
	ErrCoroutines = errors.New("vm: too many coroutines")
)

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
	t := &Task{vm: v, enter: make(chan struct{}), leave: make(chan struct{})}
	v.root.Options.RegistryGrowStep = registryTask
	t.main = v.newThread(registryTask)
	v.root.Options.RegistryGrowStep = registryGrowth
	t.main.Panic, t.counted, t.current = v.fail, true, t.main
	go t.run()
	return t, nil
}

// run is the task's goroutine.
func (t *Task) run() {
	for range t.enter {
		t.err = t.vm.call(t.nargs, t.nret)
		t.ended = true
		t.leave <- struct{}{}
	}
	close(t.leave)
}

// Thread returns the thread that the task's function, its arguments and then its
// results are on.
func (t *Task) Thread() *glua.LState { return t.main }

// Start runs the function that was pushed below its nargs arguments, with a
// budget of its own, and reports whether it ended; else it waits.
func (t *Task) Start(budget int, what string, nargs, nret int) (ended bool) {
	t.nargs, t.nret, t.started = nargs, nret, true
	return t.step(budget, what)
}

// Resume goes on with a task that waits, whose wait returns the values, with a new
// budget, and reports whether it ended.
func (t *Task) Resume(budget int, what string, values ...glua.LValue) (ended bool) {
	t.values = values
	return t.step(budget, what)
}

// Cancel ends a task that waits: its wait raises cause, and so does every
// instruction after it, so that nothing the script catches goes on. One that was
// not started never is.
func (t *Task) Cancel(cause error) {
	switch {
	case t.ended:
	case !t.started:
		t.ended = true
		t.vm.co.tasks--
	default:
		t.canceled = cause
		t.step(0, "")
	}
}

// step lets the task's goroutine run until it waits again or ended.
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
	t.enter <- struct{}{}
	<-t.leave
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
		t.stop()
		return
	}
	t.main.SetTop(0)
	t.current, t.values = t.main, nil
	v.spareTasks = append(v.spareTasks, t)
}

// stop ends the goroutine of a task that runs nothing and waits for it.
func (t *Task) stop() {
	close(t.enter)
	<-t.leave
	t.activity = activity{}
}

// CanWait reports whether the call that runs is one of a task.
func (v *VM) CanWait() bool { return v.task != nil }

// Task returns the task that runs, nil outside of one.
func (v *VM) Task() *Task { return v.task }

// Wait is called by a Go function that the running task called. It leaves the task
// until [Task.Resume] and returns the values that were passed there, or the cause
// that was passed to [Task.Cancel]: that is to be raised.
func (v *VM) Wait() ([]glua.LValue, error) {
	t := v.task
	switch {
	case t == nil:
		return nil, ErrNoTask
	case t.canceled != nil:
		return nil, t.canceled
	}
	t.leave <- struct{}{}
	<-t.enter
	values := t.values
	t.values = nil
	return values, t.canceled
}

// stopTasks ends the goroutines that wait for a task.
func (v *VM) stopTasks() {
	v.closed = true
	for _, t := range v.spareTasks {
		t.stop()
	}
	v.spareTasks = nil
}

// isGuard reports whether L runs a protected call of the running activity.
func (v *VM) isGuard(L *glua.LState) bool { return slices.Contains(v.guarded, L) }
