package filter

import (
	"net/netip"
	"strings"
)

// node is a part of an expression's tree.
type node interface {
	// offset is where in the expression the part begins that decides what it is.
	offset() int
	// word names the part in messages.
	word() string
	// print appends the part in the filter language.
	print(b *strings.Builder)
}

// place is the source position and the word of a node.
type place struct {
	at   int
	text string
}

func (p place) offset() int  { return p.at }
func (p place) word() string { return p.text }

// chain joins items with ops[i] between items[i] and items[i+1]. Both operators
// have the same precedence, so it is evaluated from left to right.
type chain struct {
	place
	items []node
	ops   []logic
}

type logic uint8

const (
	logicAnd logic = iota
	logicOr
)

// negation is "not item".
type negation struct {
	place
	item node
}

// protocolTest is a protocol's name alone.
type protocolTest struct {
	place
	proto string
}

// direction says which of a packet's two addresses or ports is meant.
type direction string

const (
	anyDirection direction = ""
	srcOnly      direction = "src"
	dstOnly      direction = "dst"
	eitherOne    direction = "src or dst" // means what anyDirection does
	bothOfThem   direction = "src and dst"
	// ra, ta and addr1 to addr4, of 802.11, have their own names.
)

// addressTest compares IP addresses: host and net. The mask has the address's
// family; bits outside it are 0 in addr, and it need not be a prefix.
type addressTest struct {
	place
	proto string // "", ip, ip6, arp or rarp
	dir   direction
	addr  netip.Addr
	mask  netip.Addr
}

// linkAddressTest compares addresses of the link layer, and DECnet's.
type linkAddressTest struct {
	place
	proto string // ether or decnet
	dir   direction
	addr  []byte // 6 bytes of Ethernet, 2 of DECnet, 1 of ARCNET
}

// gatewayTest is a host by name whose link address is used and whose IP address
// is not.
type gatewayTest struct {
	place
	proto, name string
}

// portTest compares ports of first fragments: port and portrange.
type portTest struct {
	place
	over   transports
	dir    direction
	lo, hi uint16
}

// numberTest compares the number of an encapsulated protocol: proto and
// protochain.
type numberTest struct {
	place
	proto string // "", ip, ip6, ether, iso or isis
	chain bool   // also after IPv6 extension and AH headers
	num   uint32
}

// castTest is broadcast or multicast, of the link layer unless proto says ip or
// ip6.
type castTest struct {
	place
	proto string
	multi bool
}

// tunnelTest is vlan, mpls, pppoed, pppoes, geneve or vxlan. In a packet filter
// it moves the headers that everything to its right looks at.
type tunnelTest struct {
	place
	name  string
	hasID bool
	id    uint32
}

// wordTest is a test of link layers that carry no flows, and of pf's logs, kept
// as it was written.
type wordTest struct {
	place
	words []string
}

// fieldTest compares a field of ATM or SS7 with numbers, any of which may hold.
type fieldTest struct {
	place
	name string
	op   string
	nums []uint32
}

// relation compares two numbers taken from the packet.
type relation struct {
	place
	op          string // = != < > <= >=
	left, right arith
}

// arith is a number that is computed from a packet.
type arith interface {
	print(b *strings.Builder)
	// depth is how far the tree goes down from here.
	depth() int
	// reads returns the first word that looks into the packet, if any.
	reads() (place, bool)
}

type literal struct{ value uint32 }

// packetLength is "len": the packet's length on the wire.
type packetLength struct{ place }

// load is proto[at:size], size 1, 2 or 4 bytes in network order, from the
// beginning of the protocol's header.
type load struct {
	place
	proto string
	index arith
	size  uint32
}

// operation computes with 32 bit unsigned numbers.
type operation struct {
	op          string // + - * / % & | ^ << >>
	left, right arith
	levels      int
}

type minus struct{ x arith }

func (literal) depth() int      { return 1 }
func (packetLength) depth() int { return 1 }
func (l load) depth() int       { return l.index.depth() + 1 }
func (o operation) depth() int  { return o.levels }
func (m minus) depth() int      { return m.x.depth() + 1 }

func (literal) reads() (place, bool)        { return place{}, false }
func (l packetLength) reads() (place, bool) { return l.place, true }
func (l load) reads() (place, bool)         { return l.place, true }
func (m minus) reads() (place, bool)        { return m.x.reads() }
func (o operation) reads() (place, bool) {
	if p, ok := o.left.reads(); ok {
		return p, true
	}
	return o.right.reads()
}
