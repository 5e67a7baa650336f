package capture

import (
	"errors"
	"io"
	"unsafe"
)

// firstWindow is what a Reader starts with: large enough that reads are few,
// small enough to stay in a core's cache between the copy in and the parse.
const firstWindow = 128 << 10

// keptBehind is how many bytes behind the last record that needed it a window which grew falls back: between two that
// are near each other that would be for nothing.
const keptBehind = 4 << 20

// maxEmptyReads is how often in a row a source may return nothing.
const maxEmptyReads = 100

var errBadRead = errors.New("the source returned an impossible count")

// window is the part of a stream that is in memory. Unread bytes are
// buf[r:w]; what was lent from before r stays intact until the next fill.
type window struct {
	src  io.Reader
	buf  []byte
	r, w int
	base int64 // stream offset of buf[0]
	err  error // why the source has no more; io.EOF at its end
	long int64 // stream offset of the last record that needed more than firstWindow

	// swap, if not nil, keeps what was lent: it takes buf and returns another of at least n bytes, of any content.
	swap func(buf []byte, n int) []byte
}

func newWindow(src *checked) window {
	return window{src: src, buf: make([]byte, firstWindow)}
}

// checked turns a broken source into one that fails, before an impossible count
// becomes a panic and an endless nothing an endless loop, here or in a
// decompressor.
type checked struct {
	src   io.Reader
	empty int   // reads in a row that gave nothing
	read  int64 // bytes that src gave
}

// Read implements io.Reader.
func (c *checked) Read(b []byte) (int, error) {
	n, err := c.src.Read(b)
	switch {
	case n < 0 || n > len(b):
		return 0, errBadRead
	case n > 0:
		c.empty = 0
		c.read += int64(n)
	case err == nil:
		if c.empty++; c.empty == maxEmptyReads {
			return 0, io.ErrNoProgress
		}
	}
	return n, err
}

// have makes n unread bytes contiguous and reports whether there are as many.
// It is small enough to be inlined; the work is in fill.
func (w *window) have(n int) bool { return w.w-w.r >= n || w.fill(n) }

// offset returns the stream offset of the first unread byte.
func (w *window) offset() int64 { return w.base + int64(w.r) }

// place returns where in buf b lies; false if it does not.
func (w *window) place(b []byte) (at int, ok bool) {
	off := uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(unsafe.SliceData(w.buf)))
	return int(off), off < uintptr(w.w) && len(b) <= w.w-int(off)
}

// unread returns how many bytes are in memory and not consumed.
func (w *window) unread() int { return w.w - w.r }

// fill reads on till there are n unread bytes in a row, and reports whether there are.
func (w *window) fill(n int) bool {
	for w.w-w.r < n {
		if w.err != nil {
			return false
		}
		if w.full(n) {
			w.makeRoom(n)
		}
		m, err := w.src.Read(w.buf[w.w:])
		w.w += m
		w.err = err
	}
	if n > firstWindow {
		w.long = w.offset()
	}
	return true
}

// full reports whether the buffer has to be left, or its unread bytes moved, to read on till there are n. One that is
// given away goes once it has no room for them; of one that begins with them nothing was lent yet.
func (w *window) full(n int) bool {
	if w.swap == nil {
		return w.r > 0 || w.w == len(w.buf)
	}
	return w.w == len(w.buf) || w.r > 0 && w.r+n > len(w.buf)
}

// makeRoom moves the unread bytes to the front, of another buffer where what was lent is kept, or where another size
// is due.
func (w *window) makeRoom(n int) {
	to, size := w.buf, w.nextSize(n)
	switch {
	case w.swap != nil:
		to = w.swap(w.buf, size)
	case size != len(w.buf):
		to = make([]byte, size)
	}
	w.w = copy(to, w.buf[w.r:w.w])
	w.base, w.r = w.base+int64(w.r), 0
	w.buf = to
}

// nextSize returns the size of the buffer to read on with, till there are n unread bytes. It grows only when it is full
// of such, so it never runs ahead of what the source gave.
func (w *window) nextSize(n int) int {
	switch {
	case w.unread() == len(w.buf):
		return 2 * len(w.buf)
	case n <= firstWindow && w.offset()-w.long >= keptBehind:
		return firstWindow
	}
	return len(w.buf)
}

// skip consumes n bytes without keeping them and reports whether there were
// as many.
func (w *window) skip(n int64) bool {
	for n > int64(w.unread()) {
		n -= int64(w.unread())
		w.r = w.w
		if !w.fill(1) {
			return false
		}
	}
	w.r += int(n)
	return true
}
