package packettest

import (
	"encoding/binary"
	"net/netip"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// Bytes is what a payload may be given as.
type Bytes interface{ ~string | ~[]byte }

// TCP builds a segment from src to dst. Its window is 65535 unless Window says otherwise.
func TCP[B Bytes](src, dst netip.AddrPort, seq, ack uint32, flags packet.Flags, payload B, opts ...Option) []byte {
	f := newFrame(opts)
	for len(f.tcpOpts)%4 != 0 {
		f.tcpOpts = append(f.tcpOpts, 1)
	}
	b := ports(src, dst)
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, byte(20+len(f.tcpOpts))/4<<4, byte(flags))
	b = binary.BigEndian.AppendUint16(b, f.window)
	b = append(b, 0, 0, 0, 0) // checksum, urgent pointer
	b = append(b, f.tcpOpts...)
	b = append(b, payload...)
	return f.build(src.Addr(), dst.Addr(), 6, b, 16)
}

// UDP builds a datagram from src to dst.
func UDP[B Bytes](src, dst netip.AddrPort, payload B, opts ...Option) []byte {
	f := newFrame(opts)
	b := ports(src, dst)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	b = append(b, 0, 0)
	b = append(b, payload...)
	return f.build(src.Addr(), dst.Addr(), 17, b, 6)
}

// Echo builds an echo request from src to dst, ICMP or ICMPv6 by the addresses.
func Echo[B Bytes](src, dst netip.Addr, payload B, opts ...Option) []byte {
	f := newFrame(opts)
	b := append([]byte{8, 0, 0, 0, 0, 1, 0, 1}, payload...)
	if !src.Is4() {
		b[0] = 128
		return f.build(src, dst, 58, b, 2)
	}
	binary.BigEndian.PutUint16(b[2:], checksum(b, 0))
	return f.build(src, dst, 1, b, -1)
}

// IP builds a packet of any upper protocol from src to dst.
func IP[B Bytes](src, dst netip.Addr, proto uint8, payload B, opts ...Option) []byte {
	return newFrame(opts).build(src, dst, proto, append([]byte(nil), payload...), -1)
}

// ports starts a transport header.
func ports(src, dst netip.AddrPort) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, src.Port()), dst.Port())
}

// Window sets the TCP window field.
func Window(n uint16) Option { return func(f *frame) { f.window = n } }

// TCPOption adds one option of the given kind, length byte included.
func TCPOption(kind byte, value ...byte) Option {
	return func(f *frame) {
		f.tcpOpts = append(append(f.tcpOpts, kind, byte(2+len(value))), value...)
	}
}

// RawTCPOptions adds bytes to the options area as they are; it is filled up with no-ops.
func RawTCPOptions(b ...byte) Option {
	return func(f *frame) { f.tcpOpts = append(f.tcpOpts, b...) }
}

// MSS adds a maximum segment size.
func MSS(n uint16) Option { return TCPOption(2, byte(n>>8), byte(n)) }

// WScale adds a window scale.
func WScale(shift uint8) Option { return TCPOption(3, shift) }

// SACKPermitted adds that option.
func SACKPermitted() Option { return TCPOption(4) }

// SACK adds selective acknowledgements.
func SACK(blocks ...packet.SACKBlock) Option {
	var v []byte
	for _, b := range blocks {
		v = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(v, b.Left), b.Right)
	}
	return TCPOption(5, v...)
}

// Timestamps adds a timestamps option.
func Timestamps(val, echo uint32) Option {
	return TCPOption(8, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, val), echo)...)
}
