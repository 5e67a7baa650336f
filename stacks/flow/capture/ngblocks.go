package capture

import (
	"encoding/binary"
)

// Options of an interface description.
const (
	ngOptionEnd      = 0
	ngOptionTSResol  = 9
	ngOptionTSOffset = 14
)

// readByteOrder takes over the byte order of a new section.
func (r *Reader) readByteOrder(b []byte) error {
	switch {
	case binary.LittleEndian.Uint32(b) == ngByteOrder:
		r.swap = false
	case binary.BigEndian.Uint32(b) == ngByteOrder:
		r.swap = true
	default:
		return r.blockFault("a section's byte order mark is %x", b[:4])
	}
	return nil
}

// startSection begins a section: the interfaces of the one before are gone.
// Version 1.2 is in use by writers and has no difference to 1.0.
func (r *Reader) startSection(body []byte) error {
	if len(body) < 16 {
		return r.blockFault("a section header has %d bytes, not 16", len(body))
	}
	major, minor := r.u16(body[4:]), r.u16(body[6:])
	if major != 1 || (minor != 0 && minor != 2) {
		return r.blockFault("version %d.%d is not supported, only 1.0", major, minor)
	}
	r.ifaces = r.ifaces[:0]
	return nil
}

func (r *Reader) addInterface(body []byte) error {
	if len(body) < 8 {
		return r.blockFault("an interface description has %d bytes, not 8", len(body))
	}
	if len(r.ifaces) >= MaxInterfaces {
		return r.blockFault("more than %d interfaces in a section", MaxInterfaces)
	}
	resolution, offset := byte(6), int64(0)
	for opts := body[8:]; len(opts) >= 4; {
		code, n := r.u16(opts), int(r.u16(opts[2:]))
		padded := 4 + (n+3)&^3
		if code == ngOptionEnd {
			break
		}
		if padded > len(opts) {
			return r.blockFault("option %d claims %d bytes, %d are left", code, n, len(opts)-4)
		}
		value := opts[4 : 4+n]
		switch {
		case code == ngOptionTSResol && n == 1:
			resolution = value[0]
		case code == ngOptionTSOffset && n == 8:
			offset = int64(r.u64(value))
		case code == ngOptionTSResol, code == ngOptionTSOffset:
			return r.blockFault("option %d of an interface has %d bytes", code, n)
		}
		opts = opts[padded:]
	}
	r.ifaces = append(r.ifaces, ngIface{
		link:  linkOf(uint32(r.u16(body))),
		snap:  r.u32(body[4:]),
		clock: newClock(resolution, offset),
	})
	return nil
}

func (r *Reader) u64(b []byte) uint64 {
	if r.swap {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

// enhancedPacket and obsoletePacket have the same layout but for the first word:
// an interface, or a 16 bit interface and a 16 bit count of drops.
func (r *Reader) enhancedPacket(body []byte, f *Frame) error {
	if len(body) < 20 {
		return r.blockFault("a packet block has %d bytes, not 20", len(body))
	}
	return r.timedPacket(r.u32(body), body, f)
}

func (r *Reader) obsoletePacket(body []byte, f *Frame) error {
	if len(body) < 20 {
		return r.blockFault("a packet block has %d bytes, not 20", len(body))
	}
	return r.timedPacket(uint32(r.u16(body)), body, f)
}

func (r *Reader) timedPacket(index uint32, body []byte, f *Frame) error {
	if int64(index) >= int64(len(r.ifaces)) {
		return r.blockFault("a packet is from interface %d, the section describes %d", index, len(r.ifaces))
	}
	captured := r.u32(body[12:])
	if captured > MaxFrame {
		return r.tooLong(captured)
	}
	n := 20 + int(captured)
	if n > len(body) {
		return r.blockFault("a packet claims %d captured bytes, its block has %d", captured, len(body)-20)
	}
	iface := &r.ifaces[index]
	f.Data = body[20:n:n]
	f.WireLen = wireLen(r.u32(body[16:]))
	f.TS = iface.clock.nanos(uint64(r.u32(body[4:]))<<32 | uint64(r.u32(body[8:])))
	f.Link = iface.link
	f.Iface = int(index)
	f.Comment = r.comment(body[min(20+(int(captured)+3)&^3, len(body)):])
	return nil
}

// comment returns the first comment among a packet's options. Options that do not fit are none: the
// packet before them is whole.
func (r *Reader) comment(opts []byte) []byte {
	for len(opts) >= 4 {
		code, n := r.u16(opts), int(r.u16(opts[2:]))
		if code == ngOptionEnd || 4+n > len(opts) {
			return nil
		}
		if code == ngOptionComment {
			return opts[4 : 4+n : 4+n]
		}
		opts = opts[min(4+(n+3)&^3, len(opts)):]
	}
	return nil
}

// simplePacket reads a packet of the first interface, which has no time and
// whose captured length follows from the snapshot length.
func (r *Reader) simplePacket(body []byte, f *Frame) error {
	if len(body) < 4 {
		return r.blockFault("a simple packet block has %d bytes, not 4", len(body))
	}
	if len(r.ifaces) == 0 {
		return r.blockFault("a packet before any interface description")
	}
	iface := &r.ifaces[0]
	wire := r.u32(body)
	captured := wire
	if iface.snap != 0 {
		captured = min(captured, iface.snap)
	}
	if captured > MaxFrame {
		return r.tooLong(captured)
	}
	n := 4 + int(captured)
	if n > len(body) {
		return r.blockFault("a packet has %d captured bytes, its block has %d", captured, len(body)-4)
	}
	*f = Frame{Data: body[4:n:n], WireLen: wireLen(wire), Link: iface.link}
	return nil
}
