package image

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Version is the version of the format that is written, and the only one that is read.
const Version = 1

// MaxQueue is the most that a queue in an image holds, in bytes.
const MaxQueue = 256 << 20

// maxSmall is the most that any other section holds.
const maxSmall = 1 << 20

// maxSections is the most sections that are read.
const maxSections = 64

var (
	// ErrFormat says that it is no image.
	ErrFormat = errors.New("not a connection image")
	// ErrVersion says that the image is of a version that this one does not know.
	ErrVersion = errors.New("image of another version")
	// ErrDamaged says that the image is cut short or changed.
	ErrDamaged = errors.New("image is damaged")
	// ErrClaimed says that the image was restored, or is being restored.
	ErrClaimed = errors.New("image is claimed already")
)

// ID names an image, on all hosts.
type ID [16]byte

// String returns the id in hexadecimal, in groups as UUIDs are written.
func (id ID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// Image is a TCP connection without a socket.
type Image struct {
	ID         ID
	Generation uint64 // how often the connection was moved before
	Created    time.Time

	State         uint8 // the kernel's number
	IPv6Socket    bool  // an IPv6 socket, if the addresses do not say it
	Local, Remote netip.AddrPort
	Interface     string // of a link-local address

	Stream  Stream
	Options []Option
	Meta    map[string]string // what handlers and callers noted
	App     []byte            // the application's own, such as what it had read and not used

	Recv, Send []byte // the queues
}

// Option is a socket option by a number of this format's own.
type Option struct {
	ID    uint16
	Value []byte
}

// Check returns an error where the image contradicts itself.
func (m *Image) Check() error {
	l, r := m.Local.Addr(), m.Remote.Addr()
	switch {
	case !l.IsValid() || !r.IsValid() || l.Unmap().Is4() != r.Unmap().Is4():
		return fmt.Errorf("image: addresses %v and %v: %w", m.Local, m.Remote, ErrDamaged)
	case uint64(len(m.Recv)) != uint64(m.Stream.InqLen) || uint64(len(m.Send)) != uint64(m.Stream.OutqLen):
		return fmt.Errorf("image: queues of %d and %d bytes, said to be %d and %d: %w",
			len(m.Recv), len(m.Send), m.Stream.InqLen, m.Stream.OutqLen, ErrDamaged)
	case m.Stream.UnsqLen > m.Stream.OutqLen:
		return fmt.Errorf("image: %d of %d bytes unsent: %w", m.Stream.UnsqLen, m.Stream.OutqLen, ErrDamaged)
	case len(m.Recv) > MaxQueue || len(m.Send) > MaxQueue:
		return fmt.Errorf("image: queues of %d and %d bytes: at most %d", len(m.Recv), len(m.Send), MaxQueue)
	}
	return nil
}

// Sections by type.
const (
	sectionIdentity = 1
	sectionStream   = 2
	sectionOptions  = 4
	sectionMeta     = 5
	sectionApp      = 6
	sectionRecv     = 7
	sectionSend     = 8
	sectionTrailer  = 255
)

// mustKnow is the flag of a section that a reader has to understand.
const mustKnow = 1

const (
	magic         = "HKSOCK\r\n"
	headerLen     = 52
	sectionHeader = 16
	trailerLen    = 8 + 32
)
