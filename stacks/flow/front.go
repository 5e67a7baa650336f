package flow

import (
	"sync"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// Front spreads frames over stacks, one a shard: it decodes them, puts datagrams together, and gives
// each to the stack that has its connection. Numbers of connections and limits are one for all.
//
// Where the shards are driven together, [Front.Frame] does it all, and the same happens however many
// shards there are. Where they are driven apart, goroutines call [Front.Sort], and what they sorted is
// taken by whoever enters its shard, by [Front.Take].
type Front struct {
	set    *event.Shards
	common common
	cfg    Config
	frames uint64 // of shards that are driven together
	pkt    packet.Packet

	whole  sync.Mutex // guards unpack where shards are driven apart
	unpack *unpacker
}

// NewFront returns a front with a stack for each shard.
func NewFront(set *event.Shards, cfg Config) *Front {
	f := &Front{set: set, cfg: cfg.withDefaults()}
	f.common.apart = set.Drive() == event.Apart
	f.common.used.raced = f.common.apart
	for i := range set.Len() {
		newStack(set.At(i), f.cfg, &f.common)
	}
	f.unpack = newUnpacker(&f.cfg)
	if set.Len() == 1 {
		f.common.stacks[0].unpack = f.unpack
	}
	f.pkt.Decap = f.cfg.Decap
	return f
}

// Install makes the stacks those that scripts ask; Remove undoes it.
func (f *Front) Install(fns *Functions) {
	for _, s := range f.common.stacks {
		fns.Install(s)
	}
}

// Serve makes the stacks those of as many other shards too, for what fns is asked there: of shards that
// are entered only by who has entered the stack's own, and whose scripts do nothing to it.
func (f *Front) Serve(fns *Functions, shards *event.Shards) {
	for i, s := range f.common.stacks {
		fns.stacks.Store(shards.At(i), s)
	}
}

// Remove takes the stacks away from fns.
func (f *Front) Remove(fns *Functions) {
	for _, s := range f.common.stacks {
		fns.Remove(s)
	}
}

// WantStreams is [Stack.WantStreams] for all stacks. Traffic may flow meanwhile; the caller has entered
// no shard.
func (f *Front) WantStreams(want, firsts bool) {
	for _, s := range f.common.stacks {
		s.sh.Enter()
		s.WantStreams(want, firsts)
		s.sh.Leave()
	}
}

// Frame is [Stack.Frame] for shards that are driven together; the caller has entered one of them.
func (f *Front) Frame(link uint16, data []byte, wireLen int, ts int64) {
	if len(f.common.stacks) == 1 {
		f.common.stacks[0].Frame(link, data, wireLen, ts)
		return
	}
	f.set.At(0).Advance(ts)
	f.frames++
	p := &f.pkt
	p.Decode(link, data, wireLen, ts)
	first := f.common.stackOf(p)
	first.outcome.begin(link, data, wireLen, ts)
	first.begin(f.frames)
	if f.cfg.Blocks.n.Load() > 0 {
		if first.pkt.p = *p; first.blocked(p) {
			first.pkt.p.Data = nil
			return
		}
	}
	f.unpack.add(p)
	if f.unpack.inside.Open(p) {
		f.common.takeInside(first, f.unpack, p)
		return
	}
	s := f.common.stackOf(p)
	s.outcome = first.outcome
	if s != first {
		s.turn(f.frames)
		s.said = first.said
	}
	s.pkt.p = *p
	s.take(&s.pkt.p)
}

// Frames returns how many frames [Front.Frame] had so far. It is for the goroutine that gives them.
func (f *Front) Frames() uint64 {
	if len(f.common.stacks) == 1 {
		return max(f.frames, f.common.stacks[0].frame)
	}
	return f.frames
}

// Parcel is a frame on its way to its stack, or one of the packets in it.
type Parcel struct {
	shard   int
	pkt     packet.Packet
	at      int64          // where its bytes can be read again; negative for nowhere
	whole   []byte         // the datagram that was put together or inflated
	inside  *packet.Inside // nil where what carries several packets is not entered
	several bool           // the frame carries several packets, which inside goes through
	further bool           // it is none of these but the first
	pieced  bool           // it is, or was, one of those that datagrams are put together of
	made    bool           // its bytes are not the frame's but whole's
}

// Shard returns the number of the shard that takes the parcel.
func (p *Parcel) Shard() int { return p.shard }

// Made reports whether the parcel's bytes are those of a datagram that was put together or inflated, which are
// lent until the parcel is sorted into again, however long the frame's are.
func (p *Parcel) Made() bool { return p.made }

// Keep copies the frame's bytes, or those of the datagram that was put together, behind those in buf,
// which has room for them, and returns buf with them. Till then they are lent by who gave the frame.
func (p *Parcel) Keep(buf []byte) []byte {
	n := len(buf)
	buf = append(buf, p.pkt.Data...)
	p.pkt.Data, p.whole = buf[n:len(buf):len(buf)], nil
	return buf
}

// Sort decodes a frame into p and finds its shard; [Front.Next] does so for what else the frame carries.
// Several goroutines may sort, each into parcels of its own, which it uses again: fragments meet whoever
// reads them. What belongs together has to be sorted by one of them, in the order of capture, or in that
// order by several.
func (f *Front) Sort(p *Parcel, link uint16, data []byte, wireLen int, ts int64) {
	p.pkt.Decap = f.cfg.Decap
	p.pkt.Decode(link, data, wireLen, ts)
	p.further, p.pieced, p.made = false, false, false
	f.put(p)
	if f.cfg.Decap&(packet.WLAN|packet.SFlow) == 0 {
		return
	}
	if p.inside == nil {
		p.inside = new(packet.Inside)
	}
	p.several = p.inside.Open(&p.pkt)
	if p.several {
		f.put(p)
	}
}

// Next makes of p, into which a frame was sorted, the next packet that the frame carries beside the first, and
// finds its shard; false if there is none. The frame's bytes are still lent. Where shards are driven apart,
// what becomes of each such packet is told as if it were a frame.
func (f *Front) Next(p *Parcel) bool {
	if !p.several || !p.inside.Next(&p.pkt) {
		p.several = false
		return false
	}
	p.further = true
	f.put(p)
	return true
}

// put unpacks what is in p, and finds its shard.
func (f *Front) put(p *Parcel) {
	if f.unpack.concerns(&p.pkt) {
		p.pieced = true
		f.whole.Lock()
		if f.unpack.add(&p.pkt) {
			p.whole = append(p.whole[:0], p.pkt.Data...)
			p.pkt.Data, p.made = p.whole, true
		}
		f.whole.Unlock()
	}
	p.shard = f.common.stackOf(&p.pkt).sh.Index()
	p.at = f.Place(p.pkt.Data)
}

// Take runs a frame that was sorted through the pipeline of its stack. The caller has entered its
// shard, and takes the frames of a connection in the order in which they were sorted.
func (f *Front) Take(p *Parcel) {
	s := f.common.stacks[p.shard]
	s.arrive(p.pkt.Link, p.pkt.Data, p.pkt.WireLen, p.pkt.TS, p.at)
	if p.further {
		s.stats.Inside++
		s.turn(s.frame + 1)
	} else {
		s.begin(s.frame + 1)
	}
	s.pkt.p = p.pkt
	if s.cfg.Blocks.n.Load() > 0 && !p.pkt.Sampled && s.blocked(&s.pkt.p) {
		s.pkt.p.Data = nil
		return
	}
	s.take(&s.pkt.p)
}

// arrive begins with the bytes of a packet that was sorted, which can be read again at a place, unless that is
// negative.
func (s *Stack) arrive(link uint16, data []byte, wireLen int, ts, at int64) {
	s.sh.Advance(ts)
	s.mem.sorted, s.mem.placed = true, placed{}
	if at >= 0 {
		s.mem.placed = placed{bytes: data, at: at}
	}
	s.outcome.begin(link, data, wireLen, ts)
}

// stackOf returns the stack that has to take a packet.
func (c *common) stackOf(p *packet.Packet) *Stack {
	if len(c.stacks) == 1 || !p.IsIP() {
		return c.stacks[0]
	}
	var k key
	switch p.Class {
	case packet.ICMP:
		k = icmpKey(p)
	case packet.UDP:
		k, _ = exchangeKey(p, query{})
	default:
		k, _ = keyOf(p)
	}
	return c.holder(&k)
}

// icmpKey returns the key of what an ICMP message belongs to: of the packet that an error quotes, of
// the query that it is or answers, else of its addresses.
func icmpKey(p *packet.Packet) key {
	message := p.Payload()
	if q, ok := queryOf(p.IPVersion, message); ok {
		k, _ := exchangeKey(p, q)
		return k
	}
	if len(message) > icmpHeader && isICMPError(p.IPVersion, message[0]) {
		if q, ok := readQuote(p.IPVersion, message[icmpHeader:]); ok {
			return q.key
		}
	}
	k, _ := keyOf(p)
	return k
}

// Close is [Stack.Close] for all stacks: connections end in the order they were made. Nobody has
// entered a shard.
func (f *Front) Close() {
	if f.common.apart {
		for i := range f.common.stacks {
			f.CloseShard(i)
		}
		return
	}
	sh := f.set.At(0)
	sh.Enter()
	defer sh.Leave()
	for s := f.oldest(); s != nil; s = f.oldest() {
		s.endOldest()
	}
	for _, s := range f.common.stacks {
		s.tidy()
	}
}

// CloseShard is [Front.Close] for what one shard has, where shards are driven apart; the caller has entered
// none. Shards may be closed at the same time.
func (f *Front) CloseShard(i int) {
	s := f.common.stacks[i]
	s.sh.Enter()
	defer s.sh.Leave()
	s.Close()
}

// oldest returns the stack of what was made first of all that is left; nil if nothing is.
func (f *Front) oldest() (of *Stack) {
	least := uint64(0)
	for _, s := range f.common.stacks {
		c, x := s.oldest()
		id := uint64(0)
		switch {
		case c != nil:
			id = c.id
		case x != nil:
			id = x.id
		default:
			continue
		}
		if of == nil || id < least {
			of, least = s, id
		}
	}
	return of
}

// Stats returns what all stacks counted; the caller has entered no shard. Where shards are driven together, it is
// of one moment.
func (f *Front) Stats() (sum Stats) {
	add := func(s *Stack) {
		st := s.counted()
		sum.add(&st)
	}
	if f.common.apart {
		for _, s := range f.common.stacks {
			s.sh.Enter()
			add(s)
			s.sh.Leave()
		}
		f.whole.Lock()
		defer f.whole.Unlock()
	} else { // one lock is for all shards, and for what stands before them
		sh := f.set.At(0)
		sh.Enter()
		defer sh.Leave()
		for _, s := range f.common.stacks {
			add(s)
		}
	}
	u := &f.common.used
	f.unpack.count(&sum)
	sum.Blocks = f.cfg.Blocks.Stats()
	sum.Held, sum.Peak, sum.Kept = u.of(waiting), u.most(), u.of(readable)
	return sum
}
