package diag

import (
	"bytes"
	"strings"
)

// Locate finds where on a line of a Lua file token stands, for callers that
// know only the line. It prefers a whole word outside comments and strings,
// then a whole word anywhere. Line counts from 1; col is 0 if token is not
// there, and sourceLine is "" if the line does not exist.
func Locate(src []byte, line int, token string) (col int, sourceLine string) {
	from, to, ok := lineBounds(src, line)
	if !ok {
		return 0, ""
	}
	sourceLine = string(src[from:to])
	if token == "" {
		return 0, sourceLine
	}
	if strings.IndexByte(token, 0) < 0 { // codeOnly's blanks would match it
		if at := word(codeOnly(src[:to])[from:], token); at >= 0 {
			return at + 1, sourceLine
		}
	}
	return word(src[from:to], token) + 1, sourceLine
}

// lineBounds returns the bytes of a line without its line end. \n, \r, \r\n and
// \n\r each end one line, as in Lua's own lexer.
func lineBounds(src []byte, line int) (from, to int, ok bool) {
	for n := 1; n <= line; n++ {
		end := bytes.IndexAny(src[from:], "\r\n")
		if n == line {
			if end < 0 {
				return from, len(src), true
			}
			return from, from + end, true
		}
		if end < 0 {
			break
		}
		from += end + 1
		if from < len(src) && (src[from] == '\n' || src[from] == '\r') && src[from] != src[from-1] {
			from++
		}
	}
	return 0, 0, false
}

// word returns the offset of token in text where no letter, digit or underscore
// continues it, or -1.
func word(text []byte, token string) int {
	for at := 0; ; {
		i := bytes.Index(text[at:], []byte(token))
		if i < 0 {
			return -1
		}
		at += i
		end := at + len(token)
		joinedLeft := at > 0 && nameByte(text[at-1]) && nameByte(token[0])
		joinedRight := end < len(text) && nameByte(text[end]) && nameByte(token[len(token)-1])
		if !joinedLeft && !joinedRight {
			return at
		}
		at++
	}
}

func nameByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// codeOnly returns a copy of src in which every byte of a comment or string is 0.
func codeOnly(src []byte) []byte {
	code := bytes.Clone(src)
	for i := 0; i < len(code); {
		end := i
		switch c := code[i]; {
		case c == '"' || c == '\'':
			end = quoted(code, i)
		case c == '[':
			end = longBracket(code, i)
		case c == '-' && bytes.HasPrefix(code[i:], []byte("--")):
			if end = longBracket(code, i+2); end == i+2 {
				end = endOfLine(code, i)
			}
		}
		if end == i {
			i++
			continue
		}
		clear(code[i:end])
		i = end
	}
	return code
}

func quoted(src []byte, at int) (end int) {
	for i := at + 1; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case src[at]:
			return i + 1
		case '\n', '\r':
			return i
		}
	}
	return len(src)
}

// longBracket returns the end of the long bracket that opens at at, or at if
// none does.
func longBracket(src []byte, at int) (end int) {
	if at >= len(src) || src[at] != '[' {
		return at
	}
	i := at + 1
	for i < len(src) && src[i] == '=' {
		i++
	}
	if i >= len(src) || src[i] != '[' {
		return at
	}
	closer := "]" + string(src[at+1:i]) + "]"
	if n := bytes.Index(src[i:], []byte(closer)); n >= 0 {
		return i + n + len(closer)
	}
	return len(src)
}

func endOfLine(src []byte, at int) int {
	if n := bytes.IndexAny(src[at:], "\r\n"); n >= 0 {
		return at + n
	}
	return len(src)
}
