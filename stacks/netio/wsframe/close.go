package wsframe

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Code says why a WebSocket is closed (RFC 6455 section 7.4).
type Code uint16

// The codes of RFC 6455 section 7.4.1 and of the IANA registry for it.
const (
	Normal           Code = 1000
	GoingAway        Code = 1001
	ProtocolError    Code = 1002
	Unsupported      Code = 1003
	NoStatus         Code = 1005 // never sent: a close frame without a code
	Abnormal         Code = 1006 // never sent: the connection ended without a close frame
	InvalidData      Code = 1007
	PolicyViolation  Code = 1008
	TooBig           Code = 1009
	MissingExtension Code = 1010
	InternalError    Code = 1011
	ServiceRestart   Code = 1012
	TryAgainLater    Code = 1013
	BadGateway       Code = 1014
	NoTLS            Code = 1015 // never sent: the TLS handshake did not succeed
)

// Sendable reports whether a close frame may carry the code: those that are defined
// for it, 3000 to 3999 for libraries and 4000 to 4999 for applications.
func (c Code) Sendable() bool {
	switch {
	case c >= 3000:
		return c < 5000
	case c == 1004, c == NoStatus, c == Abnormal:
		return false
	}
	return c >= Normal && c <= BadGateway
}

// Error is what a peer did wrong, or too much, and the code to close with.
type Error struct {
	Code Code
	Text string
}

// Error returns the text with the code.
func (e *Error) Error() string { return fmt.Sprintf("wsframe: %s (%d)", e.Text, e.Code) }

// ParseClose takes the payload of a close frame apart. One without a payload has
// code [NoStatus].
func ParseClose(p []byte) (code Code, reason []byte, err error) {
	if len(p) == 0 {
		return NoStatus, nil, nil
	}
	if len(p) == 1 {
		return 0, nil, &Error{ProtocolError, "close frame with half a code"}
	}
	code, reason = Code(binary.BigEndian.Uint16(p)), p[2:]
	if !code.Sendable() {
		return code, reason, &Error{ProtocolError, fmt.Sprintf("close frame with code %d", code)}
	}
	if !utf8.Valid(reason) {
		return code, reason, &Error{InvalidData, "close reason is not UTF-8"}
	}
	return code, reason, nil
}

// AppendClose appends the payload of a close frame: nothing for [NoStatus], and
// the reason cut, between characters, to what fits.
func AppendClose(dst []byte, code Code, reason string) []byte {
	if code == NoStatus {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	if n := MaxControl - 2; len(reason) > n {
		for n > 0 && !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	return append(dst, reason...)
}
