package source

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// lexer splits a source into tokens by the rules of Lua 5.1, plus goto and
// labels, which the parser knows. The parser has a lexer of its own, which is
// laxer here and stricter there; it is given clean, a copy of the source with
// only those bytes that both read alike.
type lexer struct {
	src      []byte
	pos      int
	tokens   []token
	clean    []byte // src until something must be blanked, then a copy
	warnings []*complaint
}

// complaint is something to say about the bytes [from, to).
type complaint struct {
	from, to int
	msg      string
	hint     string
	warning  bool
	// unfinished: more input might be all that is missing.
	unfinished bool
}

// lex reads all of src. After an error the tokens are those in front of it.
func lex(src []byte) (*lexer, *complaint) {
	l := &lexer{src: src, clean: src, tokens: make([]token, 0, len(src)/4+1)}
	l.preamble()
	for {
		l.space()
		if l.pos >= len(src) {
			l.add(tEOF, l.pos)
			return l, nil
		}
		if err := l.next(); err != nil {
			return l, err
		}
	}
}

// preamble skips what editors and kernels put in front of a script: a byte
// order mark and a "#!" line.
func (l *lexer) preamble() {
	if bytes.HasPrefix(l.src, []byte("\xef\xbb\xbf")) {
		l.skip(3)
	}
	if l.peek(0) == '#' {
		l.skip(lineEnd(l.src, l.pos))
	}
}

// skip moves to an offset and blanks what lies between.
func (l *lexer) skip(to int) {
	for i := l.pos; i < to; i++ {
		if c := l.src[i]; c == '\n' || c == '\r' || c == ' ' || c == '\t' {
			continue
		}
		if &l.clean[0] == &l.src[0] {
			l.clean = bytes.Clone(l.src)
		}
		l.clean[i] = ' '
	}
	l.pos = to
}

func (l *lexer) space() {
	for l.pos < len(l.src) {
		switch l.src[l.pos] {
		case ' ', '\t', '\n', '\r':
			l.pos++
		case '\v', '\f':
			l.skip(l.pos + 1)
		default:
			return
		}
	}
}

func (l *lexer) add(k kind, to int) {
	l.tokens = append(l.tokens, token{int32(l.pos), int32(to), k})
	l.pos = to
}

// peek returns the byte n after the current one, 0 past the end.
func (l *lexer) peek(n int) byte {
	if l.pos+n < len(l.src) {
		return l.src[l.pos+n]
	}
	return 0
}

func (l *lexer) next() *complaint {
	c := l.src[l.pos]
	switch {
	case nameStart(c):
		end := l.pos + 1
		for end < len(l.src) && (nameStart(l.src[end]) || digit(l.src[end])) {
			end++
		}
		l.add(word(l.src[l.pos:end]), end)
		return nil
	case digit(c), c == '.' && digit(l.peek(1)):
		return l.number()
	case c == '"' || c == '\'':
		return l.quoted(c)
	case c == '-' && l.peek(1) == '-':
		return l.comment()
	case c == '[' && (l.peek(1) == '[' || l.peek(1) == '='):
		return l.longString()
	}
	if k, n := l.operator(c); n > 0 {
		l.add(k, l.pos+n)
		return nil
	}
	return l.stray()
}

// operator returns the longest operator at the current byte and its length.
func (l *lexer) operator(c byte) (kind, int) {
	second := l.peek(1)
	switch {
	case c == '.' && second == '.' && l.peek(2) == '.':
		return tDots, 3
	case c == '.' && second == '.':
		return tConcat, 2
	case c == '=' && second == '=':
		return tEq, 2
	case c == '~' && second == '=':
		return tNe, 2
	case c == '<' && second == '=':
		return tLe, 2
	case c == '>' && second == '=':
		return tGe, 2
	case c == ':' && second == ':':
		return tLabel, 2
	}
	for k := tPlus; k <= tDot; k++ {
		if s := spelling[k]; len(s) == 1 && s[0] == c {
			return k, 1
		}
	}
	return tEOF, 0
}

// comment skips a comment, and blanks it: the parser takes "--[=" for a long
// comment whatever follows.
func (l *lexer) comment() *complaint {
	if l.peek(2) != '[' {
		l.skip(lineEnd(l.src, l.pos))
		return nil
	}
	body, end, ok := longBracket(l.src, l.pos+2)
	switch {
	case !ok:
		l.skip(lineEnd(l.src, l.pos))
	case end < 0:
		return &complaint{
			from: l.pos, to: body, msg: "unfinished long comment",
			hint: "it ends at " + closer(l.src, l.pos+2), unfinished: true,
		}
	default:
		l.skip(end)
	}
	return nil
}

func (l *lexer) longString() *complaint {
	body, end, ok := longBracket(l.src, l.pos)
	switch {
	case !ok:
		return &complaint{from: l.pos, to: body, msg: "invalid long string delimiter"}
	case end < 0:
		return &complaint{
			from: l.pos, to: body, msg: "unfinished long string",
			hint: "it ends at " + closer(l.src, l.pos), unfinished: true,
		}
	}
	l.add(tString, end)
	return nil
}

// longBracket reads "[", any number of "=", "[" at an offset. It returns where
// the opening ends and where the closing one does, -1 if there is none; ok is
// false if no long bracket opens here.
func longBracket(src []byte, at int) (body, end int, ok bool) {
	body = at + 1
	for body < len(src) && src[body] == '=' {
		body++
	}
	if body >= len(src) || src[body] != '[' {
		return body, -1, false
	}
	body++
	close := closer(src, at)
	if i := bytes.Index(src[body:], []byte(close)); i >= 0 {
		return body, body + i + len(close), true
	}
	return body, -1, true
}

// closer returns what closes the long bracket that opens at an offset.
func closer(src []byte, at int) string {
	n := at + 1
	for n < len(src) && src[n] == '=' {
		n++
	}
	return "]" + string(src[at+1:n]) + "]"
}

// stray complains about a byte that begins no token.
func (l *lexer) stray() *complaint {
	r, size := utf8.DecodeRune(l.src[l.pos:])
	c := &complaint{from: l.pos, to: l.pos + size, msg: "unexpected symbol '" + string(r) + "'"}
	second := l.peek(1)
	switch {
	case r == '!' && second == '=':
		c.to++
		c.msg, c.hint = "unexpected symbol '!='", "Lua writes 'is not equal' as ~="
	case r == '!':
		c.hint = "Lua writes negation as 'not'"
	case r == '&' && second == '&':
		c.to++
		c.msg, c.hint = "unexpected symbol '&&'", "Lua writes it as 'and'"
	case r == '|' && second == '|':
		c.to++
		c.msg, c.hint = "unexpected symbol '||'", "Lua writes it as 'or'"
	case r == '&' || r == '|' || r == '~':
		c.hint = "Lua 5.1 has no bitwise operators"
	case r == '?':
		c.hint = "Lua has no ?: operator; write: condition and a or b"
	case r == '`' || r == '‘' || r == '’' || r == '“' || r == '”' || r == '«' || r == '»':
		c.hint = `strings stand in " or '`
	case r == '\u00a0' || unicode.Is(unicode.Zs, r) || r == '\u200b' || r == '\ufeff':
		c.msg = fmt.Sprintf("unexpected character U+%04X", r)
		c.hint = "it looks like a space and is none; delete it"
	case unicode.IsLetter(r):
		c.hint = "names are made of a-z, A-Z, 0-9 and _"
	case r == utf8.RuneError || unicode.IsControl(r):
		c.msg = fmt.Sprintf("unexpected byte 0x%02x", l.src[l.pos])
	}
	return c
}

// lineEnd returns the offset of the first line end from an offset on.
func lineEnd(src []byte, from int) int {
	if i := bytes.IndexAny(src[from:], "\r\n"); i >= 0 {
		return from + i
	}
	return len(src)
}

func nameStart(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func hexDigit(c byte) bool {
	return digit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
