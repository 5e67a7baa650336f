package flow

import (
	"io"
	"unsafe"
)

// Storage is where the bytes of frames stay when the frame is over: a capture in a file. Of what streams
// keep, only the place is noted then, and it is read again when somebody reads the stream: most of what
// connections send is never looked at twice.
type Storage interface {
	// Place returns where b, bytes of the frame at hand, can be read again; false where they cannot, since
	// they were put together or inflated, or since the capture is no file. Places count bytes, and are at
	// most 2^51.
	Place(b []byte) (at int64, ok bool)
	// ReadAt reads at a place, any number of frames later; where shards are driven apart, from several
	// goroutines at once.
	io.ReaderAt
}

// placed is bytes of a frame that was sorted, which lie elsewhere now than when the storage knew them.
type placed struct {
	bytes []byte
	at    int64
}

// place returns where b lies, which is some of the bytes.
func (p *placed) place(b []byte) (at int64, ok bool) {
	off := uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(unsafe.SliceData(p.bytes)))
	return p.at + int64(off), off < uintptr(len(p.bytes)) && len(b) <= len(p.bytes)-int(off)
}

// maxNoted is of how many ranges of the file a segment consists at most; one that would have more is stored.
// So is one that begins with less than minNoted bytes: what comes in small pieces is cheaper to copy.
const (
	maxNoted = 8
	minNoted = blockSize / maxNoted
)

// noted is bytes of the file: their place, and in the low bits how many they are.
type noted int64

const (
	notedBits = 12 // for up to blockSize bytes
	maxPlace  = 1<<(63-notedBits) - 1
)

func (p noted) split() (at int64, n int) { return int64(p >> notedBits), int(p & (1<<notedBits - 1)) }

// add puts data behind the bytes of s, which has room for it and is for what. It fails where the bytes before
// cannot be read any more.
func (m *memory) add(s *segment, data []byte, what purpose) bool {
	if what == readable && m.note(s, data) {
		return true
	}
	if s.block == nil && !m.load(s) {
		return false
	}
	s.data = append(s.data, data...)
	s.n = int32(len(s.data))
	return true
}

// note adds data to what is noted of s, if it can be read again, and s is not stored.
func (m *memory) note(s *segment, data []byte) bool {
	if m.cfg.Storage == nil || s.block != nil || s.parts == maxNoted || s.parts == 0 && len(data) < minNoted {
		return false
	}
	at, ok := m.place(data)
	if !ok || at > maxPlace {
		return false
	}
	s.noted[s.parts] = noted(at<<notedBits | int64(len(data)))
	s.parts++
	s.n += int32(len(data))
	return true
}

// place returns where data can be read again.
func (m *memory) place(data []byte) (at int64, ok bool) {
	if m.sorted {
		return m.placed.place(data)
	}
	return m.cfg.Storage.Place(data)
}

// load stores what is noted of s. It fails if that cannot be read any more: then s is a range whose bytes are
// not known.
func (m *memory) load(s *segment) bool {
	parts := s.noted[:s.parts]
	s.block, s.parts = m.block(), 0
	s.data = s.block[:s.n]
	for rest := s.data; len(parts) > 0; parts = parts[1:] {
		at, n := parts[0].split()
		if got, _ := m.cfg.Storage.ReadAt(rest[:n], at); got < n {
			m.unread += uint64(s.n)
			s.data, s.n = s.block[:0], 0
			return false
		}
		rest = rest[n:]
	}
	return true
}

// bytes returns what was captured of s.
func (m *memory) bytes(s *segment) []byte {
	if s.parts > 0 {
		m.load(s)
	}
	return s.data
}
