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

// segment is a range of a stream that is stored, at most a block of bytes.
type segment struct {
	off, end int64 // the range as it was on the wire
	next     *segment
	block    *block // what data lies in; nil for a range without bytes, and where they are noted
	data     []byte // its captured bytes from off
	n        int32  // how many bytes were captured, fewer than end-off where the capture cut them
	parts    int32  // of noted, how many
	// Where the captured bytes are, as long as they are not in data. It lies in a cache line of its own,
	// which who lets go of a stream does not touch.
	noted [maxNoted]noted
}

// stop is the place behind the captured bytes.
func (s *segment) stop() int64 { return s.off + int64(s.n) }

// bare reports whether s is a range without bytes.
func (s *segment) bare() bool { return s.block == nil && s.parts == 0 }

// room is how many bytes can still be put behind the segment's own.
func (s *segment) room() int {
	if s.bare() || s.stop() != s.end {
		return 0
	}
	return blockSize - int(s.n)
}

// charge is what a segment counts against the limits: the same whether its bytes are stored or noted.
func (s *segment) charge() int {
	if s.bare() {
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

	sorted bool   // the frame at hand was sorted by another goroutine
	placed placed // it, if it is of the storage
	unread uint64 // bytes that were noted and could not be read again

	segments  *segment
	nSegments int
	blocks    []*block
	slab      int    // how many blocks were allocated together last
	scratch   []byte // where bytes of several segments are put together for new_data
	copied    []byte // the same for those who read streams
	firsts    []byte // the same for first copies
}

// take returns an empty segment.
func (m *memory) take() *segment {
	if m.segments == nil {
		m.newSegments()
	}
	s := m.segments
	m.segments, s.next = s.next, nil
	m.nSegments--
	return s
}

// block returns a block, of any content.
func (m *memory) block() *block {
	if len(m.blocks) == 0 {
		m.newBlocks()
	}
	last := len(m.blocks) - 1
	b := m.blocks[last]
	m.blocks = m.blocks[:last]
	b[0] = 0 // as a Conn's stack: written before it is read
	return b
}

// give takes a segment back.
func (m *memory) give(s *segment) {
	if s.block != nil && len(m.blocks) < keepBlocks {
		m.blocks = append(m.blocks, s.block)
	}
	if m.nSegments >= keepSegments {
		return
	}
	s.block, s.data, s.n, s.parts = nil, nil, 0, 0
	s.next, m.segments = m.segments, s
	m.nSegments++
}

// room reports whether a chain of what waits that counts charge may count more by n.
func (m *memory) room(charge, n int) bool {
	return charge+n <= m.cfg.ReorderSide && m.used.of(waiting)+n <= m.cfg.ReorderTotal
}
