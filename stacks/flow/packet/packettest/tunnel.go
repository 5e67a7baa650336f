package packettest

import (
	"encoding/binary"
	"net/netip"
)

// IPIP builds a packet from src to dst that carries ip, a packet built with Link(packet.LinkRaw).
func IPIP(src, dst netip.Addr, ip []byte, opts ...Option) []byte {
	proto := uint8(41)
	if ip[0]>>4 == 4 {
		proto = 4
	}
	return IP(src, dst, proto, ip, opts...)
}

// GREHeader is what a GRE header says. The zero value is a header of four bytes.
type GREHeader struct {
	// Proto is the EtherType of what follows; 0 is that of the IP packet given.
	Proto uint16
	// Sum, Key and Seq add these fields.
	Sum    bool
	HasKey bool
	Key    uint32
	HasSeq bool
	Seq    uint32
}

// GRE builds a packet from src to dst that carries body behind a GRE header.
func GRE(src, dst netip.Addr, h GREHeader, body []byte, opts ...Option) []byte {
	return IP(src, dst, 47, greBytes(h, body), opts...)
}

// GREoverUDP is GRE in UDP.
func GREoverUDP(src, dst netip.AddrPort, h GREHeader, body []byte, opts ...Option) []byte {
	return UDP(src, dst, greBytes(h, body), opts...)
}

func greBytes(h GREHeader, body []byte) []byte {
	be := binary.BigEndian
	if h.Proto == 0 {
		h.Proto = ipType(body)
	}
	var flags uint16
	b := make([]byte, 4)
	if h.Sum {
		flags |= 0x8000
		b = append(b, 0, 0, 0, 0)
	}
	if h.HasKey {
		flags |= 0x2000
		b = be.AppendUint32(b, h.Key)
	}
	if h.HasSeq {
		flags |= 0x1000
		b = be.AppendUint32(b, h.Seq)
	}
	be.PutUint16(b, flags)
	be.PutUint16(b[2:], h.Proto)
	b = append(b, body...)
	if h.Sum {
		be.PutUint16(b[4:], checksum(b, 0))
	}
	return b
}

// ipType returns the EtherType of an IP packet.
func ipType(ip []byte) uint16 {
	if ip[0]>>4 == 4 {
		return 0x0800
	}
	return 0x86dd
}

// ERSPAN2 builds a packet from src to dst that carries a mirrored Ethernet frame, type II.
func ERSPAN2(src, dst netip.Addr, session uint16, eth []byte, opts ...Option) []byte {
	b := []byte{0x10, 0, byte(session >> 8 & 3), byte(session), 0, 0, 0, 0}
	return GRE(src, dst, GREHeader{Proto: 0x88be, HasSeq: true}, append(b, eth...), opts...)
}

// ERSPAN3 is ERSPAN2 of type III; sub adds a platform specific subheader.
func ERSPAN3(src, dst netip.Addr, session uint16, sub bool, eth []byte, opts ...Option) []byte {
	b := []byte{0x20, 0, byte(session >> 8 & 3), byte(session), 0, 0, 0, 0, 0, 0, 0, 0}
	if sub {
		b[11] = 1
		b = append(b, make([]byte, 8)...)
	}
	return GRE(src, dst, GREHeader{Proto: 0x22eb, HasSeq: true}, append(b, eth...), opts...)
}

// VXLAN builds a datagram from src to dst that carries an Ethernet frame of network vni.
func VXLAN(src, dst netip.AddrPort, vni uint32, eth []byte, opts ...Option) []byte {
	b := binary.BigEndian.AppendUint32([]byte{8, 0, 0, 0}, vni<<8)
	return UDP(src, dst, append(b, eth...), opts...)
}

// GENEVE builds a datagram from src to dst that carries body, of the given EtherType, in network vni;
// options is a multiple of four bytes.
func GENEVE(src, dst netip.AddrPort, vni uint32, etherType uint16, options, body []byte, opts ...Option) []byte {
	b := binary.BigEndian.AppendUint16([]byte{byte(len(options) / 4), 0}, etherType)
	b = binary.BigEndian.AppendUint32(b, vni<<8)
	b = append(b, options...)
	return UDP(src, dst, append(b, body...), opts...)
}

// GTPU builds a datagram from src to dst that carries a user's IP packet; each ext is an extension
// header's type and content, which fills a multiple of four bytes with two more.
func GTPU(src, dst netip.AddrPort, teid uint32, ip []byte, ext [][]byte, opts ...Option) []byte {
	be := binary.BigEndian
	b := be.AppendUint32([]byte{0x30, 255, 0, 0}, teid)
	if ext != nil {
		b[0] |= 4
		b = append(b, 0, 0, 0)
		for _, e := range ext {
			b = append(b, e[0], byte(len(e)+1)/4)
			b = append(b, e[1:]...)
		}
		b = append(b, 0)
	}
	b = append(b, ip...)
	be.PutUint16(b[2:], uint16(len(b)-8))
	return UDP(src, dst, b, opts...)
}
