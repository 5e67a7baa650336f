package fragment

import (
	"encoding/binary"
	"math"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// headerSize returns the length of what a datagram has before the payload that is fragmented: the
// header, and in IPv6 the extension headers up to the fragment's.
func headerSize(p *packet.Packet) int {
	n := int(p.L4Off - p.IPOff)
	if p.IPVersion == 6 {
		n -= fragmentHeader
	}
	return n
}

const fragmentHeader = 8

// keepHeader copies the header of d from its first fragment.
func (t *Table) keepHeader(d *datagram, p *packet.Packet) {
	n := headerSize(p)
	h := p.Data[p.IPOff:][:n]
	d.head = n
	if n > len(d.short) {
		d.long = t.block(d)
	}
	kept := d.header()
	copy(kept, h)
	if p.IPVersion == 6 {
		kept[nextHeader(kept)] = p.Proto
	}
}

// nextHeader returns the place in an IPv6 header chain of the byte that names what follows the chain.
func nextHeader(h []byte) int {
	const fragment, ah = 44, 51
	at, off := 6, 40
	for off < len(h) {
		size := (int(h[off+1]) + 1) * 8
		switch h[at] {
		case fragment: // an atomic one
			size = fragmentHeader
		case ah:
			size = (int(h[off+1]) + 2) * 4
		}
		at, off = off, off+size
	}
	return at
}

// join returns the datagram d in the table's buffer, nil if it would be too long.
func (t *Table) join(d *datagram) []byte {
	if t.out == nil {
		t.out = make([]byte, 0, blockSize+1<<16)
	}
	head := d.header()
	out := append(t.out[:0], head...)
	for i := range d.blocks {
		if left := d.size - i*blockSize; left > 0 {
			out = append(out, d.blocks[i].data[:min(left, blockSize)]...)
		}
	}
	be := binary.BigEndian
	if d.key.version == 6 {
		if len(out)-40 > math.MaxUint16 {
			return nil
		}
		be.PutUint16(out[4:], uint16(len(out)-40))
		return out
	}
	if len(out) > math.MaxUint16 {
		return nil
	}
	be.PutUint16(out[2:], uint16(len(out)))
	be.PutUint16(out[6:], 0) // no fragment any more
	be.PutUint16(out[10:], 0)
	be.PutUint16(out[10:], headerSum(out[:len(head)]))
	return out
}

// headerSum is the checksum of an IPv4 header (RFC 1071).
func headerSum(h []byte) uint16 {
	var sum uint32
	for ; len(h) > 1; h = h[2:] {
		sum += uint32(binary.BigEndian.Uint16(h))
	}
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum>>16 + sum)
}
