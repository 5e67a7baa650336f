package capture

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"testing/iotest"
)

// TestSwap keeps the frames of a window until the window is given away, and uses it again then: the frames are those
// that a reader with one window lends, whatever the source gives at once, and however long a record is.
func TestSwap(t *testing.T) {
	t.Parallel()
	var records [][]byte
	for i := range 3000 {
		n := i % 700
		if i%1000 == 999 {
			n = firstWindow + i // two windows do not hold it, nor does one
		}
		records = append(records, words(little, i, 0, n, n, string(bytes.Repeat([]byte{byte(i)}, n))))
	}
	files := samples(t)
	files["long"] = pcapFile(little, 0xa1b2c3d4, 4, 1, records...)
	files["long zipped"] = zip(t, files["long"])
	files["cut"] = files["long"][:len(files["long"])-3]
	for name, file := range files {
		want, wantErr := readAll(bytes.NewReader(file))
		for how, src := range map[string]io.Reader{"whole": bytes.NewReader(file), "halves": iotest.HalfReader(bytes.NewReader(file)), "little": littles{bytes.NewReader(file)}} {
			r, err := NewReader(src, "test")
			if err != nil {
				t.Fatal(err)
			}
			var frames, lent []Frame
			var spare []byte // the window before
			settle := func() {
				for i := range lent {
					lent[i].Data, lent[i].Comment = bytes.Clone(lent[i].Data), bytes.Clone(lent[i].Comment)
				}
				frames, lent = append(frames, lent...), lent[:0]
			}
			given := 0
			r.Swap(func(buf []byte, n int) []byte {
				settle()
				given++
				next := spare
				spare = buf
				if len(next) < n {
					return make([]byte, n)
				}
				for i := range next {
					next[i] = 0xee
				}
				return next
			})
			for {
				var f Frame
				if err = r.Next(&f); err != nil {
					break
				}
				lent = append(lent, f)
			}
			settle()
			same := func(a, b Frame) bool {
				return bytes.Equal(a.Data, b.Data) && a.TS == b.TS && bytes.Equal(a.Comment, b.Comment)
			}
			if !slices.EqualFunc(want, frames, same) || err.Error() != wantErr.Error() {
				t.Errorf("%s, %s: %d frames, %v, want those of one window: %d, %v", name, how, len(frames), err, len(want), wantErr)
			}
			if name == "long" && (given < 8 || given > 16) {
				t.Errorf("%s, %s: %d windows for %d bytes", name, how, given, len(file))
			}
		}
	}
}

// littles gives little at once, as pipes and decompressors do.
type littles struct{ src io.Reader }

func (l littles) Read(b []byte) (int, error) { return l.src.Read(b[:min(len(b), 4096)]) }

// TestWindowFallsBack reads records of 200 KiB among small ones: windows grow for them, once for several that are near
// each other, and fall back behind them.
func TestWindowFallsBack(t *testing.T) {
	t.Parallel()
	record := func(n int) []byte { return words(little, 1, 0, n, n, string(make([]byte, n))) }
	small := bytes.Repeat(record(1000), (keptBehind+1<<20)/1000)
	long := slices.Concat(record(200<<10), small[:1000*1016])
	file := pcapFile(little, 0xa1b2c3d4, 4, 1, small, long, long, long, small, long, small)
	for how, src := range map[string]func() io.Reader{
		"whole":  func() io.Reader { return bytes.NewReader(file) },
		"little": func() io.Reader { return littles{bytes.NewReader(file)} },
	} {
		for _, given := range []bool{false, true} {
			r, err := NewReader(src(), "test")
			if err != nil {
				t.Fatal(err)
			}
			if given {
				r.Swap(func(buf []byte, n int) []byte { return make([]byte, n) })
			}
			sizes := []int{len(r.win.buf)}
			for f := (Frame{}); err == nil; err = r.Next(&f) {
				if n := len(r.win.buf); n != sizes[len(sizes)-1] {
					sizes = append(sizes, n)
				}
			}
			if want := []int{firstWindow, 2 * firstWindow, firstWindow, 2 * firstWindow, firstWindow}; err != io.EOF || !slices.Equal(sizes, want) {
				t.Errorf("%s, given away %v: windows of %d, want %d; %v", how, given, sizes, want, err)
			}
		}
	}
}
