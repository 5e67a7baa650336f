package flow

// blockSize is how many bytes one block holds: a segment of an Ethernet path with room to spare.
// Longer ones (offloaded, jumbo) take several blocks.
const blockSize = 2048

// rangeCharge is what a held range without bytes counts against the limits.
const rangeCharge = 64

// keepBlocks bounds the free blocks that are kept for reuse; those beyond go to the collector.
const keepBlocks = 16384

type block [blockSize]byte

// segment is a held range of a stream: bytes that arrived before those in front of them.
type segment struct {
	off, end int64  // the range as it was on the wire
	data     []byte // its captured bytes from off, fewer than end-off where the capture cut them
	block    *block // what data lies in; nil for a range without bytes
	next     *segment
}

// room is how many bytes can still be put behind the segment's own without a new block.
func (s *segment) room() int {
	if s.block == nil || int64(len(s.data)) != s.end-s.off {
		return 0
	}
	return blockSize - len(s.data)
}

// memory is where all streams of a stack hold bytes: it counts, refuses beyond the limits, and
// reuses. Streams in order need none of it.
type memory struct {
	sideLimit, limit int // bytes, in blocks and range charges
	used, peak       int
	refused          uint64 // segments not held, or not wholly, because of a limit
	segments         *segment
	blocks           []*block
	scratch          []byte // where bytes of several segments are put together
}

// charge is what a segment counts.
func charge(withBytes bool) int {
	if withBytes {
		return blockSize
	}
	return rangeCharge
}

// take returns an empty segment for t, with a block if it is to hold bytes; nil beyond a limit.
func (m *memory) take(t *stream, withBytes bool) *segment {
	n := charge(withBytes)
	if int(t.heldBytes)+n > m.sideLimit || m.used+n > m.limit {
		return nil
	}
	t.heldBytes += int32(n)
	m.used += n
	m.peak = max(m.peak, m.used)
	s := m.segments
	if s == nil {
		s = new(segment)
	} else {
		m.segments, s.next = s.next, nil
	}
	if withBytes {
		if last := len(m.blocks) - 1; last >= 0 {
			s.block, m.blocks = m.blocks[last], m.blocks[:last]
		} else {
			s.block = new(block)
		}
		s.data = s.block[:0]
	}
	return s
}

// give takes a segment of t back.
func (m *memory) give(t *stream, s *segment) {
	n := charge(s.block != nil)
	t.heldBytes -= int32(n)
	m.used -= n
	if s.block != nil && len(m.blocks) < keepBlocks {
		m.blocks = append(m.blocks, s.block)
	}
	*s = segment{next: m.segments}
	m.segments = s
}
