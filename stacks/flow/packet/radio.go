package packet

// typeLLC stands, where an EtherType is asked for, for what a length stands for there: LLC follows.
const typeLLC = 0

// radioType reports whether a protocol number of GRE says that a radio frame follows. They are Aruba's, whose
// base stations have one for each of their networks.
func radioType(t uint16) bool { return t >= 0x8200 && t <= 0x8370 && t&0xf == 0 || t == 0x9000 }

// readRadio reads the header of a data frame of IEEE 802.11 (IEEE 802.11-2020 section 9.3.2.1), and returns
// its size and whether an aggregate follows (A-MSDU). ok is false for what has no data that could be read:
// frames of other types, encrypted ones, fragments.
func readRadio(b []byte) (size int, aggregate, ok bool) {
	const data, null, qos = 0x08, 0x40, 0x80                  // version and type; bits of the subtype
	const ways, more, protected, htc = 0x03, 0x04, 0x40, 0x80 // flags
	size = 24
	if len(b) < size || b[0]&0x0f != data || b[0]&null != 0 || b[1]&(more|protected) != 0 || b[22]&0x0f != 0 {
		return 0, false, false
	}
	if b[1]&ways == ways { // from one base station to another: a fourth address
		size += 6
	}
	if b[0]&qos != 0 {
		if len(b) < size+2 {
			return 0, false, false
		}
		aggregate = b[size]&0x80 != 0
		if size += 2; b[1]&htc != 0 {
			size += 4
		}
	}
	return size, aggregate, len(b) >= size
}

// radio enters a radio frame that lies at off, unless it is an aggregate.
func (p *Packet) radio(key uint32, b []byte, off int) {
	if size, aggregate, ok := readRadio(b); ok && !aggregate {
		p.enter(WLAN, key, typeLLC, off+size)
	}
}
