package vm

// runner is a goroutine that tasks run on, one after the other. A task that waits
// with Go's stack keeps it.
type runner struct {
	task *Task
	in   chan struct{} // closed when there is nothing left to do
	out  chan bool     // whether the task keeps the goroutine
}

// newRunner returns a goroutine for a task.
func (v *VM) newRunner(t *Task) *runner {
	var r *runner
	if n := len(v.spareRunners); n > 0 {
		r = v.spareRunners[n-1]
		v.spareRunners = v.spareRunners[:n-1]
	} else {
		r = &runner{in: make(chan struct{}), out: make(chan bool)}
		go r.run()
	}
	r.task = t
	return r
}

func (r *runner) run() {
	for range r.in {
		r.task.run()
		r.out <- false
	}
	close(r.out)
}

// enter lets the task go on and reports whether it keeps the goroutine.
func (r *runner) enter() (kept bool) {
	r.in <- struct{}{}
	return <-r.out
}

// leave is called on the goroutine: it waits there until it is entered again.
func (r *runner) leave() {
	r.out <- true
	<-r.in
}

// spare keeps a goroutine for the next task, or ends it.
func (v *VM) spare(r *runner) {
	r.task = nil
	if v.closed || len(v.spareRunners) >= maxSpareTasks {
		r.stop()
		return
	}
	v.spareRunners = append(v.spareRunners, r)
}

// stop ends the goroutine, on which nothing runs, and waits for it.
func (r *runner) stop() {
	close(r.in)
	<-r.out
}

// stopRunners ends the goroutines that wait for a task.
func (v *VM) stopRunners() {
	v.closed = true
	for _, r := range v.spareRunners {
		r.stop()
	}
	v.spareRunners, v.spareTasks = nil, nil
}
