package wsframe

import "encoding/binary"

// Mask masks or unmasks p in place (RFC 6455 section 5.3), which is the same. off is
// where p begins in its frame's payload.
func Mask(p []byte, key [4]byte, off uint64) {
	k := binary.LittleEndian.Uint32(key[:])
	if r := off & 3; r != 0 {
		k = k>>(8*r) | k<<(32-8*r)
	}
	wide := uint64(k) | uint64(k)<<32
	for len(p) >= 32 {
		b := p[:32]
		binary.LittleEndian.PutUint64(b[0:], binary.LittleEndian.Uint64(b[0:])^wide)
		binary.LittleEndian.PutUint64(b[8:], binary.LittleEndian.Uint64(b[8:])^wide)
		binary.LittleEndian.PutUint64(b[16:], binary.LittleEndian.Uint64(b[16:])^wide)
		binary.LittleEndian.PutUint64(b[24:], binary.LittleEndian.Uint64(b[24:])^wide)
		p = p[32:]
	}
	for len(p) >= 4 {
		binary.LittleEndian.PutUint32(p, binary.LittleEndian.Uint32(p)^k)
		p = p[4:]
	}
	for i := range p {
		p[i] ^= byte(k >> (8 * i))
	}
}
