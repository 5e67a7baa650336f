package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Writer writes classic pcap, little-endian, version 2.4, with a snapshot
// length of MaxFrame.
type Writer struct {
	dst  io.Writer
	link LinkType
	unit int64 // nanoseconds in one unit of a record's second time field
	buf  []byte
	err  error // sticky: what follows a torn record would not be readable
}

// NewWriter writes a file header for frames of the given link type to w and
// returns a Writer for the frames. Times are kept in nanoseconds if nanos is
// set, else cut to microseconds. w gets one Write a frame; wrap it in a
// bufio.Writer where that matters.
func NewWriter(w io.Writer, link LinkType, nanos bool) (*Writer, error) {
	wr := &Writer{dst: w, link: link, unit: 1000, buf: make([]byte, 0, 2048)}
	magic := pcapVariants[0].magic
	if nanos {
		magic, wr.unit = pcapVariants[1].magic, 1
	}
	le := binary.LittleEndian
	h := le.AppendUint32(wr.buf, magic)
	h = le.AppendUint16(h, 2)
	h = le.AppendUint16(h, 4)
	h = le.AppendUint64(h, 0) // two fields that the draft reserves
	h = le.AppendUint32(h, MaxFrame)
	h = le.AppendUint32(h, uint32(link))
	if _, err := w.Write(h); err != nil {
		return nil, fmt.Errorf("capture: write file header: %w", err)
	}
	return wr, nil
}

// WriteFrame appends f, whose link type must be the file's, since pcap has one
// a file. A WireLen below len(f.Data) is written as len(f.Data). A frame over
// MaxFrame, of another link type, or of a time outside 1970 to 2106 is refused
// and leaves the file as it was; after an error of the underlying writer every
// call returns that error. f.Iface is not kept. It allocates nothing once its
// buffer has the size of the largest frame.
func (w *Writer) WriteFrame(f *Frame) error {
	if w.err != nil {
		return w.err
	}
	if err := w.refuse(f); err != nil {
		return err
	}
	sec, nsec := f.TS/nanosPerSecond, f.TS%nanosPerSecond
	le := binary.LittleEndian
	b := le.AppendUint32(w.buf[:0], uint32(sec))
	b = le.AppendUint32(b, uint32(nsec/w.unit))
	b = le.AppendUint32(b, uint32(len(f.Data)))
	b = le.AppendUint32(b, uint32(min(uint64(max(len(f.Data), f.WireLen)), math.MaxUint32)))
	b = append(b, f.Data...)
	w.buf = b
	if _, err := w.dst.Write(b); err != nil {
		w.err = fmt.Errorf("capture: write frame: %w", err)
	}
	return w.err
}

func (w *Writer) refuse(f *Frame) error {
	switch {
	case len(f.Data) > MaxFrame:
		return fmt.Errorf("capture: write frame: %d bytes, the limit is %d", len(f.Data), MaxFrame)
	case f.Link != w.link:
		return fmt.Errorf("capture: write frame: link type %v into a file of %v", f.Link, w.link)
	case f.TS < 0 || f.TS/nanosPerSecond > math.MaxUint32:
		return fmt.Errorf("capture: write frame: time %d ns is outside what pcap can hold", f.TS)
	}
	return nil
}
