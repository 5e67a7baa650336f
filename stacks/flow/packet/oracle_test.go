package packet_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

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
func oracle(dec gopacket.Decoder, data []byte) (s seen, known bool) {
	p := gopacket.NewPacket(data, dec, gopacket.DecodeOptions{NoCopy: true})
	var src, dst netip.Addr
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.Ethernet, *layers.Dot1Q, *layers.Loopback, *layers.LinuxSLL, *layers.PPP,
			*layers.IPv6HopByHop, *layers.IPv6Routing, *layers.IPv6Destination, *layers.IPSecAH:
		case *layers.IPv4:
			if src.IsValid() {
				return s, true
			}
			src, _ = netip.AddrFromSlice(l.SrcIP)
			dst, _ = netip.AddrFromSlice(l.DstIP)
			s = seen{class: packet.OtherIP, src: netip.AddrPortFrom(src, 0), dst: netip.AddrPortFrom(dst, 0), payload: l.Payload}
			if l.Protocol == layers.IPProtocolICMPv4 {
				s.class = packet.ICMP
			}
			if l.Flags&layers.IPv4MoreFragments != 0 || l.FragOffset != 0 {
				s.class = packet.Fragment
				return s, true
			}
		case *layers.IPv6:
			if src.IsValid() {
				return s, true
			}
			src, _ = netip.AddrFromSlice(l.SrcIP)
			dst, _ = netip.AddrFromSlice(l.DstIP)
			s = seen{class: packet.OtherIP, src: netip.AddrPortFrom(src, 0), dst: netip.AddrPortFrom(dst, 0), payload: l.Payload}
			if l.NextHeader == layers.IPProtocolICMPv6 {
				s.class = packet.ICMP
			}
		case *layers.IPv6Fragment:
			s.class = packet.Fragment
			s.payload = l.Payload
			return s, l.FragmentOffset != 0 || l.MoreFragments
		case *layers.ICMPv6:
			s.class, s.payload = packet.ICMP, l.LayerContents()
			s.payload = data[len(data)-len(l.Payload)-len(l.Contents):]
			return s, true
		case *layers.TCP:
			var f packet.Flags
			for i, on := range []bool{l.FIN, l.SYN, l.RST, l.PSH, l.ACK, l.URG, l.ECE, l.CWR} {
				if on {
					f |= 1 << i
				}
			}
			return seen{packet.TCP, netip.AddrPortFrom(src, uint16(l.SrcPort)), netip.AddrPortFrom(dst, uint16(l.DstPort)), f, l.Seq, l.Ack, l.Window, l.Payload}, true
		case *layers.UDP:
			return seen{class: packet.UDP, src: netip.AddrPortFrom(src, uint16(l.SrcPort)), dst: netip.AddrPortFrom(dst, uint16(l.DstPort)), payload: l.Payload}, true
		default:
			return s, src.IsValid()
		}
	}
	return s, src.IsValid()
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

func TestDecodeEqualsGopacket(t *testing.T) {
	t.Parallel()
	dir := corporaDir(t)
	var compared, equal int
	classes := map[string]int{}
	var p packet.Packet
	files := eachFrame(t, filepath.Join(dir, "pcap"), func(path string, n int, link uint16, data []byte, wireLen int) {
		dec := oracleLink(link, data)
		if dec == nil {
			return
		}
		p.Decode(link, data, wireLen, 0)
		want, known := oracle(dec, data)
		if !known {
			want = seen{class: packet.NotIP}
		}
		compared++
		got := ours(&p)
		if got.equal(want) {
			equal++
			return
		}
		k := fmt.Sprintf("want %v got %v err %v", want.class, got.class, p.Err)
		classes[k]++
		if classes[k] <= 5 {
			t.Logf("%s:%d: %s\n\twant %v\n\tgot  %v", path, n, k, want, got)
		}
	})
	t.Logf("%d files, %d frames compared, %d equal, differences %v", files, compared, equal, classes)
}
