package vm

// StartSliced is [Task.Start] for a call that others are served during: after
// each slice of instructions it is left, and [Task.Resume] goes on with what is
// left of its one budget. [Task.Paused] tells such a stop from a wait.
func (t *Task) StartSliced(budget, slice int, what string, nargs int) (ended bool) {
	t.nargs = int32(nargs)
	own := newBudget()
	own.resetSliced(budget, slice, what, t.pause)
	t.own = &own
	return t.step(0, "")
}

// Paused reports whether the task, which has not ended, waits for nothing but to
// be resumed.
func (t *Task) Paused() bool { return t.paused }

// pause leaves the task between two of its instructions until it is resumed; the
// error is the cause that it was canceled for.
func (t *Task) pause() error {
	if len(t.vm.guards.next) > 0 {
		return nil // a protected call is about to take its arguments, which are the machine's
	}
	t.paused = true
	t.fiber.Leave()
	t.paused = false
	return t.canceled
}
