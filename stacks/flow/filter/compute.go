package filter

import "encoding/binary"

// frame is a packet being matched.
type frame struct {
	data    []byte
	wireLen uint32
	// regs are where the headers inside tunnels begin: 0 until one is entered.
	regs [3 * maxTunnels]uint32
}

// read returns size bytes at an offset, false beyond the end.
func (f *frame) read(at uint64, size uint8) (uint32, bool) {
	end := at + uint64(size)
	if end > uint64(len(f.data)) {
		return 0, false
	}
	switch size {
	case 1:
		return uint32(f.data[at]), true
	case 2:
		return uint32(binary.BigEndian.Uint16(f.data[at:end])), true
	}
	return binary.BigEndian.Uint32(f.data[at:end]), true
}

// register returns what a register holds, 0 for none.
func (f *frame) register(reg int8) uint32 {
	if reg == noRegister {
		return 0
	}
	return f.regs[reg]
}

// start returns what is added to a load's constant offset.
func (f *frame) start(t *term) (uint32, bool) {
	sum := f.register(t.reg)
	if !t.behindIPv4 {
		return sum, true
	}
	first, ok := f.read(uint64(t.ipAt)+uint64(sum), 1)
	return sum + first&15*4, ok
}

// compute returns the number that a term stands for, false if the packet is too
// short or something is divided by zero.
func (m *Matcher) compute(id int32, f *frame) (uint32, bool) {
	t := &m.terms[id]
	switch t.kind {
	case constTerm:
		return t.at, true
	case lengthTerm:
		return f.wireLen, true
	case regTerm:
		return f.register(t.reg), true
	case chainTerm:
		return f.chain(t)
	case opTerm:
		return m.operate(t, f)
	}
	var index uint32
	if t.kind == indexedTerm {
		var ok bool
		if index, ok = m.compute(t.left, f); !ok {
			return 0, false
		}
	}
	start, ok := f.start(t)
	if !ok {
		return 0, false
	}
	v, ok := f.read(uint64(t.at)+uint64(start+index), t.size)
	if t.kind == familyTerm && v<<8 == 0 {
		v >>= 24
	}
	return v & t.mask, ok
}

func (m *Matcher) operate(t *term, f *frame) (uint32, bool) {
	left, ok := m.compute(t.left, f)
	if !ok {
		return 0, false
	}
	right, ok := m.compute(t.right, f)
	if !ok || right == 0 && (t.op == '/' || t.op == '%') {
		return 0, false
	}
	return compute(t.op, left, right), true
}

// wideEqual compares an IPv6 address. Of a packet that ends within it the words
// are compared one by one, as long as they are equal.
func (m *Matcher) wideEqual(t *term, want [2]uint64, f *frame) (equal, ok bool) {
	at := uint64(t.at) + uint64(f.register(t.reg))
	if got, ok := f.wide(at); ok {
		return got[0]&t.mask16[0] == want[0] && got[1]&t.mask16[1] == want[1], true
	}
	for i := range 4 {
		half, shift := i/2, 32-i%2*32
		mask := uint32(t.mask16[half] >> shift)
		if mask == 0 {
			continue
		}
		v, ok := f.read(at+uint64(i)*4, 4)
		if !ok {
			return false, false
		}
		if v&mask != uint32(want[half]>>shift) {
			return false, true
		}
	}
	return true, true
}

// wide returns 16 bytes at an offset.
func (f *frame) wide(at uint64) ([2]uint64, bool) {
	end := at + 16
	if end > uint64(len(f.data)) {
		return [2]uint64{}, false
	}
	b := f.data[at:end:end]
	return [2]uint64{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, true
}

// Protocol numbers that protochain looks behind, and the one that ends.
const (
	protoHopByHop = 0
	protoRouting  = 43
	protoFragment = 44
	protoAH       = 51
	protoNoNext   = 59
	protoDestOpts = 60
)

// chain returns the protocol at which a search behind extension headers ends.
func (f *frame) chain(t *term) (uint32, bool) {
	field, start := uint64(6), uint64(ipv6Header)
	if t.behindIPv4 {
		first, ok := f.read(uint64(t.at), 1)
		if !ok {
			return 0, false
		}
		field, start = 9, uint64(first&15)*4
	}
	base := uint64(t.at)
	proto, ok := f.read(base+field, 1)
	for ok { // every header has 8 bytes or more, so the packet's end ends this
		more, unit := t.headerSize(proto)
		if unit == 0 {
			return proto, true
		}
		if proto, ok = f.read(base+start, 1); !ok {
			return 0, false
		}
		var units uint32
		units, ok = f.read(base+start+1, 1)
		start += uint64(units+more) * unit
	}
	return 0, false
}

// headerSize returns how the size of a header behind which the search goes on
// follows from its second byte: (byte + more) * unit. The unit is 0 where the
// search ends.
func (t *term) headerSize(proto uint32) (more uint32, unit uint64) {
	switch {
	case proto == t.mask || proto == protoNoNext:
		return 0, 0
	case proto == protoAH:
		return 2, 4
	case t.behindIPv4:
		return 0, 0
	}
	switch proto {
	case protoHopByHop, protoRouting, protoFragment, protoDestOpts:
		return 1, 8
	}
	return 0, 0
}

// Lengths of the headers of tunnels.
const (
	udpHeader      = 8
	vxlanHeader    = 8
	geneveHeader   = 8
	ethernetHeader = 14
)

// enter sets the registers to where the headers inside the tunnel begin.
func (t *tunnel) enter(f *frame) bool {
	at := t.ip.at + f.register(t.ip.reg)
	if t.v6 {
		at += ipv6Header
	} else {
		first, ok := f.read(uint64(at), 1)
		if !ok {
			return false
		}
		at += first & 15 * 4
	}
	at += udpHeader
	if !t.geneve {
		link := at + vxlanHeader
		f.regs[t.link], f.regs[t.proto], f.regs[t.body] = link, link+12, link+ethernetHeader
		return true
	}
	options, ok := f.read(uint64(at), 1)
	if !ok {
		return false
	}
	carried, ok := f.read(uint64(at)+2, 2)
	if !ok {
		return false
	}
	link := at + geneveHeader + options&0x3f*4
	f.regs[t.link], f.regs[t.proto], f.regs[t.body] = link, at+2, link
	if carried == typeTEB {
		f.regs[t.proto], f.regs[t.body] = link+12, link+ethernetHeader
	}
	return true
}
