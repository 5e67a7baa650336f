package filter

import "encoding/binary"

// Scope compiles what a connection's key decides: protocols (tcp udp icmp icmp6
// sctp igmp igrp pim ah esp vrrp carp ip ip6, and "proto" without or after ip and
// ip6), host, net, port, portrange with directions, vlan with or without its
// identifier, and, or, not. Anything else is a *SyntaxError that names the word.
// The empty expression is a scope that every connection is in.
func (e *Expr) Scope() (*Scope, error) {
	s := &Scope{entry: accept}
	if e.root == nil {
		return s, nil
	}
	c := compiler{expr: e, scope: s}
	entry, err := c.compile(e.root, accept, reject)
	if err != nil {
		return nil, err
	}
	s.entry = entry
	return s, nil
}

type compiler struct {
	expr  *Expr
	scope *Scope
}

// compile appends the code of n, which goes to yes or no, and returns where it
// begins. Code is made from the end, so that what it goes to is there already.
func (c *compiler) compile(n node, yes, no int32) (int32, error) {
	switch n := n.(type) {
	case *chain:
		return c.chain(n, yes, no)
	case *negation:
		return c.compile(n.item, no, yes)
	}
	in, err := c.instruction(n)
	if err != nil {
		return 0, err
	}
	in.yes, in.no = yes, no
	c.scope.code = append(c.scope.code, in)
	return int32(len(c.scope.code) - 1), nil
}

// chain compiles operators of equal precedence. What is true so far stays true
// until the next "and" has its operand tested, what is false until the next "or".
func (c *compiler) chain(n *chain, yes, no int32) (int32, error) {
	entry := yes
	for i := len(n.items) - 1; i >= 0; i-- {
		var err error
		if entry, err = c.compile(n.items[i], yes, no); err != nil {
			return 0, err
		}
		if i == 0 {
			break
		}
		if n.ops[i-1] == logicAnd {
			yes = entry
		} else {
			no = entry
		}
	}
	return entry, nil
}

func (c *compiler) instruction(n node) (instruction, error) {
	switch n := n.(type) {
	case *protocolTest:
		return c.protocol(n)
	case *addressTest:
		return c.address(n)
	case *portTest:
		return instruction{op: opPort, dir: sideOf(n.dir), over: uint8(n.over), a: uint32(n.lo), b: uint32(n.hi)}, nil
	case *numberTest:
		over, ok := map[string]versions{"": bothVersions, "ip": version4, "ip6": version6}[n.proto]
		switch {
		case n.chain:
			return instruction{}, c.refuse(n.at, "protochain")
		case !ok:
			return instruction{}, c.refuse(n.at, n.proto+" proto")
		}
		return instruction{op: opProtocol, over: uint8(over), a: n.num}, nil
	case *tunnelTest:
		return c.vlan(n)
	case *linkAddressTest:
		return instruction{}, c.refuse(n.at, n.proto)
	case *gatewayTest:
		return instruction{}, c.refuse(n.at, "gateway")
	}
	return instruction{}, c.refuse(n.offset(), n.word())
}

func (c *compiler) protocol(n *protocolTest) (instruction, error) {
	switch n.proto {
	case "ip":
		return instruction{op: opVersion, over: uint8(version4)}, nil
	case "ip6":
		return instruction{op: opVersion, over: uint8(version6)}, nil
	}
	p, ok := ipProtocols[n.proto]
	if !ok {
		return instruction{}, c.refuse(n.at, n.text)
	}
	return instruction{op: opProtocol, over: uint8(p.over), a: uint32(p.number)}, nil
}

func (c *compiler) address(n *addressTest) (instruction, error) {
	if n.proto == "arp" || n.proto == "rarp" {
		return instruction{}, c.refuse(n.at, n.proto)
	}
	in := instruction{dir: sideOf(n.dir)}
	if n.addr.Is4() {
		c.scope.needs |= version4
		addr, mask := n.addr.As4(), n.mask.As4()
		in.op, in.a, in.b = opNet4, binary.BigEndian.Uint32(addr[:]), binary.BigEndian.Uint32(mask[:])
		return in, nil
	}
	c.scope.needs |= version6
	in.op, in.a = opNet6, uint32(len(c.scope.nets6))
	c.scope.nets6 = append(c.scope.nets6, net6{addr: words6(n.addr), mask: words6(n.mask)})
	return in, nil
}

func (c *compiler) vlan(n *tunnelTest) (instruction, error) {
	switch {
	case n.name != "vlan":
		return instruction{}, c.refuse(n.at, n.name)
	case !n.hasID:
		return instruction{op: opVLAN, a: anyTag}, nil
	case n.id == 0:
		return instruction{}, errorAt(c.expr.src, n.at, `a scope has "vlan 1" to "vlan 4095", and "not vlan"`,
			`"vlan 0" is a priority without a VLAN, which a connection's key does not keep`)
	}
	return instruction{op: opVLAN, a: n.id}, nil
}

func (c *compiler) refuse(at int, word string) error {
	return errorAt(c.expr.src, at, "that is protocol, host, net, port, portrange and vlan",
		"%q: a scope takes only what a connection's key decides", word)
}

func sideOf(dir direction) side {
	switch dir {
	case srcOnly:
		return sideSrc
	case dstOnly:
		return sideDst
	case bothOfThem:
		return sideBoth
	}
	return sideEither
}
