// Package fiber runs work that can be left in the middle, with all of its stack,
// and entered again there.
//
// Goroutines: a [Fiber] has one, and exactly one of it and who entered it runs at a
// time, so that what both use belongs to one of them. A [Pool] belongs to one goroutine
// at a time; [Pool.Close] waits for the goroutines that have no work.
package fiber

// Work is what a fiber runs.
type Work interface{ Run() }

// Fiber is a goroutine that runs one work after the other.
type Fiber struct {
	work Work
	in   chan struct{} // closed when there is nothing left to do
	out  chan bool     // whether the work was left
}

// maxSpare is how many goroutines of a pool wait for work.
const maxSpare = 4

// Pool keeps a few fibers that have nothing to do. Its zero value has none.
type Pool struct {
	spare  []*Fiber
	closed bool
}

// Take returns a fiber that is to run w; [Fiber.Enter] begins.
func (p *Pool) Take(w Work) *Fiber {
	var f *Fiber
	if n := len(p.spare); n > 0 {
		f = p.spare[n-1]
		p.spare = p.spare[:n-1]
	} else {
		f = &Fiber{in: make(chan struct{}), out: make(chan bool)}
		go f.run()
	}
	f.work = w
	return f
}

// Put takes back a fiber whose work came to its end.
func (p *Pool) Put(f *Fiber) {
	f.work = nil
	if p.closed || len(p.spare) >= maxSpare {
		f.stop()
		return
	}
	p.spare = append(p.spare, f)
}

// Close ends the fibers that are kept, and those that are put back later.
func (p *Pool) Close() {
	p.closed = true
	for _, f := range p.spare {
		f.stop()
	}
	p.spare = nil
}

func (f *Fiber) run() {
	for range f.in {
		f.work.Run()
		f.out <- false
	}
	close(f.out)
}

// Enter lets the work run until it calls [Fiber.Leave] or ends, and reports whether
// it was left.
func (f *Fiber) Enter() (left bool) {
	f.in <- struct{}{}
	return <-f.out
}

// Leave is called by the work. It lets who entered the fiber go on, and returns when
// the fiber is entered again.
func (f *Fiber) Leave() {
	f.out <- true
	<-f.in
}

// stop ends a fiber without work and waits for it.
func (f *Fiber) stop() {
	close(f.in)
	<-f.out
}
