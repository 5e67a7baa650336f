package main

import (
	"sync"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
)

const (
	// maxRounds is how many rounds of packets there are: no worker is ahead of another
	// by more of them.
	maxRounds = 12
	// roundsAhead is how many rounds a worker wants to have before it: while there are
	// fewer, it sorts the next.
	roundsAhead = 6
)

// relay takes packets to shards that are driven apart. Its workers each run their part
// of the shards, and read the packets in turn: one that has little before it sorts the
// next round, while the others go on with theirs. So none of them waits for a reader,
// and the one that has the most to run reads the least.
type relay struct {
	sorter
	shards  *event.Shards
	front   *flow.Front
	workers int
	batch   int // packets an entry
	show    *progress
	push    func() // writes records out

	mu      sync.Mutex // guards what follows, and turns at sorting
	changed sync.Cond
	rounds  [maxRounds]*round // by number
	sorted  int               // how many rounds were
	over    int               // how many rounds all workers have run
	sorting bool              // a worker is at the next
	slow    bool              // the next may have to be waited for
	ended   bool              // there are no more
}

// feedJobs handles all packets: so many workers as there are jobs read them in turn, and
// run each their part of the shards, to the end of the connections that are left.
func (h *house) feedJobs(front *flow.Front, src frameSource, stop *interrupt) error {
	r := &relay{shards: h.engine.Shards(), front: front, workers: h.jobs, batch: h.entry(), show: h.progress, push: h.out.Push}
	r.changed.L = &r.mu
	for i := range r.rounds {
		r.rounds[i] = newRound(r.shards.Len())
	}
	r.sorter = sorter{src: src, front: front, goesOn: func(frames uint64) bool { return h.goesOn(src, frames, stop) }}
	err := r.sorter.begin()
	h.engine.Start(r.frame.TS)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	for w := range r.workers {
		running.Go(func() { r.work(w) })
	}
	running.Wait()
	return r.err
}

// work runs the shards of a worker.
func (r *relay) work(w int) {
	for n := 0; ; n++ {
		rd := r.turn(n)
		if rd == nil {
			break
		}
		for i := w; i < r.shards.Len(); i += r.workers {
			r.run(r.shards.At(i), rd)
		}
	}
	for i := w; i < r.shards.Len(); i += r.workers {
		r.front.CloseShard(i)
	}
}

// run runs what a round has for a shard.
func (r *relay) run(sh *event.Shard, rd *round) {
	for list := rd.of[sh.Index()]; ; {
		n := min(len(list), r.batch)
		sh.Enter()
		r.front.Run(sh.Index(), list[:n])
		if list = list[n:]; len(list) == 0 {
			sh.Advance(rd.until) // timers are due also where no packets come
			sh.Leave()
			return
		}
		sh.Leave()
	}
}

// turn returns round n to a worker that has run those before; nil if there is none. It
// may have to sort it, or wait until it is sorted.
func (r *relay) turn(n int) *round {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > 0 && r.ran(n-1) {
		r.mu.Unlock()
		r.push()
		r.mu.Lock()
	}
	for {
		switch {
		case r.maySort(n):
			r.sortNext()
		case n < r.sorted:
			return r.rounds[n%maxRounds]
		case r.ended:
			return nil
		default:
			r.changed.Wait()
		}
	}
}

// ran notes that a worker is done with a round, and reports whether that was all there
// is while another may be waiting for packets. Each runs rounds in order, so one is over
// later than those before.
func (r *relay) ran(n int) (idle bool) {
	rd := r.rounds[n%maxRounds]
	if rd.left--; rd.left > 0 {
		return false
	}
	r.over++
	r.changed.Broadcast()
	return r.slow && r.sorting && r.over == r.sorted
}

// maySort reports whether a worker that is at round n may and should sort the next: who
// may have to wait for packets has run all before.
func (r *relay) maySort(n int) bool {
	ahead := roundsAhead
	if r.slow {
		ahead = 1
	}
	return !r.ended && !r.sorting && r.sorted < min(n+ahead, r.over+maxRounds)
}

// sortNext sorts the next round, without the lock.
func (r *relay) sortNext() {
	rd := r.rounds[r.sorted%maxRounds]
	r.sorting = true
	r.mu.Unlock()
	more := r.sort(rd)
	slow := more && r.src.waits()
	if !more {
		r.show.clear() // records of what ends now may follow
	}
	r.mu.Lock()
	rd.left = r.workers
	r.sorting, r.slow, r.ended = false, slow, !more
	r.sorted++
	r.changed.Broadcast()
}
