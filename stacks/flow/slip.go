package flow

import (
	"encoding/binary"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// Slip is what who sorts for others hands over of a [Parcel]: a frame's bytes, and where they can be read again.
// To decode them once more, where the packet is run, takes less than to hand over what was decoded: that fills
// four times as many cache lines, each of which has to come from another processor.
type Slip struct {
	data   []byte
	ts, at int64
	wire   int32
	link   uint16
	parcel *Parcel // what has to be taken instead: more than the frame tells
}

// Plain reports whether the parcel is what its frame alone says: no fragment, nor compressed, nor one of several
// packets in it.
func (p *Parcel) Plain() bool { return !p.pieced && !p.several && !p.further }

// Plain returns the number of a frame's shard without decoding it, where a look at its headers tells: TCP or UDP in
// IPv4 in Ethernet, with nothing between and whole. False: [Front.Sort] has to.
func (f *Front) Plain(link uint16, data []byte) (shard int, ok bool) {
	const ip, ports = 14, 14 + 20
	if link != packet.LinkEthernet || len(data) < ports+20 || data[12] != 8 || data[13] != 0 || data[ip] != 0x45 {
		return 0, false
	}
	h := data[ip : ports+4 : ports+4]
	proto := h[9]
	if proto != protoTCP && (proto != protoUDP || f.cfg.Decap != 0) || // what may carry another packet
		binary.BigEndian.Uint16(h[6:])&0x3fff != 0 || // a fragment
		binary.BigEndian.Uint16(h[2:]) < 20+20 || // no room for ports, or of no known length
		f.common.claims.n.Load() != 0 {
		return 0, false
	}
	from, to := binary.BigEndian.Uint16(h[20:]), binary.BigEndian.Uint16(h[22:])
	if first := f.common.first; first != nil && (first(from) || first(to)) {
		return 0, true
	}
	addrs := binary.BigEndian.Uint32(h[12:]) ^ binary.BigEndian.Uint32(h[16:])
	return int(mix(addrs, from^to) % uint32(len(f.common.stacks))), true
}

// Place returns where bytes of the frame at hand can be read again; negative for nowhere.
func (f *Front) Place(data []byte) (at int64) {
	if f.cfg.Storage != nil {
		if at, ok := f.cfg.Storage.Place(data); ok {
			return at
		}
	}
	return -1
}

// AppendSlip appends the slip of a plain frame, which is run in its shard: till then data stays. At is the frame's
// [Front.Place].
func AppendSlip(slips []Slip, link uint16, data []byte, wireLen int, ts, at int64) []Slip {
	s, slips := another(slips)
	s.data, s.ts, s.at, s.wire, s.link, s.parcel = data, ts, at, int32(wireLen), link, nil
	return slips
}

// AppendSlip appends the parcel's slip. A parcel that is not plain stays till that is run, too.
func (p *Parcel) AppendSlip(slips []Slip) []Slip {
	if p.Plain() {
		return AppendSlip(slips, p.pkt.Link, p.pkt.Data, p.pkt.WireLen, p.pkt.TS, p.at)
	}
	s, slips := another(slips)
	*s = Slip{parcel: p}
	return slips
}

// another appends a slip of any content, to be filled in place: to copy what was just written field by field would
// wait until it is in the cache.
func another(slips []Slip) (*Slip, []Slip) {
	n := len(slips)
	if n == cap(slips) {
		slips = append(slips, Slip{})
	}
	slips = slips[:n+1]
	return &slips[n], slips
}

// Run runs what slips stand for through the pipeline of the shard's stack, as [Front.Take] does.
func (f *Front) Run(shard int, slips []Slip) {
	s := f.common.stacks[shard]
	for i := range slips {
		s.fetched += slips[i].fetch()
	}
	for i := range slips {
		if parcel := slips[i].parcel; parcel != nil {
			f.Take(parcel)
		} else {
			s.run(&slips[i])
		}
	}
}

// fetch reads from the cache lines that Decode will read. Done for many frames one after the other that waits
// once: while the lines of one are on their way, from another processor's cache, those of the next are asked for.
func (s *Slip) fetch() byte {
	if len(s.data) < 65 {
		return 0
	}
	return s.data[12] + s.data[64]
}

// run runs a frame.
func (s *Stack) run(slip *Slip) {
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
