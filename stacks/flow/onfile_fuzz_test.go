package flow

import (
	"bytes"
	"io"
	"testing"
)

// rack is a [Storage] for tests that look inside: one file, the end of which is the frame at hand.
type rack struct{ file, frame []byte }

// lend puts a frame behind the file and overwrites the one before it.
func (r *rack) lend(frame []byte) []byte {
	for i := range r.frame {
		r.frame[i] = '#'
	}
	r.file = append(r.file, frame...)
	r.frame = bytes.Clone(frame)
	return r.frame
}

func (r *rack) Place(b []byte) (int64, bool) {
	p := placed{bytes: r.frame, at: int64(len(r.file) - len(r.frame))}
	return p.place(b)
}

func (r *rack) ReadAt(b []byte, at int64) (int, error) {
	if n := copy(b, r.file[at:]); n < len(b) {
		return n, io.EOF
	}
	return len(b), nil
}

// noting is a stream that notes, or stores, what it keeps.
type noting struct {
	stream
	mem *memory
}

func newNoting(from Storage, overlap Overlap) *noting {
	n := &noting{mem: &memory{used: &usage{}, cfg: &Config{ReorderSide: 1 << 30, ReorderTotal: 1 << 30, Storage: from}, keep: true}}
	n.start(overlap)
	n.begin(0)
	return n
}

// take takes a segment and returns what was sent of it before, whether that differs, and what can be read
// on.
func (n *noting) take(off int64, data []byte, end int64, floor int64) (old []byte, differ bool, fresh []byte) {
	old, _, _, differ = n.first(n.mem, off, data)
	old = bytes.Clone(old)
	n.max = max(n.max, end)
	n.arrive(n.mem, off, data, end)
	fresh, _ = n.pull(n.mem, true)
	fresh = bytes.Clone(fresh)
	n.commit(n.mem, floor)
	return old, differ, fresh
}

// all is every range that is kept, with its place.
func (n *noting) all() (list []any) {
	for at := int64(0); ; {
		off, end, ok := n.stored(n.mem, at)
		if !ok {
			return list
		}
		list = append(list, off, string(n.read(n.mem, off, end)))
		at = end
	}
}

// FuzzNoted gives segments to a stream whose bytes are in a file and to one that copies them, and compares all
// that can be read of them, and what they count.
func FuzzNoted(f *testing.F) {
	f.Add([]byte{0, 0, 200, 0, 1, 100, 200, 0, 0, 250, 250, 3}, false)
	f.Add([]byte{9, 9, 255, 0, 0, 0, 255, 64, 1, 20, 40, 130, 0, 90, 250, 7, 0, 0, 255, 192}, true)
	f.Fuzz(func(t *testing.T, in []byte, last bool) {
		from, overlap := &rack{}, OverlapFirst
		if last {
			overlap = OverlapLast
		}
		a, b := newNoting(nil, overlap), newNoting(from, overlap)
		for in = in[:min(len(in), 400)]; len(in) >= 4; in = in[4:] {
			off := int64(in[0]&15)<<8 + int64(in[1])*4
			data := bytes.Repeat([]byte{in[0] ^ in[2], in[1], in[3]}, 1+int(in[2])*3)
			end := off + int64(len(data))
			if in[3]&7 == 7 { // the capture cut it
				data = data[:len(data)/2]
			}
			floor := int64(0)
			if in[3]&56 == 56 {
				floor = a.wire - int64(in[3])*16
			}
			old, differ, fresh := a.take(off, data, end, floor)
			old2, differ2, fresh2 := b.take(off, from.lend(data), end, floor)
			if !bytes.Equal(old, old2) || differ != differ2 || !bytes.Equal(fresh, fresh2) {
				t.Fatalf("stored %q %v %q\nnoted %q %v %q", old, differ, fresh, old2, differ2, fresh2)
			}
			if a.next != b.next || a.wire != b.wire || a.past.charge != b.past.charge || a.ahead.charge != b.ahead.charge {
				t.Fatalf("stored: next %d, wire %d, %d and %d bytes; noted: %d, %d, %d and %d",
					a.next, a.wire, a.past.charge, a.ahead.charge, b.next, b.wire, b.past.charge, b.ahead.charge)
			}
			if in[3]&64 != 0 {
				compareKept(t, a, b)
			}
		}
		compareKept(t, a, b)
		b.drop(b.mem)
		if b.mem.used.used != [purposes]int64{} || b.mem.unread != 0 {
			t.Fatalf("%v in use, %d unread, after it was dropped", b.mem.used, b.mem.unread)
		}
	})
}

func compareKept(t *testing.T, a, b *noting) {
	t.Helper()
	x, y := a.all(), b.all()
	if len(x) != len(y) {
		t.Fatalf("stored %q\nnoted %q", x, y)
	}
	for i := range x {
		if x[i] != y[i] {
			t.Fatalf("stored %q\nnoted %q", x[i], y[i])
		}
	}
}
