package source

import (
	"bytes"
	"fmt"
	"strings"
)

// number reads a numeral as Lua 5.1 does: digits and points, an exponent, then
// whatever letters follow, and all of it must make sense. (The parser ends a
// numeral at the first byte that does not fit and turns what is left, such as
// "1e" or "0x", into NaN.)
func (l *lexer) number() *complaint {
	end := l.pos
	for end < len(l.src) && (digit(l.src[end]) || l.src[end] == '.') {
		end++
	}
	if end < len(l.src) && (l.src[end] == 'e' || l.src[end] == 'E') {
		end++
		if end < len(l.src) && (l.src[end] == '+' || l.src[end] == '-') {
			end++
		}
	}
	for end < len(l.src) && (digit(l.src[end]) || nameStart(l.src[end])) {
		end++
	}
	text := l.src[l.pos:end]
	if hexadecimal(text) {
		l.add(tNumber, end)
		return nil
	}
	if !decimal(text) {
		return malformed(l.pos, end, text)
	}
	// The parser drops one leading zero and takes a second one for octal.
	zeros := 0
	for zeros+1 < len(text) && text[zeros] == '0' && digit(text[zeros+1]) {
		zeros++
	}
	l.skip(l.pos + zeros)
	l.add(tNumber, end)
	return nil
}

func malformed(from, to int, text []byte) *complaint {
	c := &complaint{from: from, to: to, msg: fmt.Sprintf("malformed number '%s'", clip(text))}
	lower := strings.ToLower(string(text))
	switch {
	case strings.Contains(lower, ".."):
		c.hint = "put a space between a number and '..'"
	case strings.HasPrefix(lower, "0x"):
		c.hint = "hexadecimal numbers are 0x and the digits 0-9 a-f"
	case strings.HasPrefix(lower, "0b"), strings.HasPrefix(lower, "0o"):
		c.hint = "numbers are decimal or, with 0x, hexadecimal"
	case strings.Contains(lower, "_"):
		c.hint = "Lua has no digit separators"
	case strings.HasSuffix(lower, "e"), strings.HasSuffix(lower, "e+"), strings.HasSuffix(lower, "e-"):
		c.hint = "the exponent is missing"
	}
	return c
}

func hexadecimal(text []byte) bool {
	if len(text) < 3 || text[0] != '0' || text[1] != 'x' && text[1] != 'X' {
		return false
	}
	for _, c := range text[2:] {
		if !hexDigit(c) {
			return false
		}
	}
	return true
}

// decimal tells whether text is digits with at most one point, at least one
// digit, and an optional exponent with a digit.
func decimal(text []byte) bool {
	i, digits := 0, 0
	for ; i < len(text) && digit(text[i]); i++ {
		digits++
	}
	if i < len(text) && text[i] == '.' {
		for i++; i < len(text) && digit(text[i]); i++ {
			digits++
		}
	}
	if digits == 0 || i == len(text) {
		return digits > 0
	}
	if text[i] != 'e' && text[i] != 'E' {
		return false
	}
	if i++; i < len(text) && (text[i] == '+' || text[i] == '-') {
		i++
	}
	exponent := text[i:]
	return len(exponent) > 0 && len(bytes.TrimLeft(exponent, "0123456789")) == 0
}

// quoted reads a string in quotes. Its escapes are left to the parser, except
// for what Lua 5.1 refuses or an author of a later Lua would not expect.
func (l *lexer) quoted(quote byte) *complaint {
	for end := l.pos + 1; end < len(l.src); end++ {
		switch l.src[end] {
		case quote:
			l.add(tString, end+1)
			return nil
		case '\n', '\r':
			return l.unfinished(end, false)
		case '\\':
			n, err := l.escape(end)
			if err != nil {
				return err
			}
			if end += n; end+1 >= len(l.src) {
				last := l.src[end]
				return l.unfinished(len(l.src), n == 0 || last == '\n' || last == '\r')
			}
		}
	}
	return l.unfinished(len(l.src), false)
}

// unfinished complains about a string without its closing quote. Only after a
// backslash can a later line finish it.
func (l *lexer) unfinished(end int, continued bool) *complaint {
	return &complaint{
		from: l.pos, to: end, msg: "unfinished string",
		hint:       fmt.Sprintf("it needs a closing %c on the same line", l.src[l.pos]),
		unfinished: continued,
	}
}

// escape looks at the escape that begins at an offset and returns how many
// bytes after the backslash belong to it.
func (l *lexer) escape(at int) (int, *complaint) {
	if at+1 >= len(l.src) {
		return 0, nil
	}
	switch c := l.src[at+1]; {
	case digit(c):
		n, value := 0, 0
		for n < 3 && at+1+n < len(l.src) && digit(l.src[at+1+n]) {
			value = value*10 + int(l.src[at+1+n]-'0')
			n++
		}
		if value > 255 {
			return 0, &complaint{
				from: at, to: at + 1 + n, msg: "escape sequence too large",
				hint: "a byte is \\0 to \\255",
			}
		}
		return n, nil
	case c == 'x' || c == 'z' || c == 'u':
		l.warnings = append(l.warnings, &complaint{
			from: at, to: at + 2, warning: true,
			msg:  fmt.Sprintf("'\\%c' is just '%c' in Lua 5.1", c, c),
			hint: "write bytes in decimal: \\0 to \\255",
		})
		return 1, nil
	case c == '\n' || c == '\r':
		if at+2 < len(l.src) && (l.src[at+2] == '\n' || l.src[at+2] == '\r') && l.src[at+2] != c {
			return 2, nil
		}
		return 1, nil
	}
	return 1, nil
}

// clip shortens what is quoted in a message.
func clip(text []byte) []byte {
	const most = 40
	if len(text) <= most {
		return text
	}
	return append(bytes.Clone(text[:most]), "..."...)
}
