package flow

import (
	"encoding/binary"
	"math/bits"
	"net"
	"net/netip"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/layers"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// What follows reads header fields that package packet does not keep, from the frame when a rule asks
// for them. A field that is not there, or that the capture cut off, is zero or absent.

// Link returns the link type.
func (l *lentPacket) Link() uint16 { return l.p.Link }

// Frame returns what was captured.
func (l *lentPacket) Frame() []byte { return l.p.Data }

// EthSrc returns the sender's Ethernet address.
func (l *lentPacket) EthSrc() (string, bool) { return l.mac(6) }

// EthDst returns the receiver's Ethernet address.
func (l *lentPacket) EthDst() (string, bool) { return l.mac(0) }

func (l *lentPacket) mac(at int) (string, bool) {
	if l.p.Link != packet.LinkEthernet || len(l.p.Data) < ethernetHeader {
		return "", false
	}
	return net.HardwareAddr(l.p.Data[at : at+6]).String(), true
}

// EtherType returns the protocol behind the link header.
func (l *lentPacket) EtherType() uint16 { return l.p.EtherType }

// Vlans counts the tags.
func (l *lentPacket) Vlans() uint8 { return l.p.VLANs }

// VLANInner returns the second tag's VLAN.
func (l *lentPacket) VLANInner() uint16 { return l.p.VLANInner }

// VLANPriority returns the priority of the outermost tag (IEEE 802.1Q, 9.6).
func (l *lentPacket) VLANPriority() uint8 {
	if l.p.Link != packet.LinkEthernet || l.p.VLANs == 0 || len(l.p.Data) < ethernetHeader+vlanTag {
		return 0
	}
	if tci := binary.BigEndian.Uint16(l.p.Data[ethernetHeader:]); tci&0x0fff == l.p.VLAN {
		return uint8(tci >> 13)
	}
	return 0
}

// MPLSLabels counts the labels.
func (l *lentPacket) MPLSLabels() uint8 { return l.p.Labels }

// MPLSLabel returns the outermost label.
func (l *lentPacket) MPLSLabel() uint32 { return l.p.Label }

// Tunnel returns the innermost tunnel that was entered.
func (l *lentPacket) Tunnel() flowev.Tunnel {
	if l.p.Tunnel == 0 {
		return flowev.TunnelNone
	}
	return flowev.TunnelNone + 1 + flowev.Tunnel(bits.TrailingZeros16(uint16(l.p.Tunnel)))
}

// TunnelDepth counts the tunnels.
func (l *lentPacket) TunnelDepth() uint8 { return l.p.TunnelDepth }

// TunnelID returns the innermost tunnel's number.
func (l *lentPacket) TunnelID() uint32 { return l.p.TunnelID }

// OuterSrc returns the source address of the outermost IP header.
func (l *lentPacket) OuterSrc() (netip.Addr, bool) { return l.outer(l.p.OuterSrc) }

// OuterDst returns the destination address of the outermost IP header.
func (l *lentPacket) OuterDst() (netip.Addr, bool) { return l.outer(l.p.OuterDst) }

func (l *lentPacket) outer(a packet.Addr) (netip.Addr, bool) {
	if l.p.TunnelDepth == 0 {
		return netip.Addr{}, false
	}
	return a.Netip(l.p.OuterVersion), true
}

// ip returns the fixed IP header and what was captured behind it, nil without one.
func (l *lentPacket) ip() []byte {
	if l.p.IPVersion == 0 {
		return nil
	}
	return l.p.Data[l.p.IPOff:]
}

// IPHeaderLen returns the length of the IP header with options or extension headers.
func (l *lentPacket) IPHeaderLen() uint16 {
	h := l.ip()
	switch {
	case h == nil:
		return 0
	case l.p.IPVersion == 4:
		return uint16(h[0]&0x0f) * 4
	case l.p.Class >= packet.Fragment:
		return uint16(l.p.L4Off - l.p.IPOff)
	}
	return ipv6Header
}

// IPLen returns the length of the IP packet; for one whose header says 0, as offloading has it, what
// the frame holds.
func (l *lentPacket) IPLen() uint32 {
	h := l.ip()
	if h == nil {
		return 0
	}
	n := uint32(binary.BigEndian.Uint16(h[2:]))
	if l.p.IPVersion == 6 {
		n = ipv6Header + uint32(binary.BigEndian.Uint16(h[4:]))
	}
	if (n == 0 || n == ipv6Header && l.p.IPVersion == 6) && l.p.Class >= packet.Fragment {
		n = uint32(l.p.WireLen) - l.p.IPOff
	}
	return n
}

// trafficClass returns the byte that DSCP and ECN share.
func (l *lentPacket) trafficClass() uint8 {
	h := l.ip()
	switch {
	case h == nil:
		return 0
	case l.p.IPVersion == 4:
		return h[1]
	}
	return h[0]<<4 | h[1]>>4
}

// DSCP returns the differentiated services code point.
func (l *lentPacket) DSCP() uint8 { return l.trafficClass() >> 2 }

// ECN returns the congestion bits of IP.
func (l *lentPacket) ECN() uint8 { return l.trafficClass() & 3 }

// FlowLabel returns the flow label of IPv6.
func (l *lentPacket) FlowLabel() uint32 {
	if l.p.IPVersion != 6 {
		return 0
	}
	return binary.BigEndian.Uint32(l.ip()) & 0xfffff
}

// IPID returns the identification.
func (l *lentPacket) IPID() uint32 {
	switch {
	case l.p.IPVersion == 4:
		return uint32(binary.BigEndian.Uint16(l.ip()[4:]))
	case l.p.Class == packet.Fragment:
		return l.p.FragID
	}
	return 0
}

// DontFragment reports the flag of IPv4.
func (l *lentPacket) DontFragment() bool { return l.p.IPVersion == 4 && l.ip()[6]&0x40 != 0 }

// MoreFragments reports that fragments follow.
func (l *lentPacket) MoreFragments() bool { return l.p.FragMore }

// FragmentOffset returns the fragment's place.
func (l *lentPacket) FragmentOffset() uint16 {
	if l.p.Class != packet.Fragment {
		return 0
	}
	return l.p.FragOff
}

// IPChecksum returns the checksum of the IPv4 header.
func (l *lentPacket) IPChecksum() uint16 {
	if l.p.IPVersion != 4 {
		return 0
	}
	return binary.BigEndian.Uint16(l.ip()[10:])
}

// IPChecksumState verifies it.
func (l *lentPacket) IPChecksumState() flowev.Checksum { return flowev.Checksum(l.p.HeaderChecksum()) }

// IPOptions returns options or extension headers.
func (l *lentPacket) IPOptions() []byte {
	h := l.ip()
	fixed := ipv4Header
	if l.p.IPVersion == 6 {
		fixed = ipv6Header
	}
	if end := min(int(l.IPHeaderLen()), len(h)); end > fixed {
		return h[fixed:end]
	}
	return nil
}

// upper returns what was captured from the transport header on, nil unless the class is c.
func (l *lentPacket) upper(c packet.Class) []byte {
	if l.p.Class != c || l.p.L4Off > l.p.PayloadOff { // headers before it were cut off
		return nil
	}
	return l.p.Data[l.p.L4Off : l.p.PayloadOff+l.p.PayloadCap]
}

// TCPHeaderLen returns the length of the TCP header.
func (l *lentPacket) TCPHeaderLen() uint8 {
	if h := l.upper(packet.TCP); h != nil {
		return h[12] >> 4 * 4
	}
	return 0
}

// Reserved returns the bits between the length and the flags of TCP.
func (l *lentPacket) Reserved() uint8 {
	if h := l.upper(packet.TCP); h != nil {
		return h[12] & 0x0f
	}
	return 0
}

// Urgent returns the urgent pointer.
func (l *lentPacket) Urgent() uint16 {
	if h := l.upper(packet.TCP); h != nil {
		return binary.BigEndian.Uint16(h[18:])
	}
	return 0
}

// Checksum returns the checksum of the transport header.
func (l *lentPacket) Checksum() uint16 {
	var h []byte
	at := 0
	switch l.p.Class {
	case packet.TCP:
		at = 16
	case packet.UDP:
		at = 6
	case packet.ICMP:
		at = 2
	default:
		return 0
	}
	if h = l.upper(l.p.Class); len(h) < at+2 {
		return 0
	}
	return binary.BigEndian.Uint16(h[at:])
}

// ChecksumState verifies it.
func (l *lentPacket) ChecksumState() flowev.Checksum { return flowev.Checksum(l.p.Checksum()) }

// MSS returns the maximum segment size option.
func (l *lentPacket) MSS() (uint16, bool) {
	o := l.p.TCPOptions()
	return o.MSS, o.MSS != 0
}

// WindowScale returns the window scale option.
func (l *lentPacket) WindowScale() (uint8, bool) {
	o := l.p.TCPOptions()
	return o.WScale, o.HasWScale
}

// SACKPermitted reports the option.
func (l *lentPacket) SACKPermitted() bool { return l.p.TCPOptions().SACKPermitted }

// TSValue returns the sender's timestamp.
func (l *lentPacket) TSValue() (uint32, bool) {
	o := l.p.TCPOptions()
	return o.TSVal, o.HasTimestamps
}

// TSEcho returns the timestamp that is echoed.
func (l *lentPacket) TSEcho() (uint32, bool) {
	o := l.p.TCPOptions()
	return o.TSEcr, o.HasTimestamps
}

// TCPOptions returns the bytes between the fixed header and the payload.
func (l *lentPacket) TCPOptions() []byte {
	h := l.upper(packet.TCP)
	if end := min(int(l.TCPHeaderLen()), len(h)); end > tcpHeader {
		return h[tcpHeader:end]
	}
	return nil
}

// UDPLen returns the length field of UDP.
func (l *lentPacket) UDPLen() uint16 {
	if h := l.upper(packet.UDP); h != nil {
		return binary.BigEndian.Uint16(h[4:])
	}
	return 0
}

// ICMPType returns the type of an ICMP message.
func (l *lentPacket) ICMPType() (uint8, bool) { return l.icmp(0) }

// ICMPCode returns its code.
func (l *lentPacket) ICMPCode() (uint8, bool) { return l.icmp(1) }

func (l *lentPacket) icmp(at int) (uint8, bool) {
	if h := l.upper(packet.ICMP); len(h) > at {
		return h[at], true
	}
	return 0, false
}

// ICMPRest returns the second four bytes of an ICMP message.
func (l *lentPacket) ICMPRest() (uint32, bool) {
	if h := l.upper(packet.ICMP); len(h) >= 8 {
		return binary.BigEndian.Uint32(h[4:]), true
	}
	return 0, false
}

// Sacks lists the SACK blocks.
func (l *lentPacket) Sacks() any {
	o := l.p.TCPOptions()
	list := make([]any, 0, o.SACKs)
	for _, b := range o.SACK[:o.SACKs] {
		list = append(list, []event.KV{{Key: "left", Value: float64(b.Left)}, {Key: "right", Value: float64(b.Right)}})
	}
	return list
}

// Layers decodes the packet by gopacket.
func (l *lentPacket) Layers() any {
	at := 0
	if l.p.IsIP() {
		at = int(l.p.IPOff)
	}
	return layers.Decode(l.p.Link, l.p.Data, at)
}
