package fragment

// What a datagram and a block of its bytes count for in Config.Memory: their sizes, and a datagram's
// place in the index.
const (
	datagramCost = 640
	blockCost    = 3104
)

// How many datagrams and blocks are allocated at once: as many as fill 8 and 128 KiB, which Go's
// allocator hands out without loss.
const (
	datagramSlab = 16
	blockSlab    = 42
)

// begin makes a datagram that waits for everything.
func (t *Table) begin(k key) *datagram {
	for len(t.index) >= t.cfg.Datagrams || t.stats.Held+datagramCost > t.cfg.Memory {
		t.evict(nil)
	}
	if len(t.freeDatagrams) == 0 {
		list := make([]datagram, datagramSlab)
		for i := range list {
			t.freeDatagrams = append(t.freeDatagrams, &list[datagramSlab-1-i])
		}
	}
	d := t.freeDatagrams[len(t.freeDatagrams)-1]
	t.freeDatagrams = t.freeDatagrams[:len(t.freeDatagrams)-1]
	*d = datagram{key: k, born: t.now, size: -1, prev: t.newest}
	if t.newest != nil {
		t.newest.next = d
	} else {
		t.oldest = d
	}
	t.newest = d
	t.index[k] = d
	t.stats.Datagrams++
	t.charge(datagramCost)
	return d
}

// reserve gives d the blocks for n bytes at off, and makes room for them.
func (t *Table) reserve(d *datagram, off, n int) {
	for i := off / blockSize; i <= (off+n-1)/blockSize; i++ {
		if d.blocks[i] == nil {
			d.blocks[i] = t.block(d)
		}
	}
}

// block returns an empty block, taken from other datagrams than d if need be.
func (t *Table) block(d *datagram) *block {
	for t.stats.Held+blockCost > t.cfg.Memory {
		t.evict(d)
	}
	if len(t.freeBlocks) == 0 {
		list := make([]block, blockSlab)
		for i := range list {
			t.freeBlocks = append(t.freeBlocks, &list[blockSlab-1-i])
		}
	}
	b := t.freeBlocks[len(t.freeBlocks)-1]
	t.freeBlocks = t.freeBlocks[:len(t.freeBlocks)-1]
	clear(b.have[:])
	t.charge(blockCost)
	return b
}

func (t *Table) charge(n int) {
	t.stats.Held += n
	t.stats.Peak = max(t.stats.Peak, t.stats.Held)
}

// evict gives up the datagram that has waited for longest, but for one. There is always another: the
// least Memory is enough for one.
func (t *Table) evict(but *datagram) {
	d := t.oldest
	if d == but {
		d = d.next
	}
	t.stats.Evicted++
	t.drop(d)
}

// discard gives up what d holds, and keeps d to refuse what comes yet.
func (t *Table) discard(d *datagram) {
	t.stats.Discarded++
	t.empty(d)
	d.discard = true
}

// drop takes d out of the table.
func (t *Table) drop(d *datagram) {
	t.empty(d)
	delete(t.index, d.key)
	if d.prev != nil {
		d.prev.next = d.next
	} else {
		t.oldest = d.next
	}
	if d.next != nil {
		d.next.prev = d.prev
	} else {
		t.newest = d.prev
	}
	d.next, d.prev = nil, nil
	t.freeDatagrams = append(t.freeDatagrams, d)
	t.stats.Held -= datagramCost
}

// empty takes d's blocks back.
func (t *Table) empty(d *datagram) {
	for i, b := range d.blocks {
		if b != nil {
			t.release(b)
			d.blocks[i] = nil
		}
	}
	if d.long != nil {
		t.release(d.long)
		d.long = nil
	}
}

func (t *Table) release(b *block) {
	t.freeBlocks = append(t.freeBlocks, b)
	t.stats.Held -= blockCost
}
