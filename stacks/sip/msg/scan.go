package msg

import "strings"

// What characters may be, RFC 3261, 25.1.
const (
	classToken = 1 << iota // token
	classDigit
	classHost // domain names and IPv4 addresses
	classLWS  // white space, and the line ends inside folded values
	classHex
)

var classes = makeClasses()

func makeClasses() *[256]uint8 {
	var t [256]uint8
	for c := range 256 {
		switch {
		case c >= '0' && c <= '9':
			t[c] = classToken | classDigit | classHost | classHex
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			t[c] = classToken | classHost
		}
	}
	for _, c := range "abcdefABCDEF" {
		t[c] |= classHex
	}
	for _, c := range "-.!%*_+`'~" {
		t[c] |= classToken
	}
	for _, c := range "-._" {
		t[c] |= classHost
	}
	for _, c := range " \t\r\n" {
		t[c] |= classLWS
	}
	return &t
}

func is(c byte, class uint8) bool { return classes[c]&class != 0 }

// all reports whether v has at least one byte and all are of a class.
func all(v []byte, class uint8) bool {
	for _, c := range v {
		if classes[c]&class == 0 {
			return false
		}
	}
	return len(v) != 0
}

// skipLWS returns the place of the first byte from i that is no white space.
func skipLWS(v []byte, i int) int {
	for i < len(v) && is(v[i], classLWS) {
		i++
	}
	return i
}

// trim takes white space off both ends.
func trim(v []byte) []byte {
	i, j := 0, len(v)
	for i < j && is(v[i], classLWS) {
		i++
	}
	for j > i && is(v[j-1], classLWS) {
		j--
	}
	return v[i:j]
}

// sameFold compares ASCII text without case.
func sameFold(v []byte, text string) bool {
	if len(v) != len(text) {
		return false
	}
	for i := range v {
		if lower(v[i]) != lower(text[i]) {
			return false
		}
	}
	return true
}

// EqualFold reports whether two texts are the same but for the case of ASCII
// letters, which is how tokens are compared (RFC 3261, 7.3.1).
func EqualFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// quoted returns the place behind the quoted string that begins at i, or -1 if it
// does not end.
func quoted(v []byte, i int) int {
	for i++; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// Unquote appends what a quoted string says: without its quotes and escapes.
// Anything else is appended as it is.
func Unquote(dst, v []byte) []byte {
	if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
		return append(dst, v...)
	}
	for v = v[1 : len(v)-1]; len(v) != 0; v = v[1:] {
		if v[0] == '\\' && len(v) > 1 {
			v = v[1:]
		}
		dst = append(dst, v[0])
	}
	return dst
}

// Unfold appends a value with each folding replaced by one space (RFC 3261, 7.3.1).
func Unfold(dst, v []byte) []byte {
	for i := 0; i < len(v); i++ {
		if v[i] != '\r' && v[i] != '\n' {
			dst = append(dst, v[i])
			continue
		}
		for len(dst) != 0 && is(dst[len(dst)-1], classLWS) {
			dst = dst[:len(dst)-1]
		}
		dst = append(dst, ' ')
		i = skipLWS(v, i) - 1
	}
	return dst
}

// number reads a whole number of digits only, at most limit.
func number(v []byte, limit uint64) (uint64, bool) {
	if len(v) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + uint64(c-'0'); n > limit {
			return 0, false
		}
	}
	return n, true
}

// unhex returns the byte that an escape at v[i:] stands for, "%41".
func unhex(v []byte, i int) (byte, bool) {
	if i+2 >= len(v) || !is(v[i+1], classHex) || !is(v[i+2], classHex) {
		return 0, false
	}
	return hexValue(v[i+1])<<4 | hexValue(v[i+2]), true
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0x0f + 9
}

// EscapeUser escapes what the user part of a URI cannot hold as it is (RFC 3261, 25.1:
// unreserved and user-unreserved). Escapes that are there stay.
func EscapeUser(user []byte) []byte { return escape(user, "-_.!~*'()&=+$,;?/%") }

// EscapeParam escapes what the value of a URI's parameter cannot hold as it is (RFC 3261,
// 25.1: paramchar).
func EscapeParam(value []byte) []byte { return escape(value, "-_.!~*'()[]/:&+$") }

// escape escapes all but letters, digits and what is plain.
func escape(v []byte, plain string) []byte {
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(v))
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z', strings.IndexByte(plain, c) >= 0:
			out = append(out, c)
		default:
			out = append(out, '%', hex[c>>4], hex[c&15])
		}
	}
	return out
}

// Unescape appends v with its escapes replaced by the bytes that they stand for
// (RFC 3261, 19.1.2). A percent sign that begins no escape stays.
func Unescape(dst, v []byte) []byte {
	for i := 0; i < len(v); i++ {
		if v[i] == '%' {
			if c, ok := unhex(v, i); ok {
				dst = append(dst, c)
				i += 2
				continue
			}
		}
		dst = append(dst, v[i])
	}
	return dst
}
