package netio

// Chunks come in two sizes: one for the answer that most connections have queued
// for an instant, one for bulk.
const (
	smallChunk = 4 << 10
	bigChunk   = 64 << 10
	// How many unused chunks a loop keeps: 1 MiB and 2 MiB.
	freeSmall = 256
	freeBig   = 32
)

// chunk is a part of a queue: data[off:] is in it.
type chunk struct {
	next *chunk
	data []byte
	off  int
}

// chunks are the unused chunks of a loop.
type chunks struct {
	small, big   *chunk
	nsmall, nbig int
}

func (p *chunks) get(big bool) *chunk {
	free, n, size := &p.small, &p.nsmall, smallChunk
	if big {
		free, n, size = &p.big, &p.nbig, bigChunk
	}
	c := *free
	if c == nil {
		return &chunk{data: make([]byte, 0, size)}
	}
	*free, c.next = c.next, nil
	*n--
	return c
}

func (p *chunks) put(c *chunk) {
	free, n, limit := &p.small, &p.nsmall, freeSmall
	if cap(c.data) > smallChunk {
		free, n, limit = &p.big, &p.nbig, freeBig
	}
	if *n >= limit {
		return
	}
	c.data, c.off = c.data[:0], 0
	c.next, *free = *free, c
	*n++
}

// sendq is what a connection has to write: a list of chunks, of which the first
// is drained by moving an offset. Nothing that is queued ever moves, so draining
// costs as much as there is.
type sendq struct {
	head, tail *chunk
	n          int
}

func (q *sendq) add(pool *chunks, p []byte) {
	q.n += len(p)
	for len(p) > 0 {
		if q.tail == nil || len(q.tail.data) == cap(q.tail.data) {
			c := pool.get(q.tail != nil || len(p) > smallChunk)
			if q.tail == nil {
				q.head = c
			} else {
				q.tail.next = c
			}
			q.tail = c
		}
		t := q.tail
		n := min(len(p), cap(t.data)-len(t.data))
		t.data = append(t.data, p[:n]...)
		p = p[n:]
	}
}

// bufs appends the first bytes of the queue, at most limit, to dst as far as dst
// has room.
func (q *sendq) bufs(dst [][]byte, limit int) [][]byte {
	for c := q.head; c != nil && limit > 0 && len(dst) < cap(dst); c = c.next {
		b := c.data[c.off:]
		b = b[:min(len(b), limit)]
		dst = append(dst, b)
		limit -= len(b)
	}
	return dst
}

func (q *sendq) discard(pool *chunks, n int) {
	q.n -= n
	for n > 0 {
		c := q.head
		if left := len(c.data) - c.off; n < left {
			c.off += n
			return
		} else if n -= left; true {
			q.head = c.next
			pool.put(c)
		}
	}
	if q.head == nil {
		q.tail = nil
	}
}

func (q *sendq) clear(pool *chunks) {
	for q.head != nil {
		c := q.head
		q.head = c.next
		pool.put(c)
	}
	q.tail, q.n = nil, 0
}
