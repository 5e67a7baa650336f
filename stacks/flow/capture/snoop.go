package capture

import "fmt"

// snoopMagic begins a snoop file, which Solaris's snoop and others write (RFC 1761). All its integers
// are big-endian.
const (
	snoopMagic     = "snoop\x00\x00\x00"
	snoopHeaderLen = 16
	snoopRecordLen = 24      // of a record's header
	maxSnoopPad    = 1 << 16 // bytes behind a packet; to the next multiple of four, but some programs write more
)

// snoopLinks are the data links that have a number in the registry as well.
var snoopLinks = map[uint32]LinkType{
	0: LinkTypeEthernet, // IEEE 802.3
	2: LinkTypeTokenRing,
	4: LinkTypeEthernet,
	8: LinkTypeFDDI,
}

// readSnoopHeader reads a file header (RFC 1761, "File Header").
func (r *Reader) readSnoopHeader() error {
	if !r.win.have(snoopHeaderLen) {
		return r.cut("file header")
	}
	h := r.win.buf[:snoopHeaderLen]
	if string(h[:len(snoopMagic)]) != snoopMagic {
		return r.unknownMagic()
	}
	r.format, r.swap = isSnoop, true
	if version := r.u32(h[8:]); version != 2 {
		return r.fault(0, fmt.Sprintf("snoop version %d is not supported, only 2", version), nil)
	}
	link, ok := snoopLinks[r.u32(h[12:])]
	if !ok {
		return r.fault(0, fmt.Sprintf("snoop data link %d is not supported: Ethernet (0, 4), token ring (2) or FDDI (8) expected", r.u32(h[12:])), nil)
	}
	r.pcap = pcapHeader{link: link, unit: 1000, head: snoopRecordLen}
	r.win.r = snoopHeaderLen
	return nil
}

// nextSnoop reads a packet record (RFC 1761, "Packet Record Format"): the packet's length, how much of it
// is here, the record's length, packets dropped so far, seconds, microseconds, the packet, padding.
func (r *Reader) nextSnoop(f *Frame) error {
	w := &r.win
	if !w.have(snoopRecordLen) {
		return r.end("record header")
	}
	h := w.buf[w.r : w.r+snoopRecordLen]
	wire, captured, record := r.u32(h), r.u32(h[4:]), r.u32(h[8:])
	sec, micros := r.u32(h[16:]), r.u32(h[20:])
	if captured > MaxFrame {
		return r.tooLong(captured)
	}
	n := snoopRecordLen + int(captured)
	if !snoopLength(record, captured) {
		return r.fault(w.offset(), fmt.Sprintf("a record of %d bytes cannot hold %d captured ones", record, captured), nil)
	}
	if !w.have(int(record)) {
		return r.cut("record")
	}
	f.Data = w.buf[w.r+snoopRecordLen : w.r+n : w.r+n]
	f.WireLen = wireLen(wire)
	f.TS = int64(sec)*nanosPerSecond + int64(micros)*r.pcap.unit
	f.Link = r.pcap.link
	f.Iface, f.Comment = 0, nil
	w.r += int(record)
	return nil
}

// snoopLength reports whether a record may have so many bytes.
func snoopLength(record, captured uint32) bool {
	least := snoopRecordLen + uint64(captured)
	return uint64(record) >= least && uint64(record) <= least+maxSnoopPad
}

// snoopReady reports whether b holds the next record, or enough to see that it is none.
func (r *Reader) snoopReady(b []byte) bool {
	if len(b) < snoopRecordLen {
		return false
	}
	captured, record := r.u32(b[4:]), r.u32(b[8:])
	return captured > MaxFrame || !snoopLength(record, captured) || uint64(record) <= uint64(len(b))
}
