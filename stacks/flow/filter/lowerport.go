package filter

// ports compares the ports of IPv6 packets without extension headers and of
// first fragments of IPv4.
func (c *lowering) ports(at int, n *portTest) (*formula, error) {
	ip6, err := c.ports6(at, n)
	if err != nil {
		return nil, err
	}
	ip4, err := c.ports4(at, n)
	if err != nil {
		return nil, err
	}
	return anyOf(ip6, ip4), nil
}

func (c *lowering) ports4(at int, n *portTest) (*formula, error) {
	ip, err := c.carries(at, typeIPv4)
	if err != nil {
		return nil, err
	}
	return allOf(ip, c.transports(n, func(num uint32) *formula {
		return allOf(c.protocol4(num), c.firstFragment(),
			eachSide(n.dir, c.portIn(c.at.behindIPv4(0, 2), n), c.portIn(c.at.behindIPv4(2, 2), n)))
	})), nil
}

func (c *lowering) ports6(at int, n *portTest) (*formula, error) {
	ip6, err := c.carries(at, typeIPv6)
	if err != nil {
		return nil, err
	}
	return allOf(ip6, c.transports(n, func(num uint32) *formula {
		return allOf(c.nextHeader(num),
			eachSide(n.dir, c.portIn(c.at.behindIPv6(0, 2), n), c.portIn(c.at.behindIPv6(2, 2), n)))
	})), nil
}

// transports joins a test for each of the protocols that n is about.
func (c *lowering) transports(n *portTest, of func(num uint32) *formula) *formula {
	var one []*formula
	for _, name := range []string{"tcp", "udp", "sctp"} {
		if n.over&transportNames[name] != 0 {
			one = append(one, of(uint32(ipProtocols[name].number)))
		}
	}
	return anyOf(one...)
}

// firstFragment is true unless the IPv4 packet is a fragment behind the first.
func (c *lowering) firstFragment() *formula {
	return c.equals(c.at.network(6).load(2).masked(0x1fff), 0)
}

// portIn is true if the port is within n's range.
func (c *lowering) portIn(port term, n *portTest) *formula {
	if n.lo == n.hi {
		return c.equals(port, uint32(n.lo))
	}
	return allOf(c.atLeast(port, uint32(n.lo)), not(c.greater(port, uint32(n.hi))))
}
