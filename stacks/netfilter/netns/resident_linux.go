package netns

// Resident is a thread that stays in a network namespace: for who does something there
// again and again, without a new thread each time. The zero Resident runs everything in
// the caller's own namespace, on the caller's thread.
type Resident struct {
	work chan job
	done chan struct{}
}

type job struct {
	fn   func() error
	done chan error
}

// Resident starts the thread. It ends with [Resident.Close].
func (h Handle) Resident() (Resident, error) {
	if h.file == nil {
		return Resident{}, nil
	}
	r := Resident{work: make(chan job), done: make(chan struct{})}
	entered := make(chan error, 1)
	go func() {
		defer close(r.done)
		err := h.Do(func() error {
			entered <- nil
			for j := range r.work {
				j.done <- j.fn()
			}
			return nil
		})
		if err != nil {
			entered <- err
		}
	}()
	if err := <-entered; err != nil {
		<-r.done
		return Resident{}, err
	}
	return r, nil
}

// Do runs a function in the namespace, one at a time.
func (r Resident) Do(fn func() error) error {
	if r.work == nil {
		return fn()
	}
	j := job{fn, make(chan error, 1)}
	r.work <- j
	return <-j.done
}

// Close ends the thread. Nobody may use it any more.
func (r Resident) Close() {
	if r.work != nil {
		close(r.work)
		<-r.done
	}
}
