package strlib

import (
	"bytes"
	"math"
	"strconv"
)

// spec is a conversion of C's printf (C99 7.19.6.1).
type spec struct {
	minus, plus, space, alt, zero bool

	width int
	prec  int // -1 when not given
	verb  byte
}

// flag takes note of c if it is a flag.
func (sp *spec) flag(c byte) bool {
	switch c {
	case '-':
		sp.minus = true
	case '+':
		sp.plus = true
	case ' ':
		sp.space = true
	case '#':
		sp.alt = true
	case '0':
		sp.zero = true
	default:
		return false
	}
	return true
}

// sign returns what stands before a number.
func (sp *spec) sign(negative bool) string {
	switch {
	case negative:
		return "-"
	case sp.plus:
		return "+"
	case sp.space:
		return " "
	}
	return ""
}

// pad appends s in the width, blanks on the left or, with -, on the right.
func pad[T string | []byte](sp spec, buf []byte, s T) []byte {
	blanks := sp.width - len(s)
	if !sp.minus {
		buf = appendTimes(buf, ' ', blanks)
	}
	buf = append(buf, s...)
	if sp.minus {
		buf = appendTimes(buf, ' ', blanks)
	}
	return buf
}

// padNumber appends a number in the width. With zeros, they come between the
// prefix and the digits.
func (sp *spec) padNumber(buf []byte, prefix string, digits []byte, zeros bool) []byte {
	fill := sp.width - len(prefix) - len(digits)
	if !sp.minus && !zeros {
		buf = appendTimes(buf, ' ', fill)
	}
	buf = append(buf, prefix...)
	if !sp.minus && zeros {
		buf = appendTimes(buf, '0', fill)
	}
	buf = append(buf, digits...)
	if sp.minus {
		buf = appendTimes(buf, ' ', fill)
	}
	return buf
}

func appendTimes(buf []byte, c byte, n int) []byte {
	for ; n > 0; n-- {
		buf = append(buf, c)
	}
	return buf
}

func (sp *spec) appendInt(buf []byte, f float64) []byte {
	n := toInt64(f)
	magnitude := uint64(n)
	if n < 0 {
		magnitude = -magnitude
	}
	var room [128]byte
	return sp.padNumber(buf, sp.sign(n < 0), sp.digits(room[:0], magnitude), sp.zero && sp.prec < 0)
}

func (sp *spec) appendUint(buf []byte, f float64) []byte {
	var room [128]byte
	n, prefix := toUint64(f), ""
	digits := sp.digits(room[:0], n)
	if sp.alt && n != 0 {
		switch sp.verb {
		case 'x':
			prefix = "0x"
		case 'X':
			prefix = "0X"
		}
	}
	return sp.padNumber(buf, prefix, digits, sp.zero && sp.prec < 0)
}

// digits appends at least as many digits as the precision says; zero in no
// digits is nothing, except that %#o always begins with a zero.
func (sp *spec) digits(dst []byte, n uint64) []byte {
	base := 10
	switch sp.verb {
	case 'o':
		base = 8
	case 'x', 'X':
		base = 16
	}
	var room [24]byte
	digits := strconv.AppendUint(room[:0], n, base)
	if n == 0 && sp.prec == 0 {
		digits = digits[:0]
	}
	missing := sp.prec - len(digits)
	if sp.verb == 'o' && sp.alt && missing < 1 && (len(digits) == 0 || digits[0] != '0') {
		missing = 1
	}
	dst = append(appendTimes(dst, '0', missing), digits...)
	if sp.verb == 'X' {
		upperCase(dst)
	}
	return dst
}

func upperCase(b []byte) {
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 0x20
		}
	}
}

func (sp *spec) appendFloat(buf []byte, f float64) []byte {
	var room [480]byte // what %99.99f of the greatest number needs, and more
	digits, zeros := room[:0], sp.zero
	switch {
	case math.IsNaN(f):
		digits, zeros = append(digits, "nan"...), false
	case math.IsInf(f, 0):
		digits, zeros = append(digits, "inf"...), false
	default:
		digits = sp.floatDigits(digits, math.Abs(f))
	}
	if sp.verb < 'a' {
		upperCase(digits)
	}
	negative := math.Signbit(f) && !math.IsNaN(f)
	return sp.padNumber(buf, sp.sign(negative), digits, zeros)
}

func (sp *spec) floatDigits(dst []byte, f float64) []byte {
	prec := sp.prec
	if prec < 0 {
		prec = 6
	}
	verb := sp.verb | 0x20
	if verb != 'g' {
		return sp.keepPoint(strconv.AppendFloat(dst, f, verb, prec, 64))
	}
	prec = max(prec, 1)
	if !sp.alt {
		return strconv.AppendFloat(dst, f, 'g', prec, 64)
	}
	// # keeps the zeros at the end, which Go's 'g' never does.
	dst = strconv.AppendFloat(dst, f, 'e', prec-1, 64)
	exp, _ := strconv.Atoi(string(dst[bytes.IndexByte(dst, 'e')+1:]))
	if exp >= -4 && exp < prec {
		dst = strconv.AppendFloat(dst[:0], f, 'f', prec-1-exp, 64)
	}
	return sp.keepPoint(dst)
}

// keepPoint adds the point that # asks for where no digits follow it.
func (sp *spec) keepPoint(dst []byte) []byte {
	if !sp.alt || bytes.IndexByte(dst, '.') >= 0 {
		return dst
	}
	if e := bytes.IndexByte(dst, 'e'); e >= 0 {
		dst = append(dst, 0)
		copy(dst[e+1:], dst[e:])
		dst[e] = '.'
		return dst
	}
	return append(dst, '.')
}
