package filter

import (
	"strconv"
	"strings"
)

// oneWord is a test of a word of its own: of 802.2 headers, and of what cooked
// captures say of the packet's way.
func (c *lowering) oneWord(n *wordTest) (*formula, error) {
	switch word := n.words[0]; {
	case word == "llc" && c.at.kind == linkEthernet:
		return c.llc(n.words[1:]), nil
	case word == "inbound" || word == "outbound":
		if way := c.outgoing(); way != nil {
			return notIf(word == "inbound", way), nil
		}
	case word == "ifindex" && c.at.kind == linkTyped:
		index, err := strconv.ParseUint(n.words[1], 0, 32)
		if err == nil {
			return c.equals(c.at.link.plus(4).load(4), uint32(index)), nil
		}
	}
	return nil, c.unsupported(n.at, n.text)
}

// outgoing is true for packets that the capturing host sent, nil if the link
// header does not say.
func (c *lowering) outgoing() *formula {
	const sent = 4
	switch c.at.kind {
	case linkCooked:
		return c.equals(c.at.link.load(2), sent)
	case linkTyped:
		return c.equals(c.at.link.plus(10).load(1), sent)
	}
	return nil
}

// llcControls are 802.2 control bytes and the bits that tell them, by name.
var llcControls = map[string][2]uint32{
	"i": {0x00, 0x01}, "s": {0x01, 0x03}, "u": {0x03, 0x03},
	"rr": {0x01, 0x0f}, "rnr": {0x05, 0x0f}, "rej": {0x09, 0x0f},
	"ui": {0x03, 0xef}, "ua": {0x63, 0xef}, "disc": {0x43, 0xef}, "dm": {0x0f, 0xef},
	"sabme": {0x6f, 0xef}, "test": {0xe3, 0xef}, "xid": {0xaf, 0xef}, "frmr": {0x87, 0xef},
}

// llc is true for frames with an 802.2 header, of a type if there is an
// argument.
func (c *lowering) llc(args []string) *formula {
	novell := c.equals(c.at.body.load(2), 0xffff)
	header := allOf(c.isLength(), not(novell))
	if len(args) == 0 {
		return header
	}
	control := llcControls[strings.ToLower(args[0])]
	return allOf(header, c.equals(c.at.body.plus(2).load(1).masked(control[1]), control[0]))
}
