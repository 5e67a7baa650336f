package packet

import "encoding/binary"

// vxlan reads the header of RFC 7348 section 5, or that of draft-ietf-nvo3-vxlan-gpe, which may name
// what it carries.
func (p *Packet) vxlan(b []byte, off int, gpe bool) {
	const haveVNI = 0x08
	if len(b) < 8 || b[0]&haveVNI == 0 {
		return
	}
	t := uint16(typeEthernet)
	if gpe && b[3] != 0 {
		var ok bool
		if t, ok = nextProtocol(b[3]); !ok {
			return
		}
	}
	p.enter(VXLAN, binary.BigEndian.Uint32(b[4:])>>8, t, off+8)
}

// geneve reads the header of RFC 8926 section 3.4, whose options are skipped.
func (p *Packet) geneve(b []byte, off int) {
	if len(b) < 8 || b[0]>>6 != 0 {
		return
	}
	size := 8 + 4*int(b[0]&0x3f)
	if t := binary.BigEndian.Uint16(b[2:]); t > maxLength {
		p.enter(GENEVE, binary.BigEndian.Uint32(b[4:])>>8, t, off+size)
	}
}

// gtpu reads the header of TS 29.281 section 5.1 of a message that carries a user's packet, through
// its extension headers.
func (p *Packet) gtpu(b []byte, off int) {
	const options, extended = 7, 4
	if len(b) < 8 || b[0]&0xf0 != 0x30 || b[1] != 255 { // version 1, not GTP', G-PDU
		return
	}
	size := 8
	if b[0]&options != 0 {
		size = 12
	}
	for more := b[0]&extended != 0; more; {
		if len(b) < size || b[size-1] == 0 {
			break
		}
		if len(b) <= size || b[size] == 0 {
			return
		}
		size += 4 * int(b[size])
	}
	p.enter(GTPU, binary.BigEndian.Uint32(b[4:]), versionType(b, size), off+size)
}

// teredo reads past the indications of RFC 4380 section 5.1.1 that may precede the packet.
func (p *Packet) teredo(b []byte, off int) {
	size := 0
	if len(b) > 4 && b[0] == 0 && b[1] == 1 { // authentication: identifier and value, nonce, confirmation
		size = 4 + int(b[2]) + int(b[3]) + 8 + 1
	}
	if len(b) > size+2 && b[size] == 0 && b[size+1] == 0 { // origin
		size += 8
	}
	if versionType(b, size) == typeIPv6 {
		p.enter(Teredo, 0, typeIPv6, off+size)
	}
}

// l2tp reads the header of a data message of RFC 2661 section 3.1, which carries PPP.
func (p *Packet) l2tp(b []byte, off int) {
	const control, length, sequence, offset = 0x8000, 0x4000, 0x0800, 0x0200
	if len(b) < 6 {
		return
	}
	flags := binary.BigEndian.Uint16(b)
	if flags&control != 0 || flags&0xf != 2 {
		return
	}
	size := 2
	if flags&length != 0 {
		size += 2
	}
	at := size
	size += 4
	if flags&sequence != 0 {
		size += 4
	}
	if flags&offset != 0 {
		if len(b) < size+2 {
			return
		}
		size += 2 + int(binary.BigEndian.Uint16(b[size:]))
	}
	if len(b) >= at+4 {
		p.enter(L2TP, binary.BigEndian.Uint32(b[at:]), typePPP, off+size)
	}
}

// lisp reads the header of RFC 9300 section 5.1; what it carries is told by its version.
func (p *Packet) lisp(b []byte, off int) {
	p.enter(LISP, 0, versionType(b, 8), off+8)
}

// ayiya reads the header of a heartbeat or forwarding message, whose parts have lengths in its first
// bytes: an identity (a power of two) and a signature (words).
func (p *Packet) ayiya(b []byte, off int) {
	if len(b) < 8 {
		return
	}
	size := 8 + 1<<(b[0]>>4) + 4*int(b[1]>>4)
	if b[3] == protoIPv6 && versionType(b, size) == typeIPv6 {
		p.enter(AYIYA, 0, typeIPv6, off+size)
	}
}
