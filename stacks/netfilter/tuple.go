package netfilter

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Mark is the socket mark (SO_MARK) of packets that pass every block: those that a
// restore forges. It is CRIU's, so that either lets the other's through.
const Mark = 0xC114

// Tuple names a TCP connection by the addresses of its ends, seen from here.
type Tuple struct {
	Local, Remote netip.AddrPort
}

// String returns both ends.
func (t Tuple) String() string { return t.Local.String() + "-" + t.Remote.String() }

// Valid returns an error unless both ends have an address of one family and a port.
// IPv4 addresses mapped into IPv6 are IPv4: packets carry them so.
func (t Tuple) Valid() error {
	l, r := t.Local.Addr().Unmap(), t.Remote.Addr().Unmap()
	if !l.IsValid() || !r.IsValid() || l.Is4() != r.Is4() || t.Local.Port() == 0 || t.Remote.Port() == 0 {
		return fmt.Errorf("netfilter: %v: not a connection's two ends", t)
	}
	return nil
}

// unmapped returns the tuple with addresses as packets have them.
func (t Tuple) unmapped() Tuple {
	return Tuple{plain(t.Local), plain(t.Remote)}
}

func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

func (t Tuple) is6() bool { return !t.Local.Addr().Unmap().Is4() }

// reversed returns the tuple as the other end sees it.
func (t Tuple) reversed() Tuple { return Tuple{t.Remote, t.Local} }

// key appends the tuple as the key of a set: source address, source port,
// destination address, destination port, each filled up to four bytes.
func (t Tuple) key(dst []byte) []byte {
	for _, end := range [2]netip.AddrPort{t.Local, t.Remote} {
		dst = append(dst, end.Addr().Unmap().AsSlice()...)
		dst = binary.BigEndian.AppendUint16(dst, end.Port())
		dst = append(dst, 0, 0)
	}
	return dst
}

// tupleOf reads the tuple of a packet, source as remote: a packet that arrives comes
// from there. ok is false for what is no TCP over IP, or too short for ports, or an
// IPv6 packet with extension headers.
func tupleOf(p []byte) (t Tuple, ok bool) {
	if len(p) < 1 {
		return t, false
	}
	var src, dst netip.Addr
	switch p[0] >> 4 {
	case 4:
		size := int(p[0]&15) * 4
		if size < 20 || len(p) < size+4 || p[9] != 6 {
			return t, false
		}
		src, dst = netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
		p = p[size:]
	case 6:
		if len(p) < 44 || p[6] != 6 {
			return t, false
		}
		src, dst = netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
		p = p[40:]
	default:
		return t, false
	}
	return Tuple{
		Local:  netip.AddrPortFrom(dst, binary.BigEndian.Uint16(p[2:])),
		Remote: netip.AddrPortFrom(src, binary.BigEndian.Uint16(p)),
	}, true
}
