package fragment

import (
	"math"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// Result says what became of a packet that was given to a Table.
type Result uint8

// The results.
const (
	// NoFragment is a packet that is none; nothing was done.
	NoFragment Result = iota
	// Held is a fragment of a datagram that is not whole yet.
	Held
	// Refused is a fragment that was not taken; Stats says why.
	Refused
	// Whole is a fragment that was its datagram's last missing one: the packet is the datagram now.
	Whole
	// Start is a first fragment that was refused, being cut, and that by Config.ReadCut is the packet now that
	// it begins.
	Start
)

var resultNames = [...]string{"no fragment", "held", "refused", "whole", "start"}

// String returns the result in words.
func (r Result) String() string {
	if int(r) < len(resultNames) {
		return resultNames[r]
	}
	return "invalid"
}

// maxNested bounds how often a datagram that was put together may be a fragment itself, as those of
// a tunnel are whose outer packets were fragmented as well.
const maxNested = 4

// Table holds the fragments that wait for others.
type Table struct {
	cfg    Config
	index  map[key]*datagram
	oldest *datagram
	newest *datagram
	now    int64 // the greatest timestamp seen
	stats  Stats

	freeDatagrams []*datagram
	freeBlocks    []*block
	out           []byte // the datagram that was lent last
}

// New returns an empty table.
func New(cfg Config) *Table {
	return &Table{cfg: cfg.WithDefaults(), index: map[key]*datagram{}, now: math.MinInt64}
}

// Stats returns what the table counted.
func (t *Table) Stats() Stats {
	s := t.stats
	s.Open = len(t.index)
	return s
}

// Advance moves the table's time to ts, in nanoseconds since the epoch, and gives up what has waited for
// too long by then. An earlier time than one before changes nothing. Add advances by itself.
func (t *Table) Advance(ts int64) {
	if ts <= t.now {
		return
	}
	t.now = ts
	for d := t.oldest; d != nil && d.born <= ts && uint64(ts-d.born) >= uint64(t.cfg.Timeout); d = t.oldest {
		t.stats.TimedOut++
		t.drop(d)
	}
}

// Add takes the packet p if it is a fragment: of class packet.Fragment, as Decode left it. The bytes are
// copied, so the frame may be reused. Where the result is Whole, p has become the datagram, decoded, and
// its Data is lent until the next call.
//
// A datagram may be a fragment again: of what a tunnel carries whose outer packets were fragmented too.
// It goes the same way at once, and where that is the end of it p is this fragment, Held or Refused.
//
// Add allocates nothing while no more waits than ever did before.
func (t *Table) Add(p *packet.Packet) Result {
	if p.Class != packet.Fragment {
		return NoFragment
	}
	t.Advance(p.TS)
	for range maxNested {
		d, result := t.take(p)
		if d == nil && t.cfg.ReadCut && p.Cut() && p.ReadStart() {
			t.stats.Read++
			return Start
		}
		if d == nil {
			return result
		}
		datagram := t.join(d)
		t.drop(d)
		if datagram == nil {
			t.stats.TooLong++
			return Refused
		}
		t.stats.Whole++
		p.Reassemble(datagram)
		if p.Class != packet.Fragment {
			return Whole
		}
	}
	t.stats.Fragments++
	t.stats.Nested++
	return Refused
}

// take puts the fragment p where it belongs, and returns its datagram if that is whole now.
func (t *Table) take(p *packet.Packet) (*datagram, Result) {
	t.stats.Fragments++
	bytes, refused := t.usable(p)
	if refused != nil {
		*refused++
		return nil, Refused
	}
	k := keyOf(p)
	d := t.index[k]
	if d == nil {
		d = t.begin(k)
	}
	off := int(p.FragOff)
	if refused := t.fits(d, off, len(bytes), !p.FragMore); refused != nil {
		*refused++
		return nil, Refused
	}
	there := d.span(off, len(bytes))
	if there > 0 && there < len(bytes) {
		t.stats.Overlaps++
		if t.cfg.Overlap == OverlapDiscard {
			t.discard(d)
			t.stats.Late++
			return nil, Refused
		}
	}
	t.reserve(d, off, len(bytes))
	if d.put(off, bytes, t.cfg.Overlap) {
		t.stats.Conflicts++
	}
	if there == len(bytes) {
		t.stats.Duplicates++
	} else {
		t.stats.Taken++
	}
	if !p.FragMore {
		d.size = off + len(bytes)
	}
	if off == 0 && d.head == 0 {
		t.keepHeader(d, p)
	}
	if d.whole() {
		return d, Whole
	}
	return nil, Held
}

// usable returns the bytes that the fragment p brings, or the counter of what is wrong with it.
func (t *Table) usable(p *packet.Packet) (b []byte, refused *uint64) {
	b = p.Payload()
	switch {
	case p.Cut():
		return nil, &t.stats.Cut
	case p.FragMore && len(b)%unit != 0:
		if p.IPVersion == 6 {
			return nil, &t.stats.Misaligned
		}
		b = b[:len(b)/unit*unit]
		t.stats.Trimmed++
	}
	if len(b) == 0 {
		return nil, &t.stats.Empty
	}
	if p.FragOff == 0 && headerSize(p) > blockSize {
		return nil, &t.stats.LongHeaders
	}
	return b, nil
}

// fits returns the counter of what is wrong with a fragment of n bytes at off, nil if it agrees with
// what came before it.
func (t *Table) fits(d *datagram, off, n int, last bool) (refused *uint64) {
	end := off + n
	switch {
	case d.discard:
		return &t.stats.Late
	case last && (end < d.high || d.size >= 0 && d.size != end), !last && d.size >= 0 && end > d.size:
		return &t.stats.Contradicting
	}
	return nil
}
