package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
)

// Reader yields the packets of one capture stream, in file order.
type Reader struct {
	win    window
	name   string
	closer io.Closer // what Open opened; nil otherwise
	err    error     // sticky: what Next goes on returning
	swap   bool      // integers are big-endian
	format format
	pcap   pcapHeader // unless pcapng
	ifaces []ngIface  // of the current section of pcapng
	raw    *checked   // the source, before decompression
	zipped bool       // the source is compressed
	size   int64      // of the source if it is a regular file, else 0
	file   *os.File   // what Open opened, if it is a regular file and not compressed
}

// format is the kind of a capture stream.
type format uint8

const (
	isPcap format = iota
	isPcapng
	isSnoop
)

// Open opens the capture file at path and reads its header. "-" is standard
// input, which Close leaves open. A file whose header is unusable is a
// *FormatError; one that cannot be opened is the error of os.Open, wrapped.
func Open(path string) (*Reader, error) {
	if path == "-" {
		return NewReader(os.Stdin, "standard input")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	r, err := NewReader(file, path)
	if err != nil {
		_ = file.Close() // it was only read; what is wrong with the header says more
		return nil, err
	}
	r.closer = file
	if r.size > 0 && !r.zipped {
		r.file = file
	}
	return r, nil
}

// NewReader reads the header of a capture stream from src, which may be
// compressed with gzip; name is for errors. It returns a *FormatError if the
// stream is not one that a Reader reads. src is read in blocks, past the end of
// the packet that is wanted, and never closed.
func NewReader(src io.Reader, name string) (*Reader, error) {
	raw := &checked{src: src}
	r := &Reader{win: newWindow(raw), name: name, raw: raw, size: fileSize(src)}
	if err := r.unzip(); err != nil {
		return nil, err
	}
	if err := r.readMagic(); err != nil {
		return nil, err
	}
	return r, nil
}

// unzip puts a decompressor before the window if the stream is compressed.
func (r *Reader) unzip() error {
	if !r.win.have(2) || r.win.buf[0] != 0x1f || r.win.buf[1] != 0x8b {
		return nil
	}
	src := r.win.src
	if err := r.win.err; err != nil {
		src = failedSource{err}
	}
	zipped := io.MultiReader(bytes.NewReader(r.win.buf[:r.win.w]), src)
	plain, err := gzip.NewReader(zipped)
	if err != nil {
		return r.fault(0, "compressed stream: "+err.Error(), err)
	}
	r.win, r.zipped = newWindow(&checked{src: plain}), true
	return nil
}

// failedSource returns the error that a source returned before, together with
// its last bytes: a source need not repeat itself.
type failedSource struct{ err error }

func (f failedSource) Read([]byte) (int, error) { return 0, f.err }

func (r *Reader) readMagic() error {
	if !r.win.have(4) {
		if r.win.unread() == 0 && r.win.err == io.EOF {
			return r.fault(0, "empty: no capture header", io.ErrUnexpectedEOF)
		}
		return r.cut("capture header")
	}
	magic := r.win.buf[:4]
	switch {
	case binary.LittleEndian.Uint32(magic) == ngSectionHeader:
		r.format = isPcapng
		_, err := r.readBlock(nil) // a section header, so no frame is filled
		return err
	case string(magic) == snoopMagic[:4]:
		return r.readSnoopHeader()
	}
	for _, v := range pcapVariants {
		switch v.magic {
		case binary.LittleEndian.Uint32(magic):
			return r.readPcapHeader(v, false)
		case binary.BigEndian.Uint32(magic):
			return r.readPcapHeader(v, true)
		}
	}
	return r.unknownMagic()
}

// foreign names formats that people try, by their first bytes.
var foreign = []struct{ magic, what string }{
	{"\x28\xb5\x2f\xfd", "compressed with zstd; decompress it first"},
	{"\xfd7zXZ\x00", "compressed with xz; decompress it first"},
	{"\x04\x22\x4d\x18", "compressed with lz4; decompress it first"},
	{"BZh", "compressed with bzip2; decompress it first"},
	{"PK\x03\x04", "a zip archive; extract it first"},
	{"\x1f\x8b", "gzip inside gzip; decompress it once"},
	{"GMBU", "a Microsoft Network Monitor file; convert it with editcap -F pcapng"},
	{"TRSNIFF data", "a Network General Sniffer file; convert it with editcap -F pcapng"},
}

func (r *Reader) unknownMagic() error {
	r.win.have(16)
	head := r.win.buf[:r.win.w]
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return r.fault(0, fmt.Sprintf("magic %x is not pcap, pcapng or snoop: %s", f.magic, f.what), nil)
		}
	}
	return r.fault(0, fmt.Sprintf("magic %x is not pcap, pcapng or snoop", head[:4]), nil)
}

// Next fills f with the next packet. It returns io.EOF at the clean end of the
// stream and otherwise a *FormatError, after which f is unspecified and every
// later call returns the same. It allocates nothing.
func (r *Reader) Next(f *Frame) error {
	if r.err != nil {
		return r.err
	}
	var err error
	switch r.format {
	case isPcap:
		err = r.nextRecord(f)
	case isPcapng:
		err = r.nextBlock(f)
	case isSnoop:
		err = r.nextSnoop(f)
	}
	if err != nil {
		r.err = err
	}
	return err
}

// Offset returns where the record begins that the next call of Next reads, in
// bytes of the uncompressed stream.
func (r *Reader) Offset() int64 { return r.win.offset() }

// Swap has the bytes of frames stay as they are behind the next call of Next: swap is called, by Next, with the
// buffer that they lie in, which has no room for what comes next, and returns another of at least n bytes, or the
// same if nothing in it is needed; the one that it was given may be written to once Next returned. Of frames in the last buffer it is not told.
func (r *Reader) Swap(swap func(buf []byte, n int) []byte) { r.win.swap = swap }

// Place returns where b, bytes that the last call of Next lent, can be read again by ReadAt; false where they
// cannot: in what is no regular file, or compressed, or was not opened by Open.
func (r *Reader) Place(b []byte) (at int64, ok bool) {
	if r.file == nil {
		return 0, false
	}
	off, ok := r.win.place(b)
	return r.win.base + int64(off), ok
}

// ReadAt reads bytes of the file at a place that Place returned, until Close.
func (r *Reader) ReadAt(b []byte, at int64) (int, error) {
	n, err := r.file.ReadAt(b, at)
	if err != nil {
		err = fmt.Errorf("capture: read again: %w", err)
	}
	return n, err
}

// Ready reports whether Next has what it needs in memory, so that it does not
// wait for the source; of pcapng, whether it has the next block.
func (r *Reader) Ready() bool {
	if r.err != nil || r.win.err != nil {
		return true
	}
	b := r.win.buf[r.win.r:r.win.w]
	switch {
	case r.format == isPcapng:
		return len(b) >= 8 && uint64(r.u32(b[4:])) <= uint64(len(b))
	case r.format == isSnoop:
		return r.snoopReady(b)
	case len(b) < r.pcap.head:
		return false
	}
	n := r.u32(b[8:])
	if r.pcap.lengths == wireFirst || r.pcap.lengths == smallerFirst {
		n = min(n, r.u32(b[12:]))
	}
	return n > MaxFrame || r.pcap.head+int(n) <= len(b)
}

// Progress returns how many bytes were read from the source, as they are stored,
// and how many it has; 0 where it is no regular file.
func (r *Reader) Progress() (read, size int64) { return r.raw.read, r.size }

// fileSize returns the size of src if it is a regular file, else 0.
func fileSize(src io.Reader) int64 {
	f, ok := src.(*os.File)
	if !ok {
		return 0
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

// Close closes the file that Open opened. Next fails afterwards with
// fs.ErrClosed. Closing twice is harmless.
func (r *Reader) Close() error {
	if r.err == nil {
		r.err = fmt.Errorf("capture: read %s: %w", r.name, fs.ErrClosed)
	}
	if r.closer == nil {
		return nil
	}
	closer := r.closer
	r.closer = nil
	if err := closer.Close(); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	return nil
}

func (r *Reader) fault(at int64, what string, err error) error {
	return &FormatError{Name: r.name, Offset: at, What: what, Err: err}
}

// cut reports that the stream ended, or its source failed, inside the record
// that begins at the current offset.
func (r *Reader) cut(record string) error { return r.cutAt(r.win.offset(), record) }

func (r *Reader) cutAt(at int64, record string) error {
	got := r.win.offset() + int64(r.win.unread()) - at
	if r.win.err != io.EOF {
		return r.fault(at, fmt.Sprintf("reading the %s: %v", record, r.win.err), r.win.err)
	}
	what := fmt.Sprintf("%s cut short: the stream ends after %d of its bytes", record, got)
	return r.fault(at, what, io.ErrUnexpectedEOF)
}

// end tells the end of the stream between two records from one inside a record.
func (r *Reader) end(record string) error {
	if r.win.err == io.EOF && r.win.unread() == 0 {
		return io.EOF
	}
	return r.cut(record)
}

func (r *Reader) u16(b []byte) uint16 {
	if r.swap {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (r *Reader) u32(b []byte) uint32 {
	if r.swap {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// wireLen keeps an absurd length positive where int has 32 bits.
func wireLen(n uint32) int { return int(min(n, math.MaxInt32)) }
