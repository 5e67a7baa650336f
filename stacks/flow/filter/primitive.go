package filter

// test parses a test that begins with a keyword, and returns the qualifiers that
// it leaves to bare values after it.
func (p *parser) test() (node, quals, error) {
	first := p.take()
	if first.word.class != classProto {
		return p.testAfter("", first.at, first)
	}
	proto := first.word.name
	switch next := p.peek(); next.word.class {
	case classDirection, classKind, classProtoKind, classCast, classWLAN:
		p.take()
		return p.testAfter(proto, first.at, next)
	}
	if proto == "ether" || proto == "radio" {
		return nil, quals{}, p.fault(first.at, "", "%q alone is not a test", first.text)
	}
	return &protocolTest{place{first.at, first.text}, proto}, quals{}, nil
}

// testAfter parses what begins with tok, after the protocol proto or none; the
// whole test begins at at.
func (p *parser) testAfter(proto string, at int, tok *token) (node, quals, error) {
	switch tok.word.class {
	case classDirection, classKind, classProtoKind:
		q, err := p.qualifiers(quals{known: true, at: at, proto: proto, kind: kindHost}, tok)
		if err != nil {
			return nil, q, err
		}
		n, err := p.values(q)
		return n, q, err
	case classCast:
		n, err := p.cast(proto, tok)
		return n, quals{}, err
	case classWLAN:
		n, err := p.wlan(tok)
		return n, quals{}, err
	}
	n, err := p.other(tok)
	return n, quals{}, err
}

// qualifiers adds [direction] [kind] to q, the first word of which is tok.
func (p *parser) qualifiers(q quals, tok *token) (quals, error) {
	if tok.word.class != classDirection {
		q.kind = kind(tok.word.name)
		return q, nil
	}
	q.dir = p.direction(tok)
	switch next := p.peek(); next.word.class {
	case classKind:
		q.kind = kind(p.take().word.name)
	case classProtoKind:
		return q, p.fault(next.at, "", "%q takes no direction", next.text)
	case classProto:
		return q, p.fault(next.at, `the protocol goes before the direction: "tcp dst port 80"`, "unexpected %q", next.text)
	}
	return q, nil
}

// direction completes "src or dst" and the like, of which tok was the first.
func (p *parser) direction(tok *token) direction {
	dir := direction(tok.word.name)
	op, other := p.peek(), p.after(1)
	opposite := map[direction]string{srcOnly: "dst", dstOnly: "src"}[dir]
	if opposite == "" || other.word.name != opposite {
		return dir
	}
	switch op.kind {
	case tokOr:
		dir = eitherOne
	case tokAnd:
		dir = bothOfThem
	default:
		return dir
	}
	p.take()
	p.take()
	return dir
}

// values parses what follows qualifiers: a value, or values with "and", "or" and
// "not" in parentheses, which all have these qualifiers.
func (p *parser) values(q quals) (node, error) {
	not := p.peek()
	odd := p.negated()
	n, err := p.valueOrList(q)
	if err == nil && odd {
		n = negate(not, n)
	}
	return n, err
}

func (p *parser) valueOrList(q quals) (node, error) {
	open := p.peek()
	if open.kind != tokOpen {
		return p.value(q)
	}
	p.take()
	if err := p.enter(open.at); err != nil {
		return nil, err
	}
	c := chain{place: place{open.at, open.text}}
	for {
		item, err := p.values(q)
		if err != nil {
			return nil, err
		}
		c.items = append(c.items, item)
		switch tok := p.take(); tok.kind {
		case tokAnd:
			c.ops = append(c.ops, logicAnd)
		case tokOr:
			c.ops = append(c.ops, logicOr)
		case tokClose:
			p.depth--
			if len(c.items) == 1 {
				return item, nil
			}
			return &c, nil
		default:
			return nil, p.leftover(tok)
		}
	}
}

// value parses one value and makes the test of it.
func (p *parser) value(q quals) (node, error) {
	if p.isShortNet() && q.kind == kindNet {
		return p.network(q)
	}
	switch tok := p.peek(); tok.kind {
	case tokNumber:
		return p.number(q, p.take())
	case tokIPv4, tokIPv6:
		return p.network(q)
	case tokMAC, tokARCNET:
		return p.linkAddress(q, p.take())
	case tokName:
		return p.name(q, p.take())
	case tokWord:
		hint := ""
		if q.kind == kindProto || q.kind == kindProtoChain {
			hint = `keywords are escaped here: "` + string(q.kind) + ` \` + tok.text + `"`
		}
		return nil, p.fault(tok.at, hint, "%q is a keyword, not a value for %q", tok.text, q.kind)
	default:
		return nil, p.fault(tok.at, "", "a value is expected after %q, not %s", p.toks[p.i-1].text, describe(tok))
	}
}

// isShortNet says whether a network comes that is written as one number: 10/8
// or 10 mask 255.0.0.0.
func (p *parser) isShortNet() bool {
	if p.peek().kind != tokNumber {
		return false
	}
	sep, value, follower := p.after(1), p.after(2), p.after(3)
	switch {
	case sep.kind == tokSymbol && sep.text == "/":
		return value.kind == tokNumber && !isOperator(follower)
	case sep.word.class == classMask:
		return true
	}
	return false
}

// number makes a test of a value that is a plain number.
func (p *parser) number(q quals, tok *token) (node, error) {
	at := place{tok.at, tok.text}
	switch q.kind {
	case kindPort, kindPortRange:
		over, ok := transportNames[q.proto]
		if !ok {
			return nil, p.noPorts(q, tok)
		}
		if tok.num > 65535 {
			return nil, p.fault(tok.at, "", "port %s is over 65535", tok.text)
		}
		return p.ports(q, at, over, uint16(tok.num), uint16(tok.num))
	case kindProto, kindProtoChain:
		return p.protocolNumber(q, at, tok.num)
	case kindGateway:
		return nil, p.fault(tok.at, "", `"gateway" takes a name`)
	}
	addr, mask := tok.num, ^uint32(0)
	for q.kind == kindNet && addr != 0 && addr>>24 == 0 { // net 10 is 10.0.0.0/8
		addr, mask = addr<<8, mask<<8
	}
	return p.address(q, at, ipv4(addr), ipv4(mask))
}

// name makes a test of a value that is a name.
func (p *parser) name(q quals, tok *token) (node, error) {
	at := place{tok.at, tok.text}
	switch q.kind {
	case kindPort:
		s, ok := services[tok.text]
		if !ok {
			return nil, p.unknownPort(tok)
		}
		over, err := p.narrow(q, tok, s.over)
		if err != nil {
			return nil, err
		}
		return p.ports(q, at, over, s.port, s.port)
	case kindPortRange:
		lo, hi, over, ok := splitRange(tok.text)
		if !ok {
			return nil, p.fault(tok.at, "write it as 80-90", "%q is not a range of ports", tok.text)
		}
		over, err := p.narrow(q, tok, over)
		if err != nil {
			return nil, err
		}
		return p.ports(q, at, over, min(lo, hi), max(lo, hi))
	case kindProto, kindProtoChain:
		return p.protocolName(q, at)
	case kindGateway:
		return &gatewayTest{place{q.at, tok.text}, q.proto, tok.text}, nil
	}
	return nil, p.fault(tok.at, "names are not resolved: give the address", "%q is not an address", tok.text)
}
