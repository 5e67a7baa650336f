package pattern

// reference is the matcher of the Lua 5.1 manual in the most direct form: it
// recurses over the text of the pattern and knows no shortcut. Tests hold the
// compiled matcher against it.
type reference struct {
	s, p  string
	level int
	start [MaxCaptures]int
	end   [MaxCaptures]int // refOpen, refPosition, or one behind the last byte
	steps int
}

const (
	refOpen     = -1
	refPosition = -2
)

type refError string

// refFind returns the whole match and captures, rendered, or nil; the error is
// the text of a malformed pattern, "" when none was met. ok is false when the
// search took more than limit steps.
func refFind(p, s string, init, limit int) (res []Span, msg string, ok bool) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case refError:
			res, msg, ok = nil, string(e), e != "steps"
		default:
			panic(e)
		}
	}()
	r := &reference{s: s, p: p, steps: limit}
	from := 0
	anchored := p != "" && p[0] == '^'
	if anchored {
		from = 1
	}
	for at := init; at <= len(s); at++ {
		r.level = 0
		if e := r.match(at, from); e >= 0 {
			return r.spans(at, e), "", true
		}
		if anchored {
			break
		}
	}
	return nil, "", true
}

func (r *reference) spans(at, e int) []Span {
	res := []Span{{Start: at, End: e}}
	for i := range r.level {
		switch r.end[i] {
		case refOpen:
			panic(refError("unfinished capture"))
		case refPosition:
			res = append(res, Span{Start: r.start[i], End: -1})
		default:
			res = append(res, Span{Start: r.start[i], End: r.end[i]})
		}
	}
	return res
}

func (r *reference) at(p int) byte {
	if p < len(r.p) {
		return r.p[p]
	}
	return 0
}

func (r *reference) match(s, p int) int {
	if r.steps--; r.steps < 0 {
		panic(refError("steps"))
	}
	if p >= len(r.p) {
		return s
	}
	switch c := r.p[p]; {
	case c == '(':
		return r.open(s, p)
	case c == ')':
		return r.close(s, p+1)
	case c == '$' && p+1 == len(r.p):
		if s == len(r.s) {
			return s
		}
		return -1
	case c == '%' && r.at(p+1) == 'b':
		return r.balance(s, p+2)
	case c == '%' && r.at(p+1) == 'f':
		return r.frontier(s, p+2)
	case c == '%' && isDigit(r.at(p+1)):
		return r.back(s, p)
	}
	return r.item(s, p)
}

func (r *reference) item(s, p int) int {
	ep := r.classEnd(p)
	m := s < len(r.s) && r.one(r.s[s], p, ep)
	switch r.at(ep) {
	case '?':
		if m {
			if e := r.match(s+1, ep+1); e >= 0 {
				return e
			}
		}
		return r.match(s, ep+1)
	case '*':
		return r.max(s, p, ep)
	case '+':
		if !m {
			return -1
		}
		return r.max(s+1, p, ep)
	case '-':
		for {
			if e := r.match(s, ep+1); e >= 0 {
				return e
			}
			if s >= len(r.s) || !r.one(r.s[s], p, ep) {
				return -1
			}
			s++
		}
	}
	if !m {
		return -1
	}
	return r.match(s+1, ep)
}

func (r *reference) max(s, p, ep int) int {
	n := 0
	for s+n < len(r.s) && r.one(r.s[s+n], p, ep) {
		n++
	}
	for ; n >= 0; n-- {
		if e := r.match(s+n, ep+1); e >= 0 {
			return e
		}
	}
	return -1
}

func (r *reference) open(s, p int) int {
	if r.level >= MaxCaptures {
		panic(refError("too many captures"))
	}
	r.start[r.level], r.end[r.level] = s, refOpen
	next := p + 1
	if r.at(p+1) == ')' {
		r.end[r.level] = refPosition
		next = p + 2
	}
	r.level++
	e := r.match(s, next)
	if e < 0 {
		r.level--
	}
	return e
}

func (r *reference) close(s, p int) int {
	for l := r.level - 1; l >= 0; l-- {
		if r.end[l] == refOpen {
			r.end[l] = s
			e := r.match(s, p)
			if e < 0 {
				r.end[l] = refOpen
			}
			return e
		}
	}
	panic(refError("invalid pattern capture"))
}

func (r *reference) balance(s, p int) int {
	if p+1 >= len(r.p) {
		panic(refError("unbalanced pattern"))
	}
	if s >= len(r.s) || r.s[s] != r.p[p] {
		return -1
	}
	depth := 1
	for k := s + 1; k < len(r.s); k++ {
		if r.s[k] == r.p[p+1] {
			if depth--; depth == 0 {
				return r.match(k+1, p+2)
			}
		} else if r.s[k] == r.p[p] {
			depth++
		}
	}
	return -1
}

func (r *reference) frontier(s, p int) int {
	if r.at(p) != '[' {
		panic(refError("missing '[' after '%f' in pattern"))
	}
	ep := r.classEnd(p)
	var before, after byte
	if s > 0 {
		before = r.s[s-1]
	}
	if s < len(r.s) {
		after = r.s[s]
	}
	if r.bracket(before, p, ep-1) || !r.bracket(after, p, ep-1) {
		return -1
	}
	return r.match(s, ep)
}

func (r *reference) back(s, p int) int {
	l := int(r.p[p+1]) - '1'
	if l < 0 || l >= r.level || r.end[l] == refOpen {
		panic(refError("invalid capture index"))
	}
	if r.end[l] == refPosition {
		return -1
	}
	want := r.s[r.start[l]:r.end[l]]
	if len(r.s)-s < len(want) || r.s[s:s+len(want)] != want {
		return -1
	}
	return r.match(s+len(want), p+2)
}

func (r *reference) classEnd(p int) int {
	c := r.p[p]
	p++
	switch c {
	case '%':
		if p >= len(r.p) {
			panic(refError("malformed pattern (ends with '%')"))
		}
		return p + 1
	case '[':
		if r.at(p) == '^' {
			p++
		}
		for {
			if p >= len(r.p) {
				panic(refError("malformed pattern (missing ']')"))
			}
			if r.p[p] == '%' && p+1 < len(r.p) {
				p++
			}
			p++
			if r.at(p) == ']' {
				return p + 1
			}
		}
	}
	return p
}

func (r *reference) one(c byte, p, ep int) bool {
	switch r.p[p] {
	case '.':
		return true
	case '%':
		return refClass(c, r.p[p+1])
	case '[':
		return r.bracket(c, p, ep-1)
	}
	return r.p[p] == c
}

func (r *reference) bracket(c byte, p, ec int) bool {
	in := true
	if r.at(p+1) == '^' {
		in = false
		p++
	}
	for p++; p < ec; p++ {
		switch {
		case r.p[p] == '%':
			p++
			if refClass(c, r.p[p]) {
				return in
			}
		case r.p[p+1] == '-' && p+2 < ec:
			p += 2
			if r.p[p-2] <= c && c <= r.p[p] {
				return in
			}
		case r.p[p] == c:
			return in
		}
	}
	return !in
}

// refClasses lists the members of each class, so that a slip in the ranges of
// class.go shows.
var refClasses = map[byte]string{
	'a': "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	'd': "0123456789",
	'l': "abcdefghijklmnopqrstuvwxyz",
	'p': "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
	's': " \t\n\v\f\r",
	'u': "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
	'w': "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	'x': "0123456789ABCDEFabcdef",
	'z': "\x00",
	'c': "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f" +
		"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f",
}

func refClass(c, l byte) bool {
	lower := l
	if 'A' <= l && l <= 'Z' {
		lower = l + 32
	}
	members, isClass := refClasses[lower]
	if !isClass {
		return c == l
	}
	for i := range len(members) {
		if members[i] == c {
			return lower == l
		}
	}
	return lower != l
}
