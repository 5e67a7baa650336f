package strlib

import (
	"math"
	"strconv"
	"strings"
)

// NumberString writes a number as Lua 5.1's tostring does, which is C's
// "%.14g": 14 significant digits, "inf", "-inf", and "-0" for negative zero.
// NaN is always "nan".
func NumberString(f float64) string {
	if i := int64(f); float64(i) == f && -smallest < i && i < smallest && (i != 0 || !math.Signbit(f)) {
		return strconv.FormatInt(i, 10)
	}
	var buf [32]byte
	return string(appendNumber(buf[:0], f))
}

// smallest is the least integer that %.14g does not write out.
const smallest = 1e14

func appendNumber(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	}
	return strconv.AppendFloat(dst, f, 'g', 14, 64)
}

// maxNumeral is the longest text, in bytes, that is read as a number, so that
// no operand takes longer than others.
const maxNumeral = 1000

// ParseNumber reads a number as Lua 5.1 does on Linux: what strtod takes,
// hexadecimal included ("0x10", "0x.8p1"), with white space around it. A number
// too large is infinite. Unlike strtod it refuses "inf" and "nan", and text of
// more than 1,000 bytes.
func ParseNumber(s string) (float64, bool) {
	if len(s) > maxNumeral {
		return 0, false
	}
	s = trimSpace(s)
	digits := s
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		digits = digits[1:]
	}
	if len(digits) > 1 && digits[0] == '0' && digits[1]|0x20 == 'x' {
		return parseHex(digits[2:], s[0] == '-')
	}
	if !isNumeral(digits, isDecimal, 'e') {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || math.IsInf(f, 0)
}

// parseHex reads what follows 0x.
func parseHex(digits string, negative bool) (float64, bool) {
	if !isNumeral(digits, isHex, 'p') {
		return 0, false
	}
	text := "0x" + digits
	if !strings.ContainsAny(digits, "pP") {
		text += "p0"
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	if negative {
		f = -f
	}
	return f, true
}

// isNumeral reports whether s is digits with at most one point among them, at
// least one digit, and perhaps an exponent.
func isNumeral(s string, digit func(byte) bool, exponent byte) bool {
	i, digits, point := 0, 0, false
	for ; i < len(s); i++ {
		if digit(s[i]) {
			digits++
		} else if s[i] == '.' && !point {
			point = true
		} else {
			break
		}
	}
	if digits == 0 || i == len(s) {
		return digits > 0
	}
	if s[i]|0x20 != exponent {
		return false
	}
	i++
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	return i < len(s) && allDecimal(s[i:])
}

func allDecimal(s string) bool {
	for i := range len(s) {
		if !isDecimal(s[i]) {
			return false
		}
	}
	return true
}

func isDecimal(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDecimal(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// trimSpace takes off what C's isspace calls white space.
func trimSpace(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// parseBase reads an integer as C's strtoul does: white space, a sign, for base
// 16 perhaps 0x, digits, white space. A minus sign is modulo 2^64; what is too
// large is 2^64-1.
func parseBase(s string, base int) (float64, bool) {
	if len(s) > maxNumeral {
		return 0, false
	}
	s = trimSpace(s)
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	if base == 16 && len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && isHex(s[2]) {
		s = s[2:]
	}
	if s == "" || s[0] == '-' || s[0] == '+' || strings.IndexByte(s, '_') >= 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, base, 64)
	if err != nil {
		return math.MaxUint64, n == math.MaxUint64
	}
	if negative {
		n = -n
	}
	return float64(n), true
}
