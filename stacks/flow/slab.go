package flow

import "unsafe"

// A slab is blocks that are allocated together. The first is small, since most stacks store little;
// the last size is one of which the system backs what is used, and in huge pages: faulting small ones
// in costs as much as the copying does.
const (
	firstSlab  = 32   // 64 KiB
	slabGrowth = 16   // each is so many times the one before
	lastSlab   = 8192 // 16 MiB
)

// newBlocks makes a slab and offers its blocks for use.
func (m *memory) newBlocks() {
	m.slab = min(max(m.slab*slabGrowth, firstSlab), lastSlab)
	slab := make([]block, m.slab)
	if m.slab == lastSlab {
		preferHugePages(unsafe.Slice(&slab[0][0], len(slab)*blockSize))
	}
	for i := range slab {
		m.blocks = append(m.blocks, &slab[len(slab)-1-i])
	}
}

// segmentSlab is how many segments are allocated together.
const segmentSlab = 64

// newSegments makes some and offers them for use.
func (m *memory) newSegments() {
	slab := make([]segment, segmentSlab)
	for i := range slab {
		slab[i].next = m.segments
		m.segments = &slab[i]
	}
	m.nSegments += segmentSlab
}
