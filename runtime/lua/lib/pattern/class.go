package pattern

import "math/bits"

// byteSet is a set of byte values, one bit each.
type byteSet [4]uint64

func (s *byteSet) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }

func (s *byteSet) add(c byte) { s[c>>6] |= 1 << (c & 63) }

func (s *byteSet) addRange(lo, hi byte) {
	for c := int(lo); c <= int(hi); c++ {
		s.add(byte(c))
	}
}

func (s *byteSet) union(o *byteSet) {
	for i := range s {
		s[i] |= o[i]
	}
}

func (s *byteSet) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

func (s *byteSet) isAll() bool { return *s == byteSet{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)} }

func (s *byteSet) disjoint(o *byteSet) bool {
	for i := range s {
		if s[i]&o[i] != 0 {
			return false
		}
	}
	return true
}

// only returns the one member of the set, or -1 when there are none or several.
func (s *byteSet) only() int {
	found := -1
	for i, w := range s {
		if w == 0 {
			continue
		}
		if found >= 0 || w&(w-1) != 0 {
			return -1
		}
		found = i*64 + bits.TrailingZeros64(w)
	}
	return found
}

// addClass adds what %l stands for: a class for the letters that name one
// (upper case is the complement), else the byte itself. Classes are those of
// the C locale, so no byte of 0x80 and above is in any but a complement.
func (s *byteSet) addClass(l byte) {
	in := classOf(l | 0x20)
	if in == nil {
		s.add(l)
		return
	}
	complement := l&0x20 == 0
	for c := range 256 {
		if in(byte(c)) != complement {
			s.add(byte(c))
		}
	}
}

func classOf(l byte) func(byte) bool {
	switch l {
	case 'a':
		return isLetter
	case 'c':
		return func(c byte) bool { return c < ' ' || c == 0x7f }
	case 'd':
		return isDigit
	case 'l':
		return func(c byte) bool { return 'a' <= c && c <= 'z' }
	case 'p':
		return func(c byte) bool { return '!' <= c && c <= '~' && !isLetter(c) && !isDigit(c) }
	case 's':
		return func(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
	case 'u':
		return func(c byte) bool { return 'A' <= c && c <= 'Z' }
	case 'w':
		return func(c byte) bool { return isLetter(c) || isDigit(c) }
	case 'x':
		return func(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
	case 'z':
		return func(c byte) bool { return c == 0 }
	}
	return nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
