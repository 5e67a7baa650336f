package flow

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// model is a stream as a list of places: slow, and plainly right.
type model struct {
	wire  []bool // arrived, captured or not
	bytes []byte // first copy
	have  []bool // captured in its first copy
	max   int
}

const modelSize = 1 << 12

func newModel() *model {
	return &model{wire: make([]bool, modelSize), bytes: make([]byte, modelSize), have: make([]bool, modelSize)}
}

func (m *model) seen(off, end int) bool {
	for i := off; i < end; i++ {
		if m.wire[i] {
			return true
		}
	}
	return false
}

func (m *model) take(off int, data []byte, end int) {
	for i := off; i < end; i++ {
		if m.wire[i] {
			continue
		}
		m.wire[i] = true
		if i-off < len(data) {
			m.bytes[i], m.have[i] = data[i-off], true
		}
	}
	m.max = max(m.max, end)
}

// prefix returns how many of the flags at the front are set.
func prefix(flags []bool) int {
	for i, f := range flags {
		if !f {
			return i
		}
	}
	return len(flags)
}

func (m *model) gaps() (n uint64) {
	for i := prefix(m.wire); i < m.max; i++ {
		if !m.wire[i] && m.wire[i+1] {
			n++
		}
	}
	return n
}

// segmentOp is one segment: length bytes at off, of which captured are there.
type segmentOp struct{ off, length, captured int }

// checkStream feeds ops to a stream and to the model, and compares them after each.
func checkStream(t *testing.T, isn uint32, ops []segmentOp) {
	mem := &memory{sideLimit: 1 << 30, limit: 1 << 30}
	s := stream{fin: -1}
	s.begin(isn)
	m := newModel()
	var got []byte
	cut := false
	for i, op := range ops {
		end := op.off + op.length
		data := bytes.Repeat([]byte{byte(i + 1)}, op.captured)
		cut = cut || op.captured < op.length
		off := s.place(isn + 1 + uint32(op.off))
		if off != int64(op.off) {
			t.Fatalf("op %d: place %d, want %d", i, off, op.off)
		}
		if was := m.seen(op.off, end); s.seen(off, int64(end)) != was {
			t.Fatalf("op %d %+v: seen %v, want %v", i, op, !was, was)
		}
		before := s.next
		s.max = max(s.max, int64(end))
		read := s.receive(mem, off, data, int64(end))
		got = append(got, read...)
		if s.next != before+int64(len(read)) {
			t.Fatalf("op %d %+v: %d bytes readable, next moved by %d", i, op, len(read), s.next-before)
		}
		m.take(op.off, data, end)
		wire := prefix(m.wire)
		if want := prefix(m.have[:wire]); s.next != int64(want) || s.wire != int64(wire) {
			t.Fatalf("op %d %+v: next %d, wire %d, want %d, %d", i, op, s.next, s.wire, want, wire)
		}
		if !cut && s.gaps() != m.gaps() {
			t.Fatalf("op %d %+v: %d gaps, want %d", i, op, s.gaps(), m.gaps())
		}
		checkHeld(t, mem, &s)
	}
	if !bytes.Equal(got, m.bytes[:len(got)]) {
		t.Fatalf("bytes differ from the first copies: %v, want %v", got, m.bytes[:len(got)])
	}
	s.drop(mem)
	if mem.used != 0 || s.heldBytes != 0 {
		t.Fatalf("%d bytes in use, %d of the stream, after it was dropped", mem.used, s.heldBytes)
	}
}

// checkHeld checks that held segments are in order, disjoint, behind a hole and fully accounted.
func checkHeld(t *testing.T, mem *memory, s *stream) {
	at, charged := s.wire, 0
	for h := s.held; h != nil; h = h.next {
		if h.off < at || h.off == s.wire || h.end <= h.off || int64(len(h.data)) > h.end-h.off || len(h.data) > blockSize {
			t.Fatalf("held %d..%d with %d bytes, after %d, wire %d", h.off, h.end, len(h.data), at, s.wire)
		}
		at = h.end
		charged += charge(h.block != nil)
	}
	if charged != int(s.heldBytes) || charged != mem.used {
		t.Fatalf("held segments count %d, the stream says %d, the memory %d", charged, s.heldBytes, mem.used)
	}
}

func TestStreamRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		ops := make([]segmentOp, 1+r.IntN(60))
		longest := 1 + r.IntN(200)
		for i := range ops {
			n := 1 + r.IntN(longest)
			ops[i] = segmentOp{r.IntN(longest * 8), n, n}
			if seed%3 == 0 && r.IntN(10) == 0 {
				ops[i].captured = r.IntN(n)
			}
		}
		checkStream(t, r.Uint32(), ops)
	}
}

// TestStreamSegments sends each byte once, in any order and in pieces of any size, some longer than
// a block.
func TestStreamSegments(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		var ops []segmentOp
		for off := 0; off < modelSize-3500; {
			n := 1 + r.IntN(1+r.IntN(3000))
			ops = append(ops, segmentOp{off, n, n})
			off += n
		}
		r.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
		checkStream(t, 1<<32-100, ops)
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte{10, 5, 5, 0, 10, 10, 20, 1, 0, 15, 5, 5})
	f.Add([]byte{0, 3, 3, 6, 3, 1, 3, 3, 3, 9, 9, 9})
	f.Fuzz(func(t *testing.T, in []byte) {
		var ops []segmentOp
		for ; len(in) >= 3 && len(ops) < 100; in = in[3:] {
			n := 1 + int(in[1])
			ops = append(ops, segmentOp{int(in[0]), n, min(int(in[2]), n)})
		}
		checkStream(t, 1<<32-50, ops)
	})
}

func TestPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		isn         uint32
		max, acked  int64
		seq         uint32
		want        int64
		description string
	}{
		{100, 0, 0, 101, 0, "first byte"},
		{100, 0, 0, 100, -1, "the SYN"},
		{1<<32 - 1, 0, 0, 0, 0, "first byte behind a wrap"},
		{1<<32 - 1, 0, 0, 9, 9, "wrapped"},
		{100, 1 << 32, 0, 101, 1 << 32, "one lap on"},
		{100, 1 << 32, 0, 100, 1<<32 - 1, "one lap on, one back"},
		{100, 5 << 32, 0, 111, 5<<32 + 10, "five laps on"},
		{100, 0, 3 << 30, 101 + 3<<30, 3 << 30, "the acknowledgments are ahead"},
	} {
		s := stream{isn: c.isn, max: c.max, acked: c.acked}
		if got := s.place(c.seq); got != c.want {
			t.Errorf("%s: %d, want %d", c.description, got, c.want)
		}
	}
}
