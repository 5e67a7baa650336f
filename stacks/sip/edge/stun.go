package edge

import (
	"encoding/binary"
	"net/netip"
)

// What of STUN (RFC 5389) a server answers that phones ask whether their NAT's mapping
// is still the same (RFC 5626, 3.5.2, 5.4).
const (
	stunHeader        = 20
	stunCookie        = 0x2112A442
	stunBinding       = 0x0001
	stunSuccess       = 0x0101
	stunMappedAddress = 0x0020 // XOR-MAPPED-ADDRESS
)

// isStun reports whether a datagram is of STUN: no SIP message begins so.
func isStun(p []byte) bool {
	return len(p) >= stunHeader && p[0]&0xC0 == 0 && binary.BigEndian.Uint32(p[4:]) == stunCookie &&
		int(binary.BigEndian.Uint16(p[2:])) == len(p)-stunHeader
}

// appendStun appends the answer to a request: where it came from. Anything else gets
// none, false. The answer to a request with attributes is no longer than it by more
// than 24 bytes, so that nothing is amplified.
func appendStun(dst, p []byte, from netip.AddrPort) (answer []byte, ok bool) {
	if binary.BigEndian.Uint16(p) != stunBinding {
		return dst, false
	}
	addr := from.Addr().Unmap()
	ip, family := addr.AsSlice(), byte(1)
	if addr.Is6() {
		family = 2
	}
	dst = binary.BigEndian.AppendUint16(dst, stunSuccess)
	dst = binary.BigEndian.AppendUint16(dst, uint16(8+len(ip)))
	dst = append(dst, p[4:stunHeader]...)
	dst = binary.BigEndian.AppendUint16(dst, stunMappedAddress)
	dst = binary.BigEndian.AppendUint16(dst, uint16(4+len(ip)))
	dst = append(dst, 0, family)
	dst = binary.BigEndian.AppendUint16(dst, from.Port()^uint16(stunCookie>>16))
	for i, b := range ip {
		dst = append(dst, b^p[4+i]) // the cookie, and for IPv6 the transaction too
	}
	return dst, true
}
