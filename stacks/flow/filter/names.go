package filter

import "strings"

// transports is a set of the protocols that have ports.
type transports uint8

const (
	overTCP transports = 1 << iota
	overUDP
	overSCTP

	overAny = overTCP | overUDP | overSCTP
)

var transportNames = map[string]transports{"": overAny, "tcp": overTCP, "udp": overUDP, "sctp": overSCTP}

// service is a port by name. As in libpcap a name that exists for TCP and UDP
// stands for any transport, and one that exists for one stands for that one.
type service struct {
	port uint16
	over transports
}

// services are the well-known names, as IANA and Debian's netbase have them.
var services = map[string]service{
	"ftp-data": {20, overTCP}, "ftp": {21, overTCP}, "ssh": {22, overTCP}, "telnet": {23, overTCP},
	"smtp": {25, overTCP}, "whois": {43, overTCP}, "domain": {53, overAny}, "bootps": {67, overUDP},
	"bootpc": {68, overUDP}, "tftp": {69, overUDP}, "finger": {79, overTCP}, "http": {80, overTCP},
	"www": {80, overTCP}, "kerberos": {88, overAny}, "pop3": {110, overTCP}, "sunrpc": {111, overAny},
	"nntp": {119, overTCP}, "ntp": {123, overUDP}, "epmap": {135, overTCP}, "netbios-ns": {137, overUDP},
	"netbios-dgm": {138, overUDP}, "netbios-ssn": {139, overTCP}, "imap": {143, overTCP}, "imap2": {143, overTCP},
	"snmp": {161, overAny}, "snmp-trap": {162, overAny}, "snmptrap": {162, overAny}, "bgp": {179, overTCP},
	"ldap": {389, overAny}, "https": {443, overAny}, "microsoft-ds": {445, overTCP}, "kpasswd": {464, overAny},
	"submissions": {465, overTCP}, "isakmp": {500, overUDP}, "syslog": {514, overUDP}, "printer": {515, overTCP},
	"rtsp": {554, overAny}, "submission": {587, overTCP}, "ipp": {631, overTCP}, "ldaps": {636, overAny},
	"domain-s": {853, overAny}, "rsync": {873, overTCP}, "ftps-data": {989, overTCP}, "ftps": {990, overTCP},
	"telnets": {992, overTCP}, "imaps": {993, overTCP}, "pop3s": {995, overTCP}, "socks": {1080, overTCP},
	"openvpn": {1194, overAny}, "ms-sql-s": {1433, overTCP}, "ms-sql-m": {1434, overUDP}, "l2tp": {1701, overUDP},
	"radius": {1812, overAny}, "radius-acct": {1813, overAny}, "nfs": {2049, overAny}, "mysql": {3306, overTCP},
	"ms-wbt-server": {3389, overTCP}, "ipsec-nat-t": {4500, overUDP}, "iax": {4569, overUDP},
	"sip": {5060, overAny}, "sip-tls": {5061, overAny}, "sips": {5061, overAny},
	"xmpp-client": {5222, overTCP}, "xmpp-server": {5269, overTCP}, "mdns": {5353, overUDP},
	"postgresql": {5432, overTCP}, "postgres": {5432, overTCP}, "amqps": {5671, overTCP}, "amqp": {5672, overTCP},
	"x11": {6000, overTCP}, "redis": {6379, overTCP}, "syslog-tls": {6514, overTCP}, "ircd": {6667, overTCP},
	"ircs-u": {6697, overTCP}, "http-alt": {8080, overTCP}, "git": {9418, overTCP},
}

// protocols are the names after "proto" by what qualifies them: numbers of the
// IP header's field, of Ethernet's (RFC 9542) or LLC's, of OSI's. Names of IP
// protocols are looked up in lower case.
var protocols = map[string]map[string]uint32{
	"": {
		"ip": 0, "hopopt": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "st": 5, "tcp": 6, "egp": 8, "igp": 9,
		"pup": 12, "udp": 17, "hmp": 20, "xns-idp": 22, "rdp": 27, "iso-tp4": 29, "dccp": 33, "xtp": 36, "ddp": 37,
		"idpr-cmtp": 38, "ipv6": 41, "ipv6-route": 43, "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50,
		"ah": 51, "skip": 57, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73, "vmtp": 81, "eigrp": 88,
		"ospf": 89, "ipip": 94, "etherip": 97, "encap": 98, "pim": 103, "ipcomp": 108, "vrrp": 112, "l2tp": 115,
		"isis": 124, "sctp": 132, "fc": 133, "mobility-header": 135, "udplite": 136, "mpls-in-ip": 137, "manet": 138,
		"hip": 139, "shim6": 140, "wesp": 141, "rohc": 142, "ethernet": 143,
	},
	"ether": {
		"ip": 0x0800, "arp": 0x0806, "rarp": 0x8035, "ip6": 0x86dd, "atalk": 0x809b, "aarp": 0x80f3, "decnet": 0x6003,
		"lat": 0x6004, "sca": 0x6007, "moprc": 0x6002, "mopdl": 0x6001, "loopback": 0x9000,
		"iso": 0xfe, "stp": 0x42, "ipx": 0xe0, "netbeui": 0xf0,
	},
	"iso": {"esis": 0x82, "isis": 0x83, "clnp": 0x81},
}

// ipProtocols are the protocols whose bare name is a test of the IP header's
// protocol field, and the IP versions it is made for.
var ipProtocols = map[string]struct {
	number uint8
	over   versions
}{
	"tcp": {6, bothVersions}, "udp": {17, bothVersions}, "sctp": {132, bothVersions},
	"icmp": {1, version4}, "icmp6": {58, version6}, "igmp": {2, version4}, "igrp": {9, version4},
	"pim": {103, bothVersions}, "ah": {51, bothVersions}, "esp": {50, bothVersions},
	"vrrp": {112, version4}, "carp": {112, version4},
}

// versions is a set of IP versions.
type versions uint8

const (
	version4 versions = 1 << iota
	version6

	bothVersions = version4 | version6
)

// Subtypes that the words "llc", "action", "reason" and "type" take.
var (
	llcTypes = set("i s u rr rnr rej ui ua disc dm sabme test xid frmr")
	actions  = set("pass accept drop block scrub noscrub nat nonat binat nobinat rdr nordr synproxy-drop")
	reasons  = set("match bad-offset fragment short normalize memory bad-timestamp congestion ip-option " +
		"proto-cksum state-mismatch state-insert state-limit src-limit synproxy")
	wlanTypes = map[string]map[string]bool{
		"mgt": wlanManagement, "management": wlanManagement,
		"ctl": wlanControl, "control": wlanControl,
		"data": wlanData,
	}
	wlanManagement = set("assocreq assoc-req assocresp assoc-resp reassocreq reassoc-req reassocresp reassoc-resp " +
		"probereq probe-req proberesp probe-resp beacon atim disassoc disassociation auth authentication deauth deauthentication")
	wlanControl = set("ps-poll rts cts ack cf-end cf-end-ack bar ba")
	wlanData    = set("data data-cf-ack data-cf-poll data-cf-ack-poll null cf-ack cf-poll cf-ack-poll qos-data " +
		"qos-data-cf-ack qos-data-cf-poll qos-data-cf-ack-poll qos qos-cf-poll qos-cf-ack-poll")
	wlanDirections = set("nods tods fromds dstods")
)

func set(words string) map[string]bool {
	m := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}
