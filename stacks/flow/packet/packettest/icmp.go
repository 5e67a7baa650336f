package packettest

import (
	"encoding/binary"
	"net/netip"
)

// ICMP builds an ICMP message from src to dst, or an ICMPv6 one by the addresses. The four bytes behind
// its checksum are rest: identifier<<16 | sequence number of a query, 0 or an MTU of an error.
func ICMP[B Bytes](src, dst netip.Addr, kind, code uint8, rest uint32, payload B, opts ...Option) []byte {
	f := newFrame(opts)
	b := binary.BigEndian.AppendUint32([]byte{kind, code, 0, 0}, rest)
	b = append(b, payload...)
	if !src.Is4() {
		return f.build(src, dst, 58, b, 2)
	}
	binary.BigEndian.PutUint16(b[2:], checksum(b, 0))
	return f.build(src, dst, 1, b, -1)
}
