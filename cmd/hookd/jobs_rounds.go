package main

import (
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
)

// A round has at most so many packets, but for those that are in one frame with others,
// and of so many bytes, but for the last.
const (
	roundFrames = 256
	roundBytes  = 512 << 10
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

// keeping is a source that can leave the bytes of frames as they are: they need not be
// copied then.
type keeping interface {
	// swap has every window of a capture given to f when no more frames of it come; f
	// returns another of at least n bytes.
	swap(f func(window []byte, n int) []byte)
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
	err    error    // why there are no more; io.EOF
	lasts  bool     // what frames lent stays as it is
	to     *round   // the one at hand
	free   [][]byte // windows whose frames are over
}

// begin reads the first frame.
func (s *sorter) begin() error {
	if src, ok := s.src.(keeping); ok {
		src.swap(s.swap)
		s.lasts = true
	}
	s.unread, s.to = true, &round{}
	return s.src.Next(&s.frame)
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
	for rd.n < roundFrames && rd.bytes < roundBytes {
		if !s.unread {
			if s.err = s.src.Next(&s.frame); s.err != nil {
				return false
			}
		}
		s.unread = false
		s.add(&s.frame)
		if s.src.waits() {
			break
		}
	}
	return true
}

// add puts a frame, or each packet of several in it, into the round.
func (s *sorter) add(f *capture.Frame) {
	s.frames++
	s.now = max(s.now, f.TS)
	s.to.until = s.now
	s.to.bytes += len(f.Data)
	if shard, ok := s.front.Plain(uint16(f.Link), f.Data); ok {
		to, data, at := &s.to.of[shard], f.Data, s.front.Place(f.Data)
		if !s.lasts {
			data = s.to.keep(data)
		}
		*to = flow.AppendSlip(*to, uint16(f.Link), data, f.WireLen, f.TS, at)
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
	keep := p.Made() || !s.lasts
	if keep || !p.Plain() {
		rd.parcels = append(rd.parcels, *p)
		p = &rd.parcels[len(rd.parcels)-1]
	}
	if keep {
		rd.made = p.Keep(rd.made)
	}
	to := &rd.of[p.Shard()]
	*to = p.AppendSlip(*to)
	rd.n++
}

// keep copies what does not last as long as the round.
func (rd *round) keep(data []byte) []byte {
	n := len(rd.made)
	rd.made = append(rd.made, data...)
	return rd.made[n:len(rd.made):len(rd.made)]
}

// swap takes a window whose last frames are in the round at hand, or before.
func (s *sorter) swap(window []byte, n int) []byte {
	s.to.windows = append(s.to.windows, window)
	if last := len(s.free) - 1; last >= 0 {
		next := s.free[last]
		s.free = s.free[:last]
		if len(next) >= n {
			return next
		}
	}
	return make([]byte, n)
}
