package flow

// Slip is what is kept of a [Parcel] by who sorts for others: a frame's bytes, and where they can be read again.
// To decode them a second time, where the packet is run, takes less than to hand over what was decoded: that
// fills four times as many cache lines, which have to come from the other processor each.
type Slip struct {
	data   []byte
	ts, at int64
	wire   int32
	link   uint16
	parcel *Parcel // what has to be taken instead: more than the frame tells
}

// Plain reports whether the parcel is what its frame alone says: not put together, nor inflated, nor one of
// several packets in it.
func (p *Parcel) Plain() bool { return !p.made && !p.several && !p.further }

// Slip returns the slip of a parcel, to be run in its shard; the frame's bytes, or those that [Parcel.Keep] copied, stay till then. One that is not
// plain stays too.
func (p *Parcel) Slip() Slip {
	if !p.Plain() {
		return Slip{parcel: p}
	}
	return Slip{data: p.pkt.Data, ts: p.pkt.TS, at: p.at, wire: int32(p.pkt.WireLen), link: p.pkt.Link}
}

// Run runs what a slip stands for through the pipeline of the shard's stack, as [Front.Take] does.
func (f *Front) Run(shard int, slip *Slip) {
	if slip.parcel != nil {
		f.Take(slip.parcel)
		return
	}
	s := f.common.stacks[shard]
	s.arrive(slip.link, slip.data, int(slip.wire), slip.ts, slip.at)
	s.begin(s.frame + 1)
	p := &s.pkt.p
	p.Decode(slip.link, slip.data, int(slip.wire), slip.ts)
	if s.cfg.Blocks.n.Load() > 0 && s.blocked(p) {
		p.Data = nil
		return
	}
	s.take(p)
}
