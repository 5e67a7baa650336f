package capture

import "strconv"

// LinkType says what the first header of a frame is. Values are those of the
// LINKTYPE_ registry (https://www.tcpdump.org/linktypes.html).
type LinkType uint16

// Link types that have a name here. Any other value of the registry passes
// through a Reader unchanged.
const (
	LinkTypeNull           LinkType = 0   // BSD loopback: 4 bytes of address family in the capturing host's order
	LinkTypeEthernet       LinkType = 1   // Ethernet II or 802.3
	LinkTypeAX25           LinkType = 3   // AX.25
	LinkTypeTokenRing      LinkType = 6   // IEEE 802.5
	LinkTypeARCNET         LinkType = 7   // ARCNET, BSD style
	LinkTypeSLIP           LinkType = 8   // SLIP with a 16 byte header
	LinkTypePPP            LinkType = 9   // PPP, with or without HDLC framing
	LinkTypeFDDI           LinkType = 10  // FDDI
	LinkTypePPPHDLC        LinkType = 50  // PPP in HDLC-like framing
	LinkTypePPPEther       LinkType = 51  // PPPoE session
	LinkTypeATMRFC1483     LinkType = 100 // LLC or SNAP over ATM
	LinkTypeRaw            LinkType = 101 // IPv4 or IPv6, told apart by the version field
	LinkTypeCHDLC          LinkType = 104 // Cisco HDLC
	LinkTypeIEEE80211      LinkType = 105 // IEEE 802.11
	LinkTypeATMCLIP        LinkType = 106 // Linux classical IP over ATM
	LinkTypeFrameRelay     LinkType = 107 // Frame Relay, LAPF header
	LinkTypeLoop           LinkType = 108 // OpenBSD loopback: address family in network order
	LinkTypeLinuxSLL       LinkType = 113 // Linux "cooked" capture
	LinkTypePFLog          LinkType = 117 // OpenBSD pflog
	LinkTypePrism          LinkType = 119 // 802.11 after a Prism header
	LinkTypeRadiotap       LinkType = 127 // 802.11 after a radiotap header
	LinkTypeARCNETLinux    LinkType = 129 // ARCNET, Linux style
	LinkTypeUser0          LinkType = 147 // private use, the first of 16
	LinkTypeJuniperATM1    LinkType = 137 // Juniper ATM PIC
	LinkTypePPI            LinkType = 192 // per-packet information header
	LinkTypeIEEE802154     LinkType = 195 // IEEE 802.15.4 with FCS
	LinkTypePPPWithDir     LinkType = 204 // PPP after a byte of direction
	LinkTypeIPNET          LinkType = 226 // Solaris ipnet
	LinkTypeIPv4           LinkType = 228 // IPv4, no link header
	LinkTypeIPv6           LinkType = 229 // IPv6, no link header
	LinkTypeIEEE802154Bare LinkType = 230 // IEEE 802.15.4 without FCS
	LinkTypeNFLog          LinkType = 239 // Linux netfilter log
	LinkTypePktap          LinkType = 258 // Apple pktap
	LinkTypeLinuxSLL2      LinkType = 276 // Linux "cooked" capture, version 2
)

var linkNames = map[LinkType]string{
	LinkTypeNull: "NULL", LinkTypeEthernet: "ETHERNET", LinkTypeAX25: "AX25",
	LinkTypeTokenRing: "IEEE802_5", LinkTypeARCNET: "ARCNET_BSD", LinkTypeSLIP: "SLIP",
	LinkTypePPP: "PPP", LinkTypeFDDI: "FDDI", LinkTypePPPHDLC: "PPP_HDLC",
	LinkTypePPPEther: "PPP_ETHER", LinkTypeATMRFC1483: "ATM_RFC1483", LinkTypeRaw: "RAW",
	LinkTypeCHDLC: "C_HDLC", LinkTypeIEEE80211: "IEEE802_11", LinkTypeATMCLIP: "ATM_CLIP",
	LinkTypeFrameRelay: "FRELAY", LinkTypeLoop: "LOOP", LinkTypeLinuxSLL: "LINUX_SLL",
	LinkTypePFLog: "PFLOG", LinkTypePrism: "IEEE802_11_PRISM", LinkTypeRadiotap: "IEEE802_11_RADIOTAP",
	LinkTypeARCNETLinux: "ARCNET_LINUX", LinkTypeUser0: "USER0", LinkTypeJuniperATM1: "JUNIPER_ATM1",
	LinkTypePPI: "PPI", LinkTypeIEEE802154: "IEEE802_15_4_WITHFCS", LinkTypePPPWithDir: "PPP_WITH_DIR", LinkTypeIPNET: "IPNET",
	LinkTypeIPv4: "IPV4", LinkTypeIPv6: "IPV6", LinkTypeIEEE802154Bare: "IEEE802_15_4_NOFCS",
	LinkTypeNFLog: "NFLOG", LinkTypePktap: "PKTAP", LinkTypeLinuxSLL2: "LINUX_SLL2",
}

// String returns the registry's name without its LINKTYPE_ prefix, or
// "LINKTYPE_n" for a value that has no name here.
func (l LinkType) String() string {
	if s, ok := linkNames[l]; ok {
		return s
	}
	return "LINKTYPE_" + strconv.Itoa(int(l))
}

// linkOf reads the link type out of a pcap header's 32 bit field, whose upper
// half holds flags and the length of the frame check sequence. Raw IP was
// written as the capturing system's own number, 12 or 14, before the registry
// gave it 101; nothing else has those two.
func linkOf(field uint32) LinkType {
	switch l := LinkType(field); l {
	case 12, 14:
		return LinkTypeRaw
	default:
		return l
	}
}
