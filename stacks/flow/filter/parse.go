package filter

// MaxNesting is how deep parentheses and arithmetic of an expression may nest.
const MaxNesting = 100

// Expr is a parsed expression.
type Expr struct {
	src  string
	root node // nil for the empty expression, which everything matches
}

// Parse parses a pcap-filter expression. The empty one matches everything.
// Errors are *SyntaxError. An expression may have MaxExpr bytes and nest
// MaxNesting deep.
func Parse(expr string) (*Expr, error) {
	toks, err := lex(expr)
	if err != nil {
		return nil, err
	}
	p := parser{src: expr, toks: toks}
	if p.peek().kind == tokEnd {
		return &Expr{src: expr}, nil
	}
	root, err := p.chain(quals{})
	if err != nil {
		return nil, err
	}
	if tok := p.peek(); tok.kind != tokEnd {
		return nil, p.leftover(tok)
	}
	return &Expr{src: expr, root: root}, nil
}

type parser struct {
	src  string
	toks []token
	i    int

	depth   int // parentheses, brackets and signs around the current token
	pending int // operators whose right side is being parsed
}

// kind is what the value after qualifiers is.
type kind string

const (
	kindHost       kind = "host"
	kindNet        kind = "net"
	kindPort       kind = "port"
	kindPortRange  kind = "portrange"
	kindProto      kind = "proto"
	kindProtoChain kind = "protochain"
	kindGateway    kind = "gateway"
)

// quals are the qualifiers of a value. Those of a test hold for bare values
// after it; after a test without any (known is false) a bare value means nothing.
type quals struct {
	known bool
	at    int // where the first of them is
	proto string
	dir   direction
	kind  kind
}

func (p *parser) peek() *token { return &p.toks[p.i] }

// after returns the token n places on, the end if there are not as many.
func (p *parser) after(n int) *token { return &p.toks[min(p.i+n, len(p.toks)-1)] }

func (p *parser) take() *token {
	tok := p.peek()
	if tok.kind != tokEnd {
		p.i++
	}
	return tok
}

func (p *parser) isSymbol(s string) bool {
	tok := p.peek()
	return tok.kind == tokSymbol && tok.text == s
}

func (p *parser) fault(at int, hint, format string, args ...any) error {
	return errorAt(p.src, at, hint, format, args...)
}

func (p *parser) enter(at int) error {
	if p.depth++; p.depth > MaxNesting {
		return p.fault(at, "", "nested more than %d deep", MaxNesting)
	}
	return nil
}

// chain parses operands with "and" and "or" between them. A bare value at its
// beginning has the qualifiers q.
func (p *parser) chain(q quals) (node, error) {
	c := chain{place: place{at: p.peek().at, text: p.peek().text}}
	for {
		item, next, err := p.operand(q)
		if err != nil {
			return nil, err
		}
		c.items = append(c.items, item)
		q = next
		switch p.peek().kind {
		case tokAnd:
			c.ops = append(c.ops, logicAnd)
		case tokOr:
			c.ops = append(c.ops, logicOr)
		default:
			if len(c.items) == 1 {
				return item, nil
			}
			return &c, nil
		}
		p.take()
	}
}

// operand parses a test, a bare value or a group, after any number of "not". It
// returns the qualifiers that a bare value after it takes over.
func (p *parser) operand(q quals) (node, quals, error) {
	not := p.peek()
	odd := p.negated()
	item, q, err := p.primary(q)
	if err == nil && odd {
		item = negate(not, item)
	}
	return item, q, err
}

// negate makes "not item" of a token and an item, which if it is one itself
// loses its own.
func negate(not *token, item node) node {
	if n, ok := item.(*negation); ok {
		return n.item
	}
	return &negation{place{not.at, not.text}, item}
}

// negated takes every "not" and says whether their number is odd.
func (p *parser) negated() bool {
	odd := false
	for p.peek().kind == tokNot {
		p.take()
		odd = !odd
	}
	return odd
}

func (p *parser) primary(q quals) (node, quals, error) {
	tok := p.peek()
	if p.startsArithmetic() && !(q.kind == kindNet && p.isShortNet()) {
		n, err := p.relation()
		return n, quals{}, err
	}
	switch tok.kind {
	case tokOpen:
		n, err := p.group(q)
		return n, q, err
	case tokWord:
		return p.test()
	case tokNumber, tokIPv4, tokIPv6, tokMAC, tokARCNET, tokName:
		if !q.known {
			return nil, q, p.bareValue(tok)
		}
		n, err := p.value(q)
		return n, q, err
	}
	return nil, q, p.missing(tok)
}

// group parses a parenthesis. What it leaves to bare values after it is what it
// found itself: its contents do not count.
func (p *parser) group(q quals) (node, error) {
	open := p.take()
	if err := p.enter(open.at); err != nil {
		return nil, err
	}
	n, err := p.chain(q)
	if err != nil {
		return nil, err
	}
	if tok := p.peek(); tok.kind != tokClose {
		return nil, p.leftover(tok)
	}
	p.take()
	p.depth--
	return n, nil
}

func (p *parser) missing(tok *token) error {
	if tok.kind != tokEnd {
		return p.fault(tok.at, "", "a test is missing before %q", tok.text)
	}
	if p.i == 0 {
		return p.fault(tok.at, "", "the expression ends where a test is expected")
	}
	return p.fault(tok.at, "", "the expression ends where a test is expected after %q", p.toks[p.i-1].text)
}

func (p *parser) bareValue(tok *token) error {
	if tok.kind == tokName {
		return p.fault(tok.at, didYouMean(tok.text), "unknown word %q", tok.text)
	}
	return p.fault(tok.at, `say what it is: "host", "net", "port"`, "%q has no qualifier before it that it could take over", tok.text)
}

// leftover reports a token that continues nothing.
func (p *parser) leftover(tok *token) error {
	hint := `"and" or "or" is missing before it`
	switch tok.kind {
	case tokName:
		if h := didYouMean(tok.text); h != "" {
			hint = h
		}
	case tokSymbol, tokClose:
		hint = ""
	}
	return p.fault(tok.at, hint, "unexpected %q", tok.text)
}
