package filter

import (
	"errors"
	"strings"
	"testing"
)

// understood are expressions and what they are with every qualifier and
// parenthesis spelled out.
var understood = []struct{ expr, want string }{
	{"", ""},
	{" \t\r\n", ""},
	{"dst net 216.58 and dst port 80", "dst net 216.58.0.0/16 and dst port 80"},

	// Inheritance: the qualifiers of the last test, unless it had none; those of
	// before a parenthesis hold after it.
	{"host 1.2.3.4 or 5.6.7.8 and ::1", "host 1.2.3.4 or host 5.6.7.8 and host ::1"},
	{"tcp dst port 80 or 443 and not 22", "tcp dst port 80 or tcp dst port 443 and not tcp dst port 22"},
	{"src net 10 or (172.16.0.0/12 and not 192.168) or 11", "src net 10.0.0.0/8 or (src net 172.16.0.0/12 and not src net 192.168.0.0/16) or src net 11.0.0.0/8"},
	{"host 1.2.3.4 and (port 80 or 443) or 10", "host 1.2.3.4 and (port 80 or port 443) or host 0.0.0.10"},
	{"host (1.2.3.4 or not (5.6.7.8 and ::1))", "host 1.2.3.4 or not (host 5.6.7.8 and host ::1)"},
	{"proto (6 or 17) or 47", "(proto 6 or proto 17) or proto 47"},

	// Precedence.
	{"tcp or udp and icmp", "tcp or udp and icmp"},
	{"tcp or (udp and icmp)", "tcp or (udp and icmp)"},
	{"not tcp and not not udp", "not tcp and udp"},
	{"not (tcp and udp)", "not (tcp and udp)"},
	{"len + 1 * 2 - 3 > 4", "((len + (1 * 2)) - 3) > 4"},
	{"len | 1 & 2 << 3 = 4", "(len | (1 & (2 << 3))) = 4"},
	{"len - 1 - 2 == 3", "((len - 1) - 2) = 3"},
	{"60 % 7 % 3 + 1 != len", "(60 % (7 % (3 + 1))) != len"},
	{"- len ^ 2 = (- len) ^ 2", "- (len ^ 2) = ((- len) ^ 2)"},
	{"2 * len ^ 1 <= - len * 3", "(2 * (len ^ 1)) <= (- len * 3)"},

	// Tests of the packet's bytes.
	{"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "(tcp[13:1] & (2 | 1)) != 0"},
	{"ether[0] & 1 = 0 and ip[16] >= 224", "(ether[0:1] & 1) = 0 and ip[16:1] >= 224"},
	{"tcp[(tcp[12] & 0xf0) >> 2:4] = 0x47455420", "tcp[((tcp[12:1] & 240) >> 2):4] = 1195725856"},
	{"(((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)", "((ip[2:2] - ((ip[0:1] & 15) << 2)) - ((tcp[12:1] & 240) >> 2)) != 0"},
	{"(5) < len and (len) > (5 + 5)", "5 < len and len > (5 + 5)"},
	{"less 60 or greater 1500", "len <= 60 or len >= 1500"},
	{"byte 6 & 1 and byte 7 | 2 and byte 8 = 3", "(ether[6:1] & 1) != 0 and (ether[7:1] | 2) != 0 and ether[8:1] = 3"},
	{"icmp[icmptype] = icmp-echo and icmp6[icmp6type] != icmp6-echo", "icmp[0:1] = 8 and icmp6[0:1] != 128"},

	// The link layer, and what lies between it and IP.
	{"ether host 00:11:22:33:44:55 or 6-7-8-9-a-b", "ether host 0:11:22:33:44:55 or ether host 6:7:8:9:a:b"},
	{"ether src 0011.2233.4455 and link dst 001122334455", "ether src host 0:11:22:33:44:55 and ether dst host 0:11:22:33:44:55"},
	{`ether proto 0x800 or \ip6 or ether proto \arp`, "ether proto 2048 or ether proto 34525 or ether proto 2054"},
	{"vlan 100 && vlan (200) and mpls 1000", "vlan 100 and vlan 200 and mpls 1000"},
	{"pppoes 0x11 and ip6 or geneve ((3)) and tcp", "pppoes 17 and ip6 or geneve 3 and tcp"},
	{"vxlan or vxlan 5", "vxlan or vxlan 5"},
	{"vlan and 5 < len", "vlan and 5 < len"},
	{"pppoed or ip broadcast or ip6 multicast or multicast", "pppoed or ip broadcast or ip6 multicast or multicast"},
	{"wlan type mgt subtype beacon or type data or subtype qos-data or dir fromds", "type mgt subtype beacon or type data or subtype qos-data or dir fromds"},
	{"wlan addr1 00:11:22:33:44:55 or wlan ra 1:2:3:4:5:6", "ether addr1 host 0:11:22:33:44:55 or ether ra host 1:2:3:4:5:6"},
	{"arp host 10.0.0.1 or rarp or iso proto \\esis or isis proto 17", "arp host 10.0.0.1 or rarp or iso proto 130 or isis proto 17"},
	{"l1 or csnp or es-is or atalk or stp", "l1 or csnp or esis or atalk or stp"},
	{"decnet src 1.20 or ether host $3f", "decnet src host 1.20 or ether host $3f"},
	{"llc or llc i or llc rnr or llc XID", "llc or llc i or llc rnr or llc XID"},
	{"on em0 and reason match and rnr 5 and action pass", `ifname \em0 and reason match and rnr 5 and action pass`},
	{"ifindex 3 and inbound or outbound", "ifindex 3 and inbound or outbound"},
	{"lane and vpi 3 and vci > 4 and vci (1 or 2) or oamf4", "lane and vpi = 3 and vci > 4 and vci (1 or 2) or oamf4"},
	{"fisu or sio 3 and opc != 5 and hdpc (1 or 2 or 3)", "fisu or sio = 3 and opc != 5 and hdpc (1 or 2 or 3)"},
	{`gateway \host and protochain 6`, `gateway \host and protochain 6`},
	{"ip protochain \\tcp or ip6 protochain 58", "ip protochain 6 or ip6 protochain 58"},
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range understood {
		e, err := Parse(tc.expr)
		if err != nil {
			t.Errorf("%s: %v", tc.expr, err)
			continue
		}
		if got := e.String(); got != tc.want {
			t.Errorf("%s\n got %s\nwant %s", tc.expr, got, tc.want)
		}
		again, err := Parse(tc.want)
		if err != nil || again.String() != tc.want {
			t.Errorf("%s: parsed again it is %v, %v", tc.want, again, err)
		}
	}
}

// wrong are expressions with the column of the problem and what is said.
var wrong = []struct {
	expr   string
	column int
	what   string
	hint   string
}{
	{"TCP", 1, `unknown word "TCP"`, `keywords are lower case: "tcp"`},
	{"hsot 10.0.0.1", 1, `unknown word "hsot"`, `did you mean "host"?`},
	{"tcp and prot 80", 9, `unknown word "prot"`, `did you mean "port"?`},
	{"source 10.0.0.1", 1, `unknown word "source"`, `the word is "src"`},
	{"tcp and ipv6", 9, `unknown word "ipv6"`, `the word is "ip6"`},
	{"xyzzyplugh", 1, `unknown word "xyzzyplugh"`, ""},
	{"10.0.0.1", 1, `"10.0.0.1" has no qualifier before it that it could take over`, `say what it is: "host", "net", "port"`},
	{"tcp or 80", 8, `"80" has no qualifier before it that it could take over`, `say what it is: "host", "net", "port"`},
	{"(host 1.2.3.4) and 5.6.7.8", 20, `"5.6.7.8" has no qualifier before it that it could take over`, `say what it is: "host", "net", "port"`},

	{"host www.example.com", 6, `"www.example.com" is not an address`, "names are not resolved: give the address"},
	{"src net lan", 9, `"lan" is not an address`, "names are not resolved: give the address"},
	{"host 1.2.3.4.5", 6, `"1.2.3.4.5" is not an address`, "names are not resolved: give the address"},
	{"host 256.0.0.1", 6, `"256.0.0.1" is not an IPv4 address`, "an octet is a decimal number up to 255"},
	{"host 10.0.0.0/8", 6, "a host has no mask", `write "net" before it`},
	{"net 10.0.0.1/8", 5, `host bits are set in "10.0.0.1/8"`, "the network is 10.0.0.0"},
	{"net 10.1.2.3 mask 255.255.0.0", 5, `host bits are set in "10.1.2.3 mask 255.255.0.0"`, "the network is 10.1.0.0"},
	{"net 2001:db8::1/32", 5, `host bits are set in "2001:db8::1/32"`, "the network is 2001:db8::"},
	{"net 10.0.0.0/33", 14, `"/" is followed by a prefix length up to 32, not "33"`, ""},
	{"net ::/129", 8, `"/" is followed by a prefix length up to 128, not "129"`, ""},
	{"net 10.0.0.0 mask 255", 19, `"mask" is followed by a mask such as 255.255.0.0, not "255"`, ""},
	{"net :: mask 255.0.0.0", 8, "IPv6 networks take no mask", "write it as ADDRESS/LENGTH"},
	{"tcp host 10.0.0.1", 10, `"tcp" has no host 10.0.0.1`, `write "tcp and host 10.0.0.1"`},
	{"ip6 host 10.0.0.1", 10, `"ip6" has no host 10.0.0.1`, ""},
	{"ip net ::/0", 8, `"ip" has no net ::`, ""},
	{"ra host 10.0.0.1", 9, `"ra" is about 802.11 addresses, not IP's`, ""},
	{"addr1 port 80", 12, `"addr1" is about 802.11 addresses, not ports`, ""},

	{"port 65536", 6, "port 65536 is over 65535", ""},
	{"port 99999999999", 6, "number 99999999999 does not fit 32 bits", ""},
	{"port 089", 6, "number 089 begins with 0, so it is octal, and has a digit that octal lacks", ""},
	{"port 80-90", 6, `no service is named "80-90"`, `a range is "portrange 80-90"`},
	{"port htpp", 6, `no service is named "htpp"`, "give its number"},
	{"portrange 80-70000", 11, `"80-70000" is not a range of ports`, "write it as 80-90"},
	{"port 10.0.0.1", 6, `"port" takes no address`, ""},
	{"icmp port 80", 11, `"icmp" has no ports`, "tcp, udp and sctp have them"},
	{"ip port http", 9, `"ip" has no ports`, "tcp, udp and sctp have them"},
	{"udp port http", 10, `"http" is a tcp service`, ""},
	{"tcp portrange ntp-mdns", 15, `"ntp-mdns" is a udp service`, ""},
	{"dst tcp port 80", 5, `unexpected "tcp"`, `the protocol goes before the direction: "tcp dst port 80"`},
	{"src or port 80", 5, `a value is expected after "src", not "or"`, ""},
	{"src proto 6", 5, `"proto" takes no direction`, ""},
	{"tcp port", 9, `a value is expected after "port", not the end`, ""},
	{"tcp dst and port 80", 9, `a value is expected after "dst", not "and"`, ""},
	{"host tcp", 6, `"tcp" is a keyword, not a value for "host"`, ""},
	{"host (10.0.0.1 or tcp)", 19, `"tcp" is a keyword, not a value for "host"`, ""},
	{"host (10.0.0.1 10.0.0.2)", 16, `unexpected "10.0.0.2"`, `"and" or "or" is missing before it`},
	{"proto tcp", 7, `"tcp" is a keyword, not a value for "proto"`, `keywords are escaped here: "proto \tcp"`},
	{"proto frobnicate", 7, `no protocol is named "frobnicate" here`, "give its number"},
	{"proto 256", 7, "protocol 256 is over 255", ""},
	{"tcp proto 6", 11, `"tcp" cannot qualify "proto"`, ""},
	{"ether protochain 6", 18, `"ether" cannot qualify "protochain"`, ""},
	{"gateway 5", 9, `"gateway" takes a name`, ""},

	{"tcp udp", 5, `unexpected "udp"`, `"and" or "or" is missing before it`},
	{"tcp port 80 443", 13, `unexpected "443"`, `"and" or "or" is missing before it`},
	{"tcp adn udp", 5, `unexpected "adn"`, `"and" or "or" is missing before it`},
	{"ip 10.0.0.1", 4, `unexpected "10.0.0.1"`, `"and" or "or" is missing before it`},
	{"tcp and", 8, `the expression ends where a test is expected after "and"`, ""},
	{"and tcp", 1, `a test is missing before "and"`, ""},
	{"tcp and or udp", 9, `a test is missing before "or"`, ""},
	{"()", 2, `a test is missing before ")"`, ""},
	{"!", 2, `the expression ends where a test is expected after "!"`, ""},
	{"(tcp and (udp)", 1, "this parenthesis is not closed", ""},
	{"tcp)", 4, "nothing is open that this parenthesis closes", ""},
	{"tcp and ä", 9, `unexpected character 'ä'`, ""},
	{"äöü and tcp", 1, `unexpected character 'ä'`, ""},
	{`host \ä`, 6, `"ä" is not an address`, "names are not resolved: give the address"},
	{`on \ä and tcp udp`, 15, `unexpected "udp"`, `"and" or "or" is missing before it`},
	{`host \`, 6, "a backslash begins a name", ""},
	{"ether host $zz", 12, "$ begins an ARCNET address, one byte in hexadecimal", ""},
	{"ether host 00:11:22:33:44", 12, `"00:11:22:33:" is neither an Ethernet nor an IPv6 address`, ""},
	{"host 00:11:22:33:44:55", 6, `"00:11:22:33:44:55" is an address of the link layer`, `write "ether host" before it`},
	{"ether host 10.0.0.1", 12, `"ether" has no host 10.0.0.1`, ""},
	{"ether", 1, `"ether" alone is not a test`, ""},
	{"radio", 1, `"radio" alone is not a test`, ""},
	{"tcp broadcast", 5, `"tcp" has no broadcast`, ""},
	{"ip6 broadcast", 5, `"ip6" has no broadcast`, ""},
	{"mask 255.0.0.0", 1, `a test cannot begin with "mask"`, ""},

	{"tcp[13", 4, "this bracket is not closed before the end", ""},
	{"tcp[13:3] = 1", 8, `the size of a load is 1, 2 or 4, not "3"`, ""},
	{"esp[0] = 1", 1, `"esp" has no header that can be indexed`, ""},
	{"tcp[13] & 2", 12, "a comparison such as = or > is expected, not the end", ""},
	{"tcp[13] = udp", 11, `a number, len or a load such as tcp[13] is expected, not "udp"`, ""},
	{"len > 1 > 2", 9, `unexpected ">"`, ""},
	{"len / 0 = 1", 5, "division by zero", ""},
	{"len % 0 = 1", 5, "division by zero", ""},
	{"len << 32 = 1", 5, "shift by more than 31 bits", ""},
	{"less tcp", 6, `"less" is followed by a number, not "tcp"`, ""},
	{"byte 3 != 4", 8, `"byte 3" is followed by one of & | < > =, not "!="`, ""},
	{"vlan 4096", 6, "vlan 4096 is over 4095", ""},
	{"mpls 1048576", 6, "mpls 1048576 is over 1048575", ""},
	{"pppoed 3", 8, `unexpected "3"`, `"and" or "or" is missing before it`},
	{"type beacon", 6, `"type" is not followed by "beacon"`, ""},
	{"type mgt subtype rts", 18, `"subtype" is not followed by "rts"`, ""},
	{"llc fisk", 5, `"llc" is not followed by "fisk"`, ""},
	{"on 5", 4, `"on" is followed by a name, not "5"`, ""},
	{"vpi (1 and 2)", 8, `unexpected "and"`, `"and" or "or" is missing before it`},
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range wrong {
		_, err := Parse(tc.expr)
		se := new(SyntaxError)
		if !errors.As(err, &se) {
			t.Errorf("%s: %v, want a *SyntaxError", tc.expr, err)
			continue
		}
		if se.Column != tc.column || se.What != tc.what || se.Hint != tc.hint || se.Expr != tc.expr {
			t.Errorf("%s\n got %d %s; %s\nwant %d %s; %s", tc.expr, se.Column, se.What, se.Hint, tc.column, tc.what, tc.hint)
		}
	}
	want := `filter: column 1: unknown word "TCP"; keywords are lower case: "tcp"`
	if _, err := Parse("TCP"); err.Error() != want {
		t.Errorf("got %s, want %s", err, want)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for what, tc := range map[string]struct{ fits, not string }{
		"length":      {strings.Repeat("tcp or ", MaxExpr/7-1) + "tcp", strings.Repeat(" ", MaxExpr+1)},
		"parentheses": {nested("(", "tcp", ")", MaxNesting), nested("(", "tcp", ")", MaxNesting+1)},
		"values":      {"host " + nested("(", "10", " or 1)", MaxNesting), "host " + nested("(", "10", " or 1)", MaxNesting+1)},
		"indexes":     {nested("tcp[", "1", "]", MaxNesting-1) + "=1", nested("tcp[", "1", "]", MaxNesting) + "=1"},
		"signs":       {strings.Repeat("-", MaxNesting-1) + "1=1", strings.Repeat("-", MaxNesting) + "1=1"},
		"sums":        {strings.Repeat("1+", MaxNesting-1) + "1=1", strings.Repeat("1+", MaxNesting) + "1=1"},
		"powers":      {strings.Repeat("1^", MaxNesting-1) + "1=1", strings.Repeat("1^", MaxNesting) + "1=1"},
		"brackets":    {nested("(", "len", ")", MaxNesting-1) + "=1", nested("(", "len", ")", MaxNesting) + "=1"},
	} {
		if _, err := Parse(tc.fits); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		_, err := Parse(tc.not)
		if se := new(SyntaxError); !errors.As(err, &se) || !strings.Contains(se.What, "more than 100 deep") && what != "length" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Parse(strings.Repeat("!", MaxExpr-3) + "tcp"); err != nil {
		t.Errorf("many negations: %v", err)
	}
}

func nested(open, inner, closing string, n int) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(closing, n)
}
