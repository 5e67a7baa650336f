package image

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net"
	"net/netip"
	"slices"
)

// Encode returns the image in pieces that follow each other; the queues are the
// image's own and not copied, so that they can be written from where they are.
func (m *Image) Encode() (net.Buffers, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	e := encoder{sum: newSum()}
	type section struct {
		typ  uint16
		data []byte
	}
	list := []section{{sectionIdentity, m.identity()}, {sectionStream, m.Stream.appendTo(nil)}}
	if len(m.Options) > 0 {
		list = append(list, section{sectionOptions, appendOptions(nil, m.Options)})
	}
	if len(m.Meta) > 0 {
		list = append(list, section{sectionMeta, appendMeta(nil, m.Meta)})
	}
	if len(m.App) > 0 {
		list = append(list, section{sectionApp, m.App})
	}
	list = append(list, section{sectionRecv, m.Recv}, section{sectionSend, m.Send})
	e.header(m, len(list)+1)
	for _, s := range list {
		if s.typ != sectionRecv && s.typ != sectionSend && len(s.data) > maxSmall {
			return nil, fmt.Errorf("image: section %d has %d bytes: at most %d", s.typ, len(s.data), maxSmall)
		}
		e.section(s.typ, s.data)
	}
	return e.trailer(), nil
}

// Size returns how many bytes pieces have together.
func Size(pieces net.Buffers) (n int) {
	for _, p := range pieces {
		n += len(p)
	}
	return n
}

// WriteTo writes the image.
func (m *Image) WriteTo(w io.Writer) (int64, error) {
	pieces, err := m.Encode()
	if err != nil {
		return 0, err
	}
	return pieces.WriteTo(w)
}

// newSum is the digest of the trailer.
func newSum() hash.Hash { return sha256.New() }

type encoder struct {
	small []byte // since the last queue
	out   net.Buffers
	sum   hash.Hash
	total int
}

func (e *encoder) header(m *Image, sections int) {
	b := append(e.small, magic...)
	b = binary.LittleEndian.AppendUint16(b, Version)
	b = binary.LittleEndian.AppendUint16(b, headerLen)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = append(b, m.ID[:]...)
	b = binary.LittleEndian.AppendUint64(b, m.Generation)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.Created.UnixNano()))
	b = binary.LittleEndian.AppendUint32(b, uint32(sections))
	e.small = b
	e.sum.Write(b)
	e.total = len(b)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (e *encoder) section(typ uint16, data []byte) {
	at := len(e.small)
	e.small = binary.LittleEndian.AppendUint16(e.small, typ)
	e.small = binary.LittleEndian.AppendUint16(e.small, mustKnow)
	e.small = binary.LittleEndian.AppendUint32(e.small, crc32.Checksum(data, castagnoli))
	e.small = binary.LittleEndian.AppendUint64(e.small, uint64(len(data)))
	e.sum.Write(e.small[at:])
	e.total += sectionHeader + len(data)
	if typ == sectionRecv || typ == sectionSend {
		if len(data) > 0 {
			e.out = append(e.out, e.small, data)
			e.small = nil
		}
		return
	}
	e.sum.Write(data)
	e.small = append(e.small, data...)
}

func (e *encoder) trailer() net.Buffers {
	b := binary.LittleEndian.AppendUint64(nil, uint64(e.total+sectionHeader+trailerLen))
	b = e.sum.Sum(b)
	e.section(sectionTrailer, b)
	return append(e.out, e.small)
}

// identity is the section of what the connection is: state, kind of socket, ends.
func (m *Image) identity() []byte {
	b := []byte{m.State, 0}
	if m.IPv6Socket {
		b[1] = 1
	}
	for _, a := range []netip.AddrPort{m.Local, m.Remote} {
		raw := a.Addr().AsSlice()
		b = append(b, byte(len(raw)))
		b = append(b, raw...)
		b = binary.LittleEndian.AppendUint16(b, a.Port())
	}
	name := m.Interface[:min(len(m.Interface), 15)]
	b = append(b, byte(len(name)))
	return append(b, name...)
}

func appendOptions(b []byte, list []Option) []byte {
	for _, o := range list {
		b = binary.LittleEndian.AppendUint16(b, o.ID)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(o.Value)))
		b = append(b, o.Value...)
	}
	return b
}

// appendMeta writes names and values in the order of names, so that the same image
// has the same bytes.
func appendMeta(b []byte, meta map[string]string) []byte {
	names := make([]string, 0, len(meta))
	for n := range meta {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		for _, s := range []string{n, meta[n]} {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
			b = append(b, s...)
		}
	}
	return b
}
