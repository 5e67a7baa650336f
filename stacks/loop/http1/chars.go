package http1

// Classes of bytes.
const (
	isToken  = 1 << iota // RFC 9110 section 5.6.2
	isValue              // what a field's value may contain: VCHAR, obs-text, SP, HTAB
	isTarget             // what a request target may contain: VCHAR, but no "#"
	isHost               // RFC 3986 section 3.2: host and port, with brackets
	isHex
)

// class has the classes of each byte.
var class = func() (t [256]uint8) {
	for c := range 256 {
		b := byte(c)
		alnum := b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z'
		if alnum || in(b, "!#$%&'*+-.^_`|~") {
			t[c] |= isToken
		}
		if b == '\t' || b >= 0x20 && b != 0x7f {
			t[c] |= isValue
		}
		if b > 0x20 && b < 0x7f && b != '#' {
			t[c] |= isTarget
		}
		if alnum || in(b, "-._~!$&'()*+,;=:[]%") {
			t[c] |= isHost
		}
		if b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'f' {
			t[c] |= isHex
		}
	}
	return t
}()

func in(b byte, set string) bool {
	for i := range len(set) {
		if set[i] == b {
			return true
		}
	}
	return false
}

// all reports whether every byte of p is of a class.
func all(p []byte, of uint8) bool {
	for _, b := range p {
		if class[b]&of == 0 {
			return false
		}
	}
	return true
}

// IsToken reports whether s is a token, as methods and field names are (RFC 9110
// section 5.6.2).
func IsToken[T string | []byte](s T) bool {
	for i := range len(s) {
		if class[s[i]]&isToken == 0 {
			return false
		}
	}
	return len(s) > 0
}

// IsValue reports whether s can be a field's value: no control character but tab.
func IsValue[T string | []byte](s T) bool {
	for i := range len(s) {
		if class[s[i]]&isValue == 0 {
			return false
		}
	}
	return true
}

// fold reports whether p is the lower case word, whatever the case of p's letters.
func fold(p []byte, word string) bool {
	if len(p) != len(word) {
		return false
	}
	for i, b := range p {
		if b >= 'A' && b <= 'Z' {
			b |= 0x20
		}
		if b != word[i] {
			return false
		}
	}
	return true
}

// trim takes spaces and tabs off both ends.
func trim(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t') {
		p = p[1:]
	}
	for len(p) > 0 && (p[len(p)-1] == ' ' || p[len(p)-1] == '\t') {
		p = p[:len(p)-1]
	}
	return p
}

// element returns the first element of a comma-separated list, and the rest (RFC
// 9110 section 5.6.1).
func element(list []byte) (first, rest []byte) {
	for i, b := range list {
		if b == ',' {
			return trim(list[:i]), list[i+1:]
		}
	}
	return trim(list), nil
}
