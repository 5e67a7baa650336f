package filter

import (
	"github.com/hookd/hookd/stacks/flow/packet"
)

// header is where a header begins: at a constant offset, plus what a tunnel's
// test left in a register, unless that is noRegister.
type header struct {
	at  uint32
	reg int8
}

func (h header) plus(n uint32) header  { return header{h.at + n, h.reg} }
func (h header) minus(n uint32) header { return header{h.at - n, h.reg} }

// linkKind is how a link header says what it carries.
type linkKind uint8

const (
	linkEthernet linkKind = iota
	linkCooked            // Linux cooked capture: an EtherType, or 802.2
	linkTyped             // an EtherType
	linkFamily            // an address family in the capturing host's order, or the network's
	linkRaw               // none: IP, told apart by its version
	linkIPv4              // none: always IPv4
	linkIPv6
	linkPPP
	linkCHDLC
)

// layout is where the headers are that a test looks at. Tests of tunnels move
// it for the tests to their right.
type layout struct {
	number uint16 // the link type of the capture
	kind   linkKind
	link   header // the link header
	proto  header // its field that says what it carries
	body   header // what it carries
	// net is where in body the network header is, behind MPLS labels.
	net uint32
	// osi is where in body an OSI network header is: Ethernet's is behind LLC.
	osi    uint32
	labels int  // MPLS labels before net
	inside bool // a Geneve or VXLAN tunnel, which need not carry a link header
}

// fixedLayouts are those of link types by their LINKTYPE_ numbers.
var fixedLayouts = map[uint16]layout{
	packet.LinkEthernet: {kind: linkEthernet, proto: header{at: 12}, body: header{at: 14}, osi: 3},
	packet.LinkSLL:      {kind: linkCooked, proto: header{at: 14}, body: header{at: 16}},
	packet.LinkSLL2:     {kind: linkTyped, proto: header{at: 0}, body: header{at: 20}},
	packet.LinkNull:     {kind: linkFamily, body: header{at: 4}},
	packet.LinkLoop:     {kind: linkFamily, body: header{at: 4}},
	packet.LinkRaw:      {kind: linkRaw},
	packet.LinkRawBSD:   {kind: linkRaw},
	packet.LinkRawOBSD:  {kind: linkRaw},
	packet.LinkIPv4:     {kind: linkIPv4},
	packet.LinkIPv6:     {kind: linkIPv6},
	packet.LinkPPP:      {kind: linkPPP, proto: header{at: 2}, body: header{at: 4}},
	packet.LinkCHDLC:    {kind: linkCHDLC, proto: header{at: 2}, body: header{at: 4}},
}

// layoutOf returns the layout of a link type, false if packets of it cannot be
// filtered.
func layoutOf(link uint16) (layout, bool) {
	l, ok := fixedLayouts[link]
	l.number = link
	l.link.reg, l.proto.reg, l.body.reg = noRegister, noRegister, noRegister
	return l, ok
}

// network is where the network header is, plus n bytes.
func (l *layout) network(n uint32) header { return l.body.plus(l.net + n) }

// load is a term of size bytes at h.
func (h header) load(size uint8) term {
	return term{kind: loadTerm, at: h.at, reg: h.reg, size: size, mask: allBits}
}

func (t term) masked(mask uint32) term {
	t.mask &= mask
	return t
}

// behindIPv4 is a load of what follows the IPv4 header, n bytes on.
func (l *layout) behindIPv4(n uint32, size uint8) term {
	ip := l.network(0)
	return term{kind: loadTerm, at: ip.at + n, ipAt: ip.at, reg: ip.reg, behindIPv4: true, size: size, mask: allBits}
}

// behindIPv6 is a load of what follows the fixed IPv6 header, n bytes on.
func (l *layout) behindIPv6(n uint32, size uint8) term { return l.network(ipv6Header + n).load(size) }

const ipv6Header = 40
