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
	next  int // bytes before it were read, or are lost
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

// take takes a segment. Places that arrived without their bytes get them if these can be read at once.
func (m *model) take(off int, data []byte, end int) {
	for i := off; i < end; i++ {
		if !m.wire[i] && i-off < len(data) {
			m.bytes[i], m.have[i] = data[i-off], true
		}
		m.wire[i] = true
	}
	for i := max(off, m.next); i < min(off+len(data), prefix(m.wire)); i++ {
		if !m.have[i] {
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

// checkStream feeds ops to a stream and to the model, and compares them after each. With keep the
// stream keeps all, and is read back.
func checkStream(t *testing.T, isn uint32, keep bool, ops []segmentOp) {
	mem := &memory{used: &usage{}, cfg: &Config{ReorderSide: 1 << 30, ReorderTotal: 1 << 30}, keep: keep}
	s := stream{}
	s.start(OverlapFirst)
	s.begin(isn)
	m := newModel()
	var got, want []byte
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
		s.max = max(s.max, int64(end))
		s.arrive(mem, off, data, int64(end))
		got = append(got, readOn(t, mem, &s)...)
		m.take(op.off, data, end)
		want = append(want, m.readOn()...)
		if wire := prefix(m.wire); s.next != int64(m.next) || s.wire != int64(wire) {
			t.Fatalf("op %d %+v: next %d, wire %d, want %d, %d", i, op, s.next, s.wire, m.next, wire)
		}
		if !bytes.Equal(got, want) || s.bytes() != uint64(len(want)) {
			t.Fatalf("op %d %+v: read %v, %d bytes, want %v", i, op, got, s.bytes(), want)
		}
		if keep && !cut { // what is not stored, or was cut off, can be read while it comes again
			checkRead(t, mem, &s, m, true)
		}
		s.commit(mem, 0)
		if !cut && uint64(s.missing()) != m.gaps() {
			t.Fatalf("op %d %+v: %d gaps, want %d", i, op, s.missing(), m.gaps())
		}
		checkStored(t, mem, &s)
		checkRead(t, mem, &s, m, keep && !cut)
	}
	s.drop(mem)
	if mem.used.used != [purposes]int64{} || s.ahead.charge+s.past.charge != 0 {
		t.Fatalf("%v bytes in use, %d and %d of the stream, after it was dropped", mem.used, s.ahead.charge, s.past.charge)
	}
}

// readOn reads what can be read, and steps over what the capture cut off before bytes that are there.
func readOn(t *testing.T, mem *memory, s *stream) (got []byte) {
	for s.next < s.wire {
		before := s.next
		b, n := s.pull(mem, true)
		if s.next != before+int64(len(b)) || n != len(b) {
			t.Fatalf("%d bytes readable, %d said, next moved by %d", len(b), n, s.next-before)
		}
		got = append(got, b...)
		if n > 0 {
			continue
		}
		off, _, ok := s.stored(mem, s.next)
		if !ok || off >= s.wire {
			break
		}
		s.missed += off - s.next
		s.next = off
	}
	return got
}

// readOn is the same for the model.
func (m *model) readOn() (got []byte) {
	for wire := prefix(m.wire); m.next < wire; {
		at := m.next
		for at < wire && !m.have[at] {
			at++
		}
		if at == wire {
			break
		}
		got = append(got, m.bytes[at])
		m.next = at + 1
	}
	return got
}

// checkRead reads back what is stored: it is what the model has, or fills a gap that was given up;
// and if all is kept it is all that the model has.
func checkRead(t *testing.T, mem *memory, s *stream, m *model, all bool) {
	there := make([]bool, len(m.have))
	for at := int64(0); ; {
		off, end, ok := s.stored(mem, at)
		if !ok {
			break
		}
		for i, b := range s.read(mem, off, end) {
			at := int(off) + i
			there[at] = true
			if m.have[at] && b != m.bytes[at] || !m.have[at] && at >= m.next {
				t.Fatalf("place %d of %d..%d reads %d, want %d", at, off, end, b, m.bytes[at])
			}
		}
		at = end
	}
	for i := range there {
		if all && !there[i] && m.have[i] {
			t.Fatalf("place %d is not stored", i)
		}
	}
}

// checkStored checks that segments are in order, disjoint, on the right side of wire and fully
// accounted.
func checkStored(t *testing.T, mem *memory, s *stream) {
	for what, c := range [purposes]*chain{&s.ahead, &s.past} {
		at, charged := int64(0), 0
		var last *segment
		for h := c.first; h != nil; h = h.next {
			wrong := h.end > s.wire
			if what == int(waiting) {
				wrong = h.off <= s.wire
			}
			if wrong || h.off < at || h.end <= h.off || int64(len(h.data)) > h.end-h.off || len(h.data) > blockSize {
				t.Fatalf("stored for %d: %d..%d with %d bytes, after %d, wire %d", what, h.off, h.end, len(h.data), at, s.wire)
			}
			at, last = h.end, h
			charged += h.charge()
		}
		if charged != int(c.charge) || charged != mem.used.of(purpose(what)) || c.last != last || c.what != purpose(what) {
			t.Fatalf("stored for %d: count %d, the chain says %d, the memory %d", what, charged, c.charge, mem.used.of(purpose(what)))
		}
	}
}

func TestStreamRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(800) {
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
		checkStream(t, r.Uint32(), seed%2 == 0, ops)
	}
}

// TestStreamSegments sends each byte once, in any order and in pieces of any size, some longer than
// a block.
func TestStreamSegments(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		var ops []segmentOp
		for off := 0; off < modelSize-3500; {
			n := 1 + r.IntN(1+r.IntN(3000))
			ops = append(ops, segmentOp{off, n, n})
			off += n
		}
		r.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
		checkStream(t, 1<<32-100, seed%2 == 0, ops)
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
		checkStream(t, 1<<32-50, len(ops)%2 == 0, ops)
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
