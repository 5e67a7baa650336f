package filter

import (
	"encoding/binary"
	"net/netip"
)

// Key is what identifies a connection: the addresses of its first packet, and
// where it ran.
type Key struct {
	// Proto is the IP protocol number.
	Proto uint8
	// IPv6 says which IP version the packet had; the addresses are of it.
	IPv6 bool
	// SrcIP is the client's, the sender's of the first packet; DstIP the server's.
	SrcIP, DstIP netip.Addr
	// SrcPort and DstPort are 0 for protocols without ports.
	SrcPort, DstPort uint16
	// VLAN is the identifier of the outermost tag, 0 without one.
	VLAN uint16
}

// Scope decides by a connection's key. It is immutable.
//
// It means what a packet filter means for the connection's first packet, with
// one difference: a VLAN tag is a property of the key like any other. So tests
// to the right of "vlan" do not look deeper into the packet, tests without it
// hold for tagged connections too, and "vlan 1 or vlan 2" is either of them.
type Scope struct {
	code  []instruction
	nets6 []net6
	entry int32 // index into code, or accept
	needs versions
}

// Match says whether the connection is in the scope. It compares the key at most
// once with each test of the expression, allocates nothing, and may be called by
// any number of goroutines.
func (s *Scope) Match(k *Key) bool {
	var a addresses
	if k.IPv6 {
		if s.needs&version6 != 0 {
			a.load6(k)
		}
	} else if s.needs&version4 != 0 {
		a.load4(k)
	}
	pc := s.entry
	for pc >= 0 {
		in := &s.code[pc]
		if in.test(s, k, &a) {
			pc = in.yes
		} else {
			pc = in.no
		}
	}
	return pc == accept
}

// Where a program ends.
const (
	accept = -1
	reject = -2
)

type opcode uint8

const (
	opVersion  opcode = iota // the IP version is in over
	opProtocol               // and the protocol is a
	opNet4                   // address & b == a
	opNet6                   // address & mask == addr of nets6[a]
	opPort                   // a <= port <= b, and the transport is in over
	opVLAN                   // a == anyTag and there is a tag, or it is a
)

const anyTag = 1 << 16

// instruction is a test and where to go on: at a lower index, or at an end. So
// every program ends.
type instruction struct {
	op      opcode
	dir     side
	over    uint8 // versions or transports
	yes, no int32
	a, b    uint32
}

// side says which of two addresses or ports must pass.
type side uint8

const (
	sideEither side = iota
	sideSrc
	sideDst
	sideBoth
)

func (d side) holds(src, dst bool) bool {
	switch d {
	case sideSrc:
		return src
	case sideDst:
		return dst
	case sideBoth:
		return src && dst
	}
	return src || dst
}

// addresses are a key's as numbers, of the version that the key has.
type addresses struct {
	src4, dst4 uint32
	src6, dst6 [2]uint64
}

type net6 struct{ addr, mask [2]uint64 }

func (n *net6) has(a *[2]uint64) bool {
	return a[0]&n.mask[0] == n.addr[0] && a[1]&n.mask[1] == n.addr[1]
}

// load4 takes the last bytes of the 16 byte form, which an address of any kind
// has.
func (a *addresses) load4(k *Key) {
	src, dst := k.SrcIP.As16(), k.DstIP.As16()
	a.src4, a.dst4 = binary.BigEndian.Uint32(src[12:]), binary.BigEndian.Uint32(dst[12:])
}

func (a *addresses) load6(k *Key) { a.src6, a.dst6 = words6(k.SrcIP), words6(k.DstIP) }

func words6(addr netip.Addr) [2]uint64 {
	b := addr.As16()
	return [2]uint64{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (in *instruction) test(s *Scope, k *Key, a *addresses) bool {
	switch in.op {
	case opVersion:
		return in.over&uint8(versionOf(k)) != 0
	case opProtocol:
		return in.over&uint8(versionOf(k)) != 0 && uint32(k.Proto) == in.a
	case opNet4:
		return !k.IPv6 && in.dir.holds(a.src4&in.b == in.a, a.dst4&in.b == in.a)
	case opNet6:
		n := &s.nets6[in.a]
		return k.IPv6 && in.dir.holds(n.has(&a.src6), n.has(&a.dst6))
	case opPort:
		src, dst := uint32(k.SrcPort), uint32(k.DstPort)
		return in.over&uint8(transportOf(k.Proto)) != 0 &&
			in.dir.holds(src >= in.a && src <= in.b, dst >= in.a && dst <= in.b)
	default: // opVLAN
		return k.VLAN != 0 && (in.a == anyTag || uint32(k.VLAN) == in.a)
	}
}

func versionOf(k *Key) versions {
	if k.IPv6 {
		return version6
	}
	return version4
}

func transportOf(proto uint8) transports {
	switch proto {
	case 6:
		return overTCP
	case 17:
		return overUDP
	case 132:
		return overSCTP
	}
	return 0
}
