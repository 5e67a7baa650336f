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

// Radio returns a data frame of IEEE 802.11 to a station, with QoS, in GRE as Aruba's base stations send it: of
// one packet, or an aggregate of several. The packets begin with IP, or with what ipType knows no name for.
func Radio(src, dst netip.Addr, packets [][]byte, opts ...Option) []byte {
	b := []byte{0x88, 0x02, 0, 0, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0}
	if len(packets) > 1 {
		b[24] = 0x80
	}
	for _, p := range packets {
		llc := binary.BigEndian.AppendUint16([]byte{0xaa, 0xaa, 3, 0, 0, 0}, ipType(p))
		if len(packets) > 1 {
			for at := len(b) - 26; at%4 != 0; at++ {
				b = append(b, 0)
			}
			b = append(b, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 3)
			b = binary.BigEndian.AppendUint16(b, uint16(len(llc)+len(p)))
		}
		b = append(append(b, llc...), p...)
	}
	return GRE(src, dst, GREHeader{Proto: 0x8240}, b, opts...)
}

// Sample is what a report says of one packet.
type Sample struct {
	Kind     uint32 // of the header, 1 for Ethernet; 0 says nothing of it, as a sample of counters does
	Header   []byte // the packet's first bytes
	Length   uint32 // of the packet, that of Header where it is 0
	Source   uint32 // the interface
	Expanded bool
}

// SFlow returns a report of version 5.
func SFlow(src, dst netip.AddrPort, samples []Sample, opts ...Option) []byte {
	be := binary.BigEndian
	words := func(b []byte, list ...uint32) []byte {
		for _, w := range list {
			b = be.AppendUint32(b, w)
		}
		return b
	}
	b := words(nil, 5, 1, 0x0a000001, 0, 1, 1000, uint32(len(samples)))
	for i, s := range samples {
		if s.Kind == 0 {
			b = words(b, 2, 12, uint32(i), s.Source, 0)
			continue
		}
		if s.Length == 0 {
			s.Length = uint32(len(s.Header))
		}
		padded := append(append([]byte(nil), s.Header...), make([]byte, (4-len(s.Header)%4)%4)...)
		raw := append(words(nil, 1, uint32(16+len(s.Header)), s.Kind, s.Length+4, 4, uint32(len(s.Header))), padded...)
		record := append(words(nil, 1001, 4, 0), raw...) // behind one of another kind
		head := words(nil, uint32(i), s.Source, 400, 800, 0, 1, 2, 2)
		if format := uint32(1); s.Expanded {
			head = words(nil, uint32(i), s.Source>>24, s.Source&0xffffff, 400, 800, 0, 0, 1, 0, 2, 2)
			b = words(b, format+2, uint32(len(head)+len(record)))
		} else {
			b = words(b, format, uint32(len(head)+len(record)))
		}
		b = append(append(b, head...), record...)
	}
	return UDP(src, dst, b, opts...)
}
