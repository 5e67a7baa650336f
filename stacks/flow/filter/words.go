package filter

import "strings"

// class says what a keyword can begin or qualify.
type class uint8

const (
	classNone      class = iota
	classProto           // names a protocol: tcp, ip6, ether
	classDirection       // src, dst, ra, addr1
	classKind            // what a value is, and may follow a direction: host, port
	classProtoKind       // what a value is, and may not: proto, gateway
	classCast            // broadcast, multicast
	classWLAN            // type, subtype, dir
	classMask
	classLen
	classCompare // less, greater
	classByte
	classTunnel // vlan, mpls, geneve: an optional number, and headers shift
	classPlain  // a test of one word: inbound, fisu
	classNumber // a word and a number: ifindex 3
	className   // a word and a name: ifname em0
	classReason // reason match, reason 3
	classLLC
	classField // a word and compared numbers: vpi 3, opc (1 or 2)
)

// keyword is a reserved word; name is the one that stands for its synonyms.
type keyword struct {
	class class
	name  string
}

// keywords are the reserved words of pcap-filter(7). "and", "or" and "not" are
// operators, and the names of header fields and flags are numbers.
var keywords = makeKeywords(map[class]string{
	classProto: "ether link:ether ppp:ether slip:ether fddi:ether tr:ether wlan:ether " +
		"ip arp rarp sctp tcp udp icmp igmp igrp pim vrrp carp radio ip6 icmp6 ah esp " +
		"atalk aarp decnet lat sca moprc mopdl iso esis es-is:esis isis is-is:isis " +
		"l1 l2 iih lsp snp csnp psnp clnp stp ipx netbeui",
	classDirection: "src dst ra ta addr1 address1:addr1 addr2 address2:addr2 " +
		"addr3 address3:addr3 addr4 address4:addr4",
	classKind:      "host net port portrange",
	classProtoKind: "proto protochain gateway",
	classCast:      "broadcast multicast",
	classWLAN:      "type subtype dir direction:dir",
	classMask:      "mask",
	classLen:       "len length:len",
	classCompare:   "less greater",
	classByte:      "byte",
	classTunnel:    "vlan mpls pppoed pppoes geneve vxlan",
	classPlain: "inbound outbound lane metac bcc oam oamf4 oamf4ec oamf4sc sc ilmic " +
		"connectmsg metaconnect fisu lssu lsu:lssu msu hfisu hlssu hmsu",
	classNumber: "ifindex rnr rulenum:rnr srnr subrulenum:srnr",
	className:   "ifname on:ifname rset ruleset:rset action",
	classReason: "reason",
	classLLC:    "llc",
	classField:  "vpi vci sio opc dpc sls hsio hopc hdpc hsls",
})

// makeKeywords reads "word" and "synonym:word" lists.
func makeKeywords(lists map[class]string) map[string]keyword {
	words := make(map[string]keyword)
	for c, list := range lists {
		for entry := range strings.FieldsSeq(list) {
			word, name, synonym := strings.Cut(entry, ":")
			if !synonym {
				name = word
			}
			words[word] = keyword{class: c, name: name}
		}
	}
	return words
}

// fieldNumbers are words that stand for a number wherever one may be: offsets of
// header fields, and the values and flags that are found there.
var fieldNumbers = map[string]uint32{
	"icmptype": 0, "icmpcode": 1, "icmp6type": 0, "icmp6code": 1, "tcpflags": 13,

	"tcp-fin": 0x01, "tcp-syn": 0x02, "tcp-rst": 0x04, "tcp-push": 0x08,
	"tcp-ack": 0x10, "tcp-urg": 0x20, "tcp-ece": 0x40, "tcp-cwr": 0x80,

	"icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4, "icmp-redirect": 5,
	"icmp-echo": 8, "icmp-routeradvert": 9, "icmp-routersolicit": 10, "icmp-timxceed": 11,
	"icmp-paramprob": 12, "icmp-tstamp": 13, "icmp-tstampreply": 14, "icmp-ireq": 15,
	"icmp-ireqreply": 16, "icmp-maskreq": 17, "icmp-maskreply": 18,

	"icmp6-destinationunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3,
	"icmp6-parameterproblem": 4, "icmp6-echo": 128, "icmp6-echoreply": 129,
	"icmp6-multicastlistenerquery": 130, "icmp6-multicastlistenerreportv1": 131,
	"icmp6-multicastlistenerdone": 132, "icmp6-routersolicit": 133, "icmp6-routeradvert": 134,
	"icmp6-neighborsolicit": 135, "icmp6-neighboradvert": 136, "icmp6-redirect": 137,
	"icmp6-routerrenum": 138, "icmp6-nodeinformationquery": 139, "icmp6-nodeinformationresponse": 140,
	"icmp6-ineighbordiscoverysolicit": 141, "icmp6-ineighbordiscoveryadvert": 142,
	"icmp6-multicastlistenerreportv2": 143, "icmp6-homeagentdiscoveryrequest": 144,
	"icmp6-homeagentdiscoveryreply": 145, "icmp6-mobileprefixsolicit": 146,
	"icmp6-mobileprefixadvert": 147, "icmp6-certpathsolicit": 148, "icmp6-certpathadvert": 149,
	"icmp6-multicastrouteradvert": 151, "icmp6-multicastroutersolicit": 152, "icmp6-multicastrouterterm": 153,
}
