package fragment

import "github.com/hookd/hookd/stacks/flow/packet"

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
		kept[packet.NextHeader(kept)] = p.Proto
	}
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
	if !packet.Seal(out, d.key.version, len(head)) {
		return nil
	}
	return out
}
