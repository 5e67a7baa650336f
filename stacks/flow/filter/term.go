package filter

// term is a number that a packet filter computes from a packet. Terms are kept
// once each, so that the same term has the same index.
type term struct {
	kind termKind
	// op computes an opTerm from left and right, which are indexes of terms.
	op          byte
	left, right int32
	// A load reads size bytes in network order, of which mask keeps some bits, at
	// at; plus what the register reg holds unless it is noRegister; plus, if
	// behindIPv4, the length of the IPv4 header at ipAt and the register.
	size       uint8
	reg        int8
	behindIPv4 bool
	at, ipAt   uint32
	mask       uint32
	mask16     [2]uint64 // of a wideTerm
}

type termKind uint8

const (
	constTerm   termKind = iota // at
	lengthTerm                  // the packet's length on the wire
	regTerm                     // what reg holds
	loadTerm                    // a load
	indexedTerm                 // a load left bytes further on
	familyTerm                  // a load of 4 bytes that are in either order, of a number up to 255
	opTerm                      // left op right
	// wideTerm is a load of up to 16 bytes, in words from the first, of which those
	// without mask are not read. It is compared with an address of the graph's.
	wideTerm
	// chainTerm is the protocol behind the extension headers of the IPv6 header
	// at at, or behind the AH of the IPv4 header there if behindIPv4 is set, where
	// a search for protocol mask ends.
	chainTerm
)

const noRegister int8 = -1

// unknown is no term.
const unknown int32 = -1

const allBits = ^uint32(0)

// furthest is beyond every load that can succeed. Linux has another meaning for
// offsets above.
const furthest = 1<<31 - 1

// impossible says whether the term reads beyond the end of any packet.
func (t *term) impossible() bool {
	return t.kind == loadTerm && uint64(t.at)+uint64(t.size) > furthest
}

// plain returns the term that loads the same bytes without a mask.
func (t *term) plain() term {
	p := *t
	p.mask = allBits
	return p
}

// test compares a term.
type test struct {
	op   comparison
	term int32 // of the graph's terms
	// k is the number compared with: if byTerm, the index of another term; of a
	// wideTerm the index of an address.
	k      uint32
	byTerm bool
}

type comparison uint8

const (
	isEqual   comparison = iota
	isGreater            // greater than
	isAtLeast            // greater than or equal to
	// enters is no comparison: the branch sets registers to where the headers
	// inside a tunnel begin, and goes on to yes. The graph's tunnel of index k.
	enters
)

func (op comparison) holds(v, k uint32) bool {
	switch op {
	case isGreater:
		return v > k
	case isAtLeast:
		return v >= k
	}
	return v == k
}
