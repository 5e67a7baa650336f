package filter

import (
	"fmt"

	"github.com/hookd/hookd/stacks/flow/capture"
)

// LinkError says that packets of a link type cannot be filtered.
type LinkError struct {
	// Link is the LINKTYPE_ number.
	Link uint16
}

// Error returns "filter: packets of link type N (NAME) cannot be filtered".
func (e *LinkError) Error() string {
	return fmt.Sprintf("filter: packets of link type %d (%s) cannot be filtered", e.Link, capture.LinkType(e.Link))
}

// lowering turns an expression's tree into a graph.
type lowering struct {
	expr *Expr
	*graph
	// at is the layout that the current test sees, a later one for every test of
	// a tunnel before it.
	at layout
	// before are the layouts that each test of a tunnel sees itself, in the order
	// of the expression.
	before []layout
	err    error
}

// lower compiles an expression for packets of a link type.
func (e *Expr) lower(link uint16) (*graph, error) {
	at, ok := layoutOf(link)
	if !ok {
		return nil, &LinkError{Link: link}
	}
	c := lowering{expr: e, graph: newGraph(), at: at}
	c.entry = accept
	if e.root == nil {
		return c.graph, nil
	}
	c.survey(e.root)
	if c.err != nil {
		return nil, c.err
	}
	entry := c.node(e.root, accept, reject)
	if c.err != nil {
		return nil, c.err
	}
	c.entry = entry
	c.optimise()
	return c.graph, nil
}

// survey finds the layout behind each test of a tunnel, which holds for
// everything to its right, whatever is around it.
func (c *lowering) survey(n node) {
	switch n := n.(type) {
	case *chain:
		for _, item := range n.items {
			c.survey(item)
		}
	case *negation:
		c.survey(n.item)
	case *tunnelTest:
		if n.name != "pppoed" && c.err == nil {
			c.before = append(c.before, c.at)
			c.err = c.enter(n)
		}
	}
}

// node adds the branches of n, which go to yes or no, and returns where they
// begin. It goes from right to left, and so do the layouts.
func (c *lowering) node(n node, yes, no int32) int32 {
	switch n := n.(type) {
	case *chain:
		entry := yes
		for i := len(n.items) - 1; i >= 0; i-- {
			entry = c.node(n.items[i], yes, no)
			if i == 0 {
				break
			}
			if n.ops[i-1] == logicAnd {
				yes = entry
			} else {
				no = entry
			}
		}
		return entry
	case *negation:
		return c.node(n.item, no, yes)
	}
	f, err := c.primitive(n)
	if err != nil {
		c.err = err // of several the leftmost
		return reject
	}
	return c.place(f, yes, no)
}

// primitive returns what one test of an expression means.
func (c *lowering) primitive(n node) (*formula, error) {
	switch n := n.(type) {
	case *protocolTest:
		return c.protocol(n.at, n.proto)
	case *addressTest:
		return c.hostOrNet(n)
	case *portTest:
		return c.ports(n.at, n)
	case *numberTest:
		return c.protocolNumber(n)
	case *relation:
		return c.relation(n)
	case *tunnelTest:
		return c.tunnelTest(n)
	case *linkAddressTest:
		return c.linkAddress(n)
	case *castTest:
		return c.cast(n)
	case *wordTest:
		return c.oneWord(n)
	}
	return nil, c.unsupported(n.offset(), n.word())
}

// unsupported says that a test has no meaning for the link type.
func (c *lowering) unsupported(at int, word string) error {
	return errorAt(c.expr.src, at, "", "%q cannot be tested in packets of link type %d (%s)",
		word, c.at.number, capture.LinkType(c.at.number))
}
