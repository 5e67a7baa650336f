package filter

// startsArithmetic says whether a comparison of numbers begins here, and not a
// test, a bare value or a group of those. For a parenthesis what follows its
// partner tells.
func (p *parser) startsArithmetic() bool {
	switch tok := p.peek(); tok.kind {
	case tokOpen:
		follower := p.toks[tok.match+1]
		return isOperator(&follower)
	case tokNumber:
		return isOperator(p.after(1))
	case tokSymbol:
		return tok.text == "-"
	case tokWord:
		next := p.after(1)
		return tok.word.class == classLen ||
			tok.word.class == classProto && next.kind == tokSymbol && next.text == "["
	}
	return false
}

// precedence of the arithmetic operators. % and ^ have none in libpcap's grammar:
// beside them the operator on the right always goes first.
var precedence = map[string]int{"|": 1, "&": 2, "<<": 3, ">>": 3, "+": 4, "-": 4, "*": 5, "/": 5, "%": 0, "^": 0}

var comparisons = map[string]string{"=": "=", "==": "=", "!=": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}

func isOperator(tok *token) bool {
	if tok.kind != tokSymbol {
		return false
	}
	_, computes := precedence[tok.text]
	_, compares := comparisons[tok.text]
	return computes || compares
}

func (p *parser) relation() (node, error) {
	first := p.peek()
	left, err := p.arithmetic(0)
	if err != nil {
		return nil, err
	}
	tok := p.take()
	op, ok := comparisons[tok.text]
	if tok.kind != tokSymbol || !ok {
		return nil, p.fault(tok.at, "", "a comparison such as = or > is expected, not %s", describe(tok))
	}
	right, err := p.arithmetic(0)
	if err != nil {
		return nil, err
	}
	return newRelation(place{first.at, first.text}, op, left, right), nil
}

// newRelation names a comparison after what it reads from the packet, else
// after its first word.
func newRelation(at place, op string, left, right arith) *relation {
	if p, ok := (operation{left: left, right: right}).reads(); ok {
		at = p
	}
	return &relation{place: at, op: op, left: left, right: right}
}

// arithmetic parses operators that bind tighter than the given precedence.
func (p *parser) arithmetic(above int) (arith, error) {
	left, err := p.factor()
	if err != nil {
		return nil, err
	}
	for {
		tok := p.peek()
		level, ok := precedence[tok.text]
		if tok.kind != tokSymbol || !ok || level != 0 && level <= above {
			return left, nil
		}
		p.take()
		right, err := p.rightSide(tok, level)
		if err != nil {
			return nil, err
		}
		if left, err = p.operation(tok, left, right); err != nil {
			return nil, err
		}
	}
}

func (p *parser) rightSide(tok *token, level int) (arith, error) {
	if p.pending++; p.pending > MaxNesting {
		return nil, p.tooDeep(tok)
	}
	right, err := p.arithmetic(level)
	p.pending--
	return right, err
}

func (p *parser) tooDeep(tok *token) error {
	return p.fault(tok.at, "", "arithmetic nests more than %d deep", MaxNesting)
}

// shallow passes x on unless it is too deep together with what is around it.
func (p *parser) shallow(tok *token, around int, x arith) (arith, error) {
	if around+x.depth() > MaxNesting {
		return nil, p.tooDeep(tok)
	}
	return x, nil
}

func (p *parser) operation(tok *token, left, right arith) (arith, error) {
	if v, ok := right.(literal); ok {
		switch {
		case v.value == 0 && (tok.text == "/" || tok.text == "%"):
			return nil, p.fault(tok.at, "", "division by zero")
		case v.value > 31 && (tok.text == "<<" || tok.text == ">>"):
			return nil, p.fault(tok.at, "", "shift by more than 31 bits")
		}
	}
	o := operation{op: tok.text, left: left, right: right, levels: max(left.depth(), right.depth()) + 1}
	return p.shallow(tok, p.depth, o)
}

// tightest is above every operator: a sign binds before them.
const tightest = 6

func (p *parser) factor() (arith, error) {
	tok := p.take()
	if err := p.enter(tok.at); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	switch {
	case tok.kind == tokNumber:
		return literal{tok.num}, nil
	case tok.kind == tokWord && tok.word.class == classLen:
		return packetLength{place{tok.at, "len"}}, nil
	case tok.kind == tokWord && tok.word.class == classProto && p.isSymbol("["):
		return p.load(tok)
	case tok.kind == tokSymbol && tok.text == "-":
		x, err := p.arithmetic(tightest)
		if err != nil {
			return nil, err
		}
		return p.shallow(tok, p.depth-1, minus{x})
	case tok.kind == tokOpen:
		x, err := p.arithmetic(0)
		if err == nil && p.peek().kind != tokClose {
			err = p.leftover(p.peek())
		}
		p.take()
		return x, err
	}
	return nil, p.fault(tok.at, "", "a number, len or a load such as tcp[13] is expected, not %s", describe(tok))
}

func describe(tok *token) string {
	if tok.kind == tokEnd {
		return "the end"
	}
	return `"` + tok.text + `"`
}

// loadable are the protocols whose headers may be indexed.
var loadable = set("ether radio ip ip6 arp rarp atalk decnet lat sca moprc mopdl " +
	"tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp")

// load parses the index of proto[index:size] after proto.
func (p *parser) load(proto *token) (arith, error) {
	name := proto.word.name
	if !loadable[name] {
		return nil, p.fault(proto.at, "", "%q has no header that can be indexed", proto.text)
	}
	open := p.take()
	index, err := p.arithmetic(0)
	if err != nil {
		return nil, err
	}
	size := uint32(1)
	if p.isSymbol(":") {
		p.take()
		tok := p.take()
		if tok.kind != tokNumber || tok.num != 1 && tok.num != 2 && tok.num != 4 {
			return nil, p.fault(tok.at, "", "the size of a load is 1, 2 or 4, not %s", describe(tok))
		}
		size = tok.num
	}
	if !p.isSymbol("]") {
		return nil, p.fault(open.at, "", "this bracket is not closed before %s", describe(p.peek()))
	}
	p.take()
	return p.shallow(proto, p.depth-1, load{place: place{proto.at, proto.text + "[...]"}, proto: name, index: index, size: size})
}
