package netio

// inbuf is what a connection received and its handler did not consume. While a
// Recv runs, and nothing was left over before, the bytes are lent from the loop's
// read buffer: a handler that consumes all costs no copy and no memory.
type inbuf struct {
	own  []byte
	off  int
	home *chunk // that own is in, if it is one of the loop's
	lent []byte
}

func (b *inbuf) bytes() []byte {
	if b.lent != nil {
		return b.lent
	}
	return b.own[b.off:]
}

func (b *inbuf) len() int { return len(b.bytes()) }

// take makes p, which is in the loop's read buffer, part of b; the caller calls
// keep before that is used again.
func (b *inbuf) take(pool *chunks, p []byte) {
	if b.own == nil {
		b.lent = p
		return
	}
	b.add(pool, p)
}

// keep copies what is left of lent bytes.
func (b *inbuf) keep(pool *chunks) {
	p := b.lent
	b.lent = nil
	if len(p) > 0 {
		b.add(pool, p)
	}
}

func (b *inbuf) discard(pool *chunks, n int) {
	if b.lent != nil {
		b.lent = b.lent[n:]
		return
	}
	b.off += n
	if b.off == len(b.own) {
		b.release(pool)
	}
}

func (b *inbuf) release(pool *chunks) {
	if b.home != nil {
		pool.put(b.home)
	}
	*b = inbuf{lent: b.lent}
}

// add copies p behind what is there. What was consumed makes room first, when it
// is at least as much as what is left: so each byte is moved once at most on average.
func (b *inbuf) add(pool *chunks, p []byte) {
	left := len(b.own) - b.off
	switch {
	case len(b.own)+len(p) <= cap(b.own):
	case b.off >= left && left+len(p) <= cap(b.own):
		copy(b.own, b.own[b.off:])
		b.own, b.off = b.own[:left], 0
	case b.own == nil && len(p) <= smallChunk:
		b.home = pool.get(false)
		b.own = b.home.data
	default:
		bigger := make([]byte, left, max(2*cap(b.own), left+len(p)))
		copy(bigger, b.own[b.off:])
		b.release(pool)
		b.own = bigger
	}
	b.own = append(b.own, p...)
}
