package match

import (
	"errors"
	"strings"
)

// glob is a compiled pattern: parts between stars. The first part stands at the
// start of the text unless the pattern begins with a star, the last at its end,
// those between wherever they come first. Time is linear in the text: nothing is
// tried twice.
type glob struct {
	first, last *part // nil where the pattern begins or ends with a star
	middle      []*part
	whole       *part // a pattern without a star; then nothing else is set
}

// part is a run of pattern elements of one byte each: a fixed text, or sets of
// bytes where it has ? or [...].
type part struct {
	text  string
	sets  []byteSet // nil where text says it all
	words int       // of bits that stand for elements
	// follow tells for each byte which elements it passes, 64 to a word: the
	// masks of the shift-and search.
	follow [][256]uint64
}

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(c byte)      { s[c/64] |= 1 << (c % 64) }
func (s *byteSet) has(c byte) bool { return s[c/64]>>(c%64)&1 != 0 }

// maxWords bounds the search's state: MaxPattern elements at most.
const maxWords = (MaxPattern + 63) / 64

var (
	errGlobSet    = errors.New("[ without its ]")
	errGlobRange  = errors.New("the range in [...] ends before it starts")
	errGlobEscape = errors.New(`\ at the end`)
)

// parseGlob compiles a pattern.
func parseGlob(pattern string) (*glob, error) {
	if len(pattern) > MaxPattern {
		return nil, errors.New(tooLong(len(pattern)))
	}
	parts, err := splitGlob(pattern)
	if err != nil {
		return nil, err
	}
	g := &glob{}
	n := len(parts)
	if n == 1 {
		g.whole = parts[0]
		return g, nil
	}
	if parts[0].len() > 0 {
		g.first = parts[0]
	}
	if parts[n-1].len() > 0 {
		g.last = parts[n-1]
	}
	for _, p := range parts[1 : n-1] {
		if p.len() > 0 {
			p.prepare()
			g.middle = append(g.middle, p)
		}
	}
	return g, nil
}

// splitGlob reads a pattern into the parts between its stars.
func splitGlob(pattern string) ([]*part, error) {
	parts := []*part{{}}
	for i := 0; i < len(pattern); {
		p := parts[len(parts)-1]
		switch c := pattern[i]; c {
		case '*':
			parts = append(parts, &part{})
			i++
		case '?':
			p.addSet(byteSet{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)})
			i++
		case '[':
			set, n, err := parseSet(pattern[i+1:])
			if err != nil {
				return nil, err
			}
			p.addSet(set)
			i += 1 + n
		case '\\':
			if i+1 == len(pattern) {
				return nil, errGlobEscape
			}
			p.addByte(pattern[i+1])
			i += 2
		default:
			p.addByte(c)
			i++
		}
	}
	return parts, nil
}

// parseSet reads what follows a [ and returns how many bytes that took. As in
// the shell, ! or ^ first negates, ] first is itself, \ takes the next as it is.
func parseSet(s string) (set byteSet, n int, err error) {
	i := 0
	negate := s != "" && (s[0] == '!' || s[0] == '^')
	if negate {
		i++
	}
	start := i
	next := func() (c byte, ok bool) {
		if i < len(s) && s[i] == '\\' {
			i++
		}
		if i >= len(s) {
			return 0, false
		}
		i++
		return s[i-1], true
	}
	for i < len(s) && (s[i] != ']' || i == start) {
		lo, ok := next()
		if !ok {
			return set, 0, errGlobSet
		}
		hi := lo
		if i+1 < len(s) && s[i] == '-' && s[i+1] != ']' {
			i++
			if hi, ok = next(); !ok {
				return set, 0, errGlobSet
			}
		}
		if hi < lo {
			return set, 0, errGlobRange
		}
		for c := int(lo); c <= int(hi); c++ {
			set.add(byte(c))
		}
	}
	if i >= len(s) {
		return set, 0, errGlobSet
	}
	if negate {
		for w := range set {
			set[w] = ^set[w]
		}
	}
	return set, i + 1, nil
}

func (p *part) addByte(c byte) {
	if p.sets == nil {
		p.text += string([]byte{c})
		return
	}
	var s byteSet
	s.add(c)
	p.sets = append(p.sets, s)
}

// addSet turns the part into sets from its first element on.
func (p *part) addSet(set byteSet) {
	if p.sets == nil {
		p.sets = make([]byteSet, len(p.text), len(p.text)+1)
		for i := range len(p.text) {
			p.sets[i].add(p.text[i])
		}
		p.text = ""
	}
	p.sets = append(p.sets, set)
}

func (p *part) len() int { return max(len(p.text), len(p.sets)) }

// prepare builds the masks that find needs.
func (p *part) prepare() {
	if p.sets == nil {
		return
	}
	p.words = (len(p.sets) + 63) / 64
	p.follow = make([][256]uint64, p.words)
	for i := range p.sets {
		for c := range 256 {
			if p.sets[i].has(byte(c)) {
				p.follow[i/64][c] |= 1 << (i % 64)
			}
		}
	}
}

// fits reports whether the part is at the start of s, which is long enough.
func (p *part) fits(s string) bool {
	if p.sets == nil {
		return s[:len(p.text)] == p.text
	}
	for i := range p.sets {
		if !p.sets[i].has(s[i]) {
			return false
		}
	}
	return true
}

// find returns the end of the part's first occurrence in s, -1 for none.
//
// It is the shift-and algorithm of Baeza-Yates and Gonnet (1992): bit i of the
// state says that the elements up to i fit the latest bytes.
func (p *part) find(s string) int {
	if p.sets == nil {
		if i := strings.Index(s, p.text); i >= 0 {
			return i + len(p.text)
		}
		return -1
	}
	var state [maxWords]uint64
	last, accept := p.words-1, uint64(1)<<((len(p.sets)-1)%64)
	for i := range len(s) {
		carry := uint64(1)
		for w := range p.words {
			next := (state[w]<<1 | carry) & p.follow[w][s[i]]
			carry = state[w] >> 63
			state[w] = next
		}
		if state[last]&accept != 0 {
			return i + 1
		}
	}
	return -1
}

// match reports whether s as a whole is like the pattern.
func (g *glob) match(s string) bool {
	if g.whole != nil {
		return len(s) == g.whole.len() && g.whole.fits(s)
	}
	if g.first != nil {
		n := g.first.len()
		if len(s) < n || !g.first.fits(s) {
			return false
		}
		s = s[n:]
	}
	if g.last != nil {
		n := g.last.len()
		if len(s) < n || !g.last.fits(s[len(s)-n:]) {
			return false
		}
		s = s[:len(s)-n]
	}
	for _, p := range g.middle {
		end := p.find(s)
		if end < 0 {
			return false
		}
		s = s[end:]
	}
	return true
}
