package fragment

import (
	"testing"
	"unsafe"
)

// TestCosts keeps what a datagram and a block count for near what they are.
func TestCosts(t *testing.T) {
	t.Parallel()
	const indexed = int(unsafe.Sizeof(key{})) + 8
	if size := int(unsafe.Sizeof(datagram{})); size*datagramSlab > 8192 || size+indexed > datagramCost || size+2*indexed < datagramCost-64 {
		t.Errorf("a datagram has %d bytes, %d in the index, and counts for %d", size, indexed, datagramCost)
	}
	if size := int(unsafe.Sizeof(block{})); size != blockCost || size*blockSlab > 128<<10 {
		t.Errorf("a block has %d bytes and counts for %d", size, blockCost)
	}
	if most := datagramCost + (maxBlocks+1)*blockCost; most > minMemory {
		t.Errorf("a datagram may need %d bytes of %d", most, minMemory)
	}
}
