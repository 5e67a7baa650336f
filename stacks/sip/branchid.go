package sip

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// A branch parameter of ours is the cookie and, in hexadecimal, the transaction's
// number, the branch's index, a hash of what the request was routed by, and a code
// that only who has the key can make: so a reply finds its transaction in one step, a
// request that came back is known, and no stranger makes up replies.
const (
	branchBytes = 8 + 1 + 4 + 8
	branchText  = len(msg.MagicCookie) + 2*branchBytes
)

// branchID is what a branch parameter says.
type branchID struct {
	tx    uint64 // 0: a request that was forwarded without a transaction
	index uint8
	route uint32
}

// appendBranch appends the parameter's value.
func (s *Stack) appendBranch(dst []byte, id branchID) []byte {
	var b [branchBytes]byte
	binary.BigEndian.PutUint64(b[:], id.tx)
	b[8] = id.index
	binary.BigEndian.PutUint32(b[9:], id.route)
	binary.BigEndian.PutUint64(b[13:], s.mac(b[:13]))
	return hex.AppendEncode(append(dst, msg.MagicCookie...), b[:])
}

// readBranch reads a parameter; false if it is none of ours.
func (s *Stack) readBranch(text []byte) (branchID, bool) {
	var b [branchBytes]byte
	if len(text) != branchText {
		return branchID{}, false
	}
	if _, err := hex.Decode(b[:], text[len(msg.MagicCookie):]); err != nil {
		return branchID{}, false
	}
	id := branchID{binary.BigEndian.Uint64(b[:]), b[8], binary.BigEndian.Uint32(b[9:])}
	return id, binary.BigEndian.Uint64(b[13:]) == s.mac(b[:13])
}

// mac is a code of data under the stack's key.
func (s *Stack) mac(data ...[]byte) uint64 { return siphash(&s.cfg.Key, data...) }

// siphash is SipHash-2-4 (Aumasson and Bernstein, 2012).
func siphash(key *[16]byte, data ...[]byte) uint64 {
	k0, k1 := binary.LittleEndian.Uint64(key[:]), binary.LittleEndian.Uint64(key[8:])
	h := sipHash{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
	var word uint64
	n := 0
	for _, d := range data {
		for _, c := range d {
			word |= uint64(c) << (8 * (n & 7))
			if n++; n&7 == 0 {
				h.block(word)
				word = 0
			}
		}
	}
	h.block(word | uint64(n)<<56)
	h.v2 ^= 0xff
	for range 4 {
		h.round()
	}
	return h.v0 ^ h.v1 ^ h.v2 ^ h.v3
}

type sipHash struct{ v0, v1, v2, v3 uint64 }

func (h *sipHash) block(m uint64) {
	h.v3 ^= m
	h.round()
	h.round()
	h.v0 ^= m
}

func (h *sipHash) round() {
	h.v0 += h.v1
	h.v1 = bits.RotateLeft64(h.v1, 13) ^ h.v0
	h.v0 = bits.RotateLeft64(h.v0, 32)
	h.v2 += h.v3
	h.v3 = bits.RotateLeft64(h.v3, 16) ^ h.v2
	h.v0 += h.v3
	h.v3 = bits.RotateLeft64(h.v3, 21) ^ h.v0
	h.v2 += h.v1
	h.v1 = bits.RotateLeft64(h.v1, 17) ^ h.v2
	h.v2 = bits.RotateLeft64(h.v2, 32)
}

// routeHash sums up what decides where a request goes (RFC 3261, 16.6; RFC 5393,
// 4.2): if a request comes back and nothing of that has changed, it loops, else it
// spirals.
func (s *Stack) routeHash(m *msg.Message) uint32 {
	parts := append(s.parts[:0], m.RequestURI(), m.CallID())
	for _, n := range [...]msg.Name{msg.From, msg.To} {
		if a, err := m.Address(n); err == nil {
			parts = append(parts, a.Tag(), zeroByte)
		}
	}
	for _, n := range [...]msg.Name{msg.CSeqName, msg.Route, msg.ProxyRequire, msg.ProxyAuthorization} {
		for v := m.Values(n); v.Next(); {
			parts = append(parts, v.Value(), zeroByte)
		}
	}
	h := s.mac(parts...)
	s.parts = parts[:0]
	return uint32(h>>32) ^ uint32(h)
}

var zeroByte = []byte{0}

// looped reports whether a request was forwarded by this server before with all
// that routes it the same.
func (s *Stack) looped(m *msg.Message) bool {
	hash, known := uint32(0), false
	for v := m.Values(msg.ViaName); v.Next(); {
		via, err := msg.ParseVia(v.Value())
		if err != nil {
			continue
		}
		id, ours := s.readBranch(via.Branch())
		if !ours {
			continue
		}
		if !known {
			hash, known = s.routeHash(m), true
		}
		if id.route == hash {
			return true
		}
	}
	return false
}
