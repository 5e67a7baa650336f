package flow

// blockSize is how many bytes one block holds: a segment of an Ethernet path with room to spare.
// Longer ones (offloaded, jumbo) take several blocks.
const blockSize = 2048

// rangeCharge is what a held range without bytes counts against the limits.
const rangeCharge = 256

// keepBlocks and keepSegments bound what is kept for reuse. More goes to the collector, which frees a
// slab when all of it was given up.
const (
	keepBlocks   = 16384
	keepSegments = 65536
)

type block [blockSize]byte

// segment is a range of a stream that is stored.
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

// charge is what a segment counts against the limits.
func (s *segment) charge() int {
	if s.block == nil {
		return rangeCharge
	}
	return blockSize
}

// blocks is what n bytes count that are stored anew.
func blocks(n int) int { return (max(n, 0) + blockSize - 1) / blockSize * blockSize }

// purpose says what a chain's bytes are stored for.
type purpose uint8

const (
	waiting  purpose = iota // for the bytes before them
	readable                // for those who read streams
	purposes
)

// memory is where all streams of a stack store bytes: it counts, and reuses. Streams in order that
// nobody reads need none of it.
type memory struct {
	cfg  *Config
	keep bool // streams are read: what became readable is kept
	used *usage

	// arriving is the segment that is on its way through the receiver's stack: it is read as if it
	// were stored, and stored once it is sure that the receiver gets it.
	arriving arriving

	segments  *segment
	nSegments int
	blocks    []*block
	slab      int    // how many blocks were allocated together last
	scratch   []byte // where bytes of several segments are put together for new_data
	copied    []byte // the same for those who read streams
	firsts    []byte // the same for first copies
}

// take returns an empty segment, with a block if it is to hold bytes.
func (m *memory) take(withBytes bool) *segment {
	if m.segments == nil {
		m.newSegments()
	}
	s := m.segments
	m.segments, s.next = s.next, nil
	m.nSegments--
	if withBytes {
		if len(m.blocks) == 0 {
			m.newBlocks()
		}
		last := len(m.blocks) - 1
		s.block, m.blocks = m.blocks[last], m.blocks[:last]
		s.data = s.block[:0]
	}
	return s
}

// give takes a segment back.
func (m *memory) give(s *segment) {
	if s.block != nil && len(m.blocks) < keepBlocks {
		m.blocks = append(m.blocks, s.block)
	}
	if m.nSegments >= keepSegments {
		return
	}
	*s = segment{next: m.segments}
	m.segments = s
	m.nSegments++
}

// room reports whether a chain of what waits that counts charge may count more by n.
func (m *memory) room(charge, n int) bool {
	return charge+n <= m.cfg.ReorderSide && m.used.of(waiting)+n <= m.cfg.ReorderTotal
}
