package sock

import (
	"encoding/binary"
	"net/netip"
)

// segment is a TCP segment without data or options.
type segment struct {
	src, dst netip.AddrPort
	seq, ack uint32
	flags    byte
	window   uint16
}

const (
	flagFIN = 1
	flagACK = 16
)

// bytes returns the segment with an IP header; of IPv4 the kernel fills in length and
// checksum.
func (s segment) bytes() []byte {
	src, dst := s.src.Addr().AsSlice(), s.dst.Addr().AsSlice()
	var p []byte
	if s.src.Addr().Is4() {
		p = make([]byte, 40)
		p[0], p[8], p[9] = 0x45, 64, 6
		binary.BigEndian.PutUint16(p[2:], 40)
		copy(p[12:], src)
		copy(p[16:], dst)
	} else {
		p = make([]byte, 60)
		p[0], p[5], p[6], p[7] = 0x60, 20, 6, 64
		copy(p[8:], src)
		copy(p[24:], dst)
	}
	t := p[len(p)-20:]
	binary.BigEndian.PutUint16(t, s.src.Port())
	binary.BigEndian.PutUint16(t[2:], s.dst.Port())
	binary.BigEndian.PutUint32(t[4:], s.seq)
	binary.BigEndian.PutUint32(t[8:], s.ack)
	t[12], t[13] = 5<<4, s.flags
	binary.BigEndian.PutUint16(t[14:], s.window)
	// The checksum covers the addresses, the protocol and the length too (RFC 9293, 3.1).
	sum := checksum(checksum(checksum(6+20, src), dst), t)
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(t[16:], ^uint16(sum))
	return p
}

func checksum(sum uint32, p []byte) uint32 {
	for i := 0; i < len(p); i += 2 {
		sum += uint32(p[i])<<8 | uint32(p[i+1])
	}
	return sum
}
