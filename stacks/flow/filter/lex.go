package filter

import (
	"net/netip"
	"strconv"
	"strings"
)

// MaxExpr is the longest expression that Parse takes, in bytes.
const MaxExpr = 64 << 10

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokAnd
	tokOr
	tokNot
	tokOpen   // (
	tokClose  // )
	tokSymbol // any other operator; text says which
	tokWord   // a keyword
	tokNumber
	tokIPv4 // two to four numbers and dots
	tokIPv6
	tokMAC
	tokARCNET // $ and a byte
	tokName
)

type token struct {
	kind  tokenKind
	text  string  // as written; of a name without its backslash
	at    int     // byte offset in the expression
	word  keyword // of a tokWord
	num   uint32  // of a tokNumber
	match int     // of a parenthesis: the index of its partner
}

type lexer struct {
	src  string
	at   int
	toks []token
	open []int // indexes of the parentheses that are not closed yet
}

// lex cuts the expression into tokens, the last of which is a tokEnd. As in
// libpcap's scanner the longest token wins; so 10-5 is a name and 10 - 5 is not.
func lex(src string) ([]token, error) {
	if len(src) > MaxExpr {
		return nil, errorAt(src, 0, "", "the expression has %d bytes, the limit is %d", len(src), MaxExpr)
	}
	l := lexer{src: src}
	for l.at < len(src) {
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	if n := len(l.open); n > 0 {
		return nil, l.fault(l.toks[l.open[n-1]].at, "", "this parenthesis is not closed")
	}
	return append(l.toks, token{kind: tokEnd, at: len(src)}), nil
}

func (l *lexer) fault(at int, hint, format string, args ...any) error {
	return errorAt(l.src, at, hint, format, args...)
}

func (l *lexer) add(kind tokenKind, n int) *token {
	l.toks = append(l.toks, token{kind: kind, text: l.src[l.at : l.at+n], at: l.at})
	l.at += n
	return &l.toks[len(l.toks)-1]
}

var symbols = []string{">=", "<=", "!=", "==", "<<", ">>", "+", "-", "*", "/", "%", ":", "[", "]", "<", ">", "&", "|", "^", "="}

func (l *lexer) next() error {
	rest := l.src[l.at:]
	switch c := rest[0]; {
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		l.at++
		return nil
	case c == '(' || c == ')':
		return l.parenthesis(c)
	case c == '\\':
		return l.escaped(rest)
	case c == '$':
		return l.arcnet(rest)
	case isAlnum(c) || ipv6Len(rest) > 0:
		return l.wordOrAddress(rest)
	}
	switch {
	case strings.HasPrefix(rest, "&&"):
		l.add(tokAnd, 2)
		return nil
	case strings.HasPrefix(rest, "||"):
		l.add(tokOr, 2)
		return nil
	}
	for _, s := range symbols {
		if strings.HasPrefix(rest, s) {
			l.add(tokSymbol, len(s))
			return nil
		}
	}
	if rest[0] == '!' {
		l.add(tokNot, 1)
		return nil
	}
	for _, r := range rest {
		return l.fault(l.at, "", "unexpected character %q", r)
	}
	return nil
}

func (l *lexer) parenthesis(c byte) error {
	at := l.at
	index := len(l.toks)
	if c == '(' {
		l.add(tokOpen, 1)
		l.open = append(l.open, index)
		return nil
	}
	n := len(l.open)
	if n == 0 {
		return l.fault(at, "", "nothing is open that this parenthesis closes")
	}
	l.add(tokClose, 1).match = l.open[n-1]
	l.toks[l.open[n-1]].match = index
	l.open = l.open[:n-1]
	return nil
}

// escaped reads a name that would otherwise be a keyword: \tcp.
func (l *lexer) escaped(rest string) error {
	n := strings.IndexAny(rest, " !()\n\t")
	if n < 0 {
		n = len(rest)
	}
	if n == 1 {
		return l.fault(l.at, "", "a backslash begins a name")
	}
	tok := l.add(tokName, n)
	tok.text = tok.text[1:]
	return nil
}

func (l *lexer) arcnet(rest string) error {
	n := hexDigits(rest[1:], 2)
	if n == 0 {
		return l.fault(l.at, "", "$ begins an ARCNET address, one byte in hexadecimal")
	}
	l.add(tokARCNET, n+1)
	return nil
}

func (l *lexer) wordOrAddress(rest string) error {
	n, mac, v6 := nameLen(rest), macLen(rest), ipv6Len(rest)
	switch {
	case mac >= max(n, v6) && mac > 0:
		l.add(tokMAC, mac)
		return nil
	case v6 > n:
		l.add(tokIPv6, v6)
		return nil
	case brokenMACLen(rest) > n:
		return l.fault(l.at, "", "%q is neither an Ethernet nor an IPv6 address", rest[:brokenMACLen(rest)])
	}
	return l.word(rest[:n])
}

func (l *lexer) word(text string) error {
	if text == "and" || text == "or" || text == "not" {
		l.add(map[string]tokenKind{"and": tokAnd, "or": tokOr, "not": tokNot}[text], len(text))
		return nil
	}
	if k, ok := keywords[text]; ok {
		l.add(tokWord, len(text)).word = k
		return nil
	}
	if v, ok := fieldNumbers[text]; ok {
		l.add(tokNumber, len(text)).num = v
		return nil
	}
	switch parts := strings.Split(text, "."); {
	case len(parts) == 1 && isNumber(text):
		return l.number(text)
	case len(parts) >= 2 && len(parts) <= 4 && allNumbers(parts):
		l.add(tokIPv4, len(text))
	default:
		l.add(tokName, len(text))
	}
	return nil
}

// number reads decimal, hexadecimal (0x) and octal (0) numbers of 32 bits.
func (l *lexer) number(text string) error {
	v, err := strconv.ParseUint(text, 0, 32)
	if err != nil {
		what := "number %s does not fit 32 bits"
		if text[0] == '0' && strings.ContainsAny(text, "89") && !strings.ContainsAny(text, "xX") {
			what = "number %s begins with 0, so it is octal, and has a digit that octal lacks"
		}
		return l.fault(l.at, "", what, text)
	}
	l.add(tokNumber, len(text)).num = uint32(v)
	return nil
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// hexDigits counts the hexadecimal digits that s begins with, up to limit.
func hexDigits(s string, limit int) int {
	n := 0
	for n < len(s) && n < limit && isHex(s[n]) {
		n++
	}
	return n
}

// isNumber says whether s is decimal digits, or 0x and hexadecimal ones.
func isNumber(s string) bool {
	if len(s) > 2 && (strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X")) {
		return hexDigits(s[2:], len(s)) == len(s)-2
	}
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func allNumbers(parts []string) bool {
	for _, p := range parts {
		if !isNumber(p) {
			return false
		}
	}
	return true
}

// nameLen returns the length of the name, number or dotted address at the
// beginning of s: letters, digits, dots, and within it - and _.
func nameLen(s string) int {
	n := 0
	for n < len(s) && (isAlnum(s[n]) || n > 0 && strings.IndexByte("-_.", s[n]) >= 0) {
		n++
	}
	for n > 0 && (s[n-1] == '-' || s[n-1] == '_') {
		n--
	}
	return n
}

// macLen returns the length of the Ethernet address at the beginning of s: six
// bytes with the same separator, or twelve digits in one or three groups.
func macLen(s string) int {
	if hexDigits(s, 12) == 12 {
		return 12
	}
	if len(s) >= 14 && s[4] == '.' && s[9] == '.' &&
		hexDigits(s, 4) == 4 && hexDigits(s[5:], 4) == 4 && hexDigits(s[10:], 4) == 4 {
		return 14
	}
	n := 0
	var separator byte
	for i := range 6 {
		if i == 1 && n < len(s) && strings.IndexByte(":-.", s[n]) >= 0 {
			separator = s[n]
		}
		if i > 0 {
			if n >= len(s) || separator == 0 || s[n] != separator {
				return 0
			}
			n++
		}
		digits := hexDigits(s[n:], 2)
		if digits == 0 {
			return 0
		}
		n += digits
	}
	return n
}

// ipv6Len returns the length of the longest IPv6 address that s begins with.
func ipv6Len(s string) int {
	const longest = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
	n, colons := 0, 0
	for n < len(s) && n < longest && (isHex(s[n]) || s[n] == ':' || s[n] == '.') {
		if s[n] == ':' {
			colons++
		}
		n++
	}
	for ; colons >= 2 && n >= 2; n-- {
		if a, err := netip.ParseAddr(s[:n]); err == nil && a.Is6() {
			return n
		}
	}
	return 0
}

// brokenMACLen returns the length of bytes in hexadecimal, each followed by a
// colon, at the beginning of s, if there are two or more of them.
func brokenMACLen(s string) int {
	n, groups := 0, 0
	for {
		digits := hexDigits(s[n:], 2)
		if digits == 0 || n+digits >= len(s) || s[n+digits] != ':' {
			break
		}
		n += digits + 1
		groups++
	}
	if groups < 2 {
		return 0
	}
	return n
}
