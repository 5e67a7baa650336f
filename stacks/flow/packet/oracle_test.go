package packet_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// seen is what the oracle and Decode are compared in.
type seen struct {
	class    packet.Class
	src, dst netip.AddrPort
	flags    packet.Flags
	seq, ack uint32
	window   uint16
	payload  []byte
}

func (s seen) String() string {
	return fmt.Sprintf("%v %v>%v %v seq %d ack %d win %d payload %d", s.class, s.src, s.dst, s.flags, s.seq, s.ack, s.window, len(s.payload))
}

func (s seen) equal(o seen) bool {
	return s.class == o.class && s.src == o.src && s.dst == o.dst && s.flags == o.flags && s.seq == o.seq && s.ack == o.ack &&
		s.window == o.window && bytes.Equal(s.payload, o.payload)
}

// oracleLink maps link types to gopacket's decoders; its own table has other ideas of raw IP.
func oracleLink(link uint16, data []byte) gopacket.Decoder {
	switch link {
	case packet.LinkEthernet:
		return layers.LayerTypeEthernet
	case packet.LinkNull, packet.LinkLoop:
		return layers.LayerTypeLoopback
	case packet.LinkSLL:
		return layers.LayerTypeLinuxSLL
	case packet.LinkPPP:
		if len(data) > 2 && data[0] == 0xff && data[1] == 3 {
			return nil // gopacket knows only bare PPP
		}
		return layers.LayerTypePPP
	case packet.LinkRaw, packet.LinkRawBSD, packet.LinkIPv4, packet.LinkIPv6:
		if len(data) > 0 && data[0]>>4 == 6 {
			return layers.LayerTypeIPv6
		}
		return layers.LayerTypeIPv4
	}
	return nil
}

// oracle decodes a frame with gopacket up to the first transport layer or tunnel.
func oracle(dec gopacket.Decoder, data []byte) (seen, []gopacket.Layer) {
	p := gopacket.NewPacket(data, dec, gopacket.DecodeOptions{NoCopy: true})
	var s seen
	ip := func(src, dst []byte, next layers.IPProtocol, payload []byte) {
		a, _ := netip.AddrFromSlice(src)
		b, _ := netip.AddrFromSlice(dst)
		s = seen{src: netip.AddrPortFrom(a, 0), dst: netip.AddrPortFrom(b, 0), payload: payload, class: classOf(next)}
	}
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.Ethernet, *layers.Dot1Q, *layers.Loopback, *layers.LinuxSLL, *layers.PPP, *layers.PPPoE, *layers.LLC, *layers.SNAP, *layers.MPLS:
		case *layers.IPv4:
			if s.src.IsValid() {
				return s, p.Layers()
			}
			ip(l.SrcIP, l.DstIP, l.Protocol, l.Payload)
			if l.Flags&layers.IPv4MoreFragments != 0 || l.FragOffset != 0 {
				s.class = packet.Fragment
				return s, p.Layers()
			}
		case *layers.IPv6:
			if s.src.IsValid() {
				return s, p.Layers()
			}
			ip(l.SrcIP, l.DstIP, l.NextHeader, l.Payload)
		case *layers.IPv6HopByHop:
			s.class, s.payload = classOf(l.NextHeader), l.Payload
		case *layers.IPv6Routing:
			s.class, s.payload = classOf(l.NextHeader), l.Payload
		case *layers.IPv6Destination:
			s.class, s.payload = classOf(l.NextHeader), l.Payload
		case *layers.IPSecAH:
			s.class, s.payload = classOf(l.NextHeader), l.Payload
		case *layers.IPv6Fragment:
			s.class, s.payload = packet.Fragment, l.Payload
			return s, p.Layers()
		case *layers.TCP:
			s.class, s.payload = packet.TCP, l.Payload
			s.src, s.dst = netip.AddrPortFrom(s.src.Addr(), uint16(l.SrcPort)), netip.AddrPortFrom(s.dst.Addr(), uint16(l.DstPort))
			s.seq, s.ack, s.window = l.Seq, l.Ack, l.Window
			for i, on := range []bool{l.FIN, l.SYN, l.RST, l.PSH, l.ACK, l.URG, l.ECE, l.CWR} {
				if on {
					s.flags |= 1 << i
				}
			}
			return s, p.Layers()
		case *layers.UDP:
			s.class, s.payload = packet.UDP, l.Payload
			s.src, s.dst = netip.AddrPortFrom(s.src.Addr(), uint16(l.SrcPort)), netip.AddrPortFrom(s.dst.Addr(), uint16(l.DstPort))
			return s, p.Layers()
		default:
			return s, p.Layers()
		}
	}
	return s, p.Layers()
}

func classOf(next layers.IPProtocol) packet.Class {
	if next == layers.IPProtocolICMPv4 || next == layers.IPProtocolICMPv6 {
		return packet.ICMP
	}
	return packet.OtherIP
}

func ours(p *packet.Packet) seen {
	s := seen{class: p.Class, payload: p.Payload()}
	if p.IsIP() {
		s.src, s.dst = p.SrcAddrPort(), p.DstAddrPort()
	}
	if p.Class == packet.TCP {
		s.flags, s.seq, s.ack, s.window = p.TCPFlags, p.Seq, p.Ack, p.Window
	}
	return s
}

// differences are the classes in which Decode and gopacket may differ, with the reason. The first
// that holds names the difference.
var differences = []struct {
	name string
	is   func(want, got seen, p *packet.Packet, oracle []gopacket.Layer) bool
}{
	{"gopacket makes no layer of a header that is cut or malformed", func(want, got seen, p *packet.Packet, _ []gopacket.Layer) bool {
		return got.class <= packet.Truncated && want.class != packet.TCP && want.class != packet.UDP
	}},
	{"gopacket knows VLAN tags alone", func(want, _ seen, _ *packet.Packet, l []gopacket.Layer) bool {
		return want.class == packet.NotIP && otherTag(l)
	}},
	{"gopacket takes any data offset", func(want, got seen, p *packet.Packet, l []gopacket.Layer) bool {
		return want.class == packet.TCP && p.Err == packet.ErrTCPDataOffset && badDataOffset(l)
	}},
	{"gopacket takes any udp length", func(want, got seen, p *packet.Packet, l []gopacket.Layer) bool {
		return want.class == packet.UDP && p.Err == packet.ErrUDPLen && badUDPLen(l)
	}},
	{"gopacket does not look at the version of an ip header", func(want, got seen, p *packet.Packet, l []gopacket.Layer) bool {
		return p.Err == packet.ErrIPVersion && badVersion(l)
	}},
	{"gopacket cuts a packet to the length of its PPPoE header", func(want, got seen, p *packet.Packet, l []gopacket.Layer) bool {
		return p.Err == packet.ErrIPBeyondFrame && p.EtherType == 0x0800 && slices.ContainsFunc(l, func(l gopacket.Layer) bool { return l.LayerType() == layers.LayerTypePPPoE })
	}},
	{"gopacket does not go on behind an atomic fragment", func(want, got seen, p *packet.Packet, l []gopacket.Layer) bool {
		return want.class == packet.Fragment && got.class > packet.Fragment && atomic(l)
	}},
	{"gopacket takes a fragment that must not be fragmented for a whole packet", func(want, got seen, p *packet.Packet, _ []gopacket.Layer) bool {
		return got.class == packet.Fragment && want.class != packet.Fragment && p.IPVersion == 4 && p.Data[p.IPOff+6]&0x40 != 0
	}},
	{"gopacket gives up at a destination option that it does not know", func(want, got seen, p *packet.Packet, l []gopacket.Layer) bool {
		return got.class >= packet.ICMP && l[len(l)-1].LayerType() == gopacket.LayerTypeDecodeFailure &&
			want.src.Addr() == got.src.Addr() && bytes.HasSuffix(want.payload, got.payload)
	}},
}

// otherTag reports whether the last EtherType that gopacket read is a tag: of a provider backbone
// bridge, FabricPath, VN-tag, service chain, Cisco metadata.
func otherTag(ls []gopacket.Layer) bool {
	for i := len(ls) - 1; i >= 0; i-- {
		var t layers.EthernetType
		switch l := ls[i].(type) {
		case *layers.Ethernet:
			t = l.EthernetType
		case *layers.Dot1Q:
			t = l.Type
		default:
			continue
		}
		return slices.Contains([]layers.EthernetType{0x88e7, 0x8903, 0x8926, 0x894f, 0x8909}, t)
	}
	return false
}

func badDataOffset(ls []gopacket.Layer) bool {
	for i, l := range ls {
		if tcp, ok := l.(*layers.TCP); ok {
			return tcp.DataOffset < 5 || int(tcp.DataOffset)*4 > len(ls[i-1].LayerPayload())
		}
	}
	return false
}

func badUDPLen(ls []gopacket.Layer) bool {
	for i, l := range ls {
		if udp, ok := l.(*layers.UDP); ok {
			return udp.Length < 8 || int(udp.Length) > len(ls[i-1].LayerPayload())
		}
	}
	return false
}

func badVersion(ls []gopacket.Layer) bool {
	for _, l := range ls {
		switch l := l.(type) {
		case *layers.IPv4:
			return l.Version != 4
		case *layers.IPv6:
			return l.Version != 6
		}
	}
	return false
}

func atomic(ls []gopacket.Layer) bool {
	for _, l := range ls {
		if f, ok := l.(*layers.IPv6Fragment); ok {
			return f.FragmentOffset == 0 && !f.MoreFragments
		}
	}
	return false
}

func TestDecodeEqualsGopacket(t *testing.T) {
	t.Parallel()
	dir := corporaDir(t)
	var compared, equal int
	classes := map[string]int{}
	var p packet.Packet
	files := eachFrame(t, filepath.Join(dir, "pcap"), func(path string, n int, f *capture.Frame) {
		link, data := uint16(f.Link), f.Data
		dec := oracleLink(link, data)
		if dec == nil {
			return
		}
		compared++
		p.Decode(link, data, f.WireLen, 0)
		got := ours(&p)
		want, ls := oracle(dec, data)
		if got.equal(want) {
			equal++
			return
		}
		for _, d := range differences {
			if d.is(want, got, &p, ls) {
				classes[d.name]++
				return
			}
		}
		t.Errorf("%s: frame %d, error %v\n\twant %v\n\tgot  %v", path, n, p.Err, want, got)
	})
	if files < 500 || equal < compared*99/100 {
		t.Errorf("%d files, %d frames, %d equal: too few", files, compared, equal)
	}
	t.Logf("%d files, %d frames compared, %d equal, differences %v", files, compared, equal, classes)
}
