package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/netip"
	"slices"
	"time"
)

// Decode reads an image that is all of b. The queues are parts of b.
func Decode(b []byte) (*Image, error) {
	r := bytes.NewReader(b)
	m, err := read(r, func(n int) ([]byte, error) {
		at := len(b) - r.Len()
		if n > r.Len() {
			return nil, io.ErrUnexpectedEOF
		}
		_, err := r.Seek(int64(n), io.SeekCurrent)
		return b[at : at+n : at+n], err
	})
	if err == nil && r.Len() > 0 {
		return nil, fmt.Errorf("image: %d bytes after the end: %w", r.Len(), ErrDamaged)
	}
	return m, err
}

// Read reads an image from a stream and not a byte more. get, if not nil, gives the
// memory for a queue.
func Read(r io.Reader, get func(n int) []byte) (*Image, error) {
	return read(r, func(n int) ([]byte, error) { return take(r, n, get) })
}

// trusted is how much memory a length in an image is worth before the bytes are there.
const trusted = 8 << 20

// take reads n bytes. What is said to be long gets its memory as it arrives.
func take(r io.Reader, n int, get func(int) []byte) ([]byte, error) {
	if get != nil && n <= trusted {
		b := get(n)
		_, err := io.ReadFull(r, b)
		return b, err
	}
	b := make([]byte, 0, min(n, trusted))
	for len(b) < n {
		at := len(b)
		step := min(n-at, max(trusted, at))
		b = slices.Grow(b, step)[:at+step]
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// decoder is an image being read.
type decoder struct {
	r     io.Reader
	sum   hash.Hash
	total uint64
	m     *Image
	seen  map[uint16]bool
}

func read(r io.Reader, queue func(int) ([]byte, error)) (*Image, error) {
	d := &decoder{r: r, sum: newSum(), m: &Image{}, seen: map[uint16]bool{}}
	sections, err := d.header()
	if err != nil {
		return nil, err
	}
	for i := range sections {
		if err := d.section(i == sections-1, queue); err != nil {
			return nil, err
		}
	}
	for _, typ := range []uint16{sectionIdentity, sectionStream, sectionRecv, sectionSend, sectionTrailer} {
		if !d.seen[typ] {
			return nil, fmt.Errorf("image: no section %d: %w", typ, ErrDamaged)
		}
	}
	if err := d.m.Check(); err != nil {
		return nil, err
	}
	return d.m, nil
}

// full reads all of b; an end before is damage.
func (d *decoder) full(b []byte) error {
	_, err := io.ReadFull(d.r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("image: ends after %d bytes: %w", d.total, ErrDamaged)
	}
	d.total += uint64(len(b))
	return err
}

func (d *decoder) header() (int, error) {
	var h [headerLen]byte
	if err := d.full(h[:]); err != nil {
		return 0, err
	}
	if string(h[:8]) != magic {
		return 0, fmt.Errorf("image: %w", ErrFormat)
	}
	if v := binary.LittleEndian.Uint16(h[8:]); v != Version {
		return 0, fmt.Errorf("image: version %d, not %d: %w", v, Version, ErrVersion)
	}
	if n := binary.LittleEndian.Uint16(h[10:]); n != headerLen {
		return 0, fmt.Errorf("image: header of %d bytes: %w", n, ErrDamaged)
	}
	if flags := binary.LittleEndian.Uint32(h[12:]); flags != 0 {
		return 0, fmt.Errorf("image: flags %#x: %w", flags, ErrVersion)
	}
	d.m.ID = ID(h[16:32])
	d.m.Generation = binary.LittleEndian.Uint64(h[32:])
	d.m.Created = time.Unix(0, int64(binary.LittleEndian.Uint64(h[40:])))
	n := binary.LittleEndian.Uint32(h[48:])
	if n == 0 || n > maxSections {
		return 0, fmt.Errorf("image: %d sections: %w", n, ErrDamaged)
	}
	d.sum.Write(h[:])
	return int(n), nil
}

func (d *decoder) section(last bool, queue func(int) ([]byte, error)) error {
	var h [sectionHeader]byte
	if err := d.full(h[:]); err != nil {
		return err
	}
	typ, flags := binary.LittleEndian.Uint16(h[:]), binary.LittleEndian.Uint16(h[2:])
	sum, size := binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint64(h[8:])
	isQueue := typ == sectionRecv || typ == sectionSend
	limit := uint64(maxSmall)
	if isQueue {
		limit = MaxQueue
	}
	switch {
	case size > limit:
		return fmt.Errorf("image: section %d of %d bytes: %w", typ, size, ErrDamaged)
	case flags > mustKnow || last && flags != mustKnow:
		return fmt.Errorf("image: flags %#x of section %d: %w", flags, typ, ErrDamaged)
	case d.seen[typ]:
		return fmt.Errorf("image: a second section %d: %w", typ, ErrDamaged)
	case last != (typ == sectionTrailer):
		return fmt.Errorf("image: section %d in the wrong place: %w", typ, ErrDamaged)
	}
	d.seen[typ] = true
	var data []byte
	if isQueue {
		var err error
		if data, err = queue(int(size)); err != nil {
			return fmt.Errorf("image: ends in section %d: %w", typ, ErrDamaged)
		}
		d.total += size
	} else {
		data = make([]byte, size)
		if err := d.full(data); err != nil {
			return err
		}
	}
	if crc32.Checksum(data, castagnoli) != sum {
		return fmt.Errorf("image: section %d: checksum is wrong: %w", typ, ErrDamaged)
	}
	if last {
		return d.trailer(data)
	}
	d.sum.Write(h[:])
	if !isQueue {
		d.sum.Write(data)
	}
	return d.content(typ, flags, data)
}

func (d *decoder) trailer(b []byte) error {
	if len(b) != trailerLen || binary.LittleEndian.Uint64(b) != d.total {
		return fmt.Errorf("image: %d bytes, not what its end says: %w", d.total, ErrDamaged)
	}
	if !bytes.Equal(b[8:], d.sum.Sum(nil)) {
		return fmt.Errorf("image: digest is wrong: %w", ErrDamaged)
	}
	return nil
}

func (d *decoder) content(typ, flags uint16, b []byte) (err error) {
	switch typ {
	case sectionIdentity:
		err = d.m.readIdentity(b)
	case sectionStream:
		d.m.Stream, err = readStream(b)
	case sectionOptions:
		d.m.Options, err = readOptions(b)
	case sectionMeta:
		d.m.Meta, err = readMeta(b)
	case sectionApp:
		d.m.App = b
	case sectionRecv:
		d.m.Recv = b
	case sectionSend:
		d.m.Send = b
	default:
		if flags&mustKnow != 0 {
			return fmt.Errorf("image: section %d is unknown: %w", typ, ErrVersion)
		}
	}
	return err
}

func (m *Image) readIdentity(b []byte) error {
	damaged := fmt.Errorf("image: identity: %w", ErrDamaged)
	if len(b) < 2 || b[1] > 1 {
		return damaged
	}
	m.State, m.IPv6Socket = b[0], b[1] == 1
	b = b[2:]
	for _, a := range []*netip.AddrPort{&m.Local, &m.Remote} {
		if len(b) < 1 || len(b) < 1+int(b[0])+2 {
			return damaged
		}
		n := int(b[0])
		addr, ok := netip.AddrFromSlice(b[1 : 1+n])
		if !ok {
			return damaged
		}
		*a = netip.AddrPortFrom(addr, binary.LittleEndian.Uint16(b[1+n:]))
		b = b[1+n+2:]
	}
	if len(b) < 1 || len(b) != 1+int(b[0]) || b[0] > 15 {
		return damaged
	}
	m.Interface = string(b[1:])
	return nil
}

func readOptions(b []byte) (list []Option, err error) {
	for len(b) > 0 {
		if len(b) < 4 || len(b) < 4+int(binary.LittleEndian.Uint16(b[2:])) {
			return nil, fmt.Errorf("image: options: %w", ErrDamaged)
		}
		n := 4 + int(binary.LittleEndian.Uint16(b[2:]))
		list = append(list, Option{ID: binary.LittleEndian.Uint16(b), Value: b[4:n:n]})
		b = b[n:]
	}
	return list, nil
}

func readMeta(b []byte) (map[string]string, error) {
	meta := map[string]string{}
	next := func() (string, bool) {
		if len(b) < 4 || uint64(len(b)-4) < uint64(binary.LittleEndian.Uint32(b)) {
			return "", false
		}
		n := 4 + int(binary.LittleEndian.Uint32(b))
		s := string(b[4:n])
		b = b[n:]
		return s, true
	}
	for len(b) > 0 {
		name, ok := next()
		if !ok {
			return nil, fmt.Errorf("image: notes: %w", ErrDamaged)
		}
		if meta[name], ok = next(); !ok {
			return nil, fmt.Errorf("image: notes: %w", ErrDamaged)
		}
	}
	return meta, nil
}
