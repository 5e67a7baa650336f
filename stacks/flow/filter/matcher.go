package filter

import "encoding/binary"

// Matcher decides by a packet's bytes. It is immutable.
//
// It means what libpcap's filter of the same expression means: the tests look at
// the frame as it was captured, "vlan" moves what is to its right, a load beyond
// the captured bytes rejects the packet whatever is around it. That is why it
// works on the frame: a decoded packet has skipped tags and extension headers
// that a filter must not skip.
type Matcher struct {
	steps     []step
	entry     int32 // of steps, accept or reject
	terms     []term
	addresses [][2]uint64
	tunnels   []tunnel
	tables    []table
}

// Matcher compiles the expression for packets of a link type, a LINKTYPE_
// number. It returns a *LinkError for link types that it does not know, and a
// *SyntaxError for tests that the link type has nothing for.
func (e *Expr) Matcher(link uint16) (*Matcher, error) {
	g, err := e.lower(link)
	if err != nil {
		return nil, err
	}
	g.widen()
	return newMatcher(g), nil
}

// step is a branch, with what the most frequent terms need at hand.
type step struct {
	load     stepLoad
	op       comparison
	byTerm   bool
	at, ipAt uint32
	mask, k  uint32
	term     int32
	yes, no  int32
}

// stepLoad is where a step's number comes from.
type stepLoad uint8

const (
	fromByte  stepLoad = iota // 1 byte at at
	fromHalf                  // 2 bytes
	fromWord                  // 4 bytes
	fromPort                  // 2 bytes, at at behind the IPv4 header at ipAt
	otherwise                 // anything else: by rest
	fromTable                 // many branches at once: the table k
)

// Match says whether the packet passes. data is the frame as captured, wireLen
// its length on the wire, which only "len", "less" and "greater" look at. It
// allocates nothing, and may be called by any number of goroutines.
func (m *Matcher) Match(data []byte, wireLen int) bool {
	f := frame{data: data, wireLen: uint32(wireLen)}
	pc := m.entry
	for pc >= 0 {
		s := &m.steps[pc]
		var v uint32
		switch s.load {
		case fromByte:
			if uint64(s.at) >= uint64(len(data)) {
				return false
			}
			v = uint32(data[s.at])
		case fromHalf:
			end := uint64(s.at) + 2
			if end > uint64(len(data)) {
				return false
			}
			v = uint32(binary.BigEndian.Uint16(data[end-2 : end]))
		case fromWord:
			end := uint64(s.at) + 4
			if end > uint64(len(data)) {
				return false
			}
			v = binary.BigEndian.Uint32(data[end-4 : end])
		case fromPort:
			if uint64(s.ipAt) >= uint64(len(data)) {
				return false
			}
			end := uint64(s.at) + uint64(data[s.ipAt]&15)*4 + 2
			if end > uint64(len(data)) {
				return false
			}
			v = uint32(binary.BigEndian.Uint16(data[end-2 : end]))
		default:
			pc = m.rest(s, &f)
			continue
		}
		if s.op.holds(v&s.mask, s.k) {
			pc = s.yes
		} else {
			pc = s.no
		}
	}
	return pc == accept
}

// rest takes the steps that are rare, and returns where to go on.
func (m *Matcher) rest(s *step, f *frame) int32 {
	t := &m.terms[s.term]
	var result, ok bool
	switch {
	case s.load == fromTable:
		return m.tables[s.k].next(m, f)
	case s.op == enters:
		result, ok = true, m.tunnels[s.k].enter(f)
	case t.kind == wideTerm:
		result, ok = m.wideEqual(t, m.addresses[s.k], f)
	default:
		result, ok = m.compare(s, f)
	}
	switch {
	case !ok:
		return reject
	case result:
		return s.yes
	}
	return s.no
}

// compare compares any term with a number or another term, false if the packet
// is too short for them.
func (m *Matcher) compare(s *step, f *frame) (result, ok bool) {
	v, ok := m.compute(s.term, f)
	if !ok {
		return false, false
	}
	k := s.k
	if s.byTerm {
		if k, ok = m.compute(int32(k), f); !ok {
			return false, false
		}
	}
	return s.op.holds(v, k), true
}
