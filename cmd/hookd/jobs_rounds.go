package main

import (
	"errors"
	"io"

	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/feed"
)

// A round has at most so many packets, but for those that are in one frame with others,
// and of so many bytes, but for the last. It holds so many windows, but for those that are
// given away at once: packets that a filter selects may lie far apart.
const (
	roundFrames  = 256
	roundBytes   = 512 << 10
	roundWindows = 8
)

// round is packets that were read one after the other, by shard.
type round struct {
	of      [][]flow.Slip // by shard
	n       int           // how many there are
	bytes   int           // how many bytes their frames have
	parcels []flow.Parcel // of these, those that are not plain
	until   int64         // event time behind them
	made    []byte        // what of them lies in no window of a capture
	windows [][]byte      // of captures, of which no frame comes behind this round
	left    int           // workers that have not run it; guarded by the relay's lock
}

func newRound(shards int) *round { return &round{of: make([][]flow.Slip, shards)} }

// empty takes out what was run.
func (rd *round) empty() {
	rd.n, rd.bytes, rd.parcels, rd.made, rd.windows = 0, 0, rd.parcels[:0], rd.made[:0], rd.windows[:0]
	for i := range rd.of {
		rd.of[i] = rd.of[i][:0]
	}
}

// sorter reads packets, decodes them and finds their shards. It is for one goroutine at a
// time.
type sorter struct {
	src    frameSource
	front  *flow.Front
	goesOn func(frames uint64) bool // anybody wants more

	frame  capture.Frame
	unread bool // frame was not sorted yet
	parcel flow.Parcel
	frames uint64
	now    int64
	err    error            // why there are no more; io.EOF
	to     *round           // the one at hand
	free   [][]byte         // windows whose frames are over
	since  map[*byte]uint64 // how many frames there were when a window was handed out
}

// begin reads the first frame.
func (s *sorter) begin() error {
	s.unread, s.to, s.since = true, &round{}, map[*byte]uint64{}
	s.src.swap(s.swap)
	for {
		if err := s.src.Next(&s.frame); !errors.Is(err, feed.ErrIdle) {
			return err
		}
		if !s.goesOn(0) {
			return io.EOF
		}
	}
}

// sort fills a round that is over, and reports whether more may come. It does not wait
// for packets where it has some.
func (s *sorter) sort(rd *round) (more bool) {
	s.free = append(s.free, rd.windows...)
	rd.empty()
	s.to, rd.until = rd, s.now
	if !s.goesOn(s.frames) {
		return false
	}
	for rd.n < roundFrames && rd.bytes < roundBytes && len(rd.windows) < roundWindows {
		if err := s.read(); errors.Is(err, feed.ErrIdle) {
			break
		} else if err != nil {
			s.err = err
			return false
		}
		s.add(&s.frame)
		if s.src.waits() {
			break
		}
	}
	return true
}

// read reads the next frame. Where none is found without waiting it returns [feed.ErrIdle], and io.EOF also where nobody
// wants more.
func (s *sorter) read() error {
	if s.unread {
		s.unread = false
		return nil
	}
	for {
		if err := s.src.Next(&s.frame); !errors.Is(err, feed.ErrIdle) || s.src.waits() {
			return err
		}
		if !s.goesOn(s.frames) {
			return io.EOF
		}
	}
}

// add puts a frame, or each packet of several in it, into the round.
func (s *sorter) add(f *capture.Frame) {
	s.frames++
	s.now = max(s.now, f.TS)
	s.to.until = s.now
	s.to.bytes += len(f.Data)
	if shard, ok := s.front.Plain(uint16(f.Link), f.Data); ok {
		to := &s.to.of[shard]
		*to = flow.AppendSlip(*to, uint16(f.Link), f.Data, f.WireLen, f.TS, s.front.Place(f.Data))
		s.to.n++
		return
	}
	s.front.Sort(&s.parcel, uint16(f.Link), f.Data, f.WireLen, f.TS)
	for more := true; more; more = s.front.Next(&s.parcel) {
		s.put()
	}
}

// put puts the parcel at hand into the round.
func (s *sorter) put() {
	rd, p := s.to, &s.parcel
	if p.Made() || !p.Plain() {
		rd.parcels = append(rd.parcels, *p)
		p = &rd.parcels[len(rd.parcels)-1]
	}
	if p.Made() {
		rd.made = p.Keep(rd.made)
	}
	to := &rd.of[p.Shard()]
	*to = p.AppendSlip(*to)
	rd.n++
}

// swap takes a window whose last frames are in the round at hand, or before. One of which
// no frame was sorted, because none was selected or a block was skipped, is free at once:
// else a search through a long capture would have all of it in memory.
func (s *sorter) swap(window []byte, n int) []byte {
	at := s.since[&window[0]]
	delete(s.since, &window[0])
	if at == s.frames {
		s.free = append(s.free, window)
	} else {
		s.to.windows = append(s.to.windows, window)
	}
	next := s.spare(n)
	s.since[&next[0]] = s.frames
	return next
}

// spare returns a window of n bytes.
func (s *sorter) spare(n int) []byte {
	if last := len(s.free) - 1; last >= 0 {
		next := s.free[last]
		s.free = s.free[:last]
		if len(next) == n {
			return next
		}
		s.free = nil // a record is longer than those before, or such a one is behind
	}
	return make([]byte, n)
}
