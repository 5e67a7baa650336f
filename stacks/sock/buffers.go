package sock

import "sync"

// buffers keeps large byte slices between dumps: fresh memory has to be mapped page
// by page, which takes longer than reading a queue.
type buffers struct {
	mu    sync.Mutex
	free  [][]byte
	bytes int
}

const (
	// keptBuffers is how many bytes are kept at most.
	keptBuffers = 64 << 20
	// leastBuffer is the smallest that is worth keeping.
	leastBuffer = 64 << 10
)

// get returns a slice of a length, with whatever bytes were in it.
func (p *buffers) get(n int) []byte {
	if n < leastBuffer {
		return make([]byte, n)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, b := range p.free {
		if cap(b) >= n {
			p.free[i] = p.free[len(p.free)-1]
			p.free = p.free[:len(p.free)-1]
			p.bytes -= cap(b)
			return b[:n]
		}
	}
	size := leastBuffer
	for size < n {
		size *= 2
	}
	return make([]byte, n, size)
}

// put gives a slice back; it must not be used any more.
func (p *buffers) put(b []byte) {
	if cap(b) < leastBuffer {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes+cap(b) > keptBuffers {
		return
	}
	p.free = append(p.free, b[:0])
	p.bytes += cap(b)
}
