package http1

import "strconv"

// Error says what is wrong with a message. All errors of this package's readers
// are of this type and are compared by identity.
type Error struct {
	// Status is what a server answers: 400, 413, 414, 417, 431, 501 or 505.
	Status int
	// What names the fault in a few words, for records: "bare LF".
	What string
}

// Error returns the fault behind its status.
func (e *Error) Error() string { return "http1: " + strconv.Itoa(e.Status) + ": " + e.What }

// What readers refuse.
var (
	ErrBareLF       = &Error{400, "line ends with a bare LF"}
	ErrBareCR       = &Error{400, "CR without LF"}
	ErrControl      = &Error{400, "control character"}
	ErrEmptyLines   = &Error{400, "empty lines before the message"}
	ErrMethod       = &Error{400, "method is not a token"}
	ErrRequestLine  = &Error{400, "request line is not method, target and version"}
	ErrTarget       = &Error{400, "target is of no form that the method takes"}
	ErrVersion      = &Error{400, "no HTTP version"}
	ErrVersionMajor = &Error{505, "not HTTP/1"}
	ErrStatusLine   = &Error{400, "status line is not version, status and reason"}
	ErrNoColon      = &Error{400, "field without a colon"}
	ErrFieldName    = &Error{400, "field name is not a token"}
	ErrSpaceColon   = &Error{400, "space before a field's colon"}
	ErrFold         = &Error{400, "folded field"}
	ErrHostMissing  = &Error{400, "no Host"}
	ErrHostTwice    = &Error{400, "several Host fields"}
	ErrHost         = &Error{400, "Host is no host"}
	ErrLength       = &Error{400, "Content-Length is not a number"}
	ErrLengthTwice  = &Error{400, "several Content-Length"}
	ErrBothLengths  = &Error{400, "Content-Length beside Transfer-Encoding"}
	ErrCoding       = &Error{400, "Transfer-Encoding does not end with chunked"}
	ErrCodingOld    = &Error{400, "Transfer-Encoding in HTTP/1.0"}
	ErrCodingOther  = &Error{501, "transfer coding other than chunked"}
	ErrExpect       = &Error{417, "expectation other than 100-continue"}
	ErrLineLong     = &Error{414, "request line too long"}
	ErrHeadLong     = &Error{431, "head too long"}
	ErrFields       = &Error{431, "too many fields"}
	ErrChunkSize    = &Error{400, "chunk size is not a hexadecimal number"}
	ErrChunkEnd     = &Error{400, "chunk does not end with CRLF"}
	ErrChunkExt     = &Error{400, "chunk extensions too long, or no extensions"}
	ErrTrailers     = &Error{431, "trailers too long"}
	ErrTrailerField = &Error{400, "trailer that belongs to the head"}
	ErrBodyLong     = &Error{413, "content too long"}
	ErrCut          = &Error{400, "message cut short"}
)
