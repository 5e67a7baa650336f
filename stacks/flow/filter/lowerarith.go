package filter

// relation compares two numbers. If these come from headers of protocols, it is
// false for packets without them.
func (c *lowering) relation(n *relation) (*formula, error) {
	left, needs, err := c.number(n.left)
	if err != nil {
		return nil, err
	}
	right, needsRight, err := c.number(n.right)
	if err != nil {
		return nil, err
	}
	return allOf(needs, needsRight, c.compare(n.op, left, right)), nil
}

// compare makes the test of an operator, constants being on its right.
func (c *lowering) compare(op string, left, right int32) *formula {
	k, isConst := c.constantOf(right)
	v, leftConst := c.constantOf(left)
	switch {
	case isConst && leftConst:
		return always(compared(op, v, k))
	case leftConst:
		flipped := map[string]string{"=": "=", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}[op]
		return c.compare(flipped, right, left)
	}
	t := test{term: left, k: k, byTerm: !isConst}
	if t.byTerm {
		t.k = uint32(right)
	}
	switch op {
	case ">", "<=":
		t.op = isGreater
	case ">=", "<":
		t.op = isAtLeast
	}
	return notIf(op == "!=" || op == "<" || op == "<=", is(t))
}

func compared(op string, v, k uint32) bool {
	switch op {
	case "=":
		return v == k
	case "!=":
		return v != k
	case "<":
		return v < k
	case ">":
		return v > k
	case "<=":
		return v <= k
	}
	return v >= k
}

// number returns the term of an arithmetic expression and what must be true of
// a packet for it to be computed. As in libpcap an operation asks only for what
// its left operand does.
func (c *lowering) number(a arith) (int32, *formula, error) {
	switch a := a.(type) {
	case literal:
		return c.constant(a.value), nil, nil
	case packetLength:
		return c.term(term{kind: lengthTerm, reg: noRegister}), nil, nil
	case minus:
		x, needs, err := c.number(a.x)
		if err != nil {
			return 0, nil, err
		}
		return c.minus(x), needs, nil
	case operation:
		left, needs, err := c.number(a.left)
		if err != nil {
			return 0, nil, err
		}
		right, _, err := c.number(a.right)
		if err != nil {
			return 0, nil, err
		}
		id, err := c.operation(a, left, right)
		return id, needs, err
	case load:
		return c.load(a)
	}
	return 0, nil, nil
}

func (c *lowering) minus(x int32) int32 {
	if v, ok := c.constantOf(x); ok {
		return c.constant(-v)
	}
	return c.join('-', c.constant(0), x)
}

// operation computes what can be computed without a packet.
func (c *lowering) operation(a operation, left, right int32) (int32, error) {
	op := a.op[0] // the first character tells them apart
	v, leftConst := c.constantOf(left)
	k, rightConst := c.constantOf(right)
	if rightConst {
		if err := c.refuse(a, op, k); err != nil {
			return 0, err
		}
	}
	switch {
	case leftConst && rightConst:
		return c.constant(compute(op, v, k)), nil
	case rightConst:
		return c.byConstant(op, left, k), nil
	case leftConst && v == 0:
		switch op {
		case '+', '|', '^':
			return right, nil
		case '*', '/', '%', '&', '<', '>':
			return left, nil
		}
	case leftConst && (op == '&' || op == '+' || op == '*' || op == '|' || op == '^'):
		return c.byConstant(op, right, v), nil
	}
	return c.join(op, left, right), nil
}

// refuse is about operations that have no result, which only folding shows.
func (c *lowering) refuse(a operation, op byte, k uint32) error {
	at, _ := a.reads()
	switch {
	case k == 0 && (op == '/' || op == '%'):
		return errorAt(c.expr.src, at.at, "", "division by zero")
	case k > 31 && (op == '<' || op == '>'):
		return errorAt(c.expr.src, at.at, "", "shift by more than 31 bits")
	}
	return nil
}

// join makes a term of two, or what is impossible of them.
func (c *lowering) join(op byte, left, right int32) int32 {
	for _, x := range []int32{left, right} {
		if c.terms[x].impossible() {
			return x
		}
	}
	return c.term(term{kind: opTerm, op: op, left: left, right: right, reg: noRegister})
}

// byConstant joins a term with a constant. Where the result does not depend on
// the term, the packet is not read for it.
func (c *lowering) byConstant(op byte, x int32, k uint32) int32 {
	t := c.terms[x]
	switch {
	case k == 0 && (op == '*' || op == '&'):
		return c.constant(0)
	case k == 0:
		return x
	case op == '&' && t.kind == loadTerm:
		if t.mask &= k; t.mask == 0 {
			return c.constant(0)
		}
		return c.term(t)
	}
	return c.join(op, x, c.constant(k))
}

// compute is arithmetic as BPF does it; k is not 0 in a division. The shifts are
// '<' and '>'.
func compute(op byte, v, k uint32) uint32 {
	switch op {
	case '+':
		return v + k
	case '-':
		return v - k
	case '*':
		return v * k
	case '/':
		return v / k
	case '%':
		return v % k
	case '&':
		return v & k
	case '|':
		return v | k
	case '^':
		return v ^ k
	case '<':
		return v << k
	}
	return v >> k
}

// load reads from a protocol's header.
func (c *lowering) load(a load) (int32, *formula, error) {
	index, needs, err := c.number(a.index)
	if err != nil {
		return 0, nil, err
	}
	t, needs, err := c.loadable(a, needs)
	if err != nil {
		return 0, nil, err
	}
	if k, ok := c.constantOf(index); ok {
		t.at += k
		return c.term(t), needs, nil
	}
	if c.terms[index].impossible() {
		return index, needs, nil
	}
	t.kind, t.left = indexedTerm, index
	return c.term(t), needs, nil
}

// loadable returns the load of the first bytes of a protocol's header, and adds
// to needs that the packet has it.
func (c *lowering) loadable(a load, needs *formula) (term, *formula, error) {
	if a.proto == "ether" {
		return c.at.link.load(uint8(a.size)), needs, nil
	}
	if a.proto == "radio" {
		return term{}, nil, c.unsupported(a.at, a.proto)
	}
	if a.proto == "icmp6" {
		ip6, err := c.carries(a.at, typeIPv6)
		return c.at.behindIPv6(0, uint8(a.size)), allOf(needs, ip6, c.nextHeader(58)), err
	}
	proto, err := c.protocol(a.at, a.proto)
	if err != nil {
		return term{}, nil, err
	}
	if _, ok := typesByName[a.proto]; ok {
		return c.at.network(0).load(uint8(a.size)), allOf(needs, proto), nil
	}
	ip, err := c.carries(a.at, typeIPv4)
	return c.at.behindIPv4(0, uint8(a.size)), allOf(ip, needs, proto, c.firstFragment()), err
}
