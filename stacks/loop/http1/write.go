package http1

import (
	"net/http"
	"strconv"
	"time"
)

// AppendStatus appends a status line of HTTP/1.1. The reason is the registered
// one; a status without is a line that ends with its space.
func AppendStatus(dst []byte, status int) []byte {
	if status == 200 {
		return append(dst, "HTTP/1.1 200 OK\r\n"...)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(status)...)
	return append(dst, "\r\n"...)
}

// AppendRequest appends a request line of HTTP/1.1.
func AppendRequest(dst []byte, method, target string) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	return append(dst, " HTTP/1.1\r\n"...)
}

// AppendField appends a field. The caller knows that name is a token and value is
// one that [IsValue] accepts: a line break in them would be another field.
func AppendField[T string | []byte](dst []byte, name string, value T) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// AppendLength appends a Content-Length.
func AppendLength(dst []byte, n int64) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "\r\n"...)
}

// AppendChunk appends p as a chunk; nothing for an empty p, which would end the
// content.
func AppendChunk[T string | []byte](dst []byte, p T) []byte {
	if len(p) == 0 {
		return dst
	}
	dst = strconv.AppendInt(dst, int64(len(p)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, p...)
	return append(dst, "\r\n"...)
}

// AppendLast appends the end of chunked content, without trailers.
func AppendLast(dst []byte) []byte { return append(dst, "0\r\n\r\n"...) }

// Bodyless reports whether a response with that status has no content, whatever
// the request; nor then a Content-Length or Transfer-Encoding, but for 304 (RFC 9110
// section 6.4.1).
func Bodyless(status int) bool { return status < 200 || status == 204 || status == 304 }

// Date is the text of a Date field, made once a second.
type Date struct {
	second int64
	text   []byte
}

// Append appends the field for a time in nanoseconds since the Unix epoch.
func (d *Date) Append(dst []byte, now int64) []byte {
	if s := now / int64(time.Second); s != d.second || d.text == nil {
		d.second = s
		d.text = append(d.text[:0], "Date: "...)
		d.text = time.Unix(s, 0).UTC().AppendFormat(d.text, http.TimeFormat)
		d.text = append(d.text, "\r\n"...)
	}
	return append(dst, d.text...)
}
