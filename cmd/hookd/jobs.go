package main

import (
	"sync"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
)

const (
	// loadBytes is how many bytes of packets go to a shard at once, if no packet
	// alone has more.
	loadBytes = 128 << 10
	// loadsAhead is how many loads may wait for one worker: reading runs ahead no
	// further.
	loadsAhead = 8
	// pulseFrames is after how many packets every shard learns what time it is:
	// timers are due also where no packets come.
	pulseFrames = 4096
)

// load is packets on their way to one shard.
type load struct {
	shard   *event.Shard
	parcels []flow.Parcel
	buf     []byte
	until   int64 // event time behind them
}

// feedJobs handles all packets: this goroutine reads and decodes, jobs others each run
// their part of the shards.
func (h *house) feedJobs(front *flow.Front, src frameSource, stop *interrupt) error {
	var f capture.Frame
	err := src.Next(&f)
	h.engine.Start(f.TS)
	if err != nil {
		return err
	}
	set := h.engine.Shards()
	s := &sorter{front: front, batch: h.entry(), open: make([]*load, set.Len()), free: make(chan *load, h.jobs*(loadsAhead+2)+set.Len())}
	for i := range s.open {
		s.open[i] = &load{shard: set.At(i)}
	}
	var running sync.WaitGroup
	for range h.jobs {
		loads := make(chan *load, loadsAhead)
		s.workers = append(s.workers, loads)
		running.Go(func() { work(front, loads, s.free) })
	}
	for n := uint64(1); err == nil; n++ {
		s.add(&f)
		if n%pulseFrames == 0 || src.waits() {
			s.flush()
			if !h.goesOn(src, n, stop) {
				break
			}
		}
		err = src.Next(&f)
	}
	s.flush()
	for _, loads := range s.workers {
		close(loads)
	}
	running.Wait()
	return err
}

// work runs what comes until there is no more.
func work(front *flow.Front, loads <-chan *load, free chan<- *load) {
	for l := range loads {
		l.shard.Enter()
		for i := range l.parcels {
			front.Take(&l.parcels[i])
		}
		l.shard.Advance(l.until)
		l.shard.Leave()
		l.parcels, l.buf = l.parcels[:0], l.buf[:0]
		select {
		case free <- l:
		default:
		}
	}
}

// sorter loads packets for their shards.
type sorter struct {
	front   *flow.Front
	workers []chan *load
	open    []*load // by shard
	free    chan *load
	batch   int
	now     int64
	parcel  flow.Parcel
}

// add puts a frame, or each packet of several in it, on its shard's load.
func (s *sorter) add(f *capture.Frame) {
	s.now = max(s.now, f.TS)
	s.front.Sort(&s.parcel, uint16(f.Link), f.Data, f.WireLen, f.TS)
	for more := true; more; more = s.front.Next(&s.parcel) {
		s.put()
	}
}

// put puts the parcel at hand on its shard's load.
func (s *sorter) put() {
	i := s.parcel.Shard()
	l := s.open[i]
	if len(l.parcels) == s.batch || len(l.parcels) > 0 && len(l.buf)+s.parcel.Size() > loadBytes {
		s.send(i)
		l = s.open[i]
	}
	l.buf = s.parcel.Keep(l.buf)
	l.parcels = append(l.parcels, s.parcel)
}

// send gives a shard's load to the worker that runs the shard.
func (s *sorter) send(i int) {
	l := s.open[i]
	l.until = s.now
	s.workers[i%len(s.workers)] <- l
	next := (*load)(nil)
	select {
	case next = <-s.free:
	default:
		next = &load{}
	}
	next.shard = l.shard
	s.open[i] = next
}

// flush sends all loads, empty ones too.
func (s *sorter) flush() {
	for i := range s.open {
		s.send(i)
	}
}
