package feed

import (
	"context"
	"errors"
	"io"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
)

// keptBytes bounds what a load keeps allocated for the next frames.
const keptBytes = 1 << 20

// pump hands over the frames of one source.
type pump struct {
	*lane
	src   Source
	frame capture.Frame
	// Where the shards are driven apart: the packet at hand where a frame has to be sorted, and
	// what goes to other shards, by shard.
	parcel flow.Parcel
	loads  []load
	away   int // packets in loads
}

// load is packets on their way to another shard.
type load struct {
	slips   []flow.Slip
	parcels []flow.Parcel // of those that are not plain
	buf     []byte        // their bytes: a source lends a frame till the next
}

func newPump(l *lane, src Source) *pump {
	p := &pump{lane: l, src: src}
	if l.cfg.Shards.Drive() == event.Apart {
		p.loads = make([]load, l.cfg.Shards.Len())
	}
	return p
}

// run hands over frames until the source or ctx ends.
func (p *pump) run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := p.src.Next(&p.frame, tickEvery)
		if err == nil {
			p.busy.Add(1)
			for err == nil && ctx.Err() == nil {
				err = p.enter()
				if err == nil {
					err = p.between()
				}
			}
			p.busy.Add(-1)
		}
		switch {
		case err == nil:
		case errors.Is(err, ErrIdle):
			p.tick()
			if p.cfg.Between != nil {
				p.cfg.Between()
			}
		case errors.Is(err, ErrPass):
			p.pass()
		case errors.Is(err, io.EOF):
			if p.left.Add(-1) == 0 {
				p.pass()
			}
			return nil
		default:
			return err
		}
	}
	return nil
}

// between is what happens between two entries of a source that has more.
func (p *pump) between() error {
	if p.cfg.Between != nil {
		p.cfg.Between()
	}
	return p.src.Next(&p.frame, 0)
}

// enter hands over the frame at hand, and those behind it that are there without
// waiting, as many as an entry may have.
func (p *pump) enter() error {
	p.begin(p.frame.TS)
	err := p.own()
	if p.away > 0 {
		p.handOver()
	}
	return err
}

// own hands frames to the shard, and collects those that are of others.
func (p *pump) own() error {
	p.shard.Enter()
	defer p.shard.Leave()
	began := p.cfg.Now()
	for n := 1; ; n++ {
		p.hand()
		if n >= p.cfg.Entry || n%timeFrames == 0 && p.cfg.Now()-began >= int64(entryTime) {
			return nil
		}
		if err := p.src.Next(&p.frame, 0); err != nil {
			return err
		}
	}
}

// hand hands the frame at hand to the stack that has its connection, if the shard
// of that was entered, or puts it on the load for that.
func (p *pump) hand() {
	f, front := &p.frame, p.cfg.Front
	if p.loads == nil {
		front.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
		return
	}
	if shard, ok := front.Plain(uint16(f.Link), f.Data); ok {
		p.plain(shard)
		return
	}
	front.Sort(&p.parcel, uint16(f.Link), f.Data, f.WireLen, f.TS)
	for more := true; more; more = front.Next(&p.parcel) {
		p.give()
	}
}

// plain hands the frame at hand, which is plain, to its shard, or puts it on the load
// for that.
func (p *pump) plain(shard int) {
	f, front, l := &p.frame, p.cfg.Front, &p.loads[shard]
	data, at, own := f.Data, front.Place(f.Data), shard == p.shard.Index()
	if !own {
		n := len(l.buf)
		l.buf = append(l.buf, data...)
		data = l.buf[n:len(l.buf):len(l.buf)]
		p.away++
	}
	l.slips = flow.AppendSlip(l.slips, uint16(f.Link), data, f.WireLen, f.TS, at)
	if own {
		front.Run(shard, l.slips)
		l.slips = l.slips[:0]
	}
}

// give hands the parcel at hand to its shard, or puts it on the load for that.
func (p *pump) give() {
	shard := p.parcel.Shard()
	switch {
	case shard == p.shard.Index():
		p.cfg.Front.Take(&p.parcel)
	case p.parcel.Plain():
		p.plain(shard)
	default:
		l := &p.loads[shard]
		l.parcels = append(l.parcels, p.parcel)
		kept := &l.parcels[len(l.parcels)-1]
		l.buf = kept.Keep(l.buf)
		l.slips = kept.AppendSlip(l.slips)
		p.away++
	}
}

// handOver runs what this goroutine read and other shards have to take: it is not
// in its own shard any more. So frames of one connection that come to one reader
// stay in order, and who is slow makes his readers slow, whose rings count what
// finds no room.
func (p *pump) handOver() {
	p.away = 0
	for i := range p.loads {
		l := &p.loads[i]
		if len(l.slips) == 0 {
			continue
		}
		sh := p.cfg.Shards.At(i)
		sh.Enter()
		p.cfg.Front.Run(i, l.slips)
		sh.Leave()
		clear(l.slips) // they refer to frames
		clear(l.parcels)
		l.slips, l.parcels, l.buf = l.slips[:0], l.parcels[:0], l.buf[:0]
		if cap(l.buf) > keptBytes {
			l.buf = nil
		}
	}
}
