package record

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AppendJSON appends the tree as one JSON object. The order is that of Next, so
// equal trees with equal histories give equal bytes.
//
//	{"v":1,"version":2,"data":{"name":"x","list":[1,2,null,4]}}
//
// An array part alone is an array, null is a hole in it; a table of strings is
// an object. What JSON cannot say is an object whose first key begins with "$":
//
//	{"$number":"nan"}            also "inf" and "-inf"
//	{"$bytes":"/w=="}            a string that is not UTF-8, in base64
//	{"$list":[1],"$pairs":[[true,2]]}   other keys, or keys that begin with "$"
//
// The tree is locked while it is copied, not while it is written.
func (r *Root) AppendJSON(dst []byte) []byte {
	c := r.Clone()
	dst = append(dst, `{"v":1,"version":`...)
	dst = strconv.AppendInt(dst, int64(c.version), 10)
	dst = append(dst, `,"data":`...)
	dst = appendTable(dst, &c.top)
	return append(dst, '}')
}

// AppendJSON appends the value as it stands in the tree of [Root.AppendJSON]. A
// table is locked while it is copied, not while it is written.
func (v Value) AppendJSON(dst []byte) []byte {
	t, ok := v.AsTable()
	if !ok {
		return appendValue(dst, v)
	}
	live := t.root.live()
	locked := live.lock()
	c, err := live.copyOf(t, NewRoot(t.root.name, t.root.limits))
	live.unlock(locked)
	if err != nil {
		return append(dst, "null"...)
	}
	return appendTable(dst, c)
}

// appendTable writes a table that nobody else holds.
func appendTable(dst []byte, t *Table) []byte {
	s := &t.st
	switch {
	case s.live() == 0 && len(s.arr) > 0:
		return appendList(dst, s.arr)
	case len(s.arr) == 0 && s.plainKeys():
		return appendObject(dst, s)
	}
	dst = append(dst, '{')
	if len(s.arr) > 0 {
		dst = append(dst, `"$list":`...)
		dst = appendList(dst, s.arr)
		dst = append(dst, ',')
	}
	dst = append(dst, `"$pairs":`...)
	dst = appendPairs(dst, s)
	return append(dst, '}')
}

// plainKeys says whether all keys of the hash part can be keys of an object.
func (s *storage) plainKeys() bool {
	for i := range s.ents {
		if e := &s.ents[i]; e.val.kind != KindNil {
			k, ok := e.key.AsString()
			if !ok || strings.HasPrefix(k, "$") || !utf8.ValidString(k) {
				return false
			}
		}
	}
	return true
}

func appendList(dst []byte, arr []Value) []byte {
	dst = append(dst, '[')
	for i, v := range arr {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, v)
	}
	return append(dst, ']')
}

func appendObject(dst []byte, s *storage) []byte {
	dst = append(dst, '{')
	var p place
	for k, v, ok := s.step(&p); ok; k, v, ok = s.step(&p) {
		dst = appendComma(dst, '{')
		dst = appendString(dst, k.str())
		dst = append(dst, ':')
		dst = appendValue(dst, v)
	}
	return append(dst, '}')
}

func appendPairs(dst []byte, s *storage) []byte {
	dst = append(dst, '[')
	p := place{hashed: true, hint: -1}
	for k, v, ok := s.step(&p); ok; k, v, ok = s.step(&p) {
		dst = appendComma(dst, '[')
		dst = append(dst, '[')
		dst = appendValue(dst, k)
		dst = append(dst, ',')
		dst = appendValue(dst, v)
		dst = append(dst, ']')
	}
	return append(dst, ']')
}

// appendComma separates what follows from a member before it.
func appendComma(dst []byte, opening byte) []byte {
	if dst[len(dst)-1] == opening {
		return dst
	}
	return append(dst, ',')
}

func appendValue(dst []byte, v Value) []byte {
	switch v.kind {
	case KindBool:
		return strconv.AppendBool(dst, v.bits == 1)
	case KindNumber:
		return appendNumber(dst, v.num())
	case KindString:
		if s := v.str(); !utf8.ValidString(s) {
			dst = append(dst, `{"$bytes":"`...)
			dst = base64.StdEncoding.AppendEncode(dst, []byte(s))
			return append(dst, `"}`...)
		}
		return appendString(dst, v.str())
	case KindTable:
		return appendTable(dst, v.tab())
	}
	return append(dst, "null"...)
}

func appendNumber(dst []byte, f float64) []byte {
	switch {
	case f != f:
		return append(dst, `{"$number":"nan"}`...)
	case math.IsInf(f, 1):
		return append(dst, `{"$number":"inf"}`...)
	case math.IsInf(f, -1):
		return append(dst, `{"$number":"-inf"}`...)
	case math.Abs(f) >= 1e21 || f != 0 && math.Abs(f) < 1e-6:
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// appendString writes valid UTF-8 as a JSON string (RFC 8259 section 7).
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
