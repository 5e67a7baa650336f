package sock

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/hookd/hookd/stacks/sock/image"
)

// A move over a stream, source on the left:
//
//	OFFER   ->            what is to come: addresses, state, about how much
//	        <-  READY     the target blocks the connection and has room for it
//	IMAGE   ->            the connection, paused since
//	CLOSED  ->            it is gone from the source: from here on it is the target's
//	        <-  DONE      it lives there
//
// The target may answer NACK with a reason instead of READY or DONE; the source then
// resumes the connection in place, or restores it from the image that it has kept.
// Each message is a byte that says what it is, the length of its content in four bytes,
// and the content as JSON; an image follows its message with no length, since it says
// itself where it ends.
const (
	msgOffer  = 1
	msgReady  = 2
	msgImage  = 3
	msgClosed = 4
	msgDone   = 5
	msgNack   = 6
)

// wireVersion is the version of the protocol.
const wireVersion = 1

// maxMessage is the most that a message holds beside an image, in bytes.
const maxMessage = 64 << 10

var (
	// ErrRefused says that the target would not take the connection. It lives on at the
	// source.
	ErrRefused = errors.New("refused by the target")
	// ErrUncertain says that the target had all of the connection and never said whether
	// it lives: the source has let go of it, and must not restore it.
	ErrUncertain = errors.New("not known whether the target has the connection")
	// ErrProtocol says that the other end speaks otherwise.
	ErrProtocol = errors.New("unexpected message")
)

// Offer announces a connection to the target of a move.
type Offer struct {
	Version    int            `json:"version"`
	Generation uint64         `json:"generation"`
	Local      netip.AddrPort `json:"local"`
	Remote     netip.AddrPort `json:"remote"`
	State      string         `json:"state"`
	Recv       uint32         `json:"recv"` // bytes, about
	Send       uint32         `json:"send"`
	// Boot and Netns name the network namespace that it leaves; Table is its lock there.
	Boot  string            `json:"boot"`
	Netns uint64            `json:"netns"`
	Table string            `json:"table,omitempty"`
	Held  bool              `json:"held,omitempty"`
	Meta  map[string]string `json:"meta,omitempty"`
}

// Done is what the target says of a connection that lives there.
type Done struct {
	Took time.Duration `json:"took"`           // of the restore
	Lost []string      `json:"lost,omitempty"` // options that could not be carried over
	// Same says that both are in one network namespace.
	Same bool `json:"same,omitempty"`
}

type nack struct {
	Reason string `json:"reason"`
}

// say writes a message.
func sayMessage(w io.Writer, kind byte, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(body) > maxMessage {
		return fmt.Errorf("message of %d bytes: at most %d", len(body), maxMessage)
	}
	b := append([]byte{kind}, binary.BigEndian.AppendUint32(nil, uint32(len(body)))...)
	_, err = w.Write(append(b, body...))
	return err
}

// hear reads the message that is expected, or the other's refusal.
func hearMessage(r io.Reader, kind byte, v any) error {
	var h [5]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(h[1:])
	if n > maxMessage {
		return fmt.Errorf("message %d of %d bytes: %w", h[0], n, ErrProtocol)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	if h[0] == msgNack && kind != msgNack {
		var no nack
		if err := json.Unmarshal(body, &no); err != nil {
			return fmt.Errorf("refusal: %w: %w", ErrProtocol, err)
		}
		return fmt.Errorf("%w: %s", ErrRefused, no.Reason)
	}
	if h[0] != kind {
		return fmt.Errorf("message %d, not %d: %w", h[0], kind, ErrProtocol)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("message %d: %w: %w", kind, ErrProtocol, err)
	}
	return nil
}

// sendImage writes an image behind its message in one piece; the queues go out from
// where they are.
func sendImage(w io.Writer, m *image.Image) error {
	pieces, err := m.Encode()
	if err != nil {
		return err
	}
	head := []byte{msgImage, 0, 0, 0, 2, '{', '}'}
	pieces[0] = append(head, pieces[0]...)
	_, err = pieces.WriteTo(w)
	return err
}

// NetworkOf returns the network of a place where a mover waits, or a program that a
// connection is given to: "unix" for a path, "tcp" for ADDRESS:PORT.
func NetworkOf(place string) string {
	if strings.Contains(place, "/") {
		return "unix"
	}
	return "tcp"
}

// deadliner is a stream that can be told to give up.
type deadliner interface{ SetDeadline(time.Time) error }

// patience bounds how long a move waits for the other end from now on.
func setPatience(s any, d time.Duration) {
	if c, ok := s.(deadliner); ok {
		_ = c.SetDeadline(time.Now().Add(d))
	}
}
