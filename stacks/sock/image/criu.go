package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// Magic numbers of CRIU's files.
const (
	criuCommon = 0x54564319
	criuStream = 0x51465506
	criuFiles  = 0x56303138
)

// EncodeCRIU returns the connection's numbers and queues as CRIU's tcp-stream image.
func (m *Image) EncodeCRIU() ([]byte, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	entry := m.Stream.appendTo(nil)
	b := make([]byte, 0, 12+len(entry)+len(m.Recv)+len(m.Send))
	b = binary.LittleEndian.AppendUint32(b, criuCommon)
	b = binary.LittleEndian.AppendUint32(b, criuStream)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(entry)))
	b = append(b, entry...)
	b = append(b, m.Recv...)
	return append(b, m.Send...), nil
}

// DecodeCRIU reads CRIU's tcp-stream image: numbers and queues, which are parts of b.
// State and addresses are not in it.
func DecodeCRIU(b []byte) (*Image, error) {
	if len(b) < 12 || binary.LittleEndian.Uint32(b) != criuCommon || binary.LittleEndian.Uint32(b[4:]) != criuStream {
		return nil, fmt.Errorf("image: no tcp-stream of CRIU: %w", ErrFormat)
	}
	size := binary.LittleEndian.Uint32(b[8:])
	if uint64(size) > uint64(len(b)-12) {
		return nil, fmt.Errorf("image: tcp-stream ends early: %w", ErrDamaged)
	}
	m := &Image{}
	var err error
	if m.Stream, err = readStream(b[12 : 12+size]); err != nil {
		return nil, err
	}
	rest := b[12+size:]
	if uint64(len(rest)) != uint64(m.Stream.InqLen)+uint64(m.Stream.OutqLen) {
		return nil, fmt.Errorf("image: tcp-stream has %d bytes for queues of %d and %d: %w",
			len(rest), m.Stream.InqLen, m.Stream.OutqLen, ErrDamaged)
	}
	if m.Stream.UnsqLen > m.Stream.OutqLen {
		return nil, fmt.Errorf("image: %d of %d bytes unsent: %w", m.Stream.UnsqLen, m.Stream.OutqLen, ErrDamaged)
	}
	n := m.Stream.InqLen
	m.Recv, m.Send = rest[:n:n], rest[n:]
	return m, nil
}

// ImportCRIU reads the connection of a socket, by its inode, from a directory that
// `criu dump --tcp-established` wrote.
func ImportCRIU(dir string, ino uint32) (*Image, error) {
	b, err := os.ReadFile(streamFile(dir, ino))
	if err != nil {
		return nil, fmt.Errorf("image: import: %w", err)
	}
	m, err := DecodeCRIU(b)
	if err != nil {
		return nil, err
	}
	files, err := os.ReadFile(filepath.Join(dir, "files.img"))
	if err != nil {
		return nil, fmt.Errorf("image: import: %w", err)
	}
	if err := m.socketOf(files, ino); err != nil {
		return nil, err
	}
	m.ID, m.Created = NewID(), time.Now()
	return m, m.Check()
}

// ExportCRIU writes the connection's tcp-stream image into a directory of CRIU's, in
// the place of what is there.
func (m *Image) ExportCRIU(dir string, ino uint32) error {
	b, err := m.EncodeCRIU()
	if err != nil {
		return err
	}
	path := streamFile(dir, ino)
	if err := os.WriteFile(path+".tmp", b, 0o600); err != nil {
		return fmt.Errorf("image: export: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("image: export: %w", err)
	}
	return nil
}

// streamFile names a socket's image: CRIU writes the inode in hexadecimal.
func streamFile(dir string, ino uint32) string {
	return filepath.Join(dir, fmt.Sprintf("tcp-stream-%x.img", ino))
}

var errFound = errors.New("found")

// socketOf finds a socket in CRIU's list of files and takes state and addresses.
func (m *Image) socketOf(b []byte, ino uint32) error {
	if len(b) < 8 || binary.LittleEndian.Uint32(b) != criuCommon || binary.LittleEndian.Uint32(b[4:]) != criuFiles {
		return fmt.Errorf("image: no list of files of CRIU: %w", ErrFormat)
	}
	for b = b[8:]; len(b) > 0; {
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return fmt.Errorf("image: list of files ends early: %w", ErrDamaged)
		}
		size := int(binary.LittleEndian.Uint32(b))
		entry := b[4 : 4+size]
		b = b[4+size:]
		err := eachField(entry, func(n int, _ uint64, data []byte, numeric bool) error {
			if n != 4 || numeric { // inet_sk_entry
				return nil
			}
			return m.socket(data, ino)
		})
		if errors.Is(err, errFound) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("image: socket %#x is not among the files: %w", ino, os.ErrNotExist)
}

// socket reads one inet_sk_entry.
func (m *Image) socket(b []byte, ino uint32) error {
	num := map[int]uint64{}
	var words [2][]byte
	err := eachField(b, func(n int, v uint64, data []byte, numeric bool) error {
		switch {
		case n == 11 || n == 12: // addresses, packed or one by one
			dst := &words[n-11]
			if numeric {
				*dst = binary.LittleEndian.AppendUint32(*dst, uint32(v))
				return nil
			}
			for len(data) > 0 {
				v, size := binary.Uvarint(data)
				if size <= 0 {
					return fmt.Errorf("image: address of a socket: %w", ErrDamaged)
				}
				*dst = binary.LittleEndian.AppendUint32(*dst, uint32(v))
				data = data[size:]
			}
		case n == 17 && !numeric:
			m.Interface = string(data[:min(len(data), 15)])
		case numeric:
			num[n] = v
		}
		return nil
	})
	if err != nil || num[2] != uint64(ino) {
		return err
	}
	m.State, m.IPv6Socket = uint8(num[6]), num[3] == 10
	for i, a := range []*netip.AddrPort{&m.Local, &m.Remote} {
		addr, ok := netip.AddrFromSlice(words[i])
		if !ok || num[7+i] > 0xffff {
			return fmt.Errorf("image: address of socket %#x: %w", ino, ErrDamaged)
		}
		*a = netip.AddrPortFrom(addr, uint16(num[7+i]))
	}
	return errFound
}
