package jsonlib

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/call"
)

// decoder reads one text.
type decoder struct {
	m    *module
	c    call.Call
	text string
	at   int
	null lua.LValue // what null becomes
	paid int        // up to where the text was counted
}

// fail makes an error about the byte at an offset, from 0.
func (d *decoder) fail(at int, format string, args ...any) error {
	return fmt.Errorf("json: offset %d: "+format, append([]any{at}, args...)...)
}

// found names what stands at the current place.
func (d *decoder) found() string {
	if d.at >= len(d.text) {
		return "the end"
	}
	r, n := utf8.DecodeRuneInString(d.text[d.at:])
	if r == utf8.RuneError && n == 1 {
		return fmt.Sprintf("byte 0x%02x", d.text[d.at])
	}
	return strconv.QuoteRune(r)
}

func (d *decoder) document() (lua.LValue, error) {
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if d.space(); d.at < len(d.text) {
		return nil, d.fail(d.at, "%s follows the end of the value", d.found())
	}
	return v, nil
}

// space skips white space and counts what was read since it last did.
func (d *decoder) space() {
	for d.at < len(d.text) {
		switch d.text[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
			continue
		}
		break
	}
	if n := d.at - d.paid; n > 0 {
		d.c.Spend(n)
		d.paid = d.at
	}
}

func (d *decoder) value(depth int) (lua.LValue, error) {
	d.space()
	d.c.Spend(stepsPerValue)
	if d.at >= len(d.text) {
		return nil, d.fail(d.at, "a value expected, found the end")
	}
	switch b := d.text[d.at]; {
	case b == '{':
		return d.object(depth)
	case b == '[':
		return d.list(depth)
	case b == '"':
		s, err := d.str()
		return lua.LString(s), err
	case b == '-' || '0' <= b && b <= '9':
		return d.number()
	case d.word("true"):
		return lua.LTrue, nil
	case d.word("false"):
		return lua.LFalse, nil
	case d.word("null"):
		return d.null, nil
	}
	return nil, d.fail(d.at, "a value expected, found %s", d.found())
}

// word takes one of the three words.
func (d *decoder) word(w string) bool {
	if !strings.HasPrefix(d.text[d.at:], w) {
		return false
	}
	d.at += len(w)
	return true
}

// nest refuses what nests too deep.
func (d *decoder) nest(depth int) error {
	if depth == MaxDepth {
		return d.fail(d.at, "lists and objects nest at most %d deep", MaxDepth)
	}
	return nil
}

func (d *decoder) list(depth int) (lua.LValue, error) {
	if err := d.nest(depth); err != nil {
		return nil, err
	}
	d.c.Spend(stepsPerList)
	t := d.c.L.CreateTable(0, 0)
	d.at++
	if d.space(); d.take(']') {
		t.Metatable = d.m.list
		return t, nil
	}
	for i := 1; ; i++ {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		t.RawSetInt(i, v)
		d.space()
		switch {
		case d.take(']'):
			return t, nil
		case !d.take(','):
			return nil, d.fail(d.at, "',' or ']' expected, found %s", d.found())
		}
	}
}

func (d *decoder) object(depth int) (lua.LValue, error) {
	if err := d.nest(depth); err != nil {
		return nil, err
	}
	d.c.Spend(stepsPerTable)
	t := d.c.L.CreateTable(0, 0)
	d.at++
	if d.space(); d.take('}') {
		return t, nil
	}
	for {
		if d.space(); d.at >= len(d.text) || d.text[d.at] != '"' {
			return nil, d.fail(d.at, "a key in quotes expected, found %s", d.found())
		}
		key, err := d.str()
		if err != nil {
			return nil, err
		}
		if d.space(); !d.take(':') {
			return nil, d.fail(d.at, "':' expected, found %s", d.found())
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		t.RawSetString(key, v)
		d.space()
		switch {
		case d.take('}'):
			return t, nil
		case !d.take(','):
			return nil, d.fail(d.at, "',' or '}' expected, found %s", d.found())
		}
	}
}

func (d *decoder) take(b byte) bool {
	if d.at < len(d.text) && d.text[d.at] == b {
		d.at++
		return true
	}
	return false
}

// digits skips digits and tells whether there were any.
func (d *decoder) digits() bool {
	from := d.at
	for d.at < len(d.text) && '0' <= d.text[d.at] && d.text[d.at] <= '9' {
		d.at++
	}
	return d.at > from
}

func (d *decoder) number() (lua.LValue, error) {
	from := d.at
	d.take('-')
	zero := d.at < len(d.text) && d.text[d.at] == '0'
	first := d.at
	if !d.digits() {
		return nil, d.fail(d.at, "a digit expected, found %s", d.found())
	}
	if zero && d.at > first+1 {
		return nil, d.fail(first, "a number does not begin with 0")
	}
	if d.take('.') && !d.digits() {
		return nil, d.fail(d.at, "a digit expected, found %s", d.found())
	}
	if d.take('e') || d.take('E') {
		if !d.take('+') {
			d.take('-')
		}
		if !d.digits() {
			return nil, d.fail(d.at, "a digit expected, found %s", d.found())
		}
	}
	f, err := strconv.ParseFloat(d.text[from:d.at], 64)
	if err != nil {
		return nil, d.fail(from, "the number is too large")
	}
	return lua.LNumber(f), nil
}

// str reads a string at its opening quote. Its bytes are its own: a word that is
// kept does not keep the text.
func (d *decoder) str() (string, error) {
	open := d.at
	d.at++
	from := d.at
	for d.at < len(d.text) {
		switch b := d.text[d.at]; {
		case b == '"':
			s := d.text[from:d.at]
			d.at++
			return d.checked(strings.Clone(s), from)
		case b == '\\':
			return d.escaped(open, from)
		case b < 0x20:
			return "", d.fail(d.at, "a control character in a string: write it as \\u%04x", b)
		}
		d.at++
	}
	return "", d.fail(open, "the string does not end")
}

// checked refuses a string that is not UTF-8.
func (d *decoder) checked(s string, from int) (string, error) {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return "", d.fail(from+i, "the string is not UTF-8")
		}
		i += n
	}
	return s, nil
}

// escaped reads a string on from its first escape.
func (d *decoder) escaped(open, from int) (string, error) {
	if _, err := d.checked(d.text[from:d.at], from); err != nil {
		return "", err
	}
	b := append([]byte(nil), d.text[from:d.at]...)
	for d.at < len(d.text) {
		r, n := utf8.DecodeRuneInString(d.text[d.at:])
		switch {
		case r == '"':
			d.at++
			return string(b), nil
		case r == '\\':
			c, err := d.escape()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, c)
			continue
		case r < 0x20:
			return "", d.fail(d.at, "a control character in a string: write it as \\u%04x", r)
		case r == utf8.RuneError && n == 1:
			return "", d.fail(d.at, "the string is not UTF-8")
		}
		b = append(b, d.text[d.at:d.at+n]...)
		d.at += n
	}
	return "", d.fail(open, "the string does not end")
}

// escapes are those of one letter.
var escapes = map[byte]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

func (d *decoder) escape() (rune, error) {
	at := d.at
	if d.at+1 >= len(d.text) {
		return 0, d.fail(at, "the string does not end")
	}
	letter := d.text[d.at+1]
	if r, ok := escapes[letter]; ok {
		d.at += 2
		return r, nil
	}
	if letter != 'u' {
		return 0, d.fail(at, "unknown escape")
	}
	r, ok := d.hex()
	if !ok {
		return 0, d.fail(at, "four hexadecimal digits expected behind \\u")
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if strings.HasPrefix(d.text[d.at:], `\u`) {
		if low, ok := d.hex(); ok {
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				return r, nil
			}
		}
	}
	return 0, d.fail(at, "half of a surrogate pair")
}

// hex reads \uXXXX.
func (d *decoder) hex() (rune, bool) {
	if d.at+6 > len(d.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(d.text[d.at+2:d.at+6], 16, 16)
	if err != nil || strings.ContainsAny(d.text[d.at+2:d.at+6], "_+-") {
		return 0, false
	}
	d.at += 6
	return rune(n), true
}
