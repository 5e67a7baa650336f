package filter

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/hookd/hookd/stacks/flow/packet"
	"github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// sample is a frame to filter.
type sample struct {
	name    string
	data    []byte
	wireLen int
}

// sampler collects frames of one link type.
type sampler struct {
	link    uint16
	samples []sample
}

func (s *sampler) add(name string, data []byte) {
	s.samples = append(s.samples, sample{name, data, len(data)})
}

// wrap makes the options that give frames the sampler's link type.
func (s *sampler) wrap(opts ...packettest.Option) []packettest.Option {
	return append([]packettest.Option{packettest.Link(s.link)}, opts...)
}

func endpoint(addr string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(addr), port)
}

func (s *sampler) tcp(name, src string, sport uint16, dst string, dport uint16, flags packet.Flags, opts ...packettest.Option) {
	s.add(name, packettest.TCP(endpoint(src, sport), endpoint(dst, dport), 1000, 2000, flags, "GET / HTTP/1.1\r\n", s.wrap(opts...)...))
}

func (s *sampler) udp(name, src string, sport uint16, dst string, dport uint16, opts ...packettest.Option) {
	s.add(name, packettest.UDP(endpoint(src, sport), endpoint(dst, dport), "payload", s.wrap(opts...)...))
}

func (s *sampler) ip(name, src, dst string, proto uint8, payload []byte, opts ...packettest.Option) {
	s.add(name, packettest.IP(netip.MustParseAddr(src), netip.MustParseAddr(dst), proto, payload, s.wrap(opts...)...))
}

func (s *sampler) echo(name, src, dst string, opts ...packettest.Option) {
	s.add(name, packettest.Echo(netip.MustParseAddr(src), netip.MustParseAddr(dst), "ping", s.wrap(opts...)...))
}

// Addresses of the samples.
const (
	alice, bob     = "10.1.2.3", "216.58.1.1"
	carol, dave    = "192.168.0.1", "172.16.5.5"
	alice6, bob6   = "2001:db8::1", "2001:db8:1::2"
	local6, other6 = "fe80::1", "2001:4860:4860::8888"
)

// internetSamples are IP packets of every kind, in frames of any link type.
func internetSamples(link uint16) *sampler {
	s := &sampler{link: link}
	if link != packet.LinkIPv6 {
		s.internet4()
	}
	if link != packet.LinkIPv4 {
		s.internet6()
	}
	return s
}

func (s *sampler) internet4() {
	options := packettest.IPOptions(1, 1, 1, 0, 148, 4, 0, 0)
	longest := packettest.IPOptions(make([]byte, 40)...)
	s.tcp("syn", alice, 40000, bob, 80, packet.SYN)
	s.tcp("syn-ack", bob, 80, alice, 40000, packet.SYN|packet.ACK)
	s.tcp("https", "10.1.2.4", 40001, "216.58.200.9", 443, packet.ACK|packet.PSH)
	s.tcp("fin", carol, 22, "192.168.0.2", 50000, packet.FIN|packet.ACK)
	s.tcp("rst", "8.8.8.8", 53, alice, 85, packet.RST)
	s.tcp("both ports", dave, 5060, "172.31.255.255", 5060, packet.ACK|packet.URG|packet.ECE)
	s.tcp("tcp options", alice, 80, alice, 80, packet.SYN, packettest.MSS(1460), packettest.SACKPermitted(), packettest.Timestamps(1, 0))
	s.tcp("ip options", alice, 40002, bob, 80, packet.ACK, options)
	s.tcp("most options", dave, 90, bob, 8080, packet.ACK, longest)
	s.tcp("short ttl", "0.0.0.10", 1, "255.255.255.255", 65535, packet.CWR, packettest.TTL(1))
	s.udp("dns", alice, 40000, "8.8.8.8", 53)
	s.udp("mdns", alice, 5353, "224.0.0.251", 5353, packettest.TTL(255))
	s.udp("sip", carol, 5060, "192.168.0.2", 5060, packettest.ID(4711))
	s.udp("udp options", "10.0.0.1", 0, "10.255.255.255", 85, options)
	s.ip("sctp", alice, "10.1.2.4", 132, append([]byte{0, 80, 11, 89}, make([]byte, 12)...))
	s.echo("echo", alice, "8.8.8.8")
	s.echo("unreachable", bob, alice, packettest.Edit(func(b []byte) { b[len(b)-12], b[len(b)-11] = 3, 1 }))
	for _, proto := range []uint8{2, 4, 9, 41, 47, 50, 89, 103, 112, 255} {
		s.ip("proto", alice, bob, proto, []byte{0, 80, 0, 80, 0, 8, 0, 0, 0x45, 0, 0, 20})
	}
	ah := []byte{6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	s.ip("ah", alice, bob, 51, append(ah, 0, 80, 0, 80, 0, 0, 0, 0))
	s.ip("first fragment", alice, bob, 17, append([]byte{0, 53, 0, 53, 0, 72, 0, 0}, make([]byte, 64)...), packettest.Fragment(7, 0, 24))
	s.ip("middle fragment", alice, bob, 17, append(make([]byte, 24), []byte("\x00\x35\x00\x35 a port that is none")...), packettest.Fragment(7, 24, 16))
	s.ip("last fragment", alice, bob, 6, append(make([]byte, 16), []byte("\x00\x50\x00\x50")...), packettest.Fragment(8, 16, 8))
	s.tcp("padded", alice, 1024, bob, 25, packet.ACK, packettest.Pad(7))
	s.tcp("tso", alice, 1025, bob, 80, packet.ACK, packettest.TSO())
	s.ip("header length 0", alice, bob, 6, []byte{0, 80, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x12, 0, 0}, packettest.Edit(func(b []byte) { b[len(b)-36] = 0x40 }))
	s.ip("no payload", alice, bob, 6, nil)
}

func (s *sampler) internet6() {
	hop := packettest.Ext(0, 0, 1, 4, 0, 0, 0, 0)
	routing := packettest.Ext(43, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	s.tcp("syn 6", alice6, 40000, bob6, 80, packet.SYN)
	s.tcp("rst 6", bob6, 22, local6, 50000, packet.RST|packet.ACK)
	s.udp("dns 6", alice6, 40000, other6, 53)
	s.udp("sip 6", local6, 5060, "fe80::2", 5060)
	s.udp("mdns 6", local6, 5353, "ff02::fb", 5353)
	s.echo("echo 6", local6, "ff02::1")
	s.ip("sctp 6", alice6, bob6, 132, append([]byte{0, 80, 0, 80}, make([]byte, 12)...))
	s.udp("hop by hop", alice6, 1, bob6, 53, hop)
	s.tcp("routing", alice6, 1, bob6, 80, packet.SYN, hop, routing)
	s.udp("first fragment 6", alice6, 53, bob6, 53, packettest.Fragment(9, 0, 8))
	s.ip("last fragment 6", alice6, bob6, 17, make([]byte, 24), packettest.Fragment(9, 16, 8))
	s.ip("ah 6", alice6, bob6, 51, append([]byte{17, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0}, 0, 53, 0, 53, 0, 8, 0, 0))
	s.ip("no next header", alice6, bob6, 59, nil)
	s.tcp("mapped", "::ffff:10.1.2.3", 1234, "::1", 80, packet.ACK)
	s.ip("pim 6", alice6, "ff02::d", 103, make([]byte, 8))
}

// tagged puts frames of other link headers than Ethernet's into one: from the
// EtherType on, everything is in head.
func ethernet(head string, inner []byte) []byte {
	return append([]byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01"+head), inner...)
}

// ethernetSamples are frames of Ethernet's own, and IP within other things.
func ethernetSamples() *sampler {
	s := internetSamples(packet.LinkEthernet)
	raw := internetSamples(packet.LinkRaw)
	v4, v6, dns := raw.samples[0].data, raw.find("syn 6"), raw.find("dns")
	s.tcp("vlan", alice, 40000, bob, 80, packet.SYN, packettest.VLAN(7))
	s.tcp("vlan 6", alice6, 40000, bob6, 80, packet.SYN, packettest.VLAN(7))
	s.udp("vlan 0", alice, 40000, "8.8.8.8", 53, packettest.VLAN(0))
	s.udp("qinq", alice, 40000, "8.8.8.8", 53, packettest.VLAN(100, 7))
	s.tcp("three tags", carol, 22, bob, 80, packet.ACK, packettest.VLAN(1, 2, 3))
	s.add("old qinq", ethernet("\x91\x00\xe0\x64\x81\x00\x00\x07\x08\x00", v4))
	s.add("vlan of nothing", ethernet("\x81\x00\x00\x07", nil))
	s.add("mpls", ethernet("\x88\x47\x00\x06\x41\x40", v4))
	s.add("mpls stack", ethernet("\x88\x47\x00\x3e\x80\x40\x00\x06\x41\x40", v4))
	s.add("mpls 6", ethernet("\x88\x47\x00\x06\x41\x40", v6))
	s.add("mpls in vlan", ethernet("\x81\x00\x00\x07\x88\x47\x00\x06\x41\x40", dns))
	s.add("pppoe discovery", ethernet("\x88\x63\x11\x09\x00\x00\x00\x00", nil))
	s.add("pppoe", ethernet("\x88\x64\x11\x00\x00\x11\x00\x40\x00\x21", v4))
	s.add("pppoe 6", ethernet("\x88\x64\x11\x00\x00\x12\x00\x40\x00\x57", v6))
	s.add("pppoe mpls", ethernet("\x88\x64\x11\x00\x00\x12\x00\x40\x02\x81\x00\x06\x41\x40", v4))
	for _, op := range []string{"\x00\x01", "\x00\x02"} {
		arp := "\x00\x01\x08\x00\x06\x04" + op + "\x02\x00\x00\x00\x00\x01\x0a\x01\x02\x03\x00\x00\x00\x00\x00\x00\x0a\x01\x02\x04"
		s.add("arp", append([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x06"), arp...))
		s.add("rarp", ethernet("\x80\x35", []byte(arp)))
		s.add("arp in vlan", ethernet("\x81\x00\x00\x07\x08\x06", []byte(arp)))
	}
	s.add("multicast mac", append([]byte("\x01\x00\x5e\x00\x00\xfb\x02\x00\x00\x00\x00\x01\x08\x00"), s.find("mdns")[14:]...))
	s.addLLC()
	s.addTunnels(v4, v6)
	return s
}

func (s *sampler) addLLC() {
	s.add("stp", ethernet("\x00\x26", []byte("\x42\x42\x03\x00\x00\x00\x00\x00\x80\x00")))
	s.add("isis", ethernet("\x00\x26", []byte("\xfe\xfe\x03\x83\x1b\x01\x00\x12\x01\x00")))
	s.add("ipx", ethernet("\x00\x26", []byte("\xe0\xe0\x03\xff\xff\x00\x22\x00\x11\x00")))
	s.add("novell", ethernet("\x00\x26", []byte("\xff\xff\x00\x22\x00\x11\x00\x00\x00\x00")))
	s.add("netbeui", ethernet("\x00\x26", []byte("\xf0\xf0\x7f\x2c\x00\xff\xef\x08\x00\x00")))
	s.add("snap atalk", ethernet("\x00\x26", []byte("\xaa\xaa\x03\x08\x00\x07\x80\x9b\x00\x0d\x00\x00")))
	s.add("snap ip", ethernet("\x00\x26", []byte("\xaa\xaa\x03\x00\x00\x00\x08\x00\x45\x00\x00\x14")))
	s.add("llc rr", ethernet("\x00\x04", []byte("\x04\x04\x01\x01\x00\x00\x00\x00")))
	s.add("llc i", ethernet("\x00\x04", []byte("\x04\x04\x02\x02\x00\x00\x00\x00")))
	s.add("decnet", ethernet("\x60\x03", []byte("\x0e\x00\x81\x26\x00\x00\xaa\x00\x04\x00\x14\x04\x00\x00\xaa\x00\x04\x00\x15\x04\x00\x00\x00\x00")))
	s.add("decnet short", ethernet("\x60\x03", []byte("\x06\x00\x02\x14\x04\x15\x04\x00\x00\x00")))
	s.add("atalk", ethernet("\x80\x9b", make([]byte, 20)))
	s.add("loopback", ethernet("\x90\x00", make([]byte, 46)))
	s.add("lldp", append([]byte("\x01\x80\xc2\x00\x00\x0e\x02\x00\x00\x00\x00\x01\x88\xcc"), make([]byte, 46)...))
}

// addTunnels adds Geneve and VXLAN over both IPs, with Ethernet and with bare IP
// inside.
func (s *sampler) addTunnels(v4, v6 []byte) {
	inner4, inner6 := ethernet("\x08\x00", v4), ethernet("\x86\xdd", v6)
	tagged := ethernet("\x81\x00\x00\x07\x08\x00", v4)
	geneve := func(options int, proto, vni uint32, inner []byte) []byte {
		h := binary.BigEndian.AppendUint32(nil, uint32(options)<<24|proto)
		h = binary.BigEndian.AppendUint32(h, vni<<8)
		return slices.Concat(h, make([]byte, options*4), inner)
	}
	for _, t := range []struct {
		name    string
		port    uint16
		payload []byte
	}{
		{"geneve", 6081, geneve(0, 0x6558, 5, inner4)},
		{"geneve options", 6081, geneve(2, 0x6558, 6, inner6)},
		{"geneve bare", 6081, geneve(1, 0x0800, 5, v4)},
		{"geneve vlan", 6081, geneve(0, 0x6558, 5, tagged)},
		{"geneve version", 6081, append([]byte{0x40}, geneve(0, 0x6558, 5, inner4)[1:]...)},
		{"vxlan", 4789, slices.Concat([]byte{8, 0, 0, 0, 0, 0, 5, 0}, inner4)},
		{"vxlan 6", 4789, slices.Concat([]byte{8, 0, 0, 0, 0, 0, 6, 0}, inner6)},
	} {
		s.add(t.name, packettest.UDP(endpoint(alice, 1), endpoint(bob, t.port), t.payload, packettest.IPOptions(1, 1, 1, 1)))
		s.add(t.name+" over 6", packettest.UDP(endpoint(alice6, 1), endpoint(bob6, t.port), t.payload))
	}
}

func (s *sampler) find(name string) []byte {
	for _, f := range s.samples {
		if f.name == name {
			return f.data
		}
	}
	return nil
}

// cut returns the samples, cut by the capture at each of the lengths that is
// shorter than them; the whole ones first.
func (s *sampler) cut(lengths ...int) []sample {
	all := slices.Clone(s.samples)
	for _, f := range s.samples {
		for _, n := range lengths {
			if n < len(f.data) {
				all = append(all, sample{f.name + " cut", f.data[:n:n], f.wireLen})
			}
		}
	}
	return all
}
