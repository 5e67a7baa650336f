package wsframe

import (
	"encoding/binary"
	"fmt"
)

// Opcode says what a frame is (RFC 6455 section 5.2).
type Opcode uint8

// The opcodes. The others are reserved.
const (
	Continuation Opcode = 0
	Text         Opcode = 1
	Binary       Opcode = 2
	Close        Opcode = 8
	Ping         Opcode = 9
	Pong         Opcode = 10
)

// Control reports whether it is a control frame's.
func (o Opcode) Control() bool { return o >= Close }

// String returns the name in lower case.
func (o Opcode) String() string {
	switch o {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	}
	return fmt.Sprintf("opcode(%d)", uint8(o))
}

// MaxControl is how many bytes of payload a control frame has at most (RFC 6455 section 5.5).
const MaxControl = 125

// MaxHeader is how many bytes a frame's header has at most.
const MaxHeader = 14

// Header is what stands before a frame's payload.
type Header struct {
	Opcode Opcode
	Fin    bool  // the last frame of its message
	RSV1   bool  // the message is compressed, where that was agreed on
	RSV23  uint8 // the other two reserved bits
	Masked bool
	Key    [4]byte // where Masked
	Len    uint64  // bytes of payload
}

// ParseHeader takes a header from the front of p and returns how many bytes it has;
// 0 means that p ends before the header does. It checks what is wrong whoever
// sent it: reserved opcodes, control frames that are long or fragmented, lengths
// that are not in their shortest form or have their top bit set.
func ParseHeader(p []byte) (h Header, n int, err error) {
	if len(p) < 2 {
		return h, 0, nil
	}
	h.Fin, h.RSV1, h.RSV23 = p[0]&0x80 != 0, p[0]&0x40 != 0, p[0]>>4&3
	h.Opcode = Opcode(p[0] & 15)
	h.Masked, h.Len = p[1]&0x80 != 0, uint64(p[1]&0x7f)
	if err := h.check(); err != nil {
		return h, 0, err
	}
	n = 2
	switch h.Len {
	case 126:
		if n = 4; len(p) < n {
			return h, 0, nil
		}
		h.Len = uint64(binary.BigEndian.Uint16(p[2:]))
		if h.Len < 126 {
			return h, 0, errLongLength
		}
	case 127:
		if n = 10; len(p) < n {
			return h, 0, nil
		}
		h.Len = binary.BigEndian.Uint64(p[2:])
		if h.Len < 1<<16 || h.Len>>63 != 0 {
			return h, 0, errLongLength
		}
	}
	if h.Masked {
		if len(p) < n+4 {
			return h, 0, nil
		}
		n += copy(h.Key[:], p[n:n+4])
	}
	return h, n, nil
}

// check looks at what the first two bytes say.
func (h *Header) check() error {
	switch h.Opcode {
	case Continuation, Text, Binary:
		return nil
	case Close, Ping, Pong:
	default:
		return &Error{ProtocolError, "reserved opcode"}
	}
	if !h.Fin {
		return &Error{ProtocolError, "fragmented control frame"}
	}
	if h.Len > MaxControl {
		return &Error{ProtocolError, "control frame longer than 125 bytes"}
	}
	return nil
}

var errLongLength = &Error{ProtocolError, "length not in its shortest form"}

// AppendHeader appends a header with that length of payload in its shortest form.
func AppendHeader(dst []byte, h Header) []byte {
	b := byte(h.Opcode) | h.RSV23<<4
	if h.Fin {
		b |= 0x80
	}
	if h.RSV1 {
		b |= 0x40
	}
	var mask byte
	if h.Masked {
		mask = 0x80
	}
	switch {
	case h.Len < 126:
		dst = append(dst, b, mask|byte(h.Len))
	case h.Len < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, b, mask|126), uint16(h.Len))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, b, mask|127), h.Len)
	}
	if h.Masked {
		dst = append(dst, h.Key[:]...)
	}
	return dst
}
