package filter

import "strings"

// cast parses nothing more: broadcast and multicast stand alone.
func (p *parser) cast(proto string, tok *token) (node, error) {
	multi := tok.word.name == "multicast"
	switch {
	case proto == "", proto == "ether", proto == "ip", proto == "ip6" && multi:
		return &castTest{place{tok.at, tok.text}, proto, multi}, nil
	}
	return nil, p.fault(tok.at, "", "%q has no %s", proto, tok.text)
}

// other parses the tests that neither protocols nor directions qualify.
func (p *parser) other(tok *token) (node, error) {
	at := place{tok.at, tok.text}
	switch tok.word.class {
	case classCompare:
		return p.lengthTest(at, tok)
	case classByte:
		return p.byteTest(at)
	case classTunnel:
		return p.tunnel(at, tok)
	case classPlain:
		return &wordTest{at, []string{tok.word.name}}, nil
	case classNumber:
		num, err := p.takeNumber(tok)
		return &wordTest{at, []string{tok.word.name, num.text}}, err
	case className, classReason, classLLC:
		return p.named(at, tok)
	case classField:
		return p.field(at, tok)
	}
	return nil, p.fault(tok.at, "", "a test cannot begin with %q", tok.text)
}

func (p *parser) takeNumber(word *token) (*token, error) {
	tok := p.take()
	if tok.kind != tokNumber {
		return tok, p.fault(tok.at, "", "%q is followed by a number, not %s", word.text, describe(tok))
	}
	return tok, nil
}

// lengthTest reads "less N" and "greater N", which both include N.
func (p *parser) lengthTest(at place, word *token) (node, error) {
	num, err := p.takeNumber(word)
	if err != nil {
		return nil, err
	}
	op := map[string]string{"less": "<=", "greater": ">="}[word.word.name]
	return &relation{at, op, packetLength{at}, literal{num.num}}, nil
}

// byteTest reads "byte N op V", an old way to write ether[N] op V; with & and |
// the result is compared with 0.
func (p *parser) byteTest(at place) (node, error) {
	word := p.toks[p.i-1]
	index, err := p.takeNumber(&word)
	if err != nil {
		return nil, err
	}
	op := p.take()
	if op.kind != tokSymbol || !strings.Contains("& | < > = ==", op.text) {
		return nil, p.fault(op.at, "", `"byte %s" is followed by one of & | < > =, not %s`, index.text, describe(op))
	}
	value, err := p.takeNumber(op)
	if err != nil {
		return nil, err
	}
	var left arith = load{place: at, proto: "ether", index: literal{index.num}, size: 1}
	switch op.text {
	case "&", "|":
		left = operation{op: op.text, left: left, right: literal{value.num}, levels: 3}
		return &relation{at, "!=", left, literal{0}}, nil
	}
	return &relation{at, comparisons[op.text], left, literal{value.num}}, nil
}

// tunnelIDs are the greatest identifiers of each, 0 for those without any.
var tunnelIDs = map[string]uint32{
	"vlan": 1<<12 - 1, "mpls": 1<<20 - 1, "pppoes": 1<<16 - 1, "geneve": 1<<24 - 1, "vxlan": 1<<24 - 1,
}

// tunnel parses the optional identifier, which may be in parentheses.
func (p *parser) tunnel(at place, word *token) (node, error) {
	n := &tunnelTest{place: at, name: word.word.name}
	limit, takes := tunnelIDs[n.name]
	open := 0
	for p.after(open).kind == tokOpen {
		open++
	}
	num := p.after(open)
	if num.kind != tokNumber || !takes || isOperator(p.after(open+1)) {
		return n, nil
	}
	for i := 1; i <= open; i++ {
		if p.after(open+i).kind != tokClose {
			return n, nil
		}
	}
	if num.num > limit {
		return nil, p.fault(num.at, "", "%s %s is over %d", n.name, num.text, limit)
	}
	p.i += 2*open + 1
	n.hasID, n.id = true, num.num
	return n, nil
}

// named parses words that are followed by a name from a list, or by any name.
func (p *parser) named(at place, word *token) (node, error) {
	n := &wordTest{at, []string{word.word.name}}
	tok := p.peek()
	value := strings.ToLower(tok.text)
	switch word.word.name {
	case "llc":
		if tok.kind != tokName && tok.word.name != "rnr" {
			return n, nil // alone it is a test, too
		}
		return p.oneOf(n, word, llcTypes[value])
	case "action":
		return p.oneOf(n, word, actions[value])
	case "reason":
		return p.oneOf(n, word, reasons[value] || tok.kind == tokNumber)
	}
	if tok.kind != tokName {
		return nil, p.fault(tok.at, "", "%q is followed by a name, not %s", word.text, describe(tok))
	}
	p.take()
	n.words = append(n.words, `\`+tok.text)
	return n, nil
}

// oneOf takes the next token as n's argument if it is known.
func (p *parser) oneOf(n *wordTest, word *token, known bool) (node, error) {
	tok := p.take()
	if !known || tok.kind == tokSymbol || tok.kind == tokEnd {
		return nil, p.fault(tok.at, "", "%q is not followed by %s", word.text, describe(tok))
	}
	n.words = append(n.words, tok.text)
	return n, nil
}

// wlan parses "type T [subtype S]", "subtype S" and "dir D" of 802.11.
func (p *parser) wlan(word *token) (node, error) {
	n := &wordTest{place{word.at, word.text}, []string{word.word.name}}
	tok := p.peek()
	value := strings.ToLower(tok.text)
	number := tok.kind == tokNumber
	switch word.word.name {
	case "dir":
		return p.oneOf(n, word, wlanDirections[value] || number && tok.num&^3 == 0)
	case "subtype":
		return p.oneOf(n, word, isSubtype(value))
	}
	if _, err := p.oneOf(n, word, wlanTypes[value] != nil || number && tok.num&^0x0c == 0); err != nil {
		return nil, err
	}
	sub := p.peek()
	if sub.word.name != "subtype" {
		return n, nil
	}
	p.take()
	n.words = append(n.words, sub.word.name)
	tok = p.peek()
	return p.oneOf(n, sub, wlanTypes[value][strings.ToLower(tok.text)] || tok.kind == tokNumber && tok.num&^0xf0 == 0)
}

func isSubtype(name string) bool {
	for _, subtypes := range wlanTypes {
		if subtypes[name] {
			return true
		}
	}
	return false
}

// field parses what follows vpi, opc and the like: a number, a comparison with
// one, or numbers with "or" between them in parentheses.
func (p *parser) field(at place, word *token) (node, error) {
	n := &fieldTest{place: at, name: word.word.name, op: "="}
	list := p.peek().kind == tokOpen
	if tok := p.peek(); list {
		p.take()
	} else if op, ok := comparisons[tok.text]; ok && tok.kind == tokSymbol {
		p.take()
		n.op = op
	}
	for {
		num, err := p.takeNumber(word)
		if err != nil {
			return nil, err
		}
		n.nums = append(n.nums, num.num)
		if !list {
			return n, nil
		}
		switch tok := p.take(); tok.kind {
		case tokClose:
			return n, nil
		case tokOr:
		default:
			return nil, p.leftover(tok)
		}
	}
}
