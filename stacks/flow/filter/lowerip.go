package filter

import (
	"encoding/binary"
	"net/netip"
)

// typesByName are the EtherTypes and service access points of protocols whose
// bare name is a test of the link header.
var typesByName = map[string]uint32{
	"ip": typeIPv4, "ip6": typeIPv6, "arp": typeARP, "rarp": typeRARP, "atalk": typeAtalk, "aarp": typeAARP,
	"decnet": typeDECnet, "sca": 0x6007, "lat": 0x6004, "mopdl": 0x6001, "moprc": 0x6002,
	"iso": sapOSI, "stp": sapSTP, "ipx": sapIPX, "netbeui": sapNetBEUI,
}

// OSI network layer protocols and the PDU types of IS-IS (ISO 10589) by which
// its parts are told.
const osiISIS = 0x83

var (
	osiByName  = map[string]uint32{"esis": 0x82, "isis": osiISIS, "clnp": 0x81}
	pdusByName = map[string][]uint32{
		"l1": {26, 24, 18, 15, 17}, "l2": {27, 25, 20, 16, 17}, "iih": {17, 15, 16}, "lsp": {18, 20},
		"snp": {27, 26, 24, 25}, "csnp": {24, 25}, "psnp": {26, 27},
	}
)

// protocol is a protocol's name alone.
func (c *lowering) protocol(at int, name string) (*formula, error) {
	if proto, ok := typesByName[name]; ok {
		return c.carries(at, proto)
	}
	if proto, ok := osiByName[name]; ok {
		return c.osi(at, proto)
	}
	if pdus, ok := pdusByName[name]; ok {
		return c.isis(at, pdus...)
	}
	p, ok := ipProtocols[name]
	if !ok {
		return nil, c.unsupported(at, name)
	}
	return c.ipProtocol(at, p.over, uint32(p.number))
}

// osi is true for packets of an OSI network layer protocol.
func (c *lowering) osi(at int, proto uint32) (*formula, error) {
	osi, err := c.carries(at, sapOSI)
	if err != nil {
		return nil, err
	}
	header := c.at.body.plus(c.at.osi)
	if c.at.kind == linkCHDLC {
		header = header.plus(1) // a padding byte
	}
	return allOf(osi, c.equals(header.load(1), proto)), nil
}

// isis is true for IS-IS packets of one of the PDU types.
func (c *lowering) isis(at int, pdus ...uint32) (*formula, error) {
	isis, err := c.osi(at, osiISIS)
	if err != nil {
		return nil, err
	}
	var types []*formula
	for _, pdu := range pdus {
		types = append(types, allOf(isis, c.equals(c.at.body.plus(c.at.osi+4).load(1), pdu)))
	}
	return anyOf(types...), nil
}

// ipProtocol compares the protocol field of IPv4 and the next header of IPv6,
// there also behind a fragment header.
func (c *lowering) ipProtocol(at int, over versions, num uint32) (*formula, error) {
	var either []*formula
	if over&version4 != 0 {
		ip, err := c.carries(at, typeIPv4)
		if err != nil {
			return nil, err
		}
		either = append(either, allOf(ip, c.protocol4(num)))
	}
	if over&version6 != 0 {
		ip6, err := c.carries(at, typeIPv6)
		if err != nil {
			return nil, err
		}
		const fragment = 44
		either = append(either, allOf(ip6, anyOf(c.nextHeader(num),
			allOf(c.nextHeader(fragment), c.equals(c.at.network(ipv6Header).load(1), num)))))
	}
	return anyOf(either...), nil
}

func (c *lowering) protocol4(num uint32) *formula  { return c.equals(c.at.network(9).load(1), num) }
func (c *lowering) nextHeader(num uint32) *formula { return c.equals(c.at.network(6).load(1), num) }

// protocolNumber is proto and protochain.
func (c *lowering) protocolNumber(n *numberTest) (*formula, error) {
	over, ok := map[string]versions{"": bothVersions, "ip": version4, "ip6": version6}[n.proto]
	switch {
	case n.chain:
		return c.protocolChain(n, over)
	case ok:
		return c.ipProtocol(n.at, over, n.num)
	case n.proto == "ether":
		return c.carries(n.at, n.num)
	case n.proto == "iso":
		return c.osi(n.at, n.num)
	case n.proto == "isis":
		return c.isis(n.at, n.num)
	}
	return nil, c.unsupported(n.at, n.proto)
}

// protocolChain looks for a protocol behind extension headers.
func (c *lowering) protocolChain(n *numberTest, over versions) (*formula, error) {
	if c.at.body.reg != noRegister {
		return nil, errorAt(c.expr.src, n.at, "", "protochain cannot be tested inside a tunnel")
	}
	var either []*formula
	for _, v := range []struct {
		version versions
		proto   uint32
	}{{version4, typeIPv4}, {version6, typeIPv6}} {
		if over&v.version == 0 {
			continue
		}
		ip, err := c.carries(n.at, v.proto)
		if err != nil {
			return nil, err
		}
		ends := term{kind: chainTerm, at: c.at.network(0).at, reg: noRegister, behindIPv4: v.version == version4, mask: n.num}
		either = append(either, allOf(ip, c.equals(ends, n.num)))
	}
	return anyOf(either...), nil
}

// hostOrNet compares addresses of IP, ARP and RARP.
func (c *lowering) hostOrNet(n *addressTest) (*formula, error) {
	if n.addr.Is6() {
		ip6, err := c.carries(n.at, typeIPv6)
		if err != nil {
			return nil, err
		}
		return c.directed(n, ip6, 8, 24), nil
	}
	var either []*formula
	for _, p := range []struct {
		name            string
		proto, src, dst uint32
	}{{"ip", typeIPv4, 12, 16}, {"arp", typeARP, 14, 24}, {"rarp", typeRARP, 14, 24}} {
		if n.proto != "" && n.proto != p.name || n.proto == "" && p.name != "ip" && c.at.labels > 0 {
			continue
		}
		carried, err := c.carries(n.at, p.proto)
		if err != nil {
			return nil, err
		}
		either = append(either, c.directed(n, carried, p.src, p.dst))
	}
	return anyOf(either...), nil
}

// directed compares the addresses at two offsets in the network header of
// packets that carry the right protocol.
func (c *lowering) directed(n *addressTest, carried *formula, src, dst uint32) *formula {
	return eachSide(n.dir,
		allOf(carried, c.addressIs(c.at.network(src), n.addr, n.mask)),
		allOf(carried, c.addressIs(c.at.network(dst), n.addr, n.mask)))
}

// addressIs compares the address at h by words. Those without mask are not read.
func (c *lowering) addressIs(h header, addr, mask netip.Addr) *formula {
	a, m := addr.AsSlice(), mask.AsSlice()
	var words []*formula
	for i := 0; i < len(a); i += 4 {
		word := binary.BigEndian.Uint32(m[i:])
		if word != 0 {
			words = append(words, c.equals(h.plus(uint32(i)).load(4).masked(word), binary.BigEndian.Uint32(a[i:])))
		}
	}
	return allOf(words...)
}

// cast is broadcast and multicast.
func (c *lowering) cast(n *castTest) (*formula, error) {
	switch {
	case n.proto == "ip6":
		ip6, err := c.carries(n.at, typeIPv6)
		return allOf(ip6, c.equals(c.at.network(24).load(1), 0xff)), err
	case n.proto == "ip":
		ip, err := c.carries(n.at, typeIPv4)
		if n.multi {
			return allOf(ip, c.atLeast(c.at.network(16).load(1), 224)), err
		}
		dst := c.at.network(16).load(4) // of which network is not known: all zeros or all ones
		return allOf(ip, anyOf(c.equals(dst, 0), c.equals(dst, allBits))), err
	case c.at.kind != linkEthernet:
		return nil, c.unsupported(n.at, n.text)
	case n.multi:
		group := c.equals(c.at.link.load(1).masked(1), 0)
		return allOf(c.hasLinkHeader(), not(group)), nil
	}
	return allOf(c.hasLinkHeader(), c.mac(0, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})), nil
}
