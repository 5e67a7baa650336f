package wsframe

import "unicode/utf8"

// text checks that what comes in pieces is UTF-8 (RFC 3629), and says so at the
// first byte that cannot be.
type text struct {
	part [utf8.UTFMax]byte // the beginning of a character
	n    int
}

// add takes the next piece.
func (t *text) add(p []byte) bool {
	for t.n > 0 && len(p) > 0 {
		t.part[t.n] = p[0]
		t.n++
		p = p[1:]
		if utf8.FullRune(t.part[:t.n]) {
			if !utf8.Valid(t.part[:t.n]) {
				return false
			}
			t.n = 0
		}
	}
	// A piece can end inside a character: what could still become one is kept.
	end := len(p)
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if b := p[len(p)-i]; utf8.RuneStart(b) {
			if b >= utf8.RuneSelf && !utf8.FullRune(p[len(p)-i:]) {
				end -= i
			}
			break
		}
	}
	t.n += copy(t.part[t.n:], p[end:])
	return utf8.Valid(p[:end])
}

// end reports whether the text can end here, and forgets it.
func (t *text) end() bool {
	ok := t.n == 0
	t.n = 0
	return ok
}
