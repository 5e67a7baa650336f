package filter

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

func ipv4(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, v)))
}

// dotted reads one to four decimal octets as the beginning of an address, and
// returns how many bits they are. Leading zeros mean nothing.
func dotted(text string) (addr uint32, bits int, ok bool) {
	for part := range strings.SplitSeq(text, ".") {
		v, err := strconv.ParseUint(part, 10, 8)
		if err != nil || bits == 32 {
			return 0, 0, false
		}
		addr |= uint32(v) << (24 - bits)
		bits += 8
	}
	return addr, bits, true
}

// network parses an address with an optional prefix length or mask.
func (p *parser) network(q quals) (node, error) {
	tok := p.take()
	at := place{tok.at, tok.text}
	if q.kind != kindHost && q.kind != kindNet {
		return nil, p.fault(tok.at, "", "%q takes no address", q.kind)
	}
	if q.proto == "decnet" && tok.kind == tokIPv4 {
		return p.decnet(q, at)
	}
	addr, bits, err := p.addressOf(tok)
	if err != nil {
		return nil, err
	}
	mask, explicit, err := p.mask(addr, bits)
	if err != nil {
		return nil, err
	}
	if explicit && q.kind != kindNet {
		return nil, p.fault(tok.at, `write "net" before it`, "a host has no mask")
	}
	if masked := and(addr, mask); masked != addr {
		written := p.src[tok.at:p.toks[p.i-1].at] + p.toks[p.i-1].text
		return nil, p.fault(tok.at, "the network is "+masked.String(), "host bits are set in %q", written)
	}
	return p.address(q, at, addr, mask)
}

// addressOf reads an address and how many of its bits were given: three octets
// of an IPv4 address are 24.
func (p *parser) addressOf(tok *token) (netip.Addr, int, error) {
	if tok.kind == tokIPv6 {
		addr, err := netip.ParseAddr(tok.text)
		if err != nil {
			return addr, 0, p.fault(tok.at, "", "%q is not an IPv6 address", tok.text)
		}
		return addr, 128, nil
	}
	v, bits, ok := dotted(tok.text)
	if !ok {
		return netip.Addr{}, 0, p.fault(tok.at, "an octet is a decimal number up to 255", "%q is not an IPv4 address", tok.text)
	}
	return ipv4(v), bits, nil
}

// mask parses /length or mask address after addr, the first bits of which were
// given, and says whether there was either.
func (p *parser) mask(addr netip.Addr, bits int) (netip.Addr, bool, error) {
	if p.isSymbol("/") {
		slash, length := p.take(), p.take()
		if length.kind != tokNumber || length.num > uint32(addr.BitLen()) {
			return addr, true, p.fault(length.at, "", "%q is followed by a prefix length up to %d, not %s", slash.text, addr.BitLen(), describe(length))
		}
		return ones(addr, int(length.num)), true, nil
	}
	if p.peek().word.class != classMask {
		return ones(addr, bits), false, nil
	}
	word, tok := p.take(), p.take()
	if addr.Is6() {
		return addr, true, p.fault(word.at, "write it as ADDRESS/LENGTH", "IPv6 networks take no mask")
	}
	v, _, ok := dotted(tok.text)
	if tok.kind != tokIPv4 || !ok {
		return addr, true, p.fault(tok.at, "", `"mask" is followed by a mask such as 255.255.0.0, not %s`, describe(tok))
	}
	return ipv4(v), true, nil
}

// ones returns a mask of addr's family with n bits set.
func ones(addr netip.Addr, n int) netip.Addr {
	full := [16]byte{}
	for i := range full {
		full[i] = 0xff
	}
	mask := netip.AddrFrom16(full)
	if addr.Is4() {
		mask = netip.AddrFrom4([4]byte(full[:4]))
	}
	prefix, err := mask.Prefix(n)
	if err != nil {
		return mask
	}
	return prefix.Addr()
}

func and(addr, mask netip.Addr) netip.Addr {
	a, m := addr.AsSlice(), mask.AsSlice()
	for i := range a {
		a[i] &= m[i]
	}
	masked, _ := netip.AddrFromSlice(a)
	return masked
}

// address makes a test of host and net.
func (p *parser) address(q quals, at place, addr, mask netip.Addr) (node, error) {
	fits := q.proto == "" || q.proto == "ip6" && addr.Is6() ||
		addr.Is4() && (q.proto == "ip" || q.proto == "arp" || q.proto == "rarp")
	if !fits {
		hint := ""
		if _, ok := ipProtocols[q.proto]; ok {
			hint = `write "` + q.proto + " and " + string(q.kind) + " " + at.text + `"`
		}
		return nil, p.fault(at.at, hint, "%q has no %s %s", q.proto, q.kind, at.text)
	}
	if !isIPDirection(q.dir) {
		return nil, p.fault(at.at, "", "%q is about 802.11 addresses, not IP's", q.dir)
	}
	return &addressTest{place{q.at, at.text}, q.proto, q.dir, addr, mask}, nil
}

func isIPDirection(dir direction) bool {
	switch dir {
	case anyDirection, srcOnly, dstOnly, eitherOne, bothOfThem:
		return true
	}
	return false
}

func (p *parser) decnet(q quals, at place) (node, error) {
	area, node, ok := strings.Cut(at.text, ".")
	a, err1 := strconv.ParseUint(area, 10, 6)
	n, err2 := strconv.ParseUint(node, 10, 10)
	if !ok || err1 != nil || err2 != nil {
		return nil, p.fault(at.at, "", "%q is not a DECnet address, AREA.NODE", at.text)
	}
	v := uint16(a<<10 | n)
	return &linkAddressTest{place{q.at, at.text}, "decnet", q.dir, []byte{byte(v >> 8), byte(v)}}, nil
}

// linkAddress makes a test of an Ethernet or ARCNET address.
func (p *parser) linkAddress(q quals, tok *token) (node, error) {
	at := place{q.at, tok.text}
	if q.kind != kindHost || q.proto != "ether" {
		return nil, p.fault(tok.at, `write "ether host" before it`, "%q is an address of the link layer", tok.text)
	}
	if tok.kind == tokARCNET {
		v, _ := strconv.ParseUint(tok.text[1:], 16, 8)
		return &linkAddressTest{at, "ether", q.dir, []byte{byte(v)}}, nil
	}
	return &linkAddressTest{at, "ether", q.dir, macBytes(tok.text)}, nil
}

// macBytes reads an Ethernet address that macLen found: separated bytes of one
// or two digits, or bytes of two.
func macBytes(text string) []byte {
	mac := make([]byte, 0, 6)
	for len(text) > 0 && len(mac) < 6 {
		n := hexDigits(text, 2)
		v, _ := strconv.ParseUint(text[:n], 16, 8)
		mac = append(mac, byte(v))
		text = strings.TrimLeft(text[n:], ":-.")
	}
	return mac
}

func (p *parser) ports(q quals, at place, over transports, lo, hi uint16) (node, error) {
	if !isIPDirection(q.dir) {
		return nil, p.fault(at.at, "", "%q is about 802.11 addresses, not ports", q.dir)
	}
	return &portTest{at, over, q.dir, lo, hi}, nil
}

func (p *parser) noPorts(q quals, tok *token) error {
	return p.fault(tok.at, "tcp, udp and sctp have them", "%q has no ports", q.proto)
}

func (p *parser) unknownPort(tok *token) error {
	hint := "give its number"
	if _, _, _, ok := splitRange(tok.text); ok {
		hint = `a range is "portrange ` + tok.text + `"`
	}
	return p.fault(tok.at, hint, "no service is named %q", tok.text)
}

// narrow reconciles the transports of a service with the protocol before "port".
func (p *parser) narrow(q quals, tok *token, over transports) (transports, error) {
	wanted, ok := transportNames[q.proto]
	if !ok {
		return 0, p.noPorts(q, tok)
	}
	if wanted&over == 0 {
		for name, t := range transportNames {
			if t == over {
				return 0, p.fault(tok.at, "", "%q is a %s service", tok.text, name)
			}
		}
	}
	return wanted & over, nil
}

// splitRange reads two ports, each a number or a service, with a hyphen between
// them, which services may have within their names.
func splitRange(text string) (lo, hi uint16, over transports, ok bool) {
	for i := range len(text) {
		if text[i] != '-' {
			continue
		}
		a, okA := portOrService(text[:i])
		b, okB := portOrService(text[i+1:])
		if okA && okB {
			over = overAny
			if a.over == b.over {
				over = a.over
			}
			return a.port, b.port, over, true
		}
	}
	return 0, 0, 0, false
}

func portOrService(text string) (service, bool) {
	if v, err := strconv.ParseUint(text, 10, 16); err == nil {
		return service{uint16(v), overAny}, true
	}
	s, ok := services[text]
	return s, ok
}

// protocolLimits are the greatest numbers after "proto" by what qualifies it.
var protocolLimits = map[string]uint32{"": 255, "ip": 255, "ip6": 255, "ether": 65535, "iso": 255, "isis": 255}

// protocolNumber makes a test of proto and protochain.
func (p *parser) protocolNumber(q quals, at place, num uint32) (node, error) {
	limit, ok := protocolLimits[q.proto]
	chain := q.kind == kindProtoChain
	if !ok || chain && q.proto != "" && q.proto != "ip" && q.proto != "ip6" {
		return nil, p.fault(at.at, "", "%q cannot qualify %q", q.proto, q.kind)
	}
	if num > limit {
		return nil, p.fault(at.at, "", "protocol %d is over %d", num, limit)
	}
	return &numberTest{place{q.at, at.text}, q.proto, chain, num}, nil
}

func (p *parser) protocolName(q quals, at place) (node, error) {
	table, name := q.proto, at.text
	if table == "ip" || table == "ip6" || table == "" {
		table, name = "", strings.ToLower(name)
	}
	if num, ok := protocols[table][name]; ok {
		return p.protocolNumber(q, at, num)
	}
	return nil, p.fault(at.at, "give its number", "no protocol is named %q here", at.text)
}
