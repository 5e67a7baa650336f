package ipcomp

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// proto is IPComp's protocol number, header the length of its header (RFC 3173 section 3.1): the protocol
// of what was compressed, flags, the compression parameter index.
const (
	proto  = 108
	header = 4
)

// maxDatagram is how long a datagram may be, an IPv6 header not counted; maxHead how long what comes before
// the payload, extension headers included.
const (
	maxDatagram = 1<<16 - 1
	maxHead     = 2048
)

// Stats counts what an Inflater did since it was made. Every datagram that was given to it and is
// compressed is in exactly one of its numbers.
type Stats struct {
	Inflated uint64 // they became what they were before
	Cut      uint64 // refused: the capture holds a part of them, or they are too short for the header
	Foreign  uint64 // refused: compressed by another algorithm than DEFLATE
	Damaged  uint64 // refused: no DEFLATE, or what comes out is no IP
	TooLong  uint64 // refused: what comes out is more than a datagram may have, or headers have more than 2 KiB
}

// Refused returns how many datagrams stayed as they are.
func (s Stats) Refused() uint64 { return s.Cut + s.Foreign + s.Damaged + s.TooLong }

// Inflater inflates one datagram at a time. The zero value is ready.
type Inflater struct {
	stats Stats
	in    bytes.Reader
	flate io.ReadCloser
	out   []byte
}

// Compressed reports whether p's payload is compressed and p.Decap has packet.IPComp.
func Compressed(p *packet.Packet) bool {
	return p.Class == packet.OtherIP && p.Proto == proto && p.Decap&packet.IPComp != 0
}

// Stats returns what was counted.
func (f *Inflater) Stats() Stats { return f.stats }

// Add takes the packet p if its payload is compressed and its tunnels to enter (Packet.Decap) have
// packet.IPComp, and reports whether it could be inflated. Then p has become the datagram, decoded, which
// may be a fragment, and its Data is lent until the next call. Any other p stays what it is.
func (f *Inflater) Add(p *packet.Packet) bool {
	if !Compressed(p) {
		return false
	}
	counter := f.inflate(p)
	*counter++
	return counter == &f.stats.Inflated
}

// inflate does so, and returns the counter of what came of it.
func (f *Inflater) inflate(p *packet.Packet) *uint64 {
	b := p.Payload()
	if p.Cut() || len(b) < header {
		return &f.stats.Cut
	}
	cpi := binary.BigEndian.Uint16(b[2:])
	if !perhapsDeflate(cpi) {
		return &f.stats.Foreign
	}
	head := p.Data[p.IPOff:p.L4Off]
	if len(head) > maxHead {
		return &f.stats.TooLong
	}
	if f.flate == nil {
		f.flate = flate.NewReader(&f.in)
		f.out = make([]byte, maxHead+maxDatagram+1)
	}
	n := copy(f.out, head)
	f.out[packet.NextHeader(f.out[:n])] = b[0]
	size, err := f.expand(f.out[n:n+maxDatagram+1], b[header:])
	switch out := f.out[:n+size]; {
	case err != nil:
		return &f.stats.Damaged
	case size > maxDatagram || !packet.Seal(out, p.IPVersion, n):
		return &f.stats.TooLong
	case !p.Expand(out, cpi):
		return &f.stats.Damaged
	}
	return &f.stats.Inflated
}

// perhapsDeflate reports whether a compression parameter index may mean DEFLATE: its own number, or one
// that the ends agreed about, of which nothing more is known (RFC 3173 section 3.3).
func perhapsDeflate(cpi uint16) bool {
	const deflate, agreed = 2, 256
	return cpi == deflate || cpi >= agreed
}

// expand writes what b inflates to into room, as far as it goes, and returns how much that is.
func (f *Inflater) expand(room, b []byte) (n int, err error) {
	f.in.Reset(b)
	if err := f.flate.(flate.Resetter).Reset(&f.in, nil); err != nil {
		return 0, err
	}
	n, err = io.ReadFull(f.flate, room)
	if err == io.EOF || err == io.ErrUnexpectedEOF && f.ended() {
		err = nil
	}
	return n, err
}

// ended reports whether the compressed stream ended where it says, and not where its bytes do.
func (f *Inflater) ended() bool {
	var b [1]byte
	_, err := f.flate.Read(b[:])
	return err == io.EOF
}
