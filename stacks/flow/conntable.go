package flow

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// key identifies a connection whichever end sent the packet: the lower endpoint comes first.
type key struct {
	low, high [2]uint64 // addresses, as loaded from a packet.Addr
	rest      uint64    // lower endpoint's port << 32, higher's << 16, IP version; Exchange adds to it
}

// keyOf returns p's key and whether its source is the lower endpoint.
func keyOf(p *packet.Packet) (k key, low bool) {
	low = k.of(p)
	return k, low
}

// of makes k p's key, and returns whether its source is the lower endpoint.
func (k *key) of(p *packet.Packet) (low bool) {
	src := [2]uint64{binary.LittleEndian.Uint64(p.Src[:8]), binary.LittleEndian.Uint64(p.Src[8:])}
	dst := [2]uint64{binary.LittleEndian.Uint64(p.Dst[:8]), binary.LittleEndian.Uint64(p.Dst[8:])}
	sport, dport := uint64(p.SrcPort), uint64(p.DstPort)
	switch {
	case src[0] != dst[0]:
		low = src[0] < dst[0]
	case src[1] != dst[1]:
		low = src[1] < dst[1]
	default:
		low = sport <= dport
	}
	if !low {
		src, dst, sport, dport = dst, src, dport, sport
	}
	k.low, k.high, k.rest = src, dst, sport<<32|dport<<16|uint64(p.IPVersion)
	return low
}

// endpoint returns the lower or the higher endpoint.
func (k *key) endpoint(low bool) (a packet.Addr, port uint16, version uint8) {
	half := k.high
	if low {
		half = k.low
	}
	binary.LittleEndian.PutUint64(a[:8], half[0])
	binary.LittleEndian.PutUint64(a[8:], half[1])
	return a, k.port(low), uint8(k.rest)
}

// addr returns the lower or the higher endpoint's address.
func (k *key) addr(low bool) netip.Addr {
	half := &k.high
	if low {
		half = &k.low
	}
	if uint8(k.rest) == 4 {
		var a [4]byte
		binary.LittleEndian.PutUint32(a[:], uint32(half[0]))
		return netip.AddrFrom4(a)
	}
	a, _, version := k.endpoint(low)
	return a.Netip(version)
}

// port returns the lower or the higher endpoint's port.
func (k *key) port(low bool) uint16 {
	if low {
		return uint16(k.rest >> 32)
	}
	return uint16(k.rest >> 16)
}

// keyTable finds connections by key: open addressing with linear probing, at most 3/4 full. The hash is
// seeded, so nobody outside can choose keys that collide; nothing is ever listed in its order.
type keyTable[T any] struct {
	seed  [5]uint64
	slots []slot[T] // a power of two
	n     int
	keyOf func(*T) *key
}

type slot[T any] struct {
	hash uint64
	conn *T
}

// minSlots is the size of a new table.
const minSlots = 1024

func newTable[T any](keyOf func(*T) *key) keyTable[T] {
	t := keyTable[T]{slots: make([]slot[T], minSlots), keyOf: keyOf}
	for i := range t.seed {
		t.seed[i] = rand.Uint64()
	}
	return t
}

// hash folds products of words and secrets, as wyhash does: a third of what the general hash of
// the standard library takes for a key.
func (t *keyTable[T]) hash(k *key) uint64 {
	low := foldProduct(k.low[0]^t.seed[0], k.low[1]^t.seed[1])
	high := foldProduct(k.high[0]^t.seed[2], k.high[1]^t.seed[3])
	return foldProduct(low^k.rest^t.seed[4], high^t.seed[1])
}

// foldProduct multiplies to 128 bits and folds the halves together.
func foldProduct(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// find returns the connection of k, or nil, and k's hash.
func (t *keyTable[T]) find(k *key) (*T, uint64) {
	hash := t.hash(k)
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.conn == nil {
			return nil, hash
		}
		if s.hash == hash && *t.keyOf(s.conn) == *k {
			return s.conn, hash
		}
	}
}

// insert adds a connection whose key is not in the table, with that key's hash.
func (t *keyTable[T]) insert(hash uint64, c *T) {
	if t.n >= len(t.slots)/4*3 {
		old := t.slots
		t.slots = make([]slot[T], 2*len(old))
		for _, s := range old {
			if s.conn != nil {
				t.put(s)
			}
		}
	}
	t.put(slot[T]{hash, c})
	t.n++
}

func (t *keyTable[T]) put(s slot[T]) {
	mask := uint64(len(t.slots) - 1)
	i := s.hash & mask
	for t.slots[i].conn != nil {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// remove takes out a connection that is in the table with that hash, and closes the hole: the slots
// behind it move up unless that would put one before the place its hash asks for.
func (t *keyTable[T]) remove(hash uint64, c *T) {
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i].conn != c {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.slots[j].conn != nil; j = (j + 1) & mask {
		home := t.slots[j].hash & mask
		if (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = slot[T]{}
	t.n--
}
