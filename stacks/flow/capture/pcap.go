package capture

import "fmt"

const pcapHeaderLen = 24

// pcapVariant is one magic number of classic pcap and what it promises.
type pcapVariant struct {
	magic uint32
	unit  int64 // nanoseconds in one unit of a record's second time field
	extra int   // bytes that follow the 16 of a record's header
}

var pcapVariants = [...]pcapVariant{
	{magic: 0xa1b2c3d4, unit: 1000},
	{magic: 0xa1b23c4d, unit: 1},
	{magic: 0xa1b2cd34, unit: 1000, extra: 8}, // interface index, protocol, packet type
}

// pcapHeader is what a pcap file says once for all its records.
type pcapHeader struct {
	link    LinkType
	unit    int64
	head    int // length of a record's header
	lengths lengthOrder
}

// lengthOrder says in which order a record holds its two lengths.
type lengthOrder uint8

const (
	capturedFirst lengthOrder = iota
	wireFirst                 // files before version 2.3
	smallerFirst              // version 2.3, of which both orders exist: captured is the smaller
)

// readPcapHeader reads a file header (draft-ietf-opsawg-pcap, section 4).
func (r *Reader) readPcapHeader(v pcapVariant, swap bool) error {
	if !r.win.have(pcapHeaderLen) {
		return r.cut("file header")
	}
	r.swap = swap
	h := r.win.buf[:pcapHeaderLen]
	major, minor := r.u16(h[4:]), r.u16(h[6:])
	if major != 2 {
		return r.fault(0, fmt.Sprintf("pcap version %d.%d is not supported, only 2.x", major, minor), nil)
	}
	r.pcap = pcapHeader{link: linkOf(r.u32(h[20:])), unit: v.unit, head: 16 + v.extra}
	switch {
	case minor < 3:
		r.pcap.lengths = wireFirst
	case minor == 3:
		r.pcap.lengths = smallerFirst
	}
	r.win.r = pcapHeaderLen
	return nil
}

// nextRecord reads a packet record (draft-ietf-opsawg-pcap, section 5).
func (r *Reader) nextRecord(f *Frame) error {
	w, p := &r.win, &r.pcap
	if !w.have(p.head) {
		return r.end("record header")
	}
	h := w.buf[w.r : w.r+16]
	sec, frac := r.u32(h[0:]), r.u32(h[4:])
	captured, wire := r.u32(h[8:]), r.u32(h[12:])
	if p.lengths != capturedFirst && (p.lengths == wireFirst || captured > wire) {
		captured, wire = wire, captured
	}
	if captured > MaxFrame {
		return r.tooLong(captured)
	}
	n := p.head + int(captured)
	if !w.have(n) {
		return r.cut("record")
	}
	f.Data = w.buf[w.r+p.head : w.r+n : w.r+n]
	f.WireLen = wireLen(wire)
	f.TS = int64(sec)*nanosPerSecond + int64(frac)*p.unit
	f.Link = p.link
	f.Iface, f.Comment = 0, nil
	w.r += n
	return nil
}

func (r *Reader) tooLong(captured uint32) error {
	what := fmt.Sprintf("a record claims %d captured bytes, the limit is %d", captured, MaxFrame)
	return r.fault(r.win.offset(), what, nil)
}

// nanosPerSecond is time.Second as a plain number. A pcap time cannot overflow:
// 2^32 s are 4.3e18 ns, and the largest fraction adds 4.3e12.
const nanosPerSecond = 1_000_000_000
