package filter

import (
	"encoding/binary"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// Numbers of the protocols that link headers carry (IEEE 802 numbers).
const (
	typeIPv4   = 0x0800
	typeARP    = 0x0806
	typeRARP   = 0x8035
	typeIPv6   = 0x86dd
	typeVLAN   = 0x8100
	typeQinQ   = 0x88a8
	typeOldQ   = 0x9100
	typeMPLS   = 0x8847
	typePPPoED = 0x8863
	typePPPoES = 0x8864
	typeIPX    = 0x8137
	typeAtalk  = 0x809b
	typeAARP   = 0x80f3
	typeDECnet = 0x6003
	typeTEB    = 0x6558 // an Ethernet frame

	// 802.2 service access points. Numbers up to maxLength are such.
	sapIP      = 0x06
	sapSTP     = 0x42
	sapIPX     = 0xe0
	sapNetBEUI = 0xf0
	sapOSI     = 0xfe
	maxLength  = 1500
)

// carries is true if the link header says that it carries the protocol, an
// EtherType or a service access point.
func (c *lowering) carries(at int, proto uint32) (*formula, error) {
	l := &c.at
	if l.labels > 0 {
		return c.labelled(at, proto)
	}
	switch l.kind {
	case linkEthernet:
		return c.ethernetCarries(proto), nil
	case linkCooked:
		return c.cookedCarries(proto), nil
	case linkFamily:
		return c.familyIs(proto), nil
	case linkRaw:
		version, ok := versionOfType[proto]
		if !ok {
			return always(false), nil
		}
		return c.equals(l.link.load(1).masked(0xf0), version<<4), nil
	case linkIPv4:
		return always(proto == typeIPv4), nil
	case linkIPv6:
		return always(proto == typeIPv6), nil
	case linkPPP:
		if t, ok := pppTypes[proto]; ok {
			proto = t
		}
	case linkCHDLC:
		if proto == sapOSI {
			proto = sapOSI<<8 | sapOSI
		}
	}
	return c.typeIs(proto), nil
}

var versionOfType = map[uint32]uint32{typeIPv4: 4, typeIPv6: 6}

// pppTypes are PPP's numbers of protocols that have others elsewhere.
var pppTypes = map[uint32]uint32{
	typeIPv4: 0x21, typeIPv6: 0x57, typeDECnet: 0x27, typeAtalk: 0x29, 0x0600: 0x25,
	sapOSI: 0x23, sapSTP: 0x31, sapIPX: 0x2b,
}

// equals compares a load with a number.
func (c *lowering) equals(t term, k uint32) *formula {
	return is(test{op: isEqual, term: c.term(t), k: k})
}

func (c *lowering) greater(t term, k uint32) *formula {
	return is(test{op: isGreater, term: c.term(t), k: k})
}

func (c *lowering) atLeast(t term, k uint32) *formula {
	return is(test{op: isAtLeast, term: c.term(t), k: k})
}

func (c *lowering) typeIs(proto uint32) *formula { return c.equals(c.at.proto.load(2), proto) }

// isLength is true for 802.3 frames, whose type field is a length.
func (c *lowering) isLength() *formula { return not(c.greater(c.at.proto.load(2), maxLength)) }

// ethernetCarries tells Ethernet II from 802.3 by the type field.
func (c *lowering) ethernetCarries(proto uint32) *formula {
	switch proto {
	case sapOSI, sapIP, sapNetBEUI:
		return allOf(c.isLength(), c.saps(proto))
	case sapIPX:
		novell := c.equals(c.at.body.load(2), 0xffff) // 802.3 without 802.2
		return anyOf(c.typeIs(typeIPX),
			allOf(c.isLength(), anyOf(c.snap(0, typeIPX), c.dsap(sapIPX), novell)))
	case typeAtalk:
		return anyOf(c.typeIs(proto), allOf(c.isLength(), c.snap(0x080007, proto)))
	case typeAARP:
		return anyOf(c.typeIs(proto), allOf(c.isLength(), c.snap(0, proto)))
	}
	if proto <= maxLength {
		return allOf(c.isLength(), c.equals(c.at.proto.plus(2).load(1), proto))
	}
	return c.typeIs(proto)
}

// The type field's values of Linux's cooked captures for Ethernet frames without
// a type.
const (
	cookedNovell = 1
	cookedLLC    = 4
)

func (c *lowering) cookedCarries(proto uint32) *formula {
	llc := c.typeIs(cookedLLC)
	switch proto {
	case sapOSI, sapIP, sapNetBEUI:
		return allOf(llc, c.saps(proto))
	case sapIPX:
		return anyOf(c.typeIs(typeIPX), c.typeIs(cookedNovell),
			allOf(llc, anyOf(c.dsap(sapIPX), c.snap(0, typeIPX))))
	case typeAtalk:
		return anyOf(c.typeIs(proto), allOf(llc, c.snap(0x080007, proto)))
	case typeAARP:
		return anyOf(c.typeIs(proto), allOf(llc, c.snap(0, proto)))
	}
	if proto <= maxLength {
		return allOf(llc, c.dsap(proto))
	}
	return c.typeIs(proto)
}

// dsap compares the destination's service access point, saps both.
func (c *lowering) dsap(sap uint32) *formula { return c.equals(c.at.body.load(1), sap) }
func (c *lowering) saps(sap uint32) *formula { return c.equals(c.at.body.load(2), sap<<8|sap) }

// snap is true for the 802.2 header of a protocol in an organisation's numbers.
func (c *lowering) snap(organisation, proto uint32) *formula {
	return allOf(
		c.equals(c.at.body.plus(4).load(4), organisation<<16|proto),
		c.equals(c.at.body.load(4), 0xaaaa0300|organisation>>16))
}

// familyIs compares BSD's address families. LINKTYPE_NULL has them in the
// capturing host's order, which is unknown, so either will do.
func (c *lowering) familyIs(proto uint32) *formula {
	family := c.at.link.load(4)
	if c.at.number == packet.LinkNull {
		family.kind = familyTerm
	}
	var either []*formula
	for _, number := range familiesOfType[proto] {
		either = append(either, c.equals(family, number))
	}
	if either == nil {
		return always(false)
	}
	return anyOf(either...)
}

// familiesOfType are 4.2BSD's AF_INET, and the AF_INET6 of NetBSD and OpenBSD,
// of FreeBSD, and of Darwin.
var familiesOfType = map[uint32][]uint32{typeIPv4: {2}, typeIPv6: {24, 28, 30}}

// labelled is true behind the last MPLS label of a stack if what follows begins
// with the protocol's version: the label says nothing.
func (c *lowering) labelled(at int, proto uint32) (*formula, error) {
	version, ok := versionOfType[proto]
	if !ok {
		return nil, errorAt(c.expr.src, at, "", "behind an MPLS label only IP can be told")
	}
	bottom := c.equals(c.at.network(0).minus(2).load(1).masked(1), 1)
	return allOf(bottom, c.equals(c.at.network(0).load(1).masked(0xf0), version<<4)), nil
}

// hasLinkHeader is nil where there always is a link header. A Geneve tunnel may
// carry IP without one.
func (c *lowering) hasLinkHeader() *formula {
	if !c.at.inside {
		return nil
	}
	link := c.term(term{kind: regTerm, reg: c.at.link.reg})
	body := c.term(term{kind: regTerm, reg: c.at.body.reg})
	return not(is(test{op: isEqual, term: link, k: uint32(body), byTerm: true}))
}

// linkAddress compares addresses of Ethernet and DECnet.
func (c *lowering) linkAddress(n *linkAddressTest) (*formula, error) {
	if n.proto == "decnet" {
		return c.decnet(n)
	}
	if c.at.kind != linkEthernet || len(n.addr) != 6 || !isIPDirection(n.dir) {
		return nil, c.unsupported(n.at, n.text)
	}
	return allOf(c.hasLinkHeader(), eachSide(n.dir, c.mac(6, n.addr), c.mac(0, n.addr))), nil
}

// eachSide joins the tests of the source and of the destination as a direction
// asks.
func eachSide(dir direction, src, dst *formula) *formula {
	switch dir {
	case srcOnly:
		return src
	case dstOnly:
		return dst
	case bothOfThem:
		return allOf(src, dst)
	}
	return anyOf(src, dst)
}

// mac compares the Ethernet address that is n bytes behind the link header's
// beginning.
func (c *lowering) mac(n uint32, addr []byte) *formula {
	low := c.equals(c.at.link.plus(n+2).load(4), binary.BigEndian.Uint32(addr[2:]))
	return allOf(low, c.equals(c.at.link.plus(n).load(2), uint32(binary.BigEndian.Uint16(addr))))
}

// decnet compares an address in the four forms of routing headers: with a
// padding byte and without, long and short.
func (c *lowering) decnet(n *linkAddressTest) (*formula, error) {
	proto, err := c.carries(n.at, typeDECnet)
	if err != nil {
		return nil, err
	}
	swapped := uint32(n.addr[1])<<8 | uint32(n.addr[0]) // little endian on the wire
	side := func(short, long uint32) *formula {
		padded := func(flags, behind uint32) *formula {
			return allOf(c.equals(c.at.network(2).load(2).masked(0xff07), 0x8100|flags),
				c.equals(c.at.network(3+behind).load(2), swapped))
		}
		bare := func(flags, behind uint32) *formula {
			return allOf(c.equals(c.at.network(2).load(1).masked(0x07), flags),
				c.equals(c.at.network(2+behind).load(2), swapped))
		}
		return anyOf(bare(2, short), padded(2, short), bare(6, long), padded(6, long))
	}
	if !isIPDirection(n.dir) {
		return nil, c.unsupported(n.at, string(n.dir))
	}
	return eachSide(n.dir, allOf(proto, side(3, 15)), allOf(proto, side(1, 7))), nil
}
