package filter

// tunnel is what a branch that enters one needs to set its registers.
type tunnel struct {
	ip     header // the outer IP header
	v6     bool
	geneve bool // else VXLAN
	// The registers for the inner link header, its type field and what it carries.
	link, proto, body int8
}

// maxTunnels is how many Geneve and VXLAN tunnels one expression may name. Each
// takes three of BPF's 16 memory words, and arithmetic needs some.
const maxTunnels = 3

// tunnelTest is vlan, mpls, pppoed, pppoes, geneve or vxlan.
func (c *lowering) tunnelTest(n *tunnelTest) (*formula, error) {
	if n.name == "pppoed" {
		return c.carries(n.at, typePPPoED)
	}
	behind := c.at
	last := len(c.before) - 1
	c.at, c.before = c.before[last], c.before[:last]
	switch n.name {
	case "vlan":
		return c.vlan(n)
	case "mpls":
		return c.mpls(n)
	case "pppoes":
		return c.pppoe(n)
	}
	return c.udpTunnel(n, &behind)
}

// enter moves the layout to what is inside a tunnel.
func (c *lowering) enter(n *tunnelTest) error {
	l := &c.at
	switch n.name {
	case "vlan":
		if l.kind != linkEthernet || l.labels > 0 {
			return c.misplaced(n)
		}
		l.proto, l.body = l.proto.plus(4), l.body.plus(4)
	case "mpls":
		if l.labels == 0 && l.kind != linkEthernet && l.kind != linkCHDLC && l.kind != linkPPP {
			return c.misplaced(n)
		}
		l.net, l.osi, l.labels = l.net+4, l.osi+4, l.labels+1
	case "pppoes":
		if l.labels > 0 {
			return c.misplaced(n)
		}
		ppp := l.network(6) // behind the PPPoE header
		*l = layout{number: l.number, kind: linkPPP, link: ppp, proto: ppp, body: ppp.plus(2)}
	default:
		if len(c.tunnels) == maxTunnels*2 {
			return errorAt(c.expr.src, n.at, "", "more than %d Geneve or VXLAN tunnels in one expression", maxTunnels)
		}
		c.tunnel(n.name == "geneve")
	}
	return nil
}

func (c *lowering) misplaced(n *tunnelTest) error {
	if c.at.labels > 0 {
		return errorAt(c.expr.src, n.at, "", "%q cannot be tested behind an MPLS label", n.name)
	}
	return c.unsupported(n.at, n.name)
}

// tunnel moves the layout into a UDP tunnel, by registers, and adds the ways in:
// over IPv4 and over IPv6.
func (c *lowering) tunnel(geneve bool) {
	r := c.registers
	c.registers += 3
	way := tunnel{ip: c.at.network(0), geneve: geneve, link: r, proto: r + 1, body: r + 2}
	over6 := way
	over6.v6 = true
	c.tunnels = append(c.tunnels, way, over6)
	c.at = layout{
		number: c.at.number, kind: linkEthernet, osi: 3, inside: true,
		link: header{reg: r}, proto: header{reg: r + 1}, body: header{reg: r + 2},
	}
}

func (c *lowering) vlan(n *tunnelTest) (*formula, error) {
	tagged := anyOf(c.typeIs(typeVLAN), c.typeIs(typeQinQ), c.typeIs(typeOldQ))
	if !n.hasID {
		return tagged, nil
	}
	return allOf(tagged, c.equals(c.at.network(0).load(2).masked(0x0fff), n.id)), nil
}

func (c *lowering) mpls(n *tunnelTest) (*formula, error) {
	var labelled *formula
	switch {
	case c.at.labels > 0: // not the bottom of the stack
		labelled = c.equals(c.at.network(0).minus(2).load(1).masked(1), 0)
	case c.at.kind == linkPPP:
		labelled = c.typeIs(0x281)
	default:
		labelled = c.typeIs(typeMPLS)
	}
	if !n.hasID {
		return labelled, nil
	}
	return allOf(labelled, c.equals(c.at.network(0).load(4).masked(0xfffff000), n.id<<12)), nil
}

func (c *lowering) pppoe(n *tunnelTest) (*formula, error) {
	session, err := c.carries(n.at, typePPPoES)
	if err != nil || !n.hasID {
		return session, err
	}
	return allOf(session, c.equals(c.at.network(0).load(4).masked(0xffff), n.id)), nil
}

// udpTunnel is Geneve (RFC 8926) or VXLAN (RFC 7348), known by their ports. The
// layout behind it has the registers that are to be set.
func (c *lowering) udpTunnel(n *tunnelTest, behind *layout) (*formula, error) {
	port := &portTest{over: overUDP, dir: dstOnly, lo: 6081, hi: 6081}
	first, mask := uint32(0), uint32(0xc0) // the version
	if n.name == "vxlan" {
		port.lo, port.hi = 4789, 4789
		first, mask = 0x08, allBits // the flags: a VNI is there
	}
	ports4, err := c.ports4(n.at, port)
	if err != nil {
		return nil, err
	}
	ports6, err := c.ports6(n.at, port)
	if err != nil {
		return nil, err
	}
	way := func(over *formula, header func(uint32, uint8) term, k int) *formula {
		var vni *formula
		if n.hasID {
			vni = c.equals(header(12, 4).masked(0xffffff00), n.id<<8)
		}
		return allOf(over, c.equals(header(8, 1).masked(mask), first), vni,
			is(test{op: enters, k: uint32(int(behind.link.reg)/3*2 + k)}))
	}
	return anyOf(way(ports4, c.at.behindIPv4, 0), way(ports6, c.at.behindIPv6, 1)), nil
}
