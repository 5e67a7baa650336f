package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"unicode/utf8"
)

// MaxComment is how many bytes of a packet's comment a NgWriter keeps; a longer
// one is cut before a character.
const MaxComment = 4 << 10

// Options that a NgWriter writes (draft-ietf-opsawg-pcapng, sections 3.5, 4.1, 4.2).
const (
	ngOptionComment     = 1
	ngOptionName        = 2 // if_name
	ngOptionApplication = 4 // shb_userappl
)

// ngEarly is the if_tsoffset, in seconds, of interfaces for times before 1970: block times are
// unsigned. What lies before that, less than a second, is written as of then.
const ngEarly = math.MinInt64 / nanosPerSecond

// NgWriter writes pcapng, little-endian, version 1.0, in one section: frames of several interfaces
// and link types, times in nanoseconds, a comment at each frame that has one.
type NgWriter struct {
	dst    io.Writer
	ifaces []ngWritten
	blocks int // interface descriptions in the file
	buf    []byte
	err    error // sticky: what follows a torn block would not be readable
	cut    uint64
}

// ngWritten is an interface, and its numbers in the file: for times since 1970 and before, -1 until
// there is one.
type ngWritten struct {
	link        LinkType
	name        string
	late, early int
}

// NewNgWriter writes a section header to w, which names the application, and returns a NgWriter for
// what follows. w gets one Write a block; wrap it in a bufio.Writer where that matters.
func NewNgWriter(w io.Writer, application string) (*NgWriter, error) {
	wr := &NgWriter{dst: w, buf: make([]byte, 0, 2048)}
	b := wr.open(ngSectionHeader)
	le := binary.LittleEndian
	b = le.AppendUint32(b, ngByteOrder)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint64(b, math.MaxUint64) // the section's length is not known
	b = appendOption(b, ngOptionApplication, application)
	b = appendOption(b, ngOptionEnd, "")
	if err := wr.close(b); err != nil {
		return nil, err
	}
	return wr, nil
}

// AddInterface makes an interface of the given link type and returns its number for WriteFrame. It
// is written with its first frame. A section has [MaxInterfaces] at most, and an interface with
// frames of before 1970 and later counts as two.
func (w *NgWriter) AddInterface(link LinkType, name string) int {
	w.ifaces = append(w.ifaces, ngWritten{link: link, name: name, late: -1, early: -1})
	return len(w.ifaces) - 1
}

// Cut returns how many comments were longer than MaxComment.
func (w *NgWriter) Cut() uint64 { return w.cut }

// WriteFrame appends f, seen on interface iface, whose link type it must have, with the comment
// unless that is empty. Bytes that are not UTF-8 become U+FFFD in the comment. A WireLen below
// len(f.Data) is written as len(f.Data). f.Iface and f.Comment do not count. A frame over MaxFrame,
// of another link type or of an interface that does not exist is refused and leaves the file as it
// was; after an error of the underlying writer every call returns that error.
func (w *NgWriter) WriteFrame(iface int, f *Frame, comment []byte) error {
	if w.err != nil {
		return w.err
	}
	if err := w.refuse(iface, f); err != nil {
		return err
	}
	number, units, err := w.place(iface, f.TS)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	b := w.open(ngEnhancedPacket)
	b = le.AppendUint32(b, uint32(number))
	b = le.AppendUint32(b, uint32(units>>32))
	b = le.AppendUint32(b, uint32(units))
	b = le.AppendUint32(b, uint32(len(f.Data)))
	b = le.AppendUint32(b, uint32(min(uint64(max(len(f.Data), f.WireLen)), math.MaxUint32)))
	b = pad(append(b, f.Data...))
	if len(comment) > 0 {
		b = appendOption(b, ngOptionComment, w.text(comment))
		b = appendOption(b, ngOptionEnd, "")
	}
	return w.close(b)
}

func (w *NgWriter) refuse(iface int, f *Frame) error {
	switch {
	case iface < 0 || iface >= len(w.ifaces):
		return fmt.Errorf("capture: write frame: there is no interface %d", iface)
	case len(f.Data) > MaxFrame:
		return fmt.Errorf("capture: write frame: %d bytes, the limit is %d", len(f.Data), MaxFrame)
	case f.Link != w.ifaces[iface].link:
		return fmt.Errorf("capture: write frame: link type %v on an interface of %v", f.Link, w.ifaces[iface].link)
	}
	return nil
}

// place returns the number in the file of the interface for a frame of time ts, which it describes
// with the first, and the time in nanoseconds since where that interface's time begins.
func (w *NgWriter) place(iface int, ts int64) (number int, units uint64, err error) {
	i := &w.ifaces[iface]
	at, offset := &i.late, int64(0)
	units = uint64(ts)
	if ts < 0 {
		at, offset = &i.early, ngEarly
		units = uint64(max(ts, ngEarly*nanosPerSecond) - ngEarly*nanosPerSecond)
	}
	if *at < 0 {
		if w.blocks == MaxInterfaces {
			return 0, 0, fmt.Errorf("capture: write frame: more than %d interfaces", MaxInterfaces)
		}
		if err := w.describe(i, offset); err != nil {
			return 0, 0, err
		}
		*at = w.blocks
		w.blocks++
	}
	return *at, units, nil
}

// describe writes an interface description.
func (w *NgWriter) describe(i *ngWritten, offset int64) error {
	le := binary.LittleEndian
	b := w.open(ngInterface)
	b = le.AppendUint16(b, uint16(i.link))
	b = le.AppendUint16(b, 0)
	b = le.AppendUint32(b, MaxFrame)
	if i.name != "" {
		b = appendOption(b, ngOptionName, i.name[:cutText(i.name, MaxComment)])
	}
	b = appendOption(b, ngOptionTSResol, "\x09")
	if offset != 0 {
		b = appendOption(b, ngOptionTSOffset, string(le.AppendUint64(nil, uint64(offset))))
	}
	return w.close(appendOption(b, ngOptionEnd, ""))
}

// text returns a comment as the file may hold it.
func (w *NgWriter) text(comment []byte) []byte {
	if !utf8.Valid(comment) {
		comment = bytes.ToValidUTF8(comment, []byte(string(utf8.RuneError)))
	}
	n := cutText(comment, MaxComment)
	if n < len(comment) {
		w.cut++
	}
	return comment[:n]
}

// cutText returns where to cut valid UTF-8 so that at most limit bytes are left.
func cutText[T string | []byte](s T, limit int) int {
	if len(s) <= limit {
		return len(s)
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return limit
}

// open begins a block whose length close fills in.
func (w *NgWriter) open(kind uint32) []byte {
	return append(binary.LittleEndian.AppendUint32(w.buf[:0], kind), 0, 0, 0, 0)
}

// close ends a block and writes it.
func (w *NgWriter) close(b []byte) error {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(len(b)+4))
	copy(b[4:8], b[len(b)-4:])
	w.buf = b
	if _, err := w.dst.Write(b); err != nil {
		w.err = fmt.Errorf("capture: write block: %w", err)
	}
	return w.err
}

// appendOption appends an option, of at most 65,535 bytes, to a block.
func appendOption[T string | []byte](b []byte, code uint16, value T) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...))
}

// pad fills a block up to a multiple of 4 bytes.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
