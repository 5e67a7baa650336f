package fragment

import (
	"bytes"
	"math/bits"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// A datagram's bytes wait in blocks, which are taken where bytes are: a fragment far behind its
// datagram's start costs no more than any other. A block knows which of its units it holds; fragments
// begin at multiples of a unit, and all but the last end at one.
const (
	unit      = 8
	blockSize = 2048
	maxBlocks = 1 << 16 / blockSize
)

type block struct {
	data [blockSize]byte
	have [blockSize / unit / 64]uint64 // one bit a unit
	of   [blockSize / unit]owner       // whose the units are that are there
}

// key is what the fragments of one datagram have in common. IPv6 leaves out the protocol: only the
// first fragment's counts.
type key struct {
	src, dst packet.Addr
	network  uint64
	id       uint32
	proto    uint8
	version  uint8
}

func keyOf(p *packet.Packet) key {
	k := key{src: p.Src, dst: p.Dst, network: p.Network(), id: p.FragID, version: p.IPVersion}
	if p.IPVersion == 4 {
		k.proto = p.Proto
	}
	return k
}

// datagram is one that waits for fragments.
type datagram struct {
	key        key
	next, prev *datagram // in the order they began
	born       int64

	size   int // of the payload, -1 until the last fragment came
	high   int // where the highest byte that came ends
	held   int // bytes of the payload that came
	blocks [maxBlocks]*block

	head    int       // length of the header, 0 until the first fragment came
	short   [128]byte // the header, unless it is longer: then it is in long
	long    *block
	discard bool // given up for an overlap: what comes yet is refused, and nothing is held
}

// whole reports whether nothing is missing.
func (d *datagram) whole() bool { return d.size >= 0 && d.held == d.size && d.head > 0 }

// header returns the header.
func (d *datagram) header() []byte {
	if d.long != nil {
		return d.long.data[:d.head]
	}
	return d.short[:d.head]
}

// span counts the bytes of the range off..off+n of the payload that are there.
func (d *datagram) span(off, n int) (there int) {
	for end := off + n; off < end; {
		b := d.blocks[off/blockSize]
		stop := min(end, (off/blockSize+1)*blockSize)
		if b != nil {
			for off < stop {
				is, to := b.run(off%blockSize, stop-off)
				if is {
					there += to
				}
				off += to
			}
		}
		off = stop
	}
	return there
}

// put takes the bytes that are not there yet, and those that by policy hold before what is there; their
// blocks are. It reports whether others differ from those that were there.
func (d *datagram) put(off int, p []byte, policy Overlap) (differ bool) {
	of := owner{uint16(off), uint16(off + len(p))}
	d.high = max(d.high, off+len(p))
	for len(p) > 0 {
		b, at := d.blocks[off/blockSize], off%blockSize
		is, n := b.run(at, min(len(p), blockSize-at))
		if is {
			differ = !bytes.Equal(b.data[at:at+n], p[:n]) || differ
			b.replace(at, p[:n], of, policy)
		} else {
			copy(b.data[at:], p[:n])
			b.mark(at, n, of)
			d.held += n
		}
		off += n
		p = p[n:]
	}
	return differ
}

// replace puts those of the units of p, which lie at place at, in the place of what is there that hold
// before it.
func (b *block) replace(at int, p []byte, of owner, policy Overlap) {
	for ; len(p) > 0; at += unit {
		n := min(unit, len(p))
		if had := &b.of[at/unit]; policy.yields(*had, of) {
			copy(b.data[at:], p[:n])
			*had = of
		}
		p = p[n:]
	}
}

// run returns whether the unit at place at is there, and how many bytes from there, at most n, are as
// it is.
func (b *block) run(at, n int) (is bool, length int) {
	u, end := at/unit, (at+n+unit-1)/unit
	is = b.have[u/64]>>(u%64)&1 != 0
	for u < end {
		word := b.have[u/64] >> (u % 64)
		if is {
			word = ^word
		}
		left := 64 - u%64
		same := min(bits.TrailingZeros64(word), left)
		u += same
		if same < left {
			break
		}
	}
	return is, min(u*unit-at, n)
}

// mark notes that the units of at..at+n are there, and whose they are.
func (b *block) mark(at, n int, of owner) {
	for u, end := at/unit, (at+n+unit-1)/unit; u < end; {
		w := u / 64
		stop := min(end, (w+1)*64)
		b.have[w] |= (^uint64(0) >> (64 - (stop - u))) << (u % 64)
		for ; u < stop; u++ {
			b.of[u] = of
		}
	}
}
